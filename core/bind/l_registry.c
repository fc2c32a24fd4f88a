/*
 * l_registry: orrery.core.registry. Artifacts cross as plain tables; meta as
 * the bytes that orrery.core.pack makes of it.
 */
#include "bind/bind.h"
#include "bind/openers.h"

#include "engine/registry.h"

#define REGISTRY_TYPE "orrery.registry"

static struct orr_registry *check_registry(lua_State *L)
{
    struct orr_registry **ud = luaL_checkudata(L, 1, REGISTRY_TYPE);
    luaL_argcheck(L, *ud, 1, "registry is closed");
    return *ud;
}

static int l_close(lua_State *L)
{
    struct orr_registry **ud = luaL_checkudata(L, 1, REGISTRY_TYPE);
    orr_registry_free(*ud);
    *ud = NULL;
    return 0;
}

/* Calls orrery.core.pack.<verb> with the value on top, which its results
 * replace. */
static void call_pack(lua_State *L, const char *verb, int results)
{
    lua_getglobal(L, "require"); // v require
    lua_pushliteral(L, "orrery.core.pack");
    lua_call(L, 1, 1);         // v pack
    lua_getfield(L, -1, verb); // v pack f
    lua_replace(L, -2);        // v f
    lua_insert(L, -2);         // f v
    lua_call(L, 1, results);
}

/* --- a table to an artifact --- */

/* Field 'k' of the table at 2, a string or absent. Leaves it on the stack, so
 * that the span lives as long as the call. */
static struct orr_span span_field(lua_State *L, const char *k)
{
    struct orr_span s = {NULL, 0};
    int type = lua_getfield(L, 2, k); // … v
    if (type == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    else if (type != LUA_TNIL)
        luaL_error(L, "artifact.%s: a string expected, got %s", k,
                   lua_typename(L, type));
    return s;
}

static lua_Integer integer_field(lua_State *L, const char *k, lua_Integer min,
                                 lua_Integer max, lua_Integer absent)
{
    int ok = 1;
    lua_Integer v = absent;
    if (lua_getfield(L, 2, k) != LUA_TNIL) { // … v
        v = lua_tointegerx(L, -1, &ok);
        if (!ok || v < min || v > max)
            luaL_error(L, "artifact.%s: an integer from %I to %I expected", k,
                       min, max);
    }
    lua_pop(L, 1);
    return v;
}

/* True: 'meta' is packed and on the stack. False: nil, err are on the stack. */
static int meta_field(lua_State *L, struct orr_span *meta)
{
    if (lua_getfield(L, 2, "meta") == LUA_TNIL) // … meta
        return 1;
    call_pack(L, "encode", 2); // … bytes err
    if (lua_isnil(L, -2))
        return 0;
    lua_pop(L, 1); // … bytes
    meta->p = lua_tolstring(L, -1, &meta->n);
    return 1;
}

static int l_add(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_artifact a = {.size = -1};
    struct orr_err e;
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, 16, NULL);
    a.name = span_field(L, "name");
    luaL_argcheck(L, a.name.n, 2, "field 'name' missing or empty");
    a.id = span_field(L, "id");
    a.type = span_field(L, "type");
    a.step = span_field(L, "step");
    a.path = span_field(L, "path");
    a.digest = span_field(L, "digest");
    a.size = integer_field(L, "size", 0, LUA_MAXINTEGER, -1);
    a.version = (uint32_t)integer_field(L, "version", 1, UINT32_MAX - 1, 0);
    if (!meta_field(L, &a.meta))
        return 2;
    if (orr_registry_add(r, &a, &a, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, a.id.p, a.id.n);
    lua_pushinteger(L, a.version);
    return 2;
}

/* --- an artifact to a table --- */

static void set_span(lua_State *L, const char *k, struct orr_span s)
{
    if (!s.n)
        return;
    lua_pushlstring(L, s.p, s.n);
    lua_setfield(L, -2, k);
}

static void push_artifact(lua_State *L, const struct orr_artifact *a)
{
    luaL_checkstack(L, 6, NULL);
    lua_createtable(L, 0, 8); // t
    set_span(L, "id", a->id);
    set_span(L, "name", a->name);
    set_span(L, "type", a->type);
    set_span(L, "step", a->step);
    set_span(L, "path", a->path);
    set_span(L, "digest", a->digest);
    lua_pushinteger(L, a->version);
    lua_setfield(L, -2, "version");
    if (a->size >= 0) {
        lua_pushinteger(L, a->size);
        lua_setfield(L, -2, "size");
    }
    if (a->meta.n) {
        lua_pushlstring(L, a->meta.p, a->meta.n); // t bytes
        call_pack(L, "decode", 1);                // t meta
        lua_setfield(L, -2, "meta");
    }
}

static int l_get(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_artifact a;
    size_t n;
    const char *id = luaL_checklstring(L, 2, &n);
    if (!orr_registry_get(r, id, n, &a))
        return 0;
    push_artifact(L, &a);
    return 1;
}

static int l_has(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    size_t n;
    const char *id = luaL_checklstring(L, 2, &n);
    lua_pushboolean(L, orr_registry_has(r, id, n));
    return 1;
}

static int l_at(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    lua_Integer i = luaL_checkinteger(L, 2);
    struct orr_artifact a;
    if (i < 1 || !orr_registry_at(r, (size_t)i - 1, &a))
        return 0;
    push_artifact(L, &a);
    return 1;
}

static int l_by_name(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    size_t n;
    const char *name = luaL_checklstring(L, 2, &n);
    lua_Integer version = luaL_optinteger(L, 3, 0);
    luaL_argcheck(L, version >= 0 && version < UINT32_MAX, 3,
                  "version out of range");
    struct orr_artifact a;
    if (!orr_registry_by_name(r, name, n, (uint32_t)version, &a))
        return 0;
    push_artifact(L, &a);
    return 1;
}

static int push_walk(lua_State *L, enum orr_registry_by by)
{
    struct orr_registry *r = check_registry(L);
    size_t n, it = 0;
    const char *key = luaL_checklstring(L, 2, &n);
    struct orr_artifact a;
    lua_newtable(L); // list
    for (lua_Integer i = 1; orr_registry_walk(r, by, key, n, &it, &a); i++) {
        push_artifact(L, &a);
        lua_rawseti(L, -2, i);
    }
    return 1;
}

static int l_by_type(lua_State *L)
{
    return push_walk(L, ORR_REGISTRY_TYPE);
}

static int l_by_step(lua_State *L)
{
    return push_walk(L, ORR_REGISTRY_STEP);
}

static int l_versions(lua_State *L)
{
    return push_walk(L, ORR_REGISTRY_NAME);
}

static int l_count(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)orr_registry_count(check_registry(L)));
    return 1;
}

static int l_bytes(lua_State *L)
{
    lua_pushinteger(L, (lua_Integer)orr_registry_bytes(check_registry(L)));
    return 1;
}

static int l_new(lua_State *L)
{
    struct orr_registry **ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = NULL;
    luaL_setmetatable(L, REGISTRY_TYPE);
    *ud = orr_registry_new();
    return 1;
}

int orr_open_registry(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"add", l_add},         {"get", l_get},
        {"has", l_has},         {"at", l_at},
        {"by_name", l_by_name}, {"by_type", l_by_type},
        {"by_step", l_by_step}, {"versions", l_versions},
        {"count", l_count},     {"bytes", l_bytes},
        {"close", l_close},     {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    orr_handle_type(L, REGISTRY_TYPE, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
