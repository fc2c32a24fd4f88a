/*
 * l_func_walk: writes a value and all it reaches as a closure graph (l_func.h
 * has the grammar). One walk, in the order of sorted keys, so that the same
 * graph gives the same bytes in every run; 'canon' only swaps code for its
 * digest. The chain of 'struct place' on the C stack is the path for messages.
 */
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#include "bind/bind.h"
#include "bind/l_func.h"

enum { MAX_CHAIN = 2000 }; /* functions capturing functions capturing … */

struct place {
    const struct place *up;
    const char *upvalue; /* name, or NULL: the key at index 'key' */
    int key;
    unsigned tables; /* around this, since the last function */
    unsigned chain;  /* all levels */
};

struct key {
    bool is_str;
    lua_Integer i;
    const char *s;
    size_t n;
};

static int walk(struct orr_func_walk *w, int idx, const struct place *at);

/* --- bytes ---------------------------------------------------------------- */

static int oom(struct orr_func_walk *w)
{
    return orr_err_set(w->e, ORR_ENOMEM, "not enough memory");
}

static int put_tag(struct orr_func_walk *w, int tag)
{
    return orr_buf_putc(w->out, (unsigned char)tag) < 0 ? oom(w) : 0;
}

static int put_u64(struct orr_func_walk *w, int tag, uint64_t n)
{
    if (put_tag(w, tag) < 0 || orr_buf_put_u64(w->out, n) < 0)
        return oom(w);
    return 0;
}

static int put_bytes(struct orr_func_walk *w, int tag, const void *s, size_t n)
{
    if (put_u64(w, tag, n) < 0 || orr_buf_put(w->out, s, n) < 0)
        return oom(w);
    return 0;
}

/* --- refusals ------------------------------------------------------------- */

static void add_key(struct orr_buf *b, lua_State *L, int key)
{
    if (lua_isinteger(L, key))
        orr_buf_printf(b, "[%lld]", (long long)lua_tointeger(L, key));
    else if (lua_type(L, key) == LUA_TSTRING)
        orr_buf_printf(b, ".%s", lua_tostring(L, key));
}

/* "upvalue 'cfg.db[2]' of 'helper'": the keys since the innermost function,
 * then the functions outward. Best effort: a message may be cut short. */
static const struct place *add_path(struct orr_buf *b, lua_State *L,
                                    const struct place *at)
{
    if (at->upvalue) {
        orr_buf_printf(b, "%s", at->upvalue);
        return at->up;
    }
    if (!at->up)
        return NULL;
    const struct place *rest = add_path(b, L, at->up);
    add_key(b, L, at->key);
    return rest;
}

static int refuse(struct orr_func_walk *w, const struct place *at, int rc,
                  const char *what)
{
    struct orr_buf b = {0};
    while (at && (at->upvalue || at->up)) {
        orr_buf_puts(&b, b.len ? " of '" : "upvalue '");
        at = add_path(&b, w->L, at);
        orr_buf_putc(&b, '\'');
    }
    if (b.len)
        orr_err_set(w->e, rc, "%.*s: %s", (int)b.len, (char *)b.data, what);
    else
        orr_err_set(w->e, rc, "%s", what);
    orr_buf_fini(&b);
    return rc;
}

/* --- things that travel by name ------------------------------------------- */

static int put_module_digest(struct orr_func_walk *w, const char *module)
{
    lua_State *L = w->L;
    int rc = 0;
    if (w->modules && lua_getfield(L, w->modules, module) == LUA_TSTRING) {
        size_t n;
        const char *digest = lua_tolstring(L, -1, &n);
        rc = put_bytes(w, ORR_FUNC_STRING, digest, n);
    }
    if (w->modules)
        lua_pop(L, 1);
    return rc;
}

/* The name on top of the stack; pops it. */
static int put_name(struct orr_func_walk *w)
{
    lua_State *L = w->L;
    size_t n;
    const char *name = lua_tolstring(L, -1, &n);
    bool member = strlen(name) < n;
    int rc = put_bytes(w, member ? ORR_FUNC_MEMBER : ORR_FUNC_MODULE, name, n);
    if (!orr_func_is_standard(name)) {
        lua_pushboolean(L, 1);
        lua_setfield(L, w->used, name);
        if (rc == 0 && w->canon)
            rc = put_module_digest(w, name);
    }
    lua_pop(L, 1);
    return rc;
}

/* --- objects -------------------------------------------------------------- */

/* 1: seen before and written as such; 0: new, now numbered. */
static int put_seen(struct orr_func_walk *w, int idx)
{
    lua_State *L = w->L;
    lua_pushvalue(L, idx);
    if (lua_rawget(L, w->seen) == LUA_TNUMBER) {
        lua_Integer id = lua_tointeger(L, -1);
        lua_pop(L, 1);
        int rc = put_u64(w, ORR_FUNC_SEEN, (uint64_t)id);
        return rc < 0 ? rc : 1;
    }
    lua_pop(L, 1);
    lua_pushvalue(L, idx);
    lua_pushinteger(L, w->nseen++);
    lua_rawset(L, w->seen);
    return 0;
}

