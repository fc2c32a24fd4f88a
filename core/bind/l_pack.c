/* l_pack: orrery.core.pack. */
#include "bind/bind.h"
#include "bind/openers.h"
#include "bind/scratch.h"
#include "bind/value.h"
#include "engine/hash.h"

/* Packs argument 1 into the scratch; on failure returns the results to give. */
static int pack_args(lua_State *L, struct orr_scratch **out)
{
    struct orr_err e;
    luaL_checkany(L, 1);
    const char *root = luaL_optstring(L, 2, "value");
    struct orr_scratch *b = orr_scratch_take(L, 1);
    if (orr_value_pack(L, 1, root, &b->out, &b->es, &e) < 0) {
        orr_scratch_rest(b);
        return orr_fail(L, &e);
    }
    *out = b;
    return 0;
}

static int l_encode(lua_State *L)
{
    struct orr_scratch *b = NULL;
    int failed = pack_args(L, &b);
    if (failed)
        return failed;
    lua_pushlstring(L, (const char *)b->out.data, b->out.len);
    orr_scratch_rest(b);
    return 1;
}

static int l_digest(lua_State *L)
{
    struct orr_scratch *b = NULL;
    struct orr_digest d;
    int failed = pack_args(L, &b);
    if (failed)
        return failed;
    orr_hash_bytes(b->out.data, b->out.len, &d);
    orr_scratch_rest(b);
    orr_push_digest(L, &d);
    return 1;
}

static int l_decode(lua_State *L)
{
    struct orr_err e;
    size_t n;
    const char *s = luaL_checklstring(L, 1, &n);
    if (orr_value_push(L, s, n, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static int l_array(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    luaL_argcheck(L, orr_is_array(L, 1) || !lua_getmetatable(L, 1), 1,
                  "has a metatable");
    lua_settop(L, 1);
    orr_mark_array(L, 1);
    return 1;
}

static int l_is_array(lua_State *L)
{
    struct orr_walk w;
    enum orr_shape shape;
    size_t n;
    luaL_checkany(L, 1);
    if (!lua_istable(L, 1)) {
        lua_pushboolean(L, 0);
        return 1;
    }
    orr_walk_init(&w, L, "value", "pass");
    int rc = orr_walk_enter(&w, 1, &shape, &n, NULL);
    lua_pushboolean(L,
                    orr_is_array(L, 1) || (rc == 0 && shape == ORR_SHAPE_SEQ));
    return 1;
}

int orr_open_pack(lua_State *L)
{
    static const luaL_Reg plain[] = {{"decode", l_decode},
                                     {"array", l_array},
                                     {"is_array", l_is_array},
                                     {NULL, NULL}};
    static const luaL_Reg writing[] = {
        {"encode", l_encode}, {"digest", l_digest}, {NULL, NULL}};
    orr_push_array_mt(L); // so that walks find it without allocating
    lua_pop(L, 1);
    luaL_newlib(L, plain);        // lib
    orr_scratch_push(L);          // lib scratch
    luaL_setfuncs(L, writing, 1); // lib
    lua_pushlightuserdata(L, ORR_LUA_NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
