/* l_git: orrery.core.git. Refs and paths in, plain tables out. */
#include "bind/bind.h"
#include "bind/box.h"
#include "bind/l_fs.h"
#include "bind/openers.h"

#include <string.h>

#include "engine/gitdiff.h"
#include "engine/gitread.h"

#define REPO_TYPE "orrery.repo"

static struct orr_gitrepo *check_repo(lua_State *L)
{
    struct orr_gitrepo **ud = luaL_checkudata(L, 1, REPO_TYPE);
    luaL_argcheck(L, *ud, 1, "repository is closed");
    return *ud;
}

static int l_close(lua_State *L)
{
    struct orr_gitrepo **ud = luaL_checkudata(L, 1, REPO_TYPE);
    orr_gitrepo_close(*ud);
    *ud = NULL;
    return 0;
}

static int l_open(lua_State *L)
{
    struct orr_err e;
    const char *path = orr_check_path(L, 1);
    struct orr_gitrepo **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, REPO_TYPE);
    if (orr_gitrepo_open(path, ud, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

/* The state's own handle for a path, opened on first need and kept: what makes
 * a memo outlive the call. Nobody changes the directory, so "." stays true. */
static int l_shared(lua_State *L)
{
    static const char key; // its address is the registry key
    orr_check_path(L, 1);
    lua_settop(L, 1);
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, &key) == LUA_TNIL) { // path kept?
        lua_pop(L, 1);
        lua_newtable(L);
        lua_pushvalue(L, -1);
        lua_rawsetp(L, LUA_REGISTRYINDEX, &key);
    }
    lua_pushvalue(L, 1); // path kept path
    if (lua_rawget(L, -2) == LUA_TUSERDATA) {
        struct orr_gitrepo **ud = lua_touserdata(L, -1);
        if (*ud)
            return 1;
    }
    lua_settop(L, 2);
    lua_pushcfunction(L, l_open);
    lua_pushvalue(L, 1);
    lua_call(L, 1, 2); // path kept repo err
    if (lua_isnil(L, -2))
        return 2;
    lua_pushvalue(L, 1);
    lua_pushvalue(L, -3);
    lua_rawset(L, 2);
    lua_pop(L, 1);
    return 1;
}

static int l_root(lua_State *L)
{
    lua_pushstring(L, orr_gitrepo_root(check_repo(L)));
    return 1;
}

static int l_prefix(lua_State *L)
{
    lua_pushstring(L, orr_gitrepo_prefix(check_repo(L)));
    return 1;
}

static int l_reason(lua_State *L)
{
    lua_pushstring(L, orr_gitrepo_reason(check_repo(L)));
    return 1;
}

static int l_resolve(lua_State *L)
{
    struct orr_gitrepo *g = check_repo(L);
    struct orr_err e;
    char id[ORR_GIT_HEX];
    if (orr_gitrepo_resolve(g, orr_check_path(L, 2), id, &e) < 0)
        return orr_fail(L, &e);
    lua_pushstring(L, id);
    return 1;
}

