/* l_store: orrery.core.store. Blobs and records that outlive runs. */
#include <math.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/openers.h"
#include "engine/store.h"

#define STORE_TYPE "orrery.store"
#define LOCK_TYPE "orrery.store.lock"

struct lock_box {
    uint64_t place;
    int held;
};

static struct orr_store *check_store(lua_State *L)
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

static void check_digest(lua_State *L, int arg, struct orr_digest *d)
{
    size_t n;
    const char *hex = luaL_checklstring(L, arg, &n);
    luaL_argcheck(L, orr_digest_parse(hex, n, d) == 0, arg,
                  "a digest has 64 hex digits");
}

/* Field 'name' of the table at 'arg' (if any) as seconds, in nanoseconds. */
static uint64_t opt_ns(lua_State *L, int arg, const char *name,
                       uint64_t fallback)
{
    if (lua_isnoneornil(L, arg) || lua_getfield(L, arg, name) == LUA_TNIL)
        return fallback;
    int is_num;
    lua_Number v = lua_tonumberx(L, -1, &is_num);
    luaL_argcheck(L, is_num && v >= 0 && !isnan(v), arg,
                  lua_pushfstring(L, "'%s' is not a number of seconds", name));
    return v < 9e9 ? (uint64_t)(v * 1e9) : fallback;
}

