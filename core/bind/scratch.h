/*
 * scratch: the buffers a writing function of a state keeps between its calls,
 * so that small values cost no allocation and Lua may raise at any point
 * without a leak. An upvalue of the function; the state frees it. Not
 * reentrant: nothing between take and rest may call Lua code.
 */
#ifndef ORR_BIND_SCRATCH_H
#define ORR_BIND_SCRATCH_H

#include <lua.h>

#include "base/buf.h"
#include "engine/entries.h"

struct orr_scratch {
    struct orr_buf out;
    struct orr_entries es;
};

/* Pushes a new one, to become an upvalue. */
void orr_scratch_push(lua_State *L);

/* The emptied scratch in upvalue 'i' of the running function. */
struct orr_scratch *orr_scratch_take(lua_State *L, int i);

/* Gives memory back when a large value was written. */
void orr_scratch_rest(struct orr_scratch *s);

#endif
