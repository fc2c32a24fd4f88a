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

#include "bind/box.h"
#include "bind/scratch.h"
#include "bind/value.h"
#include "engine/json.h"
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

/* Upvalues of what adds: the scratch, then the fields' names, which Lua finds
 * faster as strings of its own than as C's. */
enum { UP_SCRATCH = 1, UP_NAMES };
enum field {
    F_NAME,
    F_ID,
    F_TYPE,
    F_STEP,
    F_PATH,
    F_DIGEST,
    F_SIZE,
    F_VERSION,
    F_META,
    FIELDS
};
static const char *const field_names[FIELDS] = {
    "name", "id", "type", "step", "path", "digest", "size", "version", "meta"};

/* Pushes a field of the table at 't'; returns its type. */
static int push_field(lua_State *L, int t, enum field f)
{
    lua_pushvalue(L, lua_upvalueindex(UP_NAMES + (int)f));
    return lua_gettable(L, t);
}

/* A string or absent. Leaves it on the stack, so that the span lives as long
 * as the call. */
static struct orr_span span_field(lua_State *L, int t, enum field f)
{
    struct orr_span s = {NULL, 0};
    int type = push_field(L, t, f); // … v
    if (type == LUA_TSTRING)
        s.p = lua_tolstring(L, -1, &s.n);
    else if (type != LUA_TNIL)
        luaL_error(L, "artifact.%s: a string expected, got %s", field_names[f],
                   lua_typename(L, type));
    return s;
}

static lua_Integer integer_field(lua_State *L, int t, enum field f,
                                 lua_Integer min, lua_Integer max,
                                 lua_Integer absent)
{
    int ok = 1;
    lua_Integer v = absent;
    if (push_field(L, t, f) != LUA_TNIL) { // … v
        v = lua_tointegerx(L, -1, &ok);
        if (!ok || v < min || v > max)
            luaL_error(L, "artifact.%s: an integer from %I to %I expected",
                       field_names[f], min, max);
    }
    lua_pop(L, 1);
    return v;
}

/* Reads the table at 't', raising for what is no artifact; its strings stay on
 * the stack. 'meta' is packed into the scratch. 0 or ORR_E*. */
static int read_artifact(lua_State *L, int t, struct orr_artifact *a,
                         struct orr_scratch *b, struct orr_err *e)
{
    *a = (struct orr_artifact){.size = -1};
    a->name = span_field(L, t, F_NAME);
    a->id = span_field(L, t, F_ID);
    a->type = span_field(L, t, F_TYPE);
    a->step = span_field(L, t, F_STEP);
    a->path = span_field(L, t, F_PATH);
    a->digest = span_field(L, t, F_DIGEST);
    a->size = integer_field(L, t, F_SIZE, 0, LUA_MAXINTEGER, -1);
    a->version = (uint32_t)integer_field(L, t, F_VERSION, 1, UINT32_MAX - 1, 0);
    if (push_field(L, t, F_META) == LUA_TNIL) // … meta
        return 0;
    int rc = orr_value_pack(L, -1, "artifact.meta", &b->out, &b->es, e);
    a->meta = (struct orr_span){(const char *)b->out.data, b->out.len};
    return rc;
}

/* Adds the artifact of the table at 't', which becomes what was stored. */
static int add_table(lua_State *L, struct orr_registry *r, int t,
                     struct orr_artifact *a, struct orr_err *e)
{
    struct orr_scratch *b = orr_scratch_take(L, UP_SCRATCH);
    int rc = read_artifact(L, t, a, b, e);
    if (rc == 0)
        rc = orr_registry_add(r, a, a, e);
    orr_scratch_rest(b);
    return rc;
}

static int l_add(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    struct orr_artifact a;
    struct orr_err e;
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, FIELDS + 4, NULL);
    int rc = add_table(L, r, 2, &a, &e);
    luaL_argcheck(L, a.name.n, 2, "field 'name' missing or empty");
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, a.id.p, a.id.n);
    lua_pushinteger(L, a.version);
    return 2;
}

/* As many adds, without a text for each new id. */
static int l_add_all(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    luaL_checkstack(L, FIELDS + 4, NULL);
    lua_Integer n = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
        struct orr_artifact a;
        struct orr_err e;
        if (lua_geti(L, 2, i) != LUA_TTABLE) // artifact
            return luaL_error(L, "artifact %I: a table expected, got %s", i,
                              luaL_typename(L, 3));
        if (add_table(L, r, 3, &a, &e) < 0) {
            orr_fail(L, &e); // … nil err
            lua_pushinteger(L, i);
            lua_setfield(L, -2, "item");
            return 2;
        }
        lua_settop(L, 2);
    }
    lua_pushinteger(L, n);
    return 1;
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

/* Puts the strings of the list at 'idx' into the map, as JSON. */
static int put_json(lua_State *L, int idx, struct orr_map *to)
{
    struct orr_buf *b = orr_box_buf(L); // … box
    int rc = 0;
    lua_Integer n = luaL_len(L, idx);
    for (lua_Integer i = 1; i <= n && rc == 0; i++) {
        size_t len;
        lua_geti(L, idx, i); // … box string
        const char *s = luaL_checklstring(L, -1, &len);
        orr_buf_clear(b);
        rc = orr_json_put_str(b, s, len, ORR_JSON_LOSSY, NULL);
        if (rc == 0)
            rc = orr_map_put(to, b->data, b->len, 1);
        lua_pop(L, 1);
    }
    lua_pop(L, 1);
    return rc;
}

static void fini_map(void *m)
{
    orr_map_fini(m);
}

/* save_over(self, path, before, steps) */
static int l_save_over(lua_State *L)
{
    struct orr_registry *r = check_registry(L);
    const char *path = orr_check_path(L, 2), *before = orr_check_path(L, 3);
    luaL_checktype(L, 4, LUA_TTABLE);
    struct orr_map *steps = orr_box_new(L, sizeof *steps, fini_map);
    size_t count;
    struct orr_err e;
    int rc = put_json(L, 4, steps);
    if (rc < 0)
        orr_err_set(&e, rc, "no memory for the steps of the registry");
    else
        rc = orr_registryfile_save_over(r, before, steps, path, &count, &e);
    if (rc < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, (lua_Integer)count);
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
    static const luaL_Reg methods[] = {{"get", l_get},
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
                                       {"save_over", l_save_over},
                                       {NULL, NULL}};
    static const luaL_Reg adding[] = {
        {"add", l_add}, {"add_all", l_add_all}, {NULL, NULL}};
    static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};
    orr_handle_type(L, REGISTRY_TYPE, methods, l_close);
    luaL_getmetatable(L, REGISTRY_TYPE); // mt
    lua_getfield(L, -1, "__index");      // mt methods
    orr_scratch_push(L);
    for (int i = 0; i < FIELDS; i++)
        lua_pushstring(L, field_names[i]);
    luaL_setfuncs(L, adding, 1 + FIELDS);
    lua_pop(L, 2);
    luaL_newlib(L, functions);
    return 1;
}
