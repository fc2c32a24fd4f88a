/* l_func: orrery.core.func: closures as bytes, and their identity. */
#include "bind/l_func.h"

#include <lauxlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/bytecode.h"
#include "bind/openers.h"
#include "engine/hash.h"

static const char secret_key = 0; /* registry key, by address */

void orr_func_set_key(lua_State *L, const unsigned char key[ORR_FUNC_KEY])
{
    lua_pushlstring(L, (const char *)key, ORR_FUNC_KEY);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &secret_key);
}

bool orr_func_mac(lua_State *L, const void *bytes, size_t n,
                  unsigned char out[ORR_FUNC_MAC])
{
    struct orr_hasher h;
    struct orr_digest d;
    bool known = lua_rawgetp(L, LUA_REGISTRYINDEX, &secret_key) == LUA_TSTRING;
    if (known) {
        const char *key = lua_tostring(L, -1);
        orr_hasher_init(&h);
        orr_hasher_put(&h, key, ORR_FUNC_KEY);
        orr_hasher_put(&h, bytes, n);
        orr_hasher_put(&h, key, ORR_FUNC_KEY);
        orr_hasher_get(&h, &d);
        memcpy(out, d.bytes, ORR_FUNC_MAC);
    }
    lua_pop(L, 1);
    return known;
}

/* --- code ----------------------------------------------------------------- */

static int write_code(lua_State *L, const void *p, size_t n, void *buf)
{
    (void)L;
    return orr_buf_put(buf, p, n) < 0;
}

struct use_context {
    struct orr_func_walk *w;
    int fn;
};

/* Keeps the first line of a name. */
static void note(lua_State *L, int table, unsigned line)
{
    lua_pushvalue(L, -1);
    if (lua_rawget(L, table) == LUA_TNIL) { // name nil
        lua_pop(L, 1);
        lua_pushinteger(L, line);
        lua_rawset(L, table);
    } else {
        lua_pop(L, 2);
    }
}

static void note_use(void *arg, const struct orr_code_event *ev)
{
    const struct use_context *u = arg;
    lua_State *L = u->w->L;
    const char *name = lua_getupvalue(L, u->fn, (int)ev->up + 1); // value
    if (!name)
        return;
    if (ev->use == ORR_USE_ASSIGN) {
        lua_pop(L, 1);
        lua_pushstring(L, name);
        if (u->fn == u->w->root)
            note(L, u->w->assigns, ev->line);
        else
            lua_pop(L, 1);
        return;
    }
    bool env = orr_func_is_env(u->w, name);
    lua_pop(L, 1);
    if (!env)
        return;
    lua_pushlstring(L, ev->name, ev->len);
    note(L, ev->use == ORR_USE_GET ? u->w->globals : u->w->sets, ev->line);
}

int orr_func_walk_code(struct orr_func_walk *w, int idx,
                       unsigned char digest[32])
{
    lua_State *L = w->L;
    lua_pushvalue(L, idx);
    if (w->canon && lua_rawget(L, w->digests) == LUA_TSTRING) {
        memcpy(digest, lua_tostring(L, -1), 32);
        lua_pop(L, 1);
        return 0;
    }
    size_t at = w->out->len; // fn
    if (orr_buf_put_u64(w->out, 0) < 0 || lua_dump(L, write_code, w->out, 0))
        return orr_err_set(w->e, ORR_ENOMEM, "not enough memory");
    uint64_t n = w->out->len - at - 8;
    for (int i = 0; i < 8; i++)
        w->out->data[at + (size_t)i] = (unsigned char)(n >> (8 * i));
    if (!w->informed) {
        lua_pop(L, 1);
        return 0;
    }
    struct use_context u = {w, idx};
    struct orr_digest d;
    int rc =
        orr_bytecode_scan(w->out->data + at + 8, n, &d, note_use, &u, w->e);
    if (rc < 0)
        return rc;
    memcpy(digest, d.bytes, 32);
    lua_pushlstring(L, (const char *)d.bytes, 32); // fn digest
    lua_rawset(L, w->digests);
    return 0;
}

