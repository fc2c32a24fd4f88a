/* l_registry: orrery.core.registry. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_registry(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
