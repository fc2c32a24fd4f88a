/* value_pack: plain Lua data to packed bytes and back. */
#include "bind/value.h"

#include "bind/bind.h"

struct writer {
    struct orr_walk walk; // first: see orr_walk_put
    struct orr_buf *out;
    struct orr_entries *es;
};

static orr_walk_put put_value;

static int put_seq(struct orr_walk *walk, int idx, size_t n, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    int rc = orr_pack_seq(w->out, n);
    return rc < 0 ? rc : orr_walk_items(walk, idx, n, put_value, e);
}

static int put_key(struct orr_walk *walk, const struct orr_walk_frame *f,
                   struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    (void)e;
    if (f->key)
        return orr_pack_key_str(w->out, w->es, f->key, f->len);
    return orr_pack_key_int(w->out, w->es, f->i);
}

static int put_map(struct orr_walk *walk, int idx, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    struct orr_pack_map m;
    int rc = orr_pack_map_begin(w->out, w->es, &m);
    if (rc == 0)
        rc = orr_walk_pairs(walk, idx, put_key, put_value, e);
    return rc < 0 ? rc : orr_pack_map_end(w->out, w->es, &m);
}

static int put_value(struct orr_walk *walk, int idx, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    lua_State *L = walk->L;
    size_t n;
    const char *s;
    int rc = orr_walk_count(&w->walk, w->out->len, e);
    if (rc < 0)
        return rc;
    switch (lua_type(L, idx)) {
    case LUA_TNIL:
        return orr_pack_word(w->out, ORR_PACK_NIL);
    case LUA_TBOOLEAN:
        return orr_pack_word(w->out, lua_toboolean(L, idx) ? ORR_PACK_TRUE
                                                           : ORR_PACK_FALSE);
    case LUA_TNUMBER:
        if (lua_isinteger(L, idx))
            return orr_pack_int(w->out, lua_tointeger(L, idx));
        return orr_pack_double(w->out, lua_tonumber(L, idx));
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &n);
        return orr_pack_str(w->out, s, n);
    case LUA_TTABLE:
        return orr_walk_table(walk, idx, put_seq, put_map, e);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, idx) == ORR_LUA_NULL)
            return orr_pack_word(w->out, ORR_PACK_NULL);
        break;
    default:
        break;
    }
    return orr_walk_refuse_type(walk, idx, e);
}

int orr_value_pack(lua_State *L, int idx, const char *root, struct orr_buf *out,
                   struct orr_entries *es, struct orr_err *e)
{
    struct writer w = {.out = out, .es = es};
    if (!lua_checkstack(L, 8))
        return orr_err_set(e, ORR_ENOMEM, "no memory");
    orr_walk_init(&w.walk, L, root ? root : "value", "pass");
    int rc = orr_pack_open(out);
    if (rc == 0)
        rc = put_value(&w.walk, lua_absindex(L, idx), e);
    if (rc == ORR_ENOMEM) // buffers say no more than that
        orr_err_set(e, rc, "%s: no memory", w.walk.root);
    return rc;
}

static int push_value(lua_State *L, struct orr_unpack *r,
                      const struct orr_pack_item *it, struct orr_err *e);

static int push_next(lua_State *L, struct orr_unpack *r, struct orr_err *e)
{
    struct orr_pack_item it;
    int rc = orr_unpack_next(r, &it, e);
    return rc < 0 ? rc : push_value(L, r, &it, e);
}

/* A table's first size: what the text says, within reason, for it costs
 * sixteen bytes and more for each byte of a hostile text. */
static int size_hint(size_t n)
{
    return n < 65536 ? (int)n : 65536;
}

static int push_seq(lua_State *L, struct orr_unpack *r, size_t n,
                    struct orr_err *e)
{
    lua_createtable(L, size_hint(n), 0); // t
    for (size_t i = 1; i <= n; i++) {
        int rc = push_next(L, r, e); // t value
        if (rc < 0)
            return rc;
        lua_rawseti(L, -2, (lua_Integer)i);
    }
    return 0;
}

static int push_map(lua_State *L, struct orr_unpack *r, size_t n,
                    struct orr_err *e)
{
    lua_createtable(L, 0, size_hint(n)); // t
    for (size_t i = 0; i < n; i++) {
        int rc = push_next(L, r, e); // t key
        if (rc == 0)
            rc = push_next(L, r, e); // t key value
        if (rc < 0)
            return rc;
        lua_rawset(L, -3);
    }
    return 0;
}

static int push_value(lua_State *L, struct orr_unpack *r,
                      const struct orr_pack_item *it, struct orr_err *e)
{
    luaL_checkstack(L, 8, NULL);
    switch (it->kind) {
    case ORR_PACK_NIL:
        lua_pushnil(L);
        break;
    case ORR_PACK_FALSE:
    case ORR_PACK_TRUE:
        lua_pushboolean(L, it->kind == ORR_PACK_TRUE);
        break;
    case ORR_PACK_NULL:
        lua_pushlightuserdata(L, ORR_LUA_NULL);
        break;
    case ORR_PACK_INT:
        lua_pushinteger(L, it->i);
        break;
    case ORR_PACK_DOUBLE:
        lua_pushnumber(L, it->d);
        break;
    case ORR_PACK_STR:
        lua_pushlstring(L, (const char *)it->s, it->n);
        break;
    case ORR_PACK_EMPTY:
        lua_newtable(L);
        orr_mark_array(L, -1);
        break;
    case ORR_PACK_SEQ:
        return push_seq(L, r, it->n, e);
    case ORR_PACK_MAP:
        return push_map(L, r, it->n, e);
    }
    return 0;
}

int orr_value_push(lua_State *L, const void *bytes, size_t n, struct orr_err *e)
{
    struct orr_unpack r;
    int top = lua_gettop(L);
    int rc = orr_unpack_open(&r, bytes, n, e);
    if (rc == 0)
        rc = push_next(L, &r, e);
    if (rc == 0)
        rc = orr_unpack_close(&r, e);
    if (rc < 0)
        lua_settop(L, top);
    return rc;
}
