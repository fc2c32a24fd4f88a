/* l_index: orrery.core.index. The memory of a checkout. */
#include <stdbool.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/l_index.h"
#include "bind/openers.h"
#include "engine/filememo.h"
#include "engine/index.h"

#define INDEX_TYPE "orrery.index"

struct index_box {
    struct orr_index *ix;
    struct orr_filememo *files;
};

static struct index_box *check_index(lua_State *L)
{
    struct index_box *box = luaL_checkudata(L, 1, INDEX_TYPE);
    luaL_argcheck(L, box->ix, 1, "index is closed");
    return box;
}

struct orr_filememo *orr_check_filememo(lua_State *L)
{
    return check_index(L)->files;
}

static int l_open(lua_State *L)
{
    const char *path = orr_check_path(L, 1);
    struct index_box *box = lua_newuserdatauv(L, sizeof *box, 0);
    *box = (struct index_box){0};
    luaL_setmetatable(L, INDEX_TYPE);
    struct orr_err e;
    if (orr_index_open(path, &box->ix, &e) < 0)
        return orr_fail(L, &e);
    box->files = orr_filememo_new(box->ix);
    return 1;
}

/* --- keys ------------------------------------------------------------------
 */

static int i_get(lua_State *L)
{
    struct index_box *box = check_index(L);
    size_t n, vlen;
    const char *key = luaL_checklstring(L, 2, &n);
    const void *value;
    if (orr_index_get(box->ix, key, n, &value, &vlen))
        lua_pushlstring(L, value, vlen);
    else
        lua_pushnil(L);
    return 1;
}

static int i_put(lua_State *L)
{
    struct index_box *box = check_index(L);
    size_t n, vlen;
    const char *key = luaL_checklstring(L, 2, &n);
    const char *value = luaL_checklstring(L, 3, &vlen);
    struct orr_err e;
    if (orr_index_put(box->ix, key, n, value, vlen, NULL, &e) < 0)
        return luaL_error(L, "%s", e.msg);
    return 0;
}

static int i_del(lua_State *L)
{
    struct index_box *box = check_index(L);
    size_t n;
    const char *key = luaL_checklstring(L, 2, &n);
    if (orr_index_del(box->ix, key, n) < 0)
        return luaL_error(L, "not enough memory");
    return 0;
}