/* --- the parts of a dump -------------------------------------------------- */

static int push_table(lua_State *L)
{
    lua_newtable(L);
    return lua_gettop(L);
}

/* The option 'name' of the table at index 2: a table, or none. */
static int push_option(lua_State *L, const char *name)
{
    if (lua_istable(L, 2) && lua_getfield(L, 2, name) != LUA_TNIL) {
        luaL_argexpected(L, lua_istable(L, -1), 2, name);
        return lua_gettop(L);
    }
    lua_pushnil(L);
    return 0;
}

static void walk_init(struct orr_func_walk *w, lua_State *L, struct orr_err *e)
{
    *w = (struct orr_func_walk){.L = L, .e = e, .root = 1, .informed = true};
    lua_Debug ar;
    lua_settop(L, 2);
    lua_pushvalue(L, 1);
    lua_getinfo(L, ">S", &ar);
    w->source = ar.source;
    if (lua_istable(L, 2)) {
        lua_getfield(L, 2, "info");
        w->informed = lua_isnil(L, -1) || lua_toboolean(L, -1);
        lua_pop(L, 1);
    }
    w->modules = push_option(L, "modules");
    w->env = push_option(L, "env");
    w->loaded = push_option(L, "loaded");
    if (!w->loaded) {
        luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
        w->loaded = lua_gettop(L);
    }
    w->out = orr_box_buf(L);
    w->used = push_table(L);
    w->seen = push_table(L);
    w->cells = push_table(L);
    lua_pushnil(L);
    w->names_slot = lua_gettop(L);
    if (!w->informed)
        return;
    w->digests = push_table(L);
    w->globals = push_table(L);
    w->sets = push_table(L);
    w->assigns = push_table(L);
}

/* Forgets which objects were seen, for another walk of the same graph. */
static void walk_again(struct orr_func_walk *w)
{
    lua_State *L = w->L;
    lua_newtable(L);
    lua_replace(L, w->seen);
    lua_newtable(L);
    lua_replace(L, w->cells);
    w->nseen = w->ncells = 0;
    w->canon = true;
    orr_buf_clear(w->out);
}

static void push_hex(lua_State *L, const struct orr_buf *b)
{
    struct orr_digest d;
    orr_hash_bytes(b->data, b->len, &d);
    orr_push_digest(L, &d);
}

/* Pushes the dump of the function at index 1, or nothing and ORR_E*. */
static int push_dump(struct orr_func_walk *w)
{
    static const char blank[ORR_FUNC_MAC];
    lua_State *L = w->L;
    if (orr_buf_put(w->out, blank, ORR_FUNC_MAC) < 0)
        return orr_err_set(w->e, ORR_ENOMEM, "not enough memory");
    int rc = orr_func_walk_value(w, 1, NULL);
    if (rc < 0)
        return rc;
    unsigned char *bytes = w->out->data;
    if (!orr_func_mac(L, bytes + ORR_FUNC_MAC, w->out->len - ORR_FUNC_MAC,
                      bytes))
        return orr_err_set(w->e, ORR_EINVAL,
                           "this state was given no secret for functions");
    lua_pushlstring(L, (const char *)bytes, w->out->len);
    return 0;
}

/* --- what is said about it ------------------------------------------------ */

/* "x" the first time, "x#2" for another upvalue of that name. */
static void push_upvalue_name(lua_State *L, int table, const char *name)
{
    lua_pushstring(L, name);
    for (int n = 2;; n++) {
        lua_pushvalue(L, -1);
        bool taken = lua_rawget(L, table) != LUA_TNIL;
        lua_pop(L, 1);
        if (!taken)
            return;
        lua_pop(L, 1);
        lua_pushfstring(L, "%s#%d", name, n);
    }
}

/* Pushes name → digest. Each upvalue is walked by itself, so that a change of
 * one never shows in another. */
