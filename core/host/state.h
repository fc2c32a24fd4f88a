/*
 * state: makes Lua states. MAIN has everything; WORKER only what is safe on a
 * pool thread. Native modules are opened lazily, by
 * require("orrery.core.<noun>").
 */
#ifndef ORR_HOST_STATE_H
#define ORR_HOST_STATE_H

#include <lua.h>

enum orr_role { ORR_ROLE_MAIN, ORR_ROLE_WORKER };

/* A new state with the standard libraries, cjson, the embedded tree and the
 * native openers of its role; NULL when memory is out. Close with
 * orr_state_close. */
lua_State *orr_state_new(enum orr_role role);

/* Closes a state of orr_state_new, and gives its memory back. */
void orr_state_close(lua_State *L);

#endif
