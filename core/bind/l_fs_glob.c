/* l_fs_glob: glob and match of orrery.core.fs. */
#include "bind/l_fs.h"

#include <lauxlib.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "engine/glob.h"
#include "engine/walk.h"

static void fini_glob(void *p)
{
    orr_glob_fini(p);
}

static void fini_found(void *p)
{
    orr_walk_found_fini(p);
}

/* Raises unless argument 1 is a string or a sequence of strings. */
static lua_Integer check_patterns(lua_State *L)
{
    if (lua_type(L, 1) == LUA_TSTRING)
        return 0;
    luaL_argexpected(L, lua_istable(L, 1), 1, "string or list of strings");
    lua_Integer n = luaL_len(L, 1);
    for (lua_Integer i = 1; i <= n; i++) {
        if (lua_geti(L, 1, i) != LUA_TSTRING) // v
            luaL_error(L, "bad argument #1 (pattern %I is a %s, not a string)",
                       (LUAI_UACINT)i, luaL_typename(L, -1));
        lua_pop(L, 1);
    }
    return n;
}

static int add(lua_State *L, struct orr_glob *g, struct orr_err *e)
{
    size_t n;
    const char *s = lua_tolstring(L, -1, &n);
    for (size_t i = 0; i < n; i++)
        if (!s[i])
            return orr_err_set(e, ORR_EINVAL, "pattern contains a NUL byte");
    return orr_glob_add(g, s, n, e);
}

static int fill(lua_State *L, struct orr_glob *g, lua_Integer count,
                struct orr_err *e)
{
    int rc = 0;
    if (!count && lua_type(L, 1) == LUA_TSTRING) {
        lua_pushvalue(L, 1); // pattern
        rc = add(L, g, e);
        lua_pop(L, 1);
        return rc;
    }
    for (lua_Integer i = 1; rc == 0 && i <= count; i++) {
        lua_geti(L, 1, i); // pattern
        rc = add(L, g, e);
        lua_pop(L, 1);
    }
    return rc;
}

/* A boolean option that is true unless said otherwise. */
static bool flag(lua_State *L, int opts, const char *name)
{
    if (!lua_istable(L, opts))
        return true;
    bool on = lua_getfield(L, opts, name) == LUA_TNIL || lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

static void push_facts(lua_State *L, const struct orr_walk_found *f)
{
    lua_createtable(L, 0, 2); // facts
    orr_push_strs(L, &f->dirs);
    lua_setfield(L, -2, "dirs");
    orr_push_strs(L, &f->ignore_files);
    lua_setfield(L, -2, "ignore_files");
}

int orr_l_fs_glob(lua_State *L)
{
    lua_Integer count = check_patterns(L);
    lua_settop(L, 2);
    if (!lua_isnil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        orr_check_options(L, 2,
                          (const char *[]){"root", "ignore", "hidden", NULL});
    }
    bool ignore = flag(L, 2, "ignore"), hidden = flag(L, 2, "hidden");
    lua_pushliteral(L, "."); // patterns opts root
    if (lua_istable(L, 2) && lua_getfield(L, 2, "root") != LUA_TNIL)
        lua_replace(L, 3);
    luaL_argcheck(L, lua_isstring(L, 3), 2, "root must be a string");
    const char *root = orr_check_path(L, 3);
    struct orr_glob *g = orr_box_new(L, sizeof *g, fini_glob);
    int gbox = lua_gettop(L);
    struct orr_walk_found *f = orr_box_new(L, sizeof *f, fini_found);
    int fbox = lua_gettop(L);
    struct orr_err e;
    g->no_hidden = !hidden;
    int rc = fill(L, g, count, &e);
    if (rc == 0)
        rc = orr_walk(root, g, ignore, f, &e);
    if (rc == 0) {
        orr_push_strs(L, &f->files); // … files
        push_facts(L, f);            // … files facts
    }
    orr_box_close(L, gbox);
    orr_box_close(L, fbox);
    return rc < 0 ? orr_fail(L, &e) : 2;
}

int orr_l_fs_match(lua_State *L)
{
    size_t n;
    lua_Integer count = check_patterns(L);
    const char *path = luaL_checklstring(L, 2, &n);
    struct orr_glob *g = orr_box_new(L, sizeof *g, fini_glob); // box
    int box = lua_gettop(L);
    struct orr_err e;
    int rc = fill(L, g, count, &e);
    bool hit = rc == 0 && orr_glob_match(g, path, n);
    orr_box_close(L, box);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, hit);
    return 1;
}
