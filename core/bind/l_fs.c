/* l_fs: orrery.core.fs. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_fs(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
