/* l_plan: orrery.core.plan. What a clean run had seen, as one blob. */
#include <lauxlib.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/l_fs.h"
#include "bind/l_index.h"
#include "bind/openers.h"
#include "engine/plan.h"

static void fini_buf(void *p)
{
    orr_buf_fini(p);
}

static struct orr_strs *check_paths(lua_State *L, int arg)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    lua_Integer n = luaL_len(L, arg);
    struct orr_strs *s = orr_box_strs(L); // box
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, arg, i); // box path
        const char *path = orr_check_path(L, lua_gettop(L));
        if (orr_strs_put(s, path, lua_rawlen(L, -1)) < 0)
            luaL_error(L, "not enough memory");
        lua_pop(L, 1);
    }
    return s;
}

static int l_encode(lua_State *L)
{
    struct orr_filememo *m = orr_check_filememo(L);
    const char *root = orr_check_path(L, 2);
    struct orr_strs *dirs = check_paths(L, 3);
    struct orr_buf *out = orr_box_new(L, sizeof *out, fini_buf);
    struct orr_err e;
    if (orr_plan_encode(m, root, dirs, out, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, (char *)out->data, out->len);
    return 1;
}

static int l_check(lua_State *L)
{
    size_t n;
    struct orr_filememo *m = orr_check_filememo(L);
    const char *blob = luaL_checklstring(L, 2, &n);
    struct orr_buf *why = orr_box_new(L, sizeof *why, fini_buf);
    struct orr_err e;
    int rc = orr_plan_check(blob, n, m, why, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, rc);
    if (rc)
        return 1;
    lua_pushlstring(L, (char *)why->data, why->len);
    return 2;
}

int orr_open_plan(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"encode", l_encode}, {"check", l_check}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
