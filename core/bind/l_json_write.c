/*
 * l_json_write: orrery.core.json.encode. Pairs are written as the table hands
 * them out, each with a comma in front, and moved into key order at the end;
 * then the first comma becomes the opening brace.
 */
#include "bind/l_json.h"

#include <string.h>

#include "bind/bind.h"
#include "bind/scratch.h"
#include "bind/value.h"
#include "engine/json.h"

enum { INDENT_MAX = 16 };

struct writer {
    struct orr_walk walk; // first: see orr_walk_put
    struct orr_buf *out;
    struct orr_entries *es;
    int indent; // 0: one line
    enum orr_json_lossy lossy;
};

static orr_walk_put put_value;

static int new_line(struct writer *w, unsigned depth)
{
    if (!w->indent)
        return 0;
    size_t n = 1 + (size_t)w->indent * depth;
    if (orr_buf_reserve(w->out, n) < 0)
        return ORR_ENOMEM;
    memset(w->out->data + w->out->len, ' ', n);
    w->out->data[w->out->len] = '\n';
    w->out->len += n;
    return 0;
}

static int put_string(struct writer *w, const char *s, size_t n,
                      struct orr_err *e)
{
    size_t bad = 0;
    int rc = orr_json_put_str(w->out, s, n, w->lossy, &bad);
    if (rc == ORR_EINVAL)
        return orr_walk_refuse(&w->walk, rc, e, "not valid UTF-8 at byte %zu",
                               bad + 1);
    return rc;
}

static int put_item(struct orr_walk *walk, int idx, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    int rc =
        orr_buf_putc(w->out, walk->frames[walk->depth - 1].i == 1 ? '[' : ',');
    if (rc == 0)
        rc = new_line(w, walk->depth);
    return rc < 0 ? rc : put_value(walk, idx, e);
}

static int put_seq(struct orr_walk *walk, int idx, size_t n, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    if (n == 0)
        return orr_buf_puts(w->out, "[]");
    int rc = orr_walk_items(walk, idx, n, put_item, e);
    if (rc == 0)
        rc = new_line(w, walk->depth - 1);
    return rc < 0 ? rc : orr_buf_putc(w->out, ']');
}

/* Says it of the table, for which of the keys comes first is chance. */
static int refuse_integer_key(struct writer *w, struct orr_err *e)
{
    w->walk.depth--;
    int rc =
        orr_walk_refuse(&w->walk, ORR_EINVAL, e,
                        "JSON has no integer keys and no lists with holes");
    w->walk.depth++;
    return rc;
}

static int put_key(struct orr_walk *walk, const struct orr_walk_frame *f,
                   struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    if (!f->key)
        return refuse_integer_key(w, e);
    int rc = orr_entries_add_str(w->es, w->out->len, f->key, f->len,
                                 (uintptr_t)f->key);
    if (rc == 0)
        rc = orr_buf_putc(w->out, ',');
    if (rc == 0)
        rc = new_line(w, walk->depth);
    if (rc == 0)
        rc = put_string(w, f->key, f->len, e);
    return rc < 0 ? rc : orr_buf_put(w->out, ": ", w->indent ? 2 : 1);
}

static int put_map(struct orr_walk *walk, int idx, struct orr_err *e)
{
    struct writer *w = (struct writer *)walk;
    size_t at = w->out->len, first = w->es->count;
    int rc = orr_walk_pairs(walk, idx, put_key, put_value, e);
    if (rc < 0)
        return rc;
    if (w->es->count == first)
        return orr_buf_puts(w->out, "{}");
    rc = orr_entries_sort(w->es, first, w->out, NULL);
    w->out->data[at] = '{';
    if (rc == 0)
        rc = new_line(w, walk->depth - 1);
    return rc < 0 ? rc : orr_buf_putc(w->out, '}');
}

static int put_number(struct writer *w, int idx, struct orr_err *e)
{
    lua_State *L = w->walk.L;
    if (lua_isinteger(L, idx))
        return orr_json_put_int(w->out, lua_tointeger(L, idx));
    int rc = orr_json_put_double(w->out, lua_tonumber(L, idx));
    if (rc == ORR_EINVAL)
        return orr_walk_refuse(&w->walk, rc, e,
                               "cannot write NaN or infinity as JSON");
    return rc;
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
    case LUA_TBOOLEAN:
        return orr_buf_puts(w->out, lua_toboolean(L, idx) ? "true" : "false");
    case LUA_TNUMBER:
        return put_number(w, idx, e);
    case LUA_TSTRING:
        s = lua_tolstring(L, idx, &n);
        return put_string(w, s, n, e);
    case LUA_TTABLE:
        return orr_walk_table(walk, idx, put_seq, put_map, e);
    case LUA_TLIGHTUSERDATA:
        if (lua_touserdata(L, idx) == ORR_LUA_NULL)
            return orr_buf_puts(w->out, "null");
        break;
    default:
        break;
    }
    return orr_walk_refuse_type(walk, idx, e);
}

static void read_options(lua_State *L, struct writer *w, const char **root)
{
    luaL_checkany(L, 1);
    if (lua_isnoneornil(L, 2))
        return;
    luaL_checktype(L, 2, LUA_TTABLE);
    orr_check_options(L, 2, (const char *[]){"indent", "lossy", "root", NULL});
    lua_getfield(L, 2, "indent");
    lua_Integer indent = luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, indent >= 0 && indent <= INDENT_MAX, 2,
                  "indent must be 0 to 16");
    w->indent = (int)indent;
    lua_getfield(L, 2, "lossy");
    w->lossy = lua_toboolean(L, -1) ? ORR_JSON_LOSSY : ORR_JSON_EXACT;
    lua_getfield(L, 2, "root");
    *root = luaL_optstring(L, -1, *root); // stays on the stack
}

static int l_encode(lua_State *L)
{
    struct writer w = {.lossy = ORR_JSON_EXACT};
    struct orr_err e;
    const char *root = "value";
    read_options(L, &w, &root);
    struct orr_scratch *b = orr_scratch_take(L, 1);
    w.out = &b->out;
    w.es = &b->es;
    orr_walk_init(&w.walk, L, root, "write as JSON");
    int rc = put_value(&w.walk, 1, &e);
    if (rc == ORR_ENOMEM) // buffers say no more than that
        orr_err_set(&e, rc, "%s: no memory", root);
    if (rc == 0)
        lua_pushlstring(L, (const char *)b->out.data, b->out.len);
    orr_scratch_rest(b);
    return rc < 0 ? orr_fail(L, &e) : 1;
}

void orr_json_open_write(lua_State *L)
{
    static const luaL_Reg writing[] = {{"encode", l_encode}, {NULL, NULL}};
    orr_push_array_mt(L); // so that walks find it without allocating
    lua_pop(L, 1);
    orr_scratch_push(L);          // lib scratch
    luaL_setfuncs(L, writing, 1); // lib
}
