/* packjson: two recursions as deep as ORR_PACK_DEPTH, one for each way. */
#include "engine/packjson.h"

#include <string.h>

#include "engine/pack.h"

/* --- pack to JSON --- */

struct writer {
    struct orr_unpack in;
    struct orr_buf *out;
    struct orr_err *e;
};

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for a JSON value");
}

static int write_value(struct writer *w, const struct orr_pack_item *item);

static int write_next(struct writer *w)
{
    struct orr_pack_item item;
    int rc = orr_unpack_next(&w->in, &item, w->e);
    return rc < 0 ? rc : write_value(w, &item);
}

static int put(struct writer *w, const char *s)
{
    return orr_buf_puts(w->out, s) < 0 ? no_memory(w->e) : 0;
}

static int put_str(struct writer *w, const void *s, size_t n)
{
    if (orr_json_put_str(w->out, s, n, ORR_JSON_LOSSY, NULL) < 0)
        return no_memory(w->e);
    return 0;
}

static int write_seq(struct writer *w, size_t n)
{
    int rc = put(w, "[");
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = i ? put(w, ",") : 0;
        if (rc == 0)
            rc = write_next(w);
    }
    return rc < 0 ? rc : put(w, "]");
}

static int write_key(struct writer *w)
{
    struct orr_pack_item key;
    int rc = orr_unpack_next(&w->in, &key, w->e);
    if (rc < 0)
        return rc;
    if (key.kind == ORR_PACK_STR)
        rc = put_str(w, key.s, key.n);
    else if (orr_buf_printf(w->out, "\"%lld\"", (long long)key.i) < 0)
        rc = no_memory(w->e);
    return rc < 0 ? rc : put(w, ":");
}

static int write_map(struct writer *w, size_t n)
{
    int rc = put(w, "{");
    for (size_t i = 0; i < n && rc == 0; i++) {
        rc = i ? put(w, ",") : 0;
        if (rc == 0)
            rc = write_key(w);
        if (rc == 0)
            rc = write_next(w);
    }
    return rc < 0 ? rc : put(w, "}");
}

static int write_double(struct writer *w, double d)
{
    int rc = orr_json_put_double(w->out, d);
    if (rc == ORR_EINVAL)
        return put(w, "null");
    return rc < 0 ? no_memory(w->e) : 0;
}

static int write_value(struct writer *w, const struct orr_pack_item *item)
{
    switch (item->kind) {
    case ORR_PACK_NIL:
    case ORR_PACK_NULL:
        return put(w, "null");
    case ORR_PACK_FALSE:
        return put(w, "false");
    case ORR_PACK_TRUE:
        return put(w, "true");
    case ORR_PACK_INT:
        return orr_json_put_int(w->out, item->i) < 0 ? no_memory(w->e) : 0;
    case ORR_PACK_DOUBLE:
        return write_double(w, item->d);
    case ORR_PACK_STR:
        return put_str(w, item->s, item->n);
    case ORR_PACK_EMPTY:
    case ORR_PACK_SEQ:
        return write_seq(w, item->n);
    case ORR_PACK_MAP:
        return write_map(w, item->n);
    }
    return orr_err_set(w->e, ORR_ECORRUPT, "an unknown kind of value");
}

int orr_packjson_write(struct orr_buf *out, const void *packed, size_t n,
                       struct orr_err *e)
{
    struct writer w = {.out = out, .e = e};
    int rc = orr_unpack_open(&w.in, packed, n, e);
    return rc < 0 ? rc : write_next(&w);
}

/* --- JSON to pack --- */

/* The count stands before the values, but is known after them. */
static int insert_count(struct orr_buf *out, size_t at, size_t count)
{
    struct orr_buf head = {0};
    int rc = orr_pack_seq(&head, count);
    if (rc == 0)
        rc = orr_buf_reserve(out, head.len);
    if (rc == 0) {
        memmove(out->data + at + head.len, out->data + at, out->len - at);
        memcpy(out->data + at, head.data, head.len);
        out->len += head.len;
    }
    orr_buf_fini(&head);
    return rc;
}

static int read_array(struct orr_json *j, struct orr_buf *out,
                      struct orr_entries *es, struct orr_err *e)
{
    struct orr_json_token t;
    size_t at = out->len, count = 0;
    int rc;
    while ((rc = orr_json_next(j, &t, e)) == 0 &&
           t.kind != ORR_JSON_ARRAY_END) {
        rc = orr_packjson_read(j, &t, out, es, e);
        if (rc < 0)
            return rc;
        count++;
    }
    if (rc < 0)
        return rc;
    return insert_count(out, at, count) < 0 ? no_memory(e) : 0;
}

static int read_object(struct orr_json *j, size_t at, struct orr_buf *out,
                       struct orr_entries *es, struct orr_err *e)
{
    struct orr_json_token t;
    struct orr_pack_map map;
    int rc = orr_pack_map_begin(out, es, &map);
    if (rc < 0)
        return no_memory(e);
    while ((rc = orr_json_next(j, &t, e)) == 0 &&
           t.kind != ORR_JSON_OBJECT_END) {
        if (orr_pack_key_str(out, es, t.s, t.n) < 0)
            return no_memory(e);
        rc = orr_json_next(j, &t, e);
        if (rc == 0)
            rc = orr_packjson_read(j, &t, out, es, e);
        if (rc < 0)
            return rc;
    }
    if (rc == 0)
        rc = orr_pack_map_end(out, es, &map);
    if (rc == ORR_EINVAL && (!e || !e->line))
        return orr_json_fail(j, at, rc, e, "a key stands twice in this object");
    return rc;
}

int orr_packjson_read(struct orr_json *j, const struct orr_json_token *t,
                      struct orr_buf *out, struct orr_entries *es,
                      struct orr_err *e)
{
    int rc = 0;
    switch (t->kind) {
    case ORR_JSON_NULL:
        rc = orr_pack_word(out, ORR_PACK_NULL);
        break;
    case ORR_JSON_FALSE:
        rc = orr_pack_word(out, ORR_PACK_FALSE);
        break;
    case ORR_JSON_TRUE:
        rc = orr_pack_word(out, ORR_PACK_TRUE);
        break;
    case ORR_JSON_INT:
        rc = orr_pack_int(out, t->i);
        break;
    case ORR_JSON_DOUBLE:
        rc = orr_pack_double(out, t->d);
        break;
    case ORR_JSON_STR:
        rc = orr_pack_str(out, t->s, t->n);
        break;
    case ORR_JSON_ARRAY:
        return read_array(j, out, es, e);
    case ORR_JSON_OBJECT:
        return read_object(j, t->at, out, es, e);
    case ORR_JSON_KEY:
    case ORR_JSON_ARRAY_END:
    case ORR_JSON_OBJECT_END:
    case ORR_JSON_END:
        break; // the reader never gives them where a value belongs
    }
    return rc < 0 ? no_memory(e) : 0;
}

int orr_packjson_skip(struct orr_json *j, const struct orr_json_token *t,
                      struct orr_err *e)
{
    struct orr_json_token next;
    size_t depth = t->kind == ORR_JSON_ARRAY || t->kind == ORR_JSON_OBJECT;
    int rc = 0;
    while (rc == 0 && depth) {
        rc = orr_json_next(j, &next, e);
        if (rc < 0)
            break;
        depth += next.kind == ORR_JSON_ARRAY || next.kind == ORR_JSON_OBJECT;
        depth -=
            next.kind == ORR_JSON_ARRAY_END || next.kind == ORR_JSON_OBJECT_END;
    }
    return rc;
}
