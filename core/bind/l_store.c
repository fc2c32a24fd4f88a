/* l_store: orrery.core.store. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_store(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
