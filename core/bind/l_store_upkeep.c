/* l_store_upkeep: stats, list, prune, clear, verify of orrery.core.store. */
#include "bind/bind.h"
#include "bind/l_store.h"

static void set_count(lua_State *L, const char *name, uint64_t v)
{
    lua_pushinteger(L, (lua_Integer)v);
    lua_setfield(L, -2, name);
}

static int s_stats(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_store_stats st;
    orr_store_stats(s, &st);
    lua_createtable(L, 0, 4); // stats
    set_count(L, "records", st.records);
    set_count(L, "blobs", st.blobs);
    set_count(L, "bytes", st.bytes);
    if (st.newest) {
        lua_pushnumber(L, (lua_Number)st.oldest / 1e9);
        lua_setfield(L, -2, "oldest");
        lua_pushnumber(L, (lua_Number)st.newest / 1e9);
        lua_setfield(L, -2, "newest");
    }
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
    struct orr_store *s = orr_check_store(L);
    static const char *const known[] = {"max_bytes", "max_age", "expired",
                                        NULL};
    orr_opt_table(L, 2, known);
    struct orr_store_limits l = {
        .max_bytes = orr_opt_bytes(L, 2, "max_bytes", UINT64_MAX),
        .max_age = orr_opt_ns(L, 2, "max_age", UINT64_MAX)};
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

static int s_tidy(lua_State *L)
{
    orr_store_tidy(orr_check_store(L));
    return 0;
}

static int s_clear(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
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
    if (orr_store_verify(orr_check_store(L), &r, &e) < 0)
        return orr_fail(L, &e);
    lua_createtable(L, 0, 3); // report
    set_count(L, "checked", r.checked);
    set_count(L, "corrupt", r.corrupt);
    set_count(L, "missing", r.missing);
    return 1;
}

/* next(cursor) → cursor, { space, key, created, used, expires?, size, blob? },
 * bytes?; nothing at the end. */
static int s_next(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    lua_Integer from = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, from >= 0, 2, "not a cursor");
    size_t cursor = (size_t)from;
    struct orr_store_item it;
    struct orr_err e;
    int rc = orr_store_next(s, &cursor, &it, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    if (!rc)
        return 0;
    lua_pushinteger(L, (lua_Integer)cursor);
    lua_createtable(L, 0, 7); // cursor item
    lua_pushlstring(L, it.space, it.space_len);
    lua_setfield(L, -2, "space");
    lua_pushlstring(L, (const char *)it.key, it.key_len);
    lua_setfield(L, -2, "key");
    lua_pushnumber(L, (lua_Number)it.created / 1e9);
    lua_setfield(L, -2, "created");
    lua_pushinteger(L, it.used_day);
    lua_setfield(L, -2, "used_day");
    set_count(L, "size", it.size);
    if (it.expires) {
        lua_pushnumber(L, (lua_Number)it.expires / 1e9);
        lua_setfield(L, -2, "expires");
    }
    if (it.far) {
        orr_push_digest(L, &it.blob);
        lua_setfield(L, -2, "blob");
    }
    if (it.bytes)
        lua_pushlstring(L, (const char *)it.bytes, it.n);
    else
        lua_pushnil(L);
    return 3; // cursor item bytes
}

static int s_blob_size(lua_State *L)
{
    struct orr_store *s = orr_check_store(L);
    struct orr_digest d;
    orr_check_digest(L, 2, &d);
    lua_pushinteger(L, (lua_Integer)orr_store_blob_size(s, &d));
    return 1;
}

const luaL_Reg orr_store_upkeep[] = {
    {"tidy", s_tidy},           {"stats", s_stats},   {"prune", s_prune},
    {"clear", s_clear},         {"verify", s_verify}, {"next", s_next},
    {"blob_size", s_blob_size}, {NULL, NULL}};
