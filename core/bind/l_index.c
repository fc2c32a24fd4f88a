/* l_index: orrery.core.index. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_index(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
