/* openers: one lua_CFunction per l_<noun>.c; each returns its module table. */
#ifndef ORR_BIND_OPENERS_H
#define ORR_BIND_OPENERS_H

#include <lua.h>

int orr_open_sys(lua_State *L);
int orr_open_pack(lua_State *L);
int orr_open_json(lua_State *L);
int orr_open_yaml(lua_State *L);
int orr_open_hash(lua_State *L);
int orr_open_fs(lua_State *L);
int orr_open_func(lua_State *L);
int orr_open_store(lua_State *L);
int orr_open_git(lua_State *L);
int orr_open_regex(lua_State *L);
int orr_open_registry(lua_State *L);
int orr_open_index(lua_State *L);
int orr_open_lock(lua_State *L);
int orr_open_plan(lua_State *L);
int orr_open_pool(lua_State *L);
int orr_open_loop(lua_State *L);
int orr_open_proc(lua_State *L);
int orr_open_term(lua_State *L);
int orr_open_sock(lua_State *L);

#endif
