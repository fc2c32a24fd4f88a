/* l_regex: orrery.core.regex. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_regex(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
