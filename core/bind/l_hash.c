/* l_hash: orrery.core.hash. */
#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/hash.h"

#define HASHER_TYPE "orrery.hasher"

static int l_sha256(lua_State *L)
{
    size_t n;
    struct orr_digest d;
    const char *s = luaL_checklstring(L, 1, &n);
    orr_hash_bytes(s, n, &d);
    orr_push_digest(L, &d);
    return 1;
}

static int l_file(lua_State *L)
{
    struct orr_digest d;
    struct orr_err e;
    uint64_t size = 0;
    if (orr_hash_file(orr_check_path(L, 1), &d, &size, &e) < 0)
        return orr_fail(L, &e);
    orr_push_digest(L, &d);
    lua_pushinteger(L, (lua_Integer)size);
    return 2;
}

/* Pushes (digest|false)[] and the table of errors. */
static void push_results(lua_State *L, const struct orr_hash_job *jobs, int n)
{
    struct orr_err e;
    lua_createtable(L, n, 0); // digests
    lua_newtable(L);          // digests errors
    for (int i = 0; i < n; i++) {
        if (jobs[i].rc == 0) {
            orr_push_digest(L, &jobs[i].digest);
        } else {
            orr_hash_job_error(&jobs[i], &e);
            orr_push_err(L, &e);
            lua_rawseti(L, -2, i + 1);
            lua_pushboolean(L, 0);
        }
        lua_rawseti(L, -3, i + 1);
    }
}

static int l_files(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer threads = luaL_optinteger(L, 2, 0);
    luaL_argcheck(L, threads >= 0 && threads <= 256, 2, "out of range");
    lua_Unsigned count = lua_rawlen(L, 1);
    luaL_argcheck(L, count <= 1 << 24, 1, "too many paths");
    int n = (int)count;
    lua_settop(L, 1); // the paths stay in the table while they are borrowed
    struct orr_hash_job *jobs =
        lua_newuserdatauv(L, (size_t)(n ? n : 1) * sizeof *jobs, 0);
    for (int i = 0; i < n; i++) {
        lua_rawgeti(L, 1, i + 1); // paths jobs path
        if (lua_type(L, -1) != LUA_TSTRING)
            return luaL_argerror(
                L, 1,
                lua_pushfstring(L, "path %d is a %s, not a string", i + 1,
                                luaL_typename(L, -1)));
        jobs[i].path = lua_tostring(L, -1);
        lua_pop(L, 1);
    }
    orr_hash_files(jobs, (size_t)n, (unsigned)threads);
    push_results(L, jobs, n);
    return 2;
}

static int l_new(lua_State *L)
{
    struct orr_hasher *h = lua_newuserdatauv(L, sizeof *h, 0);
    orr_hasher_init(h);
    luaL_setmetatable(L, HASHER_TYPE);
    return 1;
}

static int l_update(lua_State *L)
{
    size_t n;
    struct orr_hasher *h = luaL_checkudata(L, 1, HASHER_TYPE);
    const char *s = luaL_checklstring(L, 2, &n);
    orr_hasher_put(h, s, n);
    lua_settop(L, 1);
    return 1;
}

static int l_hex(lua_State *L)
{
    struct orr_digest d;
    orr_hasher_get(luaL_checkudata(L, 1, HASHER_TYPE), &d);
    orr_push_digest(L, &d);
    return 1;
}

int orr_open_hash(lua_State *L)
{
    static const luaL_Reg lib[] = {{"sha256", l_sha256},
                                   {"file", l_file},
                                   {"files", l_files},
                                   {"new", l_new},
                                   {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"update", l_update}, {"hex", l_hex}, {NULL, NULL}};
    if (luaL_newmetatable(L, HASHER_TYPE)) { // mt; nothing to close
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
    }
    lua_pop(L, 1);
    luaL_newlib(L, lib);
    return 1;
}
