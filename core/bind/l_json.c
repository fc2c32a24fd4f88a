/* l_json: orrery.core.json; tables from tokens. Writing is l_json_write.c. */
#include "bind/l_json.h"

#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/json.h"

enum {
    BATCH = 16, // values kept on the stack before their table's size is known
    SLOTS = 2 * BATCH + 8,
};

struct reader {
    struct orr_json json;
    struct orr_err err;
    int last_wins; // of equal keys, as JavaScript reads them
};

static int build(lua_State *L, struct reader *r,
                 const struct orr_json_token *t);

static int next(struct reader *r, struct orr_json_token *t)
{
    return orr_json_next(&r->json, t, &r->err);
}

static int make_room(lua_State *L, struct reader *r)
{
    if (lua_checkstack(L, SLOTS))
        return 0;
    return orr_err_set(&r->err, ORR_ENOMEM, "%.200s: no memory", r->json.name);
}

/* Puts the 'n' values above 'base' into a new table at base + 1. */
static void gather_items(lua_State *L, int base, int n, int room)
{
    lua_createtable(L, room, 0);
    lua_insert(L, base + 1); // t v1 … vn
    for (int i = n; i > 0; i--)
        lua_rawseti(L, base + 1, i);
}

static int build_array(lua_State *L, struct reader *r)
{
    struct orr_json_token t;
    int base = lua_gettop(L);
    lua_Integer n = 0;
    int rc = make_room(L, r);
    while (rc == 0) {
        rc = next(r, &t);
        if (rc < 0 || t.kind == ORR_JSON_ARRAY_END)
            break;
        rc = build(L, r, &t); // … v
        if (rc < 0)
            break;
        if (++n == BATCH)
            gather_items(L, base, BATCH, 2 * BATCH);
        else if (n > BATCH)
            lua_rawseti(L, base + 1, n);
    }
    if (rc < 0)
        return rc;
    if (n < BATCH)
        gather_items(L, base, (int)n, (int)n);
    if (n == 0)
        orr_mark_array(L, -1);
    return 0;
}

/* Sets t[key] = value for the pair at 'at', whose key stands at offset 'place'
 * of the text. */
static int set_pair(lua_State *L, struct reader *r, int table, int at,
                    size_t place)
{
    lua_pushvalue(L, at); // key
    if (lua_rawget(L, table) != LUA_TNIL && !r->last_wins)
        return orr_json_fail(&r->json, place, ORR_EINVAL, &r->err,
                             "duplicate key \"%.100s\"", lua_tostring(L, at));
    lua_pop(L, 1);
    lua_pushvalue(L, at);
    lua_pushvalue(L, at + 1); // key value
    lua_rawset(L, table);
    return 0;
}

/* Puts the 'n' pairs above 'base' into a new table at base + 1. */
static int gather_pairs(lua_State *L, struct reader *r, int base, int n,
                        int room, const size_t *places)
{
    int rc = 0;
    lua_createtable(L, 0, room);
    lua_insert(L, base + 1); // t k1 v1 …
    for (int i = 0; i < n && rc == 0; i++)
        rc = set_pair(L, r, base + 1, base + 2 + 2 * i, places[i]);
    lua_settop(L, base + 1);
    return rc;
}

/* Pushes the next key and its value; 1 at the end of the object. */
static int push_pair(lua_State *L, struct reader *r, size_t *place)
{
    struct orr_json_token t;
    int rc = next(r, &t);
    if (rc < 0 || t.kind == ORR_JSON_OBJECT_END)
        return rc < 0 ? rc : 1;
    *place = t.at;
    lua_pushlstring(L, (const char *)t.s, t.n); // key
    rc = next(r, &t);
    return rc < 0 ? rc : build(L, r, &t); // key value
}

