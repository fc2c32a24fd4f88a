/*
 * l_registry: orrery.core.registry. Artifacts cross as plain tables.
 *
 * Each handle keeps, as its user value, a table from the ids asked for to their
 * numbers. An id never changes its number, so the table is never wrong; and Lua
 * finds an interned string without reading it, where the registry must touch
 * four places in memory: at 100,000 artifacts that is four times as fast.
 */
#include "bind/bind.h"
#include "bind/openers.h"

#include <string.h>

#include "bind/scratch.h"
#include "bind/value.h"
#include "engine/registry.h"
#include "engine/registryfile.h"

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

/* Packs field 'meta' into the scratch, at whose bytes it then points. Returns
 * 0, or the results to give. */
static int meta_field(lua_State *L, struct orr_scratch *b,
                      struct orr_span *meta)
{
    struct orr_err e;
    int rc = 0;
    if (lua_getfield(L, 2, "meta") != LUA_TNIL) // … meta
        rc = orr_value_pack(L, -1, "artifact.meta", &b->out, &b->es, &e);
    if (rc < 0) {
        orr_scratch_rest(b);
        return orr_fail(L, &e);
    }
    *meta = (struct orr_span){(const char *)b->out.data, b->out.len};
    return 0;
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
    struct orr_scratch *b = orr_scratch_take(L, 1);
    int failed = meta_field(L, b, &a.meta);
    if (failed)
        return failed;
    int rc = orr_registry_add(r, &a, &a, &e);
    orr_scratch_rest(b);
    if (rc < 0)
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
    // What was packed here unpacks.
    if (a->meta.n && orr_value_push(L, a->meta.p, a->meta.n, NULL) == 0)
        lua_setfield(L, -2, "meta");
}

/* The number of the id at 2: from the handle's table, else from the registry.
 */
static bool find(lua_State *L, struct orr_registry *r, size_t *no)
{
    luaL_checktype(L, 2, LUA_TSTRING);
    lua_getiuservalue(L, 1, 1);             // … known
    lua_pushvalue(L, 2);                    // … known id
    if (lua_rawget(L, -2) == LUA_TNUMBER) { // … known no
        *no = (size_t)lua_tointeger(L, -1);
        return true;
    }
    size_t n;
    const char *id = lua_tolstring(L, 2, &n);
    if (!orr_registry_has(r, id, n, no))
        return false;
    lua_pushvalue(L, 2);
    lua_pushinteger(L, (lua_Integer)*no);
    lua_rawset(L, -4); // … known nil
    return true;
}

static int l_get(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_artifact a;
    size_t no;
    if (!find(L, r, &no) || !orr_registry_at(r, no, &a))
        return 0;
    push_artifact(L, &a);
    return 1;
}

static int l_has(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    size_t no;
    lua_pushboolean(L, find(L, r, &no));
    return 1;
}

/* The place of an id in insertion order: what at() takes. */
static int l_index(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    size_t no;
    if (!find(L, r, &no))
        return 0;
    lua_pushinteger(L, (lua_Integer)no + 1);
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

static int l_save(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_err e;
    bool merge = false;
    const char *path = orr_check_path(L, 2);
    if (!lua_isnoneornil(L, 3)) {
        luaL_checktype(L, 3, LUA_TTABLE);
        lua_getfield(L, 3, "merge");
        merge = lua_toboolean(L, -1);
    }
    if (orr_registryfile_save(r, path, merge, &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_load(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_err e;
    size_t loaded = 0;
    if (orr_registryfile_load(r, orr_check_path(L, 2), &loaded, &e) < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, (lua_Integer)loaded);
    return 1;
}

static int l_new(lua_State *L)
{
    struct orr_registry **ud = lua_newuserdatauv(L, sizeof *ud, 1);
    *ud = NULL;
    luaL_setmetatable(L, REGISTRY_TYPE);
    lua_newtable(L);
    lua_setiuservalue(L, -2, 1);
    *ud = orr_registry_new();
    return 1;
}

int orr_open_registry(lua_State *L)
{
    static const luaL_Reg methods[] = {{"add", l_add},
                                       {"get", l_get},
                                       {"has", l_has},
                                       {"index", l_index},
                                       {"at", l_at},
                                       {"by_name", l_by_name},
                                       {"by_type", l_by_type},
                                       {"by_step", l_by_step},
                                       {"versions", l_versions},
                                       {"count", l_count},
                                       {"bytes", l_bytes},
                                       {"save", l_save},
                                       {"load", l_load},
                                       {"close", l_close},
                                       {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    orr_handle_type(L, REGISTRY_TYPE, methods, l_close);
    luaL_getmetatable(L, REGISTRY_TYPE); // mt
    lua_getfield(L, -1, "__index");      // mt methods
    orr_scratch_push(L);
    lua_pushcclosure(L, l_add, 1);
    lua_setfield(L, -2, "add");
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    return 1;
}
