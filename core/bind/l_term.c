/* l_term: orrery.core.term. */
#include "bind/bind.h"
#include "bind/openers.h"

int orr_open_term(lua_State *L)
{
    lua_newtable(L);
    return 1;
}
