/* l_json: orrery.core.json. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_json(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
