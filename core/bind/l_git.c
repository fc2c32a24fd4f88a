/* l_git: orrery.core.git. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_git(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
