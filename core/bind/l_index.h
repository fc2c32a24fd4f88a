/* l_index: what other bindings need of an index handle. */
#ifndef ORR_BIND_L_INDEX_H
#define ORR_BIND_L_INDEX_H

#include <lua.h>

#include "engine/filememo.h"

/* The file memo of the open index at argument 1; raises otherwise. */
struct orr_filememo *orr_check_filememo(lua_State *L);

#endif
