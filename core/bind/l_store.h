/* l_store: what the files of the store binding share. */
#ifndef ORR_BIND_L_STORE_H
#define ORR_BIND_L_STORE_H

#include <lauxlib.h>
#include <lua.h>

#include "engine/store.h"

/* The open store at 1. */
struct orr_store *orr_check_store(lua_State *L);

/* Field 'name' of the table at 'arg' (if any) as seconds, in nanoseconds. */
uint64_t orr_opt_ns(lua_State *L, int arg, const char *name, uint64_t fallback);
uint64_t orr_opt_bytes(lua_State *L, int arg, const char *name,
                       uint64_t fallback);

/* An options table or nothing, with known keys only. */
void orr_opt_table(lua_State *L, int arg, const char *const *known);

/* The digest at 'arg'. */
void orr_check_digest(lua_State *L, int arg, struct orr_digest *d);

extern const luaL_Reg orr_store_upkeep[];

#endif
