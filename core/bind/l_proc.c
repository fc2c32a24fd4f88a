/* l_proc: orrery.core.proc. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_proc(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
