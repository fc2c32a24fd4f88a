/* l_plan: orrery.core.plan. What a run had seen, as one blob in a string. */
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

static struct orr_buf *new_buf(lua_State *L)
{
    return orr_box_new(L, sizeof(struct orr_buf), fini_buf);
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

/* What is wanted of 'n' files: digests at 'arg' (false: absent), and beside
 * them how they may be executed, as an input + 4 × as an output. */
static struct orr_plan_want *check_wants(lua_State *L, int arg, lua_Integer n)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    luaL_checktype(L, arg + 1, LUA_TTABLE);
    luaL_argcheck(L, luaL_len(L, arg) == n && luaL_len(L, arg + 1) == n, arg,
                  "as many as files are wanted");
    struct orr_plan_want *w =
        lua_newuserdatauv(L, (size_t)n * sizeof *w + 1, 0);
    for (lua_Integer i = 0; i < n; i++) {
        size_t len;
        w[i] = (struct orr_plan_want){0};
        lua_rawgeti(L, arg, i + 1);
        lua_rawgeti(L, arg + 1, i + 1); // wants digest exec
        const char *hex = lua_tolstring(L, -2, &len);
        w[i].there = hex != NULL;
        lua_Integer exec = lua_tointeger(L, -1);
        w[i].as_input = exec & 3;
        w[i].as_output = exec >> 2 & 3;
        luaL_argcheck(L, !hex || orr_digest_parse(hex, len, &w[i].digest) == 0,
                      arg, "a digest is wanted");
        lua_pop(L, 2);
    }
    return w;
}

static uint32_t *check_numbers(lua_State *L, int arg, lua_Integer *n)
{
    luaL_checktype(L, arg, LUA_TTABLE);
    *n = luaL_len(L, arg);
    uint32_t *out = lua_newuserdatauv(L, (size_t)*n * sizeof *out + 1, 0);
    for (lua_Integer i = 0; i < *n; i++) {
        lua_rawgeti(L, arg, i + 1);
        lua_Integer v = luaL_checkinteger(L, -1);
        luaL_argcheck(L, v > 0 && v <= UINT32_MAX, arg, "out of range");
        out[i] = (uint32_t)(v - 1);
        lua_pop(L, 1);
    }
    return out;
}

static void push_numbers(lua_State *L, const struct orr_buf *b)
{
    const uint32_t *list = (const void *)b->data;
    size_t n = b->len / sizeof *list;
    lua_createtable(L, (int)n, 0);
    for (size_t i = 0; i < n; i++) {
        lua_pushinteger(L, (lua_Integer)list[i] + 1);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

/* The blob within a string, which begins at the place given after it. */
static const char *check_blob(lua_State *L, int arg, size_t *n)
{
    const char *s = luaL_checklstring(L, arg, n);
    lua_Integer at = luaL_checkinteger(L, arg + 1);
    luaL_argcheck(L, at >= 1 && (lua_Unsigned)at <= *n + 1, arg + 1,
                  "out of range");
    *n -= (size_t)(at - 1);
    return s + at - 1;
}

/* What check and patch begin with: a blob of the plan, and which of its files
 * to look at. */
struct asked {
    struct orr_filememo *memo;
    const char *blob;
    size_t len;
    uint32_t *numbers;
    lua_Integer count;
};

static struct asked check_asked(lua_State *L)
{
    struct asked a = {.memo = orr_check_filememo(L)};
    a.blob = check_blob(L, 2, &a.len);
    a.numbers = check_numbers(L, 4, &a.count);
    return a;
}

static int l_encode(lua_State *L)
{
    lua_settop(L, 6);
    struct orr_filememo *m = orr_check_filememo(L);
    const char *root = orr_check_path(L, 2);
    struct orr_strs *dirs = check_paths(L, 3);
    struct orr_strs *paths = check_paths(L, 4);
    struct orr_plan_want *w = check_wants(L, 5, (lua_Integer)paths->count);
    struct orr_buf *out = new_buf(L);
    struct orr_err e;
    if (orr_plan_encode(m, root, paths, w, dirs, out, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, (char *)out->data, out->len);
    return 1;
}

static int l_look(lua_State *L)
{
    size_t n;
    const char *blob = check_blob(L, 1, &n);
    struct orr_buf *doubt = new_buf(L);
    struct orr_err e;
    if (orr_plan_look(blob, n, orr_file_now(), orr_file_tick(), doubt, &e) < 0)
        return orr_fail(L, &e);
    push_numbers(L, doubt);
    return 1;
}

static int l_check(lua_State *L)
{
    struct asked a = check_asked(L);
    struct orr_buf *other = new_buf(L);
    struct orr_err e;
    if (orr_plan_check(a.blob, a.len, a.memo, a.numbers, (size_t)a.count, other,
                       &e) < 0)
        return orr_fail(L, &e);
    push_numbers(L, other);
    return 1;
}

static int l_patch(lua_State *L)
{
    lua_settop(L, 6);
    struct asked a = check_asked(L);
    struct orr_plan_want *w =
        lua_isnoneornil(L, 5) ? NULL : check_wants(L, 5, a.count);
    struct orr_buf *out = new_buf(L);
    struct orr_err e;
    if (orr_plan_patch(a.blob, a.len, a.memo, a.numbers, w, (size_t)a.count,
                       out, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, (char *)out->data, out->len);
    return 1;
}

static int l_path(lua_State *L)
{
    size_t n;
    const char *blob = check_blob(L, 1, &n);
    lua_Integer number = luaL_checkinteger(L, 3);
    luaL_argcheck(L, number > 0 && number <= UINT32_MAX, 3, "out of range");
    struct orr_buf *out = new_buf(L);
    struct orr_err e;
    if (orr_plan_path(blob, n, (uint32_t)(number - 1), out, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, (char *)out->data, out->len - 1);
    return 1;
}

int orr_open_plan(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"encode", l_encode}, {"look", l_look}, {"check", l_check},
        {"patch", l_patch},   {"path", l_path}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