static uint64_t opt_bytes(lua_State *L, int arg, const char *name,
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

static void opt_table(lua_State *L, int arg, const char *const *known)
{
    if (lua_isnoneornil(L, arg))
        return;
    luaL_checktype(L, arg, LUA_TTABLE);
    orr_check_options(L, arg, known);
}

static int l_open(lua_State *L)
{
    const char *dir = orr_check_path(L, 1);
    static const char *const known[] = {"max_bytes", "max_age", NULL};
    opt_table(L, 2, known);
    struct orr_store_opts o = {.max_bytes = opt_bytes(L, 2, "max_bytes", 0),
                               .max_age = opt_ns(L, 2, "max_age", 0)};
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
    struct orr_store *s = check_store(L);
    size_t space_len, key_len, n;
    const char *space = luaL_checklstring(L, 2, &space_len);
    const char *key = luaL_checklstring(L, 3, &key_len);
    const char *bytes = luaL_checklstring(L, 4, &n);
    static const char *const known[] = {"ttl", NULL};
    opt_table(L, 5, known);
    uint64_t ttl = opt_ns(L, 5, "ttl", 0);
    struct orr_err e;
    if (orr_store_put(s, space, space_len, key, key_len, bytes, n, ttl, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int s_get(lua_State *L)
{
    struct orr_store *s = check_store(L);
    size_t space_len, key_len;
    const char *space = luaL_checklstring(L, 2, &space_len);
    const char *key = luaL_checklstring(L, 3, &key_len);
    struct orr_store_value v;
    struct orr_err e;
    int rc = orr_store_get(s, space, space_len, key, key_len, &v, &e);
    if (rc == ORR_ENOENT)
        return absent(L);
    if (rc < 0)
        return orr_fail(L, &e);
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

static int s_del(lua_State *L)
{
    struct orr_store *s = check_store(L);
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
    if (orr_store_refresh(check_store(L), &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

/* --- blobs -----------------------------------------------------------------
 */

static int s_put_blob(lua_State *L)
{
    struct orr_store *s = check_store(L);
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
    struct orr_store *s = check_store(L);
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
    struct orr_store *s = check_store(L);
    struct orr_digest d;
    check_digest(L, 2, &d);
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

static int s_has_blob(lua_State *L)
{
    struct orr_store *s = check_store(L);
    struct orr_digest d;
    check_digest(L, 2, &d);
    lua_pushboolean(L, orr_store_has_blob(s, &d));
    return 1;
}

static int s_restore(lua_State *L)
{
    struct orr_store *s = check_store(L);
    struct orr_digest d;
    check_digest(L, 2, &d);
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
    struct orr_store *s = check_store(L);
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

/* --- upkeep ----------------------------------------------------------------
 */

static void set_count(lua_State *L, const char *name, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, name);
}

static int s_stats(lua_State *L)
{
    struct orr_store *s = check_store(L);
    struct orr_store_stats st;
    orr_store_stats(s, &st);
    lua_createtable(L, 0, 4); // stats
    set_count(L, "records", st.records);
    set_count(L, "blobs", st.blobs);
    set_count(L, "bytes", st.bytes);
    lua_createtable(L, 0, (int)st.spaces); // stats spaces
    for (size_t i = 0; i < st.spaces; i++) {
        struct orr_store_space sp;
        orr_store_space_stats(s, i, &sp);
        lua_pushlstring(L, sp.name, sp.len);
        lua_createtable(L, 0, 4); // stats spaces name space
        set_count(L, "records", sp.records);
        set_count(L, "bytes", sp.bytes);
        set_count(L, "hits", sp.hits);
        set_count(L, "misses", sp.misses);
        lua_rawset(L, -3);
    }
    lua_setfield(L, -2, "spaces"); // stats
    return 1;
}

static int s_prune(lua_State *L)
{
    struct orr_store *s = check_store(L);
    static const char *const known[] = {"max_bytes", "max_age", "expired",
                                        NULL};
    opt_table(L, 2, known);
    struct orr_store_limits l = {
        .max_bytes = opt_bytes(L, 2, "max_bytes", UINT64_MAX),
        .max_age = opt_ns(L, 2, "max_age", UINT64_MAX)};
    if (!lua_isnoneornil(L, 2)) {
        lua_getfield(L, 2, "expired");
        l.expired = lua_toboolean(L, -1);
    }
    uint64_t removed, bytes;
    struct orr_err e;
    if (orr_store_prune(s, &l, &removed, &bytes, &e) < 0)
        return orr_fail(L, &e);
    lua_createtable(L, 0, 2); // report
    set_count(L, "removed", removed);
    set_count(L, "bytes", bytes);
    return 1;
}

static int s_clear(lua_State *L)
{
    struct orr_store *s = check_store(L);
    size_t n = 0;
    const char *space = luaL_optlstring(L, 2, NULL, &n);
    uint64_t removed;
    struct orr_err e;
    if (orr_store_clear(s, space, n, &removed, &e) < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, (lua_Integer)removed);
    return 1;
}

static int s_verify(lua_State *L)
{
    struct orr_store_report r;
    struct orr_err e;
    if (orr_store_verify(check_store(L), &r, &e) < 0)
        return orr_fail(L, &e);
    lua_createtable(L, 0, 3); // report
    set_count(L, "checked", r.checked);
    set_count(L, "corrupt", r.corrupt);
    set_count(L, "missing", r.missing);
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

static int s_try_lock(lua_State *L)
{
    struct orr_store *s = check_store(L);
    size_t n;
    const char *name = luaL_checklstring(L, 2, &n);
    struct lock_box *box = lua_newuserdatauv(L, sizeof *box, 1); // lock
    box->held = 0;
    luaL_setmetatable(L, LOCK_TYPE);
    lua_pushvalue(L, 1); // lock store
    lua_setiuservalue(L, -2, 1);
    struct orr_err e;
    int rc = orr_store_try_lock(s, name, n, &box->place, &e);
    if (rc == ORR_EBUSY)
        return absent(L);
    if (rc < 0)
        return orr_fail(L, &e);
    box->held = 1;
    return 1;
}

/* A store that was closed first let go of all its locks. */
static int lock_close(lua_State *L)
{
    struct lock_box *box = luaL_checkudata(L, 1, LOCK_TYPE);
    lua_getiuservalue(L, 1, 1); // store
    struct orr_store **ud = luaL_testudata(L, -1, STORE_TYPE);
    if (box->held && ud && *ud)
        orr_store_unlock(*ud, box->place);
    box->held = 0;
    return 0;
}

int orr_open_store(lua_State *L)
{
    static const luaL_Reg methods[] = {{"put", s_put},
                                       {"get", s_get},
                                       {"del", s_del},
                                       {"refresh", s_refresh},
                                       {"put_blob", s_put_blob},
                                       {"put_file", s_put_file},
                                       {"get_blob", s_get_blob},
                                       {"has_blob", s_has_blob},
                                       {"restore", s_restore},
                                       {"restore_many", s_restore_many},
                                       {"stats", s_stats},
                                       {"prune", s_prune},
                                       {"clear", s_clear},
                                       {"verify", s_verify},
                                       {"try_lock", s_try_lock},
                                       {"close", s_close},
                                       {NULL, NULL}};
    static const luaL_Reg lock_methods[] = {{"close", lock_close},
                                            {NULL, NULL}};
    static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};
    orr_handle_type(L, STORE_TYPE, methods, s_close);
    orr_handle_type(L, LOCK_TYPE, lock_methods, lock_close);
    luaL_newlib(L, functions);
    return 1;
}