static int i_flush(lua_State *L)
{
    struct orr_err e;
    if (orr_index_flush(check_index(L)->ix, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int i_close(lua_State *L)
{
    struct index_box *box = luaL_checkudata(L, 1, INDEX_TYPE);
    orr_filememo_free(box->files);
    orr_index_close(box->ix);
    *box = (struct index_box){0};
    return 0;
}

/* --- files -----------------------------------------------------------------
 */

static int i_digest(lua_State *L)
{
    struct index_box *box = check_index(L);
    const char *path = orr_check_path(L, 2);
    const struct orr_filefact *f;
    struct orr_err e;
    if (orr_filememo_get(box->files, path, strlen(path), &f, &e) < 0)
        return orr_fail(L, &e);
    orr_push_digest(L, &f->digest); // digest
    lua_createtable(L, 0, 3);       // digest fact
    lua_pushinteger(L, f->mode);
    lua_setfield(L, -2, "mode");
    lua_pushinteger(L, (lua_Integer)f->size);
    lua_setfield(L, -2, "size");
    lua_pushstring(L, f->kind == ORR_FILE_LINK ? "link" : "file");
    lua_setfield(L, -2, "kind");
    return 2;
}

/* Pushes the two lists of what the check found. */
static int push_facts(lua_State *L, const struct orr_filememo *m,
                      const uint32_t *ids, int n)
{
    lua_createtable(L, n, 0); // digests
    lua_createtable(L, n, 0); // digests modes
    for (int i = 0; i < n; i++) {
        const struct orr_filefact *f = orr_filememo_fact(m, ids[i], NULL);
        if (f) {
            orr_push_digest(L, &f->digest);
            lua_rawseti(L, -3, i + 1);
            lua_pushinteger(L, f->mode);
        } else {
            lua_pushboolean(L, 0);
            lua_rawseti(L, -3, i + 1);
            lua_pushboolean(L, 0);
        }
        lua_rawseti(L, -2, i + 1);
    }
    return 2;
}

/* Where paths begin that are not absolute. */
struct root {
    const char *text;
    size_t len;
};

static struct root opt_root(lua_State *L, int arg)
{
    struct root r = {.text = NULL};
    if (!lua_isnoneornil(L, arg)) {
        r.text = orr_check_path(L, arg);
        r.len = strlen(r.text);
    }
    return r;
}

/* The id of the path on top of the stack, which it pops. */
static uint32_t take_id(lua_State *L, struct orr_filememo *m, struct root root)
{
    char full[4096];
    size_t n;
    luaL_argcheck(L, lua_type(L, -1) == LUA_TSTRING, 2,
                  "a list of paths is wanted");
    const char *path = lua_tolstring(L, -1, &n);
    luaL_argcheck(L, strlen(path) == n, 2, "a path has no zero bytes");
    if (root.text && path[0] != '/') {
        luaL_argcheck(L, root.len + 1 + n < sizeof full, 2,
                      "a path is too long");
        memcpy(full, root.text, root.len);
        full[root.len] = '/';
        memcpy(full + root.len + 1, path, n);
        n += root.len + 1;
        path = full;
    }
    uint32_t id = orr_filememo_id(m, path, n);
    lua_pop(L, 1);
    return id;
}

/* Looks at the list of paths at 2. Pushes the userdata that holds their ids. */
static const uint32_t *look(lua_State *L, struct orr_filememo *m,
                            struct root root, lua_Integer threads, int *count)
{
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_Integer n = luaL_len(L, 2);
    luaL_argcheck(L, n <= INT32_MAX, 2, "too many paths");
    uint32_t *ids = lua_newuserdatauv(L, (size_t)n * sizeof *ids + 1, 0);
    for (lua_Integer i = 0; i < n; i++) {
        lua_rawgeti(L, 2, i + 1);
        ids[i] = take_id(L, m, root);
    }
    if (orr_filememo_check(m, ids, (size_t)n, (unsigned)threads) < 0)
        luaL_error(L, "not enough memory");
    *count = (int)n;
    return ids;
}

static int i_digests(lua_State *L)
{
    struct index_box *box = check_index(L);
    lua_Integer threads = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, threads >= 0 && threads <= 256, 3, "out of range");
    int n;
    const uint32_t *ids = look(L, box->files, opt_root(L, 4), threads, &n);
    return push_facts(L, box->files, ids, n);
}

/* Is what the memo found the digest, or false, on top of the stack? Pops it. */
static bool is_digest(lua_State *L, const struct orr_filefact *f)
{
    struct orr_digest d;
    size_t n;
    const char *hex = lua_tolstring(L, -1, &n);
    bool same = hex && f ? orr_digest_parse(hex, n, &d) == 0 &&
                               !memcmp(&d, &f->digest, sizeof d)
                         : !hex && !f;
    lua_pop(L, 1);
    return same;
}

/* The place of the first path whose digest is not that of its fact. */
static int i_changed(lua_State *L)
{
    struct index_box *box = check_index(L);
    luaL_checktype(L, 3, LUA_TTABLE);
    int n;
    const uint32_t *ids = look(L, box->files, opt_root(L, 4), 0, &n);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 3, i + 1); // ids fact
        luaL_argcheck(L, lua_istable(L, -1), 3,
                      "a fact for each path is wanted");
        lua_rawgeti(L, -1, 2); // ids fact digest
        lua_remove(L, -2);
        if (!is_digest(L, orr_filememo_fact(box->files, ids[i], NULL))) {
            lua_pushinteger(L, i + 1);
            return 1;
        }
    }
    return 0;
}

static int i_forget(lua_State *L)
{
    struct index_box *box = check_index(L);
    const char *path = orr_check_path(L, 2);
    orr_filememo_forget(box->files, path, strlen(path));
    return 0;
}

int orr_open_index(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"get", i_get},         {"put", i_put},
        {"del", i_del},         {"flush", i_flush},
        {"digest", i_digest},   {"digests", i_digests},
        {"changed", i_changed}, {"forget", i_forget},
        {"close", i_close},     {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    orr_handle_type(L, INDEX_TYPE, methods, i_close);
    luaL_newlib(L, functions);
    return 1;
}
