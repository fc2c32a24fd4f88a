/* l_pool: what host gives the binding of the pool. */
#ifndef ORR_BIND_L_POOL_H
#define ORR_BIND_L_POOL_H

#include <lua.h>

#include "engine/pool.h"

/* Says how this state's pools run their jobs; 'runner' is static. Without it
 * orrery.core.pool.open fails. */
void orr_pool_set_runner(lua_State *L, const struct orr_pool_runner *runner);

#endif
