/* l_yaml: orrery.core.yaml. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_yaml(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
