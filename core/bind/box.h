/*
 * box: owned C values on the Lua stack, so that a raise (out of memory, an
 * error in the middle of pushing) frees them. The box is a userdata whose
 * finaliser runs 'fini'; close it when done rather than leave it to the
 * collector.
 */
#ifndef ORR_BIND_BOX_H
#define ORR_BIND_BOX_H

#include <lua.h>
#include <stddef.h>

#include "base/buf.h"

/* Pushes a box with 'size' zeroed bytes and returns them. */
void *orr_box_new(lua_State *L, size_t size, void (*fini)(void *));

/* Pushes a box with an empty buffer. */
struct orr_buf *orr_box_buf(lua_State *L);

/* Runs the finaliser of the box at 'idx' now. Idempotent. */
void orr_box_close(lua_State *L, int idx);

#endif