static int compare_keys(const void *pa, const void *pb)
{
    const struct key *a = pa, *b = pb;
    if (a->is_str != b->is_str)
        return a->is_str ? 1 : -1;
    if (!a->is_str)
        return (a->i > b->i) - (a->i < b->i);
    int c = memcmp(a->s, b->s, a->n < b->n ? a->n : b->n);
    return c ? c : (a->n > b->n) - (a->n < b->n);
}

/* Reads the keys beyond 1..n of the table at 'idx' into 'keys' (NULL: only
 * counts and checks them). */
static int read_keys(struct orr_func_walk *w, int idx, lua_Integer n,
                     struct key *keys, size_t *count, const struct place *at)
{
    lua_State *L = w->L;
    *count = 0;
    for (lua_pushnil(L); lua_next(L, idx);) { // key value
        lua_pop(L, 1);                        // key
        struct key k = {0};
        if (lua_isinteger(L, -1)) {
            k.i = lua_tointeger(L, -1);
            if (k.i >= 1 && k.i <= n)
                continue;
        } else if (lua_type(L, -1) == LUA_TSTRING) {
            k.is_str = true;
            k.s = lua_tolstring(L, -1, &k.n);
        } else {
            char what[64];
            snprintf(what, sizeof what, "cannot pass a table with a %s key",
                     luaL_typename(L, -1));
            return refuse(w, at, ORR_EINVAL, what);
        }
        if (keys)
            keys[*count] = k;
        ++*count;
    }
    return 0;
}

static void push_key(lua_State *L, const struct key *k)
{
    if (k->is_str)
        lua_pushlstring(L, k->s, k->n);
    else
        lua_pushinteger(L, k->i);
}

static int walk_pairs(struct orr_func_walk *w, int idx, lua_Integer n,
                      const struct place *at)
{
    lua_State *L = w->L;
    size_t count;
    int rc = read_keys(w, idx, n, NULL, &count, at);
    if (rc < 0)
        return rc;
    if (orr_buf_put_u64(w->out, count) < 0)
        return oom(w);
    if (count == 0)
        return 0;
    struct key *keys = lua_newuserdatauv(L, count * sizeof *keys, 0); // keys
    read_keys(w, idx, n, keys, &count, at);
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        push_key(L, &keys[i]); // keys key
        struct place in = {at, NULL, lua_gettop(L), at->tables + 1,
                           at->chain + 1};
        rc = walk(w, in.key, &in);
        lua_pushvalue(L, in.key);
        lua_rawget(L, idx); // keys key value
        if (rc == 0)
            rc = walk(w, in.key + 1, &in);
        lua_pop(L, 2); // keys
    }
    lua_pop(L, 1);
    return rc;
}

static int walk_list(struct orr_func_walk *w, int idx, lua_Integer n,
                     const struct place *at)
{
    lua_State *L = w->L;
    int rc = 0;
    for (lua_Integer i = 1; rc == 0 && i <= n; i++) {
        lua_pushinteger(L, i); // i
        struct place in = {at, NULL, lua_gettop(L), at->tables + 1,
                           at->chain + 1};
        lua_rawgeti(L, idx, i); // i value
        rc = walk(w, in.key + 1, &in);
        lua_pop(L, 2);
    }
    return rc;
}

/* The first border: the same however the table was built. */
static lua_Integer list_length(lua_State *L, int idx)
{
    lua_Integer n = 0;
    while (lua_rawgeti(L, idx, n + 1) != LUA_TNIL) {
        lua_pop(L, 1);
        n++;
    }
    lua_pop(L, 1);
    return n;
}

static int walk_table(struct orr_func_walk *w, int idx, const struct place *at)
{
    lua_State *L = w->L;
    bool marked = orr_is_array(L, idx);
    if (!marked && !orr_says_plain(L, idx) && lua_getmetatable(L, idx)) {
        lua_pop(L, 1);
        return refuse(w, at, ORR_EINVAL,
                      "cannot pass a table with a metatable");
    }
    if (at->tables >= ORR_FUNC_DEPTH)
        return refuse(w, at, ORR_ELIMIT, "nested too deep (over 100 tables)");
    int rc = put_seen(w, idx);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    lua_Integer n = list_length(L, idx);
    if (put_tag(w, ORR_FUNC_TABLE) < 0 || put_tag(w, marked) < 0 ||
        orr_buf_put_u64(w->out, (uint64_t)n) < 0)
        return oom(w);
    rc = walk_list(w, idx, n, at);
    return rc < 0 ? rc : walk_pairs(w, idx, n, at);
}

