/* l_store: orrery.core.store. Blobs and records that outlive runs. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/held.h"
#include "bind/l_store.h"
#include "bind/openers.h"
#include "bind/value.h"
#include "engine/store.h"

#define STORE_TYPE "orrery.store"

struct orr_store *orr_check_store(lua_State *L)
{
    struct orr_store **ud = luaL_checkudata(L, 1, STORE_TYPE);
    luaL_argcheck(L, *ud, 1, "store is closed");
    return *ud;
}

static int absent(lua_State *L)
{
    lua_pushnil(L);
    return 1;
}

void orr_check_digest(lua_State *L, int arg, struct orr_digest *d)
{
    size_t n;
    const char *hex = luaL_checklstring(L, arg, &n);
    luaL_argcheck(L, orr_digest_parse(hex, n, d) == 0, arg,
                  "a digest has 64 hex digits");
}

uint64_t orr_opt_ns(lua_State *L, int arg, const char *name, uint64_t fallback)
{
    if (lua_isnoneornil(L, arg) || lua_getfield(L, arg, name) == LUA_TNIL)
        return fallback;
    int is_num;
    lua_Number v = lua_tonumberx(L, -1, &is_num);
    luaL_argcheck(L, is_num && v >= 0 && !isnan(v), arg,
                  lua_pushfstring(L, "'%s' is not a number of seconds", name));
    return v < 9e9 ? (uint64_t)(v * 1e9) : fallback;
}

uint64_t orr_opt_bytes(lua_State *L, int arg, const char *name,
                       uint64_t fallback)
{
    if (lua_isnoneornil(L, arg) || lua_getfield(L, arg, name) == LUA_TNIL)
        return fallback;
    int is_int;
    lua_Integer v = lua_tointegerx(L, -1, &is_int);
    luaL_argcheck(L, is_int && v >= 0, arg,
                  lua_pushfstring(L, "'%s' is not a number of bytes", name));
    return (uint64_t)v;
}

void orr_opt_table(lua_State *L, int arg, const char *const *known)
{
    if (lua_isnoneornil(L, arg))
        return;
    luaL_checktype(L, arg, LUA_TTABLE);
    orr_check_options(L, arg, known);
}

static int l_open(lua_State *L)
{
    const char *dir = orr_check_path(L, 1);
    static const char *const known[] = {"max_bytes", "max_age", "spare", NULL};
    orr_opt_table(L, 2, known);
    struct orr_store_opts o = {.max_bytes = orr_opt_bytes(L, 2, "max_bytes", 0),
                               .max_age = orr_opt_ns(L, 2, "max_age", 0)};
    o.spare = !lua_isnoneornil(L, 2) &&
              lua_getfield(L, 2, "spare") != LUA_TNIL && lua_toboolean(L, -1);
    struct orr_store **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, STORE_TYPE);
    struct orr_err e;
    if (orr_store_open(dir, &o, ud, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

/* --- records ---------------------------------------------------------------
 */