static int push_upvalues(struct orr_func_walk *w)
{
    lua_State *L = w->L;
    int table = push_table(L), rc = 0;
    const char *name;
    for (int i = 1; rc == 0 && (name = lua_getupvalue(L, 1, i)); i++) {
        int value = lua_gettop(L);
        if (!orr_func_is_env(w, name)) {
            walk_again(w);
            lua_pushvalue(L, 1);
            lua_pushinteger(L, w->nseen++);
            lua_rawset(L, w->seen);
            rc = orr_func_walk_value(w, value, name);
            push_upvalue_name(L, table, name);
            push_hex(L, w->out);
            lua_rawset(L, table);
        }
        lua_settop(L, table);
    }
    if (rc < 0)
        lua_pop(L, 1);
    return rc;
}

/* Pushes the keys of a table as a sorted list. */
static void push_sorted(lua_State *L, int table)
{
    int list = push_table(L);
    for (lua_pushnil(L); lua_next(L, table);) { // list key value
        lua_pop(L, 1);
        lua_Integer i = luaL_len(L, list) + 1;
        for (; i > 1; i--) {
            lua_rawgeti(L, list, i - 1); // list key before
            bool found = lua_compare(L, -1, -2, LUA_OPLE);
            if (!found)
                lua_rawseti(L, list, i);
            else
                lua_pop(L, 1);
            if (found)
                break;
        }
        lua_pushvalue(L, -1);
        lua_rawseti(L, list, i); // list key
    }
}

static void push_source(lua_State *L)
{
    lua_Debug ar;
    lua_pushvalue(L, 1);
    lua_getinfo(L, ">S", &ar);
    lua_pushfstring(L, "%s:%d",
                    ar.source[0] == '@' ? ar.source + 1 : ar.short_src,
                    ar.linedefined);
}

/* Pushes the FuncInfo of a function that was just dumped. */
static int push_info(struct orr_func_walk *w)
{
    lua_State *L = w->L;
    lua_createtable(L, 0, 7); // info
    int info = lua_gettop(L);
    walk_again(w);
    int rc = orr_func_walk_value(w, 1, NULL);
    if (rc < 0)
        return rc;
    push_hex(L, w->out);
    lua_setfield(L, info, "identity");
    rc = push_upvalues(w);
    if (rc < 0)
        return rc;
    lua_setfield(L, info, "upvalues");
    push_sorted(L, w->used);
    lua_setfield(L, info, "modules");
    push_sorted(L, w->globals);
    lua_setfield(L, info, "globals");
    lua_pushvalue(L, w->sets);
    lua_setfield(L, info, "sets_globals");
    lua_pushvalue(L, w->assigns);
    lua_setfield(L, info, "assigns");
    push_source(L);
    lua_setfield(L, info, "source");
    return 0;
}

static int l_dump(lua_State *L)
{
    struct orr_func_walk w;
    struct orr_err e;
    luaL_checktype(L, 1, LUA_TFUNCTION);
    if (!lua_isnoneornil(L, 2))
        luaL_checktype(L, 2, LUA_TTABLE);
    walk_init(&w, L, &e);
    if (push_dump(&w) < 0)
        return orr_fail(L, &e);
    int bytes = lua_gettop(L);
    if (!w.informed)
        return 1;
    if (push_info(&w) < 0)
        return orr_fail(L, &e);
    lua_pushvalue(L, bytes);
    lua_insert(L, -2);
    return 2;
}

static int l_load(lua_State *L)
{
    size_t n;
    const char *bytes = luaL_checklstring(L, 1, &n);
    luaL_checktype(L, 2, LUA_TTABLE);
    if (orr_func_load(L, bytes, n, 2) == 0)
        return 1;
    lua_pushnil(L);
    lua_insert(L, -2);
    return 2;
}

int orr_open_func(lua_State *L)
{
    static const luaL_Reg functions[] = {
        {"dump", l_dump}, {"load", l_load}, {NULL, NULL}};
    orr_func_names_open(L);
    luaL_newlib(L, functions);
    return 1;
}
