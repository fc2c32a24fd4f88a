/* l_regex: orrery.core.regex. */
#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/regex.h"

#define REGEX_TYPE "orrery.regex"

static int l_compile(lua_State *L)
{
    struct orr_err e;
    size_t n;
    const char *pattern = luaL_checklstring(L, 1, &n);
    struct orr_regex **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, REGEX_TYPE);
    if (orr_regex_new(ud, pattern, n, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static int l_match(lua_State *L)
{
    struct orr_err e;
    size_t n;
    struct orr_regex **ud = luaL_checkudata(L, 1, REGEX_TYPE);
    luaL_argcheck(L, *ud, 1, "regex is closed");
    const char *s = luaL_checklstring(L, 2, &n);
    int rc = orr_regex_match(*ud, s, n, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, rc);
    return 1;
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
        {"match", l_match}, {"close", l_close}, {NULL, NULL}};
    orr_handle_type(L, REGEX_TYPE, methods, l_close);
    luaL_newlib(L, lib);
    return 1;
}
