/*
 * held: a named lock that Lua holds, of whatever has such locks: the store, a
 * file of locks. It keeps its owner alive; an owner that was closed first let
 * go of all its locks.
 */
#ifndef ORR_BIND_HELD_H
#define ORR_BIND_HELD_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* How an owner (a checked, open userdata) takes and releases a name. 'release'
 * is also called for owners that were closed meanwhile, and does nothing. */
struct orr_held_kind {
    int (*take)(void *owner, const char *name, size_t n, uint64_t *place,
                struct orr_err *e);
    void (*release)(void *owner, uint64_t place);
};

/* Takes the name at 2 of the owner at 1, without waiting. Pushes the lock; nil
 * when somebody holds it; nil and an error. 'kind' is a static. */
int orr_held_push(lua_State *L, const struct orr_held_kind *kind);

/* Makes the type of locks known. */
void orr_held_open(lua_State *L);

#endif
