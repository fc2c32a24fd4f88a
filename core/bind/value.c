/* value: the walk over plain Lua data, and the words for what is refused. */
#include "bind/value.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "bind/bind.h"

enum { PATH_MAX_BYTES = 300, SLOTS = 8 };

void orr_walk_init(struct orr_walk *w, lua_State *L, const char *root,
                   const char *verb)
{
    w->L = L;
    w->root = root;
    w->verb = verb;
    w->parts = 0;
    w->depth = 0;
    luaL_getmetatable(L, ORR_ARRAY_MT); // mt?
    w->array_mt = lua_topointer(L, -1);
    lua_pop(L, 1);
}

static int is_name(const char *s, size_t n)
{
    if (!n || (s[0] >= '0' && s[0] <= '9'))
        return 0;
    for (size_t i = 0; i < n; i++)
        if (!(s[i] == '_' || (s[i] >= 'a' && s[i] <= 'z') ||
              (s[i] >= 'A' && s[i] <= 'Z') || (s[i] >= '0' && s[i] <= '9')))
            return 0;
    return 1;
}

/* Appends one step of a path at 'at'; returns the new length. */
static size_t put_key(char *path, size_t at, const struct orr_walk_frame *f)
{
    char text[80];
    int n;
    if (!f->key)
        n = snprintf(text, sizeof text, "[%lld]", (long long)f->i);
    else if (is_name(f->key, f->len))
        n = snprintf(text, sizeof text, ".%.*s", (int)f->len, f->key);
    else
        n = snprintf(text, sizeof text, "[\"%.*s\"]",
                     f->len > 60 ? 60 : (int)f->len, f->key);
    size_t len = n < 0                      ? 0
                 : (size_t)n >= sizeof text ? sizeof text - 1
                                            : (size_t)n;
    if (at + len >= PATH_MAX_BYTES)
        return at;
    for (size_t i = 0; i < len; i++) // a message is one line
        path[at + i] = (unsigned char)text[i] < ' ' ? '?' : text[i];
    return at + len;
}

static void put_path(const struct orr_walk *w, char path[PATH_MAX_BYTES])
{
    int n = snprintf(path, 80, "%s", w->root);
    size_t at = n < 0 ? 0 : n >= 80 ? 79 : (size_t)n;
    for (unsigned i = 0; i < w->depth; i++)
        at = put_key(path, at, &w->frames[i]);
    path[at] = '\0';
}

int orr_walk_refuse(const struct orr_walk *w, int rc, struct orr_err *e,
                    const char *fmt, ...)
{
    char path[PATH_MAX_BYTES], what[200];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    put_path(w, path);
    return orr_err_set(e, rc, "%s: %s", path, what);
}

int orr_walk_refuse_type(const struct orr_walk *w, int idx, struct orr_err *e)
{
    int type = lua_type(w->L, idx);
    return orr_walk_refuse(w, ORR_EINVAL, e, "cannot %s a %s", w->verb,
                           lua_typename(w->L, type));
}

int orr_walk_count(struct orr_walk *w, size_t len, struct orr_err *e)
{
    if (++w->parts <= ORR_VALUE_PARTS && len <= ORR_VALUE_BYTES)
        return 0;
    return orr_walk_refuse(w, ORR_ELIMIT, e,
                           "too much to %s (over %zu MiB or %zu million "
                           "values); a table that is in it several times "
                           "counts each time",
                           w->verb, ORR_VALUE_BYTES >> 20,
                           ORR_VALUE_PARTS >> 20);
}

/* Counts keys while all are integers in 1…n: then 'n' of them are a sequence.
 * Returns how many, or n + 1 as soon as another key is seen. */
static size_t count_items(lua_State *L, int idx, size_t n)
{
    size_t seen = 0;
    lua_pushnil(L);
    while (lua_next(L, idx)) { // key value
        lua_pop(L, 1);
        lua_Integer i = lua_isinteger(L, -1) ? lua_tointeger(L, -1) : 0;
        if (i < 1 || (lua_Unsigned)i > n) {
            lua_pop(L, 1);
            return n + 1;
        }
        seen++;
    }
    return seen;
}

static int is_empty(lua_State *L, int idx)
{
    lua_pushnil(L);
    if (!lua_next(L, idx))
        return 1;
    lua_pop(L, 2);
    return 0;
}

