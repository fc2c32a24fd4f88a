/*
 * state: makes Lua states. MAIN has everything; WORKER only what is safe on a
 * pool thread. Native modules are opened lazily, by
 * require("orrery.core.<noun>").
 */
#ifndef ORR_HOST_STATE_H
#define ORR_HOST_STATE_H

#include <lua.h>
#include <stdbool.h>

struct orr_slab;

enum orr_role { ORR_ROLE_MAIN, ORR_ROLE_WORKER };

/* A new state with the standard libraries, cjson, the embedded tree and the
 * native openers of its role; NULL when memory is out. Close with
 * orr_state_close. */
lua_State *orr_state_new(enum orr_role role);

/* A MAIN state whose memory is all in 'slab' (borrowed; see orr_slab_within)
 * and which knows nothing of this process yet; NULL when that is too small. */
lua_State *orr_state_within(struct orr_slab *slab);

/* Drops what nothing refers to, and lets the collector then wait as long as
 * with a state that is new. */
void orr_state_rest(lua_State *L);

/* Makes the state one of this process: whose functions it may load. Part of
 * orr_state_new. */
void orr_state_enter(lua_State *L);

/* Ends the process with 'code' when all that is still open in a MAIN state is
 * closed; 'closed' says that nothing is. Its memory is left to the system,
 * which takes it back in one go: freeing it bit by bit touches every object. */
_Noreturn void orr_state_end(lua_State *L, int code, bool closed);

/* Closes a state of orr_state_new, and gives its memory back. */
void orr_state_close(lua_State *L);

#endif
