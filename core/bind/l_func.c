/* l_func: orrery.core.func. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_func(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