/* How the table reads, given whether it is marked as an array. */
static int find_shape(const struct orr_walk *w, int idx, int marked,
                      enum orr_shape *shape, size_t *n, struct orr_err *e)
{
    *n = (size_t)lua_rawlen(w->L, idx);
    if (*n && count_items(w->L, idx, *n) == *n) {
        *shape = ORR_SHAPE_SEQ;
        return 0;
    }
    *shape = marked ? ORR_SHAPE_EMPTY : ORR_SHAPE_MAP;
    if (marked && !is_empty(w->L, idx))
        return orr_walk_refuse(
            w, ORR_EINVAL, e,
            "is marked as an array but has holes or other keys");
    return 0;
}

int orr_walk_enter(struct orr_walk *w, int idx, enum orr_shape *shape,
                   size_t *n, struct orr_err *e)
{
    lua_State *L = w->L;
    const void *self = lua_topointer(L, idx);
    int marked = 0, allowed = 1;
    idx = lua_absindex(L, idx);
    if (!lua_checkstack(L, SLOTS))
        return orr_walk_refuse(w, ORR_ENOMEM, e, "no memory");
    if (lua_getmetatable(L, idx)) { // mt
        marked = lua_topointer(L, -1) == w->array_mt;
        allowed = marked || orr_says_plain(L, idx);
        lua_pop(L, 1);
        if (!allowed)
            return orr_walk_refuse(w, ORR_EINVAL, e,
                                   "cannot %s a table with a metatable",
                                   w->verb);
    }
    for (unsigned i = 0; i < w->depth; i++)
        if (w->frames[i].table == self)
            return orr_walk_refuse(w, ORR_EINVAL, e,
                                   "cannot %s a table that contains itself",
                                   w->verb);
    if (w->depth == ORR_PACK_DEPTH)
        return orr_walk_refuse(w, ORR_ELIMIT, e,
                               "nested more than %d tables deep",
                               ORR_PACK_DEPTH);
    int rc = find_shape(w, idx, marked, shape, n, e);
    if (rc == 0)
        w->frames[w->depth++] = (struct orr_walk_frame){.table = self};
    return rc;
}

int orr_walk_table(struct orr_walk *w, int idx, orr_walk_put_seq *seq,
                   orr_walk_put *map, struct orr_err *e)
{
    enum orr_shape shape;
    size_t n;
    int rc = orr_walk_enter(w, idx, &shape, &n, e);
    if (rc < 0)
        return rc;
    switch (shape) {
    case ORR_SHAPE_SEQ:
        rc = seq(w, idx, n, e);
        break;
    case ORR_SHAPE_EMPTY:
        rc = seq(w, idx, 0, e);
        break;
    case ORR_SHAPE_MAP:
        rc = map(w, idx, e);
        break;
    }
    w->depth--;
    return rc;
}

static void at_integer(struct orr_walk *w, lua_Integer i)
{
    struct orr_walk_frame *f = &w->frames[w->depth - 1];
    f->key = NULL;
    f->i = i;
}

int orr_walk_items(struct orr_walk *w, int idx, size_t n, orr_walk_put *value,
                   struct orr_err *e)
{
    lua_State *L = w->L;
    int top = lua_gettop(L), rc = 0;
    for (size_t i = 1; i <= n && rc == 0; i++) {
        lua_rawgeti(L, idx, (lua_Integer)i); // value
        at_integer(w, (lua_Integer)i);
        rc = value(w, top + 1, e);
        lua_settop(L, top);
    }
    return rc;
}

static int at_key(struct orr_walk *w, int idx, struct orr_err *e)
{
    struct orr_walk_frame *f = &w->frames[w->depth - 1];
    int type = lua_type(w->L, idx);
    if (type == LUA_TSTRING) {
        f->key = lua_tolstring(w->L, idx, &f->len);
        return 0;
    }
    if (lua_isinteger(w->L, idx)) {
        at_integer(w, lua_tointeger(w->L, idx));
        return 0;
    }
    const char *what = type == LUA_TNUMBER ? "float" : lua_typename(w->L, type);
    w->depth--; // the path ends at the table
    int rc = orr_walk_refuse(w, ORR_EINVAL, e, "cannot %s a key that is a %s",
                             w->verb, what);
    w->depth++;
    return rc;
}

int orr_walk_pairs(struct orr_walk *w, int idx, orr_walk_put_key *key,
                   orr_walk_put *value, struct orr_err *e)
{
    lua_State *L = w->L;
    int top = lua_gettop(L), rc = 0;
    lua_pushnil(L);
    while (rc == 0 && lua_next(L, idx)) { // key value
        rc = at_key(w, top + 1, e);
        if (rc == 0)
            rc = key(w, &w->frames[w->depth - 1], e);
        if (rc == 0)
            rc = value(w, top + 2, e);
        lua_settop(L, top + 1);
    }
    lua_settop(L, top);
    return rc;
}