bool orr_func_is_env(struct orr_func_walk *w, const char *name)
{
    lua_State *L = w->L;
    if (!strcmp(name, "_ENV"))
        return true;
    if (!lua_istable(L, -1))
        return false;
    if (w->env && lua_rawequal(L, -1, w->env))
        return true;
    lua_pushglobaltable(L);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

/* 1: the cell was seen before and is written as such; 0: new, now numbered. */
static int put_cell(struct orr_func_walk *w, int fn, int i)
{
    lua_State *L = w->L;
    void *id = lua_upvalueid(L, fn, i);
    if (lua_rawgetp(L, w->cells, id) == LUA_TNUMBER) {
        lua_Integer cell = lua_tointeger(L, -1);
        lua_pop(L, 1);
        int rc = put_u64(w, ORR_FUNC_SEEN, (uint64_t)cell);
        return rc < 0 ? rc : 1;
    }
    lua_pop(L, 1);
    lua_pushinteger(L, w->ncells++);
    lua_rawsetp(L, w->cells, id);
    return put_tag(w, ORR_FUNC_CELL);
}

/* The n-th upvalue of the function at 'fn'; its value is on top. */
static int walk_upvalue(struct orr_func_walk *w, int fn, int i,
                        const char *name, const struct place *at)
{
    if (orr_func_is_env(w, name))
        return put_tag(w, ORR_FUNC_ENV);
    int rc = put_cell(w, fn, i);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    struct place in = {at, name, 0, 0, at->chain + 1};
    return walk(w, lua_gettop(w->L), &in);
}

static int walk_closure(struct orr_func_walk *w, int idx,
                        const struct place *at)
{
    lua_State *L = w->L;
    unsigned char digest[32];
    int rc = put_seen(w, idx);
    if (rc != 0)
        return rc < 0 ? rc : 0;
    if (put_tag(w, ORR_FUNC_CLOSURE) < 0)
        return oom(w);
    rc = orr_func_walk_code(w, idx, digest);
    if (rc == 0 && w->canon && orr_buf_put(w->out, digest, 32) < 0)
        rc = oom(w);
    const char *name;
    for (int i = 1; rc == 0 && (name = lua_getupvalue(L, idx, i)); i++) {
        rc = walk_upvalue(w, idx, i, name, at);
        lua_pop(L, 1);
    }
    return rc;
}

/* Is it a Lua function of another file than the one dumped? Only then can it
 * be known better as a module's member. */
static bool is_foreign(struct orr_func_walk *w, int idx)
{
    lua_Debug ar;
    lua_pushvalue(w->L, idx);
    lua_getinfo(w->L, ">S", &ar);
    return strcmp(ar.source, w->source) != 0;
}

static int walk_function(struct orr_func_walk *w, int idx,
                         const struct place *at)
{
    lua_State *L = w->L;
    bool is_c = lua_iscfunction(L, idx);
    if ((is_c || is_foreign(w, idx)) && orr_func_name(w, idx))
        return put_name(w);
    if (is_c)
        return refuse(w, at, ORR_EINVAL,
                      "cannot pass a C function that no loaded module has");
    return walk_closure(w, idx, at);
}

static int walk_object(struct orr_func_walk *w, int idx, const struct place *at)
{
    lua_State *L = w->L;
    if (lua_isfunction(L, idx))
        return walk_function(w, idx, at);
    lua_pushvalue(L, idx);
    bool env = orr_func_is_env(w, "");
    lua_pop(L, 1);
    if (env)
        return put_tag(w, ORR_FUNC_ENV);
    if (orr_func_name(w, idx))
        return put_name(w);
    return walk_table(w, idx, at);
}

static int put_number(struct orr_func_walk *w, int idx)
{
    uint64_t bits;
    if (lua_isinteger(w->L, idx))
        return put_u64(w, ORR_FUNC_INT, (uint64_t)lua_tointeger(w->L, idx));
    double d = lua_tonumber(w->L, idx);
    if (d != d)
        bits = 0x7ff8000000000000u; /* one NaN */
    else
        memcpy(&bits, &d, 8);
    return put_u64(w, ORR_FUNC_FLOAT, bits);
}

static int walk(struct orr_func_walk *w, int idx, const struct place *at)
{
    lua_State *L = w->L;
    luaL_checkstack(L, 12, "captured values nest too deep");
    if (at->chain > MAX_CHAIN)
        return refuse(w, at, ORR_ELIMIT, "nested too deep");
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        return put_tag(w, ORR_FUNC_NIL);
    case LUA_TBOOLEAN:
        return put_tag(w,
                       lua_toboolean(L, idx) ? ORR_FUNC_TRUE : ORR_FUNC_FALSE);
    case LUA_TNUMBER:
        return put_number(w, idx);
    case LUA_TSTRING: {
        size_t n;
        const char *s = lua_tolstring(L, idx, &n);
        return put_bytes(w, ORR_FUNC_STRING, s, n);
    }
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, idx) == ORR_LUA_NULL)
            return put_tag(w, ORR_FUNC_NULL);
        return refuse(w, at, ORR_EINVAL, "cannot pass a userdata");
    case LUA_TTABLE:
    case LUA_TFUNCTION:
        return walk_object(w, idx, at);
    case LUA_TTHREAD:
        return refuse(w, at, ORR_EINVAL, "cannot pass a coroutine");
    default:
        return refuse(w, at, ORR_EINVAL, "cannot pass a userdata");
    }
}

int orr_func_walk_value(struct orr_func_walk *w, int idx, const char *root)
{
    struct place at = {.upvalue = root};
    return walk(w, idx, &at);
}