static int build_object(lua_State *L, struct reader *r)
{
    size_t places[BATCH], place = 0;
    int base = lua_gettop(L), n = 0, gathered = 0;
    int rc = make_room(L, r);
    while (rc == 0) {
        rc = push_pair(L, r, &place);
        if (rc != 0)
            break;
        if (gathered) {
            rc = set_pair(L, r, base + 1, base + 2, place);
            lua_settop(L, base + 1);
            continue;
        }
        places[n++] = place;
        if (n == BATCH) {
            rc = gather_pairs(L, r, base, n, 2 * BATCH, places);
            gathered = 1;
        }
    }
    if (rc < 0)
        return rc;
    return gathered ? 0 : gather_pairs(L, r, base, n, n, places);
}

static int build(lua_State *L, struct reader *r, const struct orr_json_token *t)
{
    switch (t->kind) {
    case ORR_JSON_NULL:
        lua_pushlightuserdata(L, ORR_LUA_NULL);
        break;
    case ORR_JSON_FALSE:
    case ORR_JSON_TRUE:
        lua_pushboolean(L, t->kind == ORR_JSON_TRUE);
        break;
    case ORR_JSON_INT:
        lua_pushinteger(L, t->i);
        break;
    case ORR_JSON_DOUBLE:
        lua_pushnumber(L, t->d);
        break;
    case ORR_JSON_STR:
        lua_pushlstring(L, (const char *)t->s, t->n);
        break;
    case ORR_JSON_ARRAY:
        return build_array(L, r);
    case ORR_JSON_OBJECT:
        return build_object(L, r);
    case ORR_JSON_KEY:
    case ORR_JSON_ARRAY_END:
    case ORR_JSON_OBJECT_END:
    case ORR_JSON_END:
        break; // the reader never gives them where a value belongs
    }
    return 0;
}

/* Runs protected: Lua's memory error must not pass over the reader's buffer. */
static int build_all(lua_State *L)
{
    struct reader *r = lua_touserdata(L, 1);
    struct orr_json_token t;
    int rc = next(r, &t);
    if (rc == 0)
        rc = build(L, r, &t); // r value
    if (rc == 0)
        rc = next(r, &t); // nothing may follow
    lua_pushinteger(L, rc);
    lua_insert(L, 1);
    if (rc < 0)
        lua_settop(L, 1);
    return rc < 0 ? 1 : 2;
}

static int l_decode(lua_State *L)
{
    struct reader r = {.last_wins = 0};
    size_t n;
    const char *name = NULL;
    lua_Integer depth = 0;
    const char *text = luaL_checklstring(L, 1, &n);
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        orr_check_options(
            L, 2, (const char *[]){"name", "max_depth", "last_wins", NULL});
        lua_getfield(L, 2, "last_wins");
        r.last_wins = lua_toboolean(L, -1);
        lua_getfield(L, 2, "name");
        name = luaL_optstring(L, -1, NULL); // stays on the stack
        lua_getfield(L, 2, "max_depth");
        depth = luaL_optinteger(L, -1, ORR_JSON_DEPTH);
        luaL_argcheck(L, depth > 0 && depth <= ORR_JSON_DEPTH_MAX, 2,
                      "max_depth must be 1 to 1000");
    }
    orr_json_init(&r.json, text, n, name, (unsigned)depth);
    lua_pushcfunction(L, build_all);
    lua_pushlightuserdata(L, &r);
    int status = lua_pcall(L, 1, 2, 0); // rc value | error
    orr_json_fini(&r.json);
    if (status == LUA_ERRMEM)
        orr_err_set(&r.err, ORR_ENOMEM, "%.200s: no memory", r.json.name);
    else if (status != LUA_OK)
        return lua_error(L);
    else if (lua_tointeger(L, -2) == 0)
        return 1;
    return orr_fail(L, &r.err);
}

int orr_open_json(lua_State *L)
{
    static const luaL_Reg lib[] = {{"decode", l_decode}, {NULL, NULL}};
    luaL_newlib(L, lib);
    orr_json_open_write(L);
    return 1;
}