static int s_put(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    size_t space_len, key_len, n;
    const char *space = luaL_checklstring(L, 2, &space_len);
    const char *key = luaL_checklstring(L, 3, &key_len);
    const char *bytes = luaL_checklstring(L, 4, &n);
    static const char *const known[] = {"ttl", NULL};
    orr_opt_table(L, 5, known);
    uint64_t ttl = orr_opt_ns(L, 5, "ttl", 0);
    struct orr_err e;
    if (orr_store_put(s, space, space_len, key, key_len, bytes, n, ttl, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

/* The record of space and key at 2 and 3. Non-zero: as many results were pushed
 * in its place. */
static int get_record(lua_State *L, struct orr_store_value *v)
{
    struct orr_store *s = orr_check_store(L);
    size_t space_len, key_len;
    const char *space = luaL_checklstring(L, 2, &space_len);
    const char *key = luaL_checklstring(L, 3, &key_len);
    struct orr_err e;
    int rc = orr_store_get(s, space, space_len, key, key_len, v, &e);
    if (rc == ORR_ENOENT)
        return absent(L);
    return rc < 0 ? orr_fail(L, &e) : 0;
}

static int s_get(lua_State *L)
{
    struct orr_store_value v;
    int instead = get_record(L, &v);
    if (instead)
        return instead;
    lua_pushlstring(L, (const char *)v.bytes, v.n); // bytes
    lua_createtable(L, 0, 2);                       // bytes info
    lua_pushnumber(L, (lua_Number)v.created / 1e9);
    lua_setfield(L, -2, "created");
    if (v.expires) {
        lua_pushnumber(L, (lua_Number)v.expires / 1e9);
        lua_setfield(L, -2, "expires");
    }
    return 2;
}

/* get and unpack at once: no text in between, no table of facts. */
static int s_value(lua_State *L)
{
    struct orr_store_value v;
    struct orr_err e;
    int instead = get_record(L, &v);
    if (instead)
        return instead;
    if (orr_value_push(L, v.bytes, v.n, &e) < 0)
        return orr_fail(L, &e);
    lua_pushnumber(L, (lua_Number)v.created / 1e9);
    if (!v.expires)
        return 2;
    lua_pushnumber(L, (lua_Number)v.expires / 1e9);
    return 3;
}

static int s_del(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    size_t space_len, key_len;
    const char *space = luaL_checklstring(L, 2, &space_len);
    const char *key = luaL_checklstring(L, 3, &key_len);
    struct orr_err e;
    int rc = orr_store_del(s, space, space_len, key, key_len, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, rc);
    return 1;
}

static int s_refresh(lua_State *L)
{
    struct orr_err e;
    if (orr_store_refresh(orr_check_store(L), &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

/* --- blobs -----------------------------------------------------------------
 */

static int s_put_blob(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    size_t n;
    const char *bytes = luaL_checklstring(L, 2, &n);
    struct orr_digest d;
    struct orr_err e;
    if (orr_store_put_blob(s, bytes, n, &d, &e) < 0)
        return orr_fail(L, &e);
    orr_push_digest(L, &d);
    return 1;
}

static int s_put_file(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    const char *path = orr_check_path(L, 2);
    struct orr_digest d;
    uint64_t size;
    struct orr_err e;
    if (orr_store_put_file(s, path, &d, &size, &e) < 0)
        return orr_fail(L, &e);
    orr_push_digest(L, &d);
    lua_pushinteger(L, (lua_Integer)size);
    return 2;
}

static int s_get_blob(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_digest d;
    orr_check_digest(L, 2, &d);
    struct orr_buf *b = orr_box_buf(L); // box
    struct orr_err e;
    int rc = orr_store_get_blob(s, &d, b, &e);
    if (rc == ORR_ENOENT)
        return absent(L);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, b->len ? (const char *)b->data : "", b->len);
    orr_buf_fini(b); // box bytes
    return 1;
}

static int s_touch(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_digest d;
    orr_check_digest(L, 2, &d);
    orr_store_touch(s, &d);
    return 0;
}

static int s_has_blob(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_digest d;
    orr_check_digest(L, 2, &d);
    lua_pushboolean(L, orr_store_has_blob(s, &d));
    return 1;
}

static int s_restore(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_digest d;
    orr_check_digest(L, 2, &d);
    const char *root = orr_check_path(L, 3);
    const char *rel = orr_check_path(L, 4);
    lua_Integer mode = luaL_checkinteger(L, 5);
    luaL_argcheck(L, mode >= 0 && mode <= 0777, 5, "not a file mode");
    struct orr_err e;
    if (orr_store_restore(s, &d, root, rel, (mode_t)mode, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

/* Pushes t[name] of the table at 'idx', metatables apart. */
static void raw_field(lua_State *L, int idx, const char *name)
{
    idx = lua_absindex(L, idx);
    lua_pushstring(L, name);
    lua_rawget(L, idx);
}

/* Reads item 'i' of the list at 3 into 'job', raising for what is no item. The
 * path stays alive in the list. */
static void check_item(lua_State *L, lua_Integer i, struct orr_store_job *job)
{
    size_t n;
    luaL_argcheck(L, lua_rawgeti(L, 3, i) == LUA_TTABLE, 3,
                  "a list of { digest, rel, mode } is wanted"); // item
    raw_field(L, -1, "digest");
    raw_field(L, -2, "rel");
    raw_field(L, -3, "mode"); // item digest rel mode
    const char *hex = lua_tolstring(L, -3, &n);
    luaL_argcheck(L, hex && orr_digest_parse(hex, n, &job->digest) == 0, 3,
                  "a digest has 64 hex digits");
    luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING, 3, "'rel' is a path");
    job->rel = lua_tolstring(L, -2, &n);
    luaL_argcheck(L, strlen(job->rel) == n, 3, "a path has no zero bytes");
    lua_Integer mode = lua_tointeger(L, -1);
    luaL_argcheck(L, lua_isinteger(L, -1) && mode >= 0 && mode <= 0777, 3,
                  "'mode' is a file mode");
    job->mode = (mode_t)mode;
    lua_pop(L, 4);
}

static int s_restore_many(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    const char *root = orr_check_path(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    lua_Integer threads = luaL_optinteger(L, 4, 0), done = 0;
    luaL_argcheck(L, threads >= 0 && threads <= 256, 4, "out of range");
    size_t n = lua_rawlen(L, 3);
    struct orr_store_job *jobs =
        lua_newuserdatauv(L, n * sizeof *jobs + 1, 0); // jobs
    for (size_t i = 0; i < n; i++)
        check_item(L, (lua_Integer)i + 1, &jobs[i]);
    orr_store_restore_many(s, root, jobs, n, (unsigned)threads);
    lua_newtable(L); // jobs errors
    for (size_t i = 0; i < n; i++) {
        struct orr_err e;
        const struct orr_store_job *j = &jobs[i];
        if (j->done ||
            !orr_store_restore(s, &j->digest, root, j->rel, j->mode, &e)) {
            done++;
            continue;
        }
        orr_push_err(L, &e);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushinteger(L, done);
    lua_insert(L, -2); // jobs done errors
    return 2;
}

static int s_sync(lua_State *L)
{
    struct orr_err e;
    if (orr_store_sync(orr_check_store(L), &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int s_close(lua_State *L)
{
    struct orr_store **ud = luaL_checkudata(L, 1, STORE_TYPE);
    orr_store_close(*ud);
    *ud = NULL;
    return 0;
}

/* --- locks -----------------------------------------------------------------
 */

static int take(void *owner, const char *name, size_t n, uint64_t *place,
                struct orr_err *e)
{
    struct orr_store **ud = owner;
    return orr_store_try_lock(*ud, name, n, place, e);
}

static void release(void *owner, uint64_t place)
{
    struct orr_store **ud = owner;
    if (*ud)
        orr_store_unlock(*ud, place);
}

static int s_try_lock(lua_State *L)
{
    static const struct orr_held_kind kind = {take, release};
    orr_check_store(L);
    return orr_held_push(L, &kind);
}

int orr_open_store(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"put", s_put},           {"get", s_get},
        {"value", s_value},       {"del", s_del},
        {"refresh", s_refresh},   {"put_blob", s_put_blob},
        {"put_file", s_put_file}, {"get_blob", s_get_blob},
        {"touch", s_touch},       {"has_blob", s_has_blob},
        {"restore", s_restore},   {"restore_many", s_restore_many},
        {"try_lock", s_try_lock}, {"sync", s_sync},
        {"close", s_close},       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    orr_handle_type(L, STORE_TYPE, methods, s_close);
    luaL_getmetatable(L, STORE_TYPE);
    lua_getfield(L, -1, "__index");
    luaL_setfuncs(L, orr_store_upkeep, 0);
    lua_pop(L, 2);
    orr_held_open(L);
    luaL_newlib(L, functions);
    return 1;
}
