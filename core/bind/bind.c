/* bind: the few idioms every binding repeats, once. */
#include "bind/bind.h"

#include <string.h>

static int err_tostring(lua_State *L)
{
    lua_getfield(L, 1, "message"); // message
    return 1;
}

void orr_push_err(lua_State *L, const struct orr_err *e)
{
    luaL_checkstack(L, 4, NULL);
    lua_createtable(L, 0, 4); // err
    lua_pushstring(L, orr_err_code(e));
    lua_setfield(L, -2, "code");
    lua_pushstring(L, e->msg);
    lua_setfield(L, -2, "message");
    if (e->line) {
        lua_pushinteger(L, e->line);
        lua_setfield(L, -2, "line");
    }
    if (e->column) {
        lua_pushinteger(L, e->column);
        lua_setfield(L, -2, "column");
    }
    if (luaL_newmetatable(L, "orrery.error")) { // err mt
        lua_pushcfunction(L, err_tostring);
        lua_setfield(L, -2, "__tostring");
    }
    lua_setmetatable(L, -2); // err
}

int orr_fail(lua_State *L, const struct orr_err *e)
{
    lua_pushnil(L);
    orr_push_err(L, e);
    return 2;
}

void orr_push_array_mt(lua_State *L)
{
    luaL_newmetatable(L, ORR_ARRAY_MT); // mt
}

void orr_mark_array(lua_State *L, int idx)
{
    idx = lua_absindex(L, idx);
    orr_push_array_mt(L); // mt
    lua_setmetatable(L, idx);
}

int orr_is_array(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx)) // mt?
        return 0;
    luaL_getmetatable(L, ORR_ARRAY_MT); // mt array_mt
    int same = lua_rawequal(L, -1, -2);
    lua_pop(L, 2);
    return same;
}

int orr_says_plain(lua_State *L, int idx)
{
    if (!lua_getmetatable(L, idx)) // mt?
        return 0;
    lua_pushliteral(L, "__plain");
    lua_rawget(L, -2); // mt plain?
    int plain = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return plain;
}

const char *orr_check_path(lua_State *L, int arg)
{
    size_t n;
    const char *s = luaL_checklstring(L, arg, &n);
    luaL_argcheck(L, !memchr(s, 0, n), arg, "contains a NUL byte");
    return s;
}

void orr_push_digest(lua_State *L, const struct orr_digest *d)
{
    char hex[ORR_DIGEST_HEX + 1];
    orr_digest_hex(d, hex);
    lua_pushlstring(L, hex, ORR_DIGEST_HEX);
}

static int is_known(const char *key, const char *const *known)
{
    for (; *known; known++)
        if (strcmp(key, *known) == 0)
            return 1;
    return 0;
}

void orr_check_options(lua_State *L, int idx, const char *const *known)
{
    lua_pushnil(L);
    while (lua_next(L, idx)) { // key value
        const char *key =
            lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : NULL;
        if (!key || !is_known(key, known))
            luaL_argerror(L, idx,
                          lua_pushfstring(L, "unknown option '%s'",
                                          luaL_tolstring(L, -2, NULL)));
        lua_pop(L, 1);
    }
}

void orr_handle_type(lua_State *L, const char *name, const luaL_Reg *methods,
                     lua_CFunction close)
{
    if (!luaL_newmetatable(L, name)) { // mt
        lua_pop(L, 1);
        return;
    }
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__gc");
    lua_pushcfunction(L, close);
    lua_setfield(L, -2, "__close");
    lua_newtable(L); // mt methods
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index"); // mt
    lua_pop(L, 1);
}