static int l_head(lua_State *L)
{
    struct orr_err e;
    char id[ORR_GIT_HEX];
    int rc = orr_gitrepo_head(check_repo(L), id, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushstring(L, rc ? id : NULL);
    return 1;
}

static int l_merge_base(lua_State *L)
{
    struct orr_gitrepo *g = check_repo(L);
    struct orr_err e;
    char id[ORR_GIT_HEX];
    const char *a = orr_check_path(L, 2), *b = orr_check_path(L, 3);
    if (orr_gitrepo_merge_base(g, a, b, id, &e) < 0)
        return orr_fail(L, &e);
    lua_pushstring(L, id);
    return 1;
}

static int l_is_shallow(lua_State *L)
{
    lua_pushboolean(L, orr_gitrepo_is_shallow(check_repo(L)));
    return 1;
}

static int l_refs(lua_State *L)
{
    struct orr_gitrepo *g = check_repo(L);
    struct orr_err e;
    lua_settop(L, 1);
    struct orr_strs *names = orr_box_strs(L); // repo box
    if (orr_gitread_refs(g, names, &e) < 0) {
        orr_box_close(L, 2);
        return orr_fail(L, &e);
    }
    lua_createtable(L, (int)names->count, 0); // repo box names
    for (size_t i = 0; i < names->count; i++) {
        lua_pushstring(L, orr_strs_at(names, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    orr_box_close(L, 2);
    orr_mark_array(L, -1);
    return 1;
}

static int l_read(lua_State *L)
{
    struct orr_gitrepo *g = check_repo(L);
    const char *ref = orr_check_path(L, 2), *path = orr_check_path(L, 3);
    struct orr_err e;
    lua_settop(L, 3);
    struct orr_buf *text = orr_box_buf(L); // repo ref path box
    int rc = orr_gitread_file(g, ref, path, text, &e);
    if (rc > 0)
        lua_pushlstring(L, (const char *)text->data, text->len);
    else
        lua_pushnil(L);
    orr_box_close(L, 4);
    return rc < 0 ? orr_fail(L, &e) : 1;
}

/* --- diff --- */

/* Field 'k' of the options at 2; stays on the stack, which keeps it alive. */
static const char *text_field(lua_State *L, const char *k)
{
    if (lua_getfield(L, 2, k) == LUA_TNIL) // … v
        return NULL;
    if (lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "opts.%s: a string expected, got %s", k,
                   luaL_typename(L, -1));
    size_t n;
    const char *s = lua_tolstring(L, -1, &n);
    if (strlen(s) != n)
        luaL_error(L, "opts.%s: contains a NUL byte", k);
    return s;
}

static bool flag_field(lua_State *L, const char *k)
{
    lua_getfield(L, 2, k); // … v
    bool on = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return on;
}

/* opts.paths as an array of borrowed strings; it and they stay on the stack. */
static void paths_field(lua_State *L, struct orr_gitquery *q)
{
    if (lua_getfield(L, 2, "paths") == LUA_TNIL) // … paths
        return;
    if (!lua_istable(L, -1))
        luaL_error(L, "opts.paths: a list of strings expected");
    q->paths_n = lua_rawlen(L, -1);
    const char **paths =
        lua_newuserdatauv(L, q->paths_n * sizeof *paths, 0); // … paths ud
    for (size_t i = 0; i < q->paths_n; i++) {
        lua_rawgeti(L, -2, (lua_Integer)i + 1); // … paths ud s
        if (lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "opts.paths[%d]: a string expected", (int)i + 1);
        size_t n;
        paths[i] = lua_tolstring(L, -1, &n);
        if (strlen(paths[i]) != n)
            luaL_error(L, "opts.paths[%d]: contains a NUL byte", (int)i + 1);
        lua_pop(L, 1);
    }
    q->paths = paths;
}

static void set_text(lua_State *L, const char *k, const char *s, size_t n)
{
    if (!s)
        return;
    lua_pushlstring(L, s, n);
    lua_setfield(L, -2, k);
}

static void set_flag(lua_State *L, const char *k, bool on)
{
    if (!on)
        return;
    lua_pushboolean(L, 1);
    lua_setfield(L, -2, k);
}

static void set_count(lua_State *L, const char *k, int64_t n)
{
    if (n < 0)
        return;
    lua_pushinteger(L, n);
    lua_setfield(L, -2, k);
}

static void push_file(lua_State *L, const struct orr_gitfile *f)
{
    lua_createtable(L, 0, 4); // file
    set_text(L, "path", f->path, strlen(f->path));
    if (f->old_path)
        set_text(L, "old_path", f->old_path, strlen(f->old_path));
    set_text(L, "status", &f->status, 1);
    set_flag(L, "staged", f->staged);
    set_flag(L, "binary", f->binary);
    set_count(L, "additions", f->additions);
    set_count(L, "deletions", f->deletions);
    set_text(L, "patch", f->patch, f->patch_n);
}

static void push_files(lua_State *L, const struct orr_gitfiles *d)
{
    luaL_checkstack(L, 8, NULL);
    lua_createtable(L, 0, 3); // diff
    set_text(L, "from", d->from, strlen(d->from));
    if (*d->to)
        set_text(L, "to", d->to, strlen(d->to));
    lua_createtable(L, (int)d->count, 0); // diff files
    for (size_t i = 0; i < d->count; i++) {
        push_file(L, &d->all[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    orr_mark_array(L, -1);
    lua_setfield(L, -2, "files"); // diff
}

static int l_diff(lua_State *L)
{
    struct orr_gitrepo *g = check_repo(L);
    struct orr_gitquery q = {0};
    const struct orr_gitfiles *found;
    struct orr_err e;
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    q.from = text_field(L, "from");
    q.to = text_field(L, "to");
    q.merge_base = flag_field(L, "merge_base");
    q.patch = flag_field(L, "patch");
    q.numstat = flag_field(L, "numstat");
    paths_field(L, &q);
    if (orr_gitdiff_get(g, &q, &found, &e) < 0)
        return orr_fail(L, &e);
    push_files(L, found);
    return 1;
}

static int l_stats(lua_State *L)
{
    struct orr_gitrepo_stats s;
    orr_gitrepo_stats(check_repo(L), &s);
    lua_createtable(L, 0, 2); // t
    set_count(L, "hits", (int64_t)s.hits);
    set_count(L, "misses", (int64_t)s.misses);
    return 1;
}

int orr_open_git(lua_State *L)
{
    static const luaL_Reg methods[] = {{"root", l_root},
                                       {"prefix", l_prefix},
                                       {"reason", l_reason},
                                       {"resolve", l_resolve},
                                       {"head", l_head},
                                       {"merge_base", l_merge_base},
                                       {"is_shallow", l_is_shallow},
                                       {"refs", l_refs},
                                       {"read", l_read},
                                       {"diff", l_diff},
                                       {"stats", l_stats},
                                       {"close", l_close},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {
        {"open", l_open}, {"shared", l_shared}, {NULL, NULL}};
    orr_handle_type(L, REPO_TYPE, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
