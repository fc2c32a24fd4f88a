/* l_loop: orrery.core.loop. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_loop(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
