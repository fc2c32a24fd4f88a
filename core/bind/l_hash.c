/* l_hash: orrery.core.hash. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_hash(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
