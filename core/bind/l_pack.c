/* l_pack: orrery.core.pack. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_pack(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
