/*
 * bind: what every l_<noun>.c shares: failures as values, handle checks,
 * openers.
 *
 * Three outcomes of a bound function: misuse raises (luaL_argerror); failure
 * returns nil, err where err = { code, message, line?, column? } with
 * __tostring; absence returns plain nil.
 */
#ifndef ORR_BIND_BIND_H
#define ORR_BIND_BIND_H

#include <lauxlib.h>
#include <lua.h>

#include "base/err.h"
#include "engine/hash.h"

/* Pushes nil and the error table; returns 2, so: return orr_fail(L, &e); */
int orr_fail(lua_State *L, const struct orr_err *e);

/* Pushes only the error table (metatable "orrery.error"). */
void orr_push_err(lua_State *L, const struct orr_err *e);

/* The null of JSON and YAML: a light userdata NULL, as in lua-cjson. */
#define ORR_LUA_NULL NULL

/* Metatable name that marks a table as an array even when empty. */
#define ORR_ARRAY_MT "orrery.array"

/* Pushes the array metatable, making it on first need. */
void orr_push_array_mt(lua_State *L);

/* Marks the table at 'idx' as an array. */
void orr_mark_array(lua_State *L, int idx);

/* True when the table at 'idx' carries the array mark. */
int orr_is_array(lua_State *L, int idx);

/* True when the table at 'idx' has a metatable whose field __plain is true: its
 * raw fields are all there is, and it travels without the metatable. */
int orr_says_plain(lua_State *L, int idx);

/* The argument as a path or another text for the system: a string without NUL
 * inside. Raises otherwise. */
const char *orr_check_path(lua_State *L, int arg);

/* Pushes a digest as 64 hex digits. */
void orr_push_digest(lua_State *L, const struct orr_digest *d);

/* Raises when the table at 'idx' has a key that is not in the NULL-ended list
 * 'known': a misspelt option must not be silently ignored. */
void orr_check_options(lua_State *L, int idx, const char *const *known);

/* The metatable 'name' with __gc, __close and __index = methods; idempotent.
 * 'close' must be idempotent too. Leaves nothing on the stack. */
void orr_handle_type(lua_State *L, const char *name, const luaL_Reg *methods,
                     lua_CFunction close);

#endif
