/* l_regex: orrery.core.regex. */
#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/regex.h"

#define REGEX_TYPE "orrery.regex"

static int l_compile(lua_State *L)
{
    static const char *const known[] = {"lines", NULL};
    struct orr_err e;
    size_t n;
    int lines = 0;
    const char *pattern = luaL_checklstring(L, 1, &n);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        orr_check_options(L, 2, known);
        lua_getfield(L, 2, "lines");
        lines = lua_toboolean(L, -1);
    }
    struct orr_regex **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, REGEX_TYPE);
    if (orr_regex_new(ud, pattern, n, lines, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static struct orr_regex *check_open(lua_State *L)
{
    struct orr_regex **ud = luaL_checkudata(L, 1, REGEX_TYPE);
    luaL_argcheck(L, *ud, 1, "regex is closed");
    return *ud;
}

static int l_match(lua_State *L)
{
    struct orr_err e;
    size_t n;
    struct orr_regex *r = check_open(L);
    const char *s = luaL_checklstring(L, 2, &n);
    int rc = orr_regex_match(r, s, n, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, rc);
    return 1;
}

/* first, last, groups…, as string.find gives them; false for a group that took
 * no part. */
static int l_find(lua_State *L)
{
    struct orr_span groups[ORR_REGEX_GROUPS];
    struct orr_err e;
    size_t n;
    struct orr_regex *r = check_open(L);
    const char *s = luaL_checklstring(L, 2, &n);
    lua_Integer from = luaL_optinteger(L, 3, 1);
    luaL_argcheck(L, from >= 1, 3, "must be at least 1");
    if ((size_t)from > n + 1)
        return 0;
    int count = orr_regex_find(r, s, n, (size_t)from - 1, groups, &e);
    if (count < 0)
        return orr_fail(L, &e);
    if (count == 0)
        return 0;
    lua_pushinteger(L, (lua_Integer)groups[0].from + 1);
    lua_pushinteger(L, (lua_Integer)groups[0].to);
    for (int i = 1; i < count; i++) {
        if (groups[i].from == (size_t)-1)
            lua_pushboolean(L, 0);
        else
            lua_pushlstring(L, s + groups[i].from,
                            groups[i].to - groups[i].from);
    }
    return count + 1;
}

static int l_close(lua_State *L)
{
    struct orr_regex **ud = luaL_checkudata(L, 1, REGEX_TYPE);
    orr_regex_free(*ud);
    *ud = NULL;
    return 0;
}

int orr_open_regex(lua_State *L)
{
    static const luaL_Reg lib[] = {{"compile", l_compile}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"match", l_match}, {"find", l_find}, {"close", l_close}, {NULL, NULL}};
    orr_handle_type(L, REGEX_TYPE, methods, l_close);
    luaL_newlib(L, lib);
    return 1;
}
