/* l_pool: orrery.core.pool. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_pool(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
