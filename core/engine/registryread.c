/*
 * registryread: the tokens of a registry's file, artifact by artifact. Known
 * fields are taken as they come; meta and fields of other tools are noted by
 * place, for they become one value when the artifact ends.
 */
#include "engine/registryread.h"

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "engine/files.h"
#include "engine/json.h"
#include "engine/pack.h"
#include "engine/packjson.h"

enum { MOST_BYTES = INT_MAX };

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the registry's file");
}

/* A value in the text, for a second look. */
struct slice {
    size_t at, end;    /* of the value */
    size_t key, key_n; /* its key's copy in reader.keys */
};

struct reader {
    struct orr_json j;
    struct orr_registry *into;
    struct orr_buf texts; /* of the artifact being read */
    struct orr_buf keys;
    struct slice *foreign; /* owned; fields this registry does not know */
    size_t count, cap;
    struct slice meta;
    struct orr_entries es;
    struct orr_buf packed;
    struct orr_err *e;
};

struct field {
    const char *name;
    size_t offset; /* of the span in struct orr_artifact */
};

static const struct field fields[] = {
    {"id", offsetof(struct orr_artifact, id)},
    {"name", offsetof(struct orr_artifact, name)},
    {"type", offsetof(struct orr_artifact, type)},
    {"step", offsetof(struct orr_artifact, step)},
    {"path", offsetof(struct orr_artifact, path)},
    {"digest", offsetof(struct orr_artifact, digest)}};

static struct orr_span *span_of(struct orr_artifact *a, size_t i)
{
    return (struct orr_span *)(void *)((char *)a + fields[i].offset);
}

static bool key_is(const struct orr_json_token *key, const char *name)
{
    return key->n == strlen(name) && !memcmp(key->s, name, key->n);
}

static int wrong(struct reader *r, const struct orr_json_token *t,
                 const char *name, const char *want)
{
    return orr_json_fail(&r->j, t->at, ORR_EINVAL, r->e,
                         "an artifact's '%s' must be %s", name, want);
}

/* Texts move while they are gathered: spans hold offsets until the end. */
static int read_text(struct reader *r, struct orr_artifact *a, size_t i)
{
    struct orr_json_token t;
    int rc = orr_json_next(&r->j, &t, r->e);
    if (rc < 0)
        return rc;
    if (t.kind == ORR_JSON_NULL)
        return 0;
    if (t.kind != ORR_JSON_STR)
        return wrong(r, &t, fields[i].name, "a string");
    span_of(a, i)->p = (const char *)r->texts.len;
    span_of(a, i)->n = t.n;
    return orr_buf_put(&r->texts, t.s, t.n) < 0 ? no_memory(r->e) : 0;
}

static int read_int(struct reader *r, const char *name, int64_t min,
                    int64_t max, int64_t *out)
{
    struct orr_json_token t;
    int rc = orr_json_next(&r->j, &t, r->e);
    if (rc < 0 || t.kind == ORR_JSON_NULL)
        return rc;
    if (t.kind == ORR_JSON_DOUBLE && t.d >= 0 && t.d < 9e15 &&
        t.d == (double)(int64_t)t.d) {
        t.kind = ORR_JSON_INT;
        t.i = (int64_t)t.d;
    }
    if (t.kind != ORR_JSON_INT || t.i < min || t.i > max)
        return wrong(r, &t, name,
                     min ? "a positive integer"
                         : "an integer that is not negative");
    *out = t.i;
    return 0;
}

/* Notes where a value stands and reads past it. */
static int read_slice(struct reader *r, struct slice *out)
{
    struct orr_json_token t;
    int rc = orr_json_next(&r->j, &t, r->e);
    if (rc == 0) {
        out->at = t.at;
        rc = orr_packjson_skip(&r->j, &t, r->e);
        out->end = (size_t)(r->j.p - r->j.start);
    }
    return rc;
}

static int read_foreign(struct reader *r, const struct orr_json_token *key)
{
    struct slice s = {.key = r->keys.len, .key_n = key->n};
    if (orr_buf_put(&r->keys, key->s, key->n) < 0)
        return no_memory(r->e);
    if (r->count == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 8;
        struct slice *list = reallocarray(r->foreign, cap, sizeof *list);
        if (!list)
            return no_memory(r->e);
        r->foreign = list;
        r->cap = cap;
    }
    int rc = read_slice(r, &s);
    if (rc == 0)
        r->foreign[r->count++] = s;
    return rc;
}

static int read_field(struct reader *r, const struct orr_json_token *key,
                      struct orr_artifact *a)
{
    int64_t version = 0;
    int rc;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (key_is(key, fields[i].name))
            return read_text(r, a, i);
    if (key_is(key, "size"))
        return read_int(r, "size", 0, INT64_MAX, &a->size);
    if (key_is(key, "meta"))
        return read_slice(r, &r->meta);
    if (!key_is(key, "version"))
        return read_foreign(r, key);
    rc = read_int(r, "version", 1, UINT32_MAX - 1, &version);
    if (rc == 0)
        a->version = (uint32_t)version;
    return rc;
}

/* Packs the value of a slice. */
static int pack_slice(struct reader *r, const struct slice *s)
{
    struct orr_json j;
    struct orr_json_token t;
    orr_json_init(&j, r->j.start + s->at, s->end - s->at, r->j.name, 0);
    int rc = orr_json_next(&j, &t, r->e);
    if (rc == 0)
        rc = orr_packjson_read(&j, &t, &r->packed, &r->es, r->e);
    orr_json_fini(&j);
    return rc;
}

static int pack_entry(struct reader *r, const void *key, size_t n,
                      const struct slice *s)
{
    if (orr_pack_key_str(&r->packed, &r->es, key, n) < 0)
        return no_memory(r->e);
    return pack_slice(r, s);
}

/* The entries of an object that is already known to be well-formed, of which
 * the values are packed one by one. */
static int pack_entries_of(struct reader *r, const struct slice *s)
{
    struct orr_json j;
    struct orr_json_token t;
    orr_json_init(&j, r->j.start + s->at, s->end - s->at, r->j.name, 0);
    int rc = orr_json_next(&j, &t, r->e); // {
    while (rc == 0 && (rc = orr_json_next(&j, &t, r->e)) == 0 &&
           t.kind == ORR_JSON_KEY) {
        if (orr_pack_key_str(&r->packed, &r->es, t.s, t.n) < 0)
            rc = no_memory(r->e);
        if (rc == 0)
            rc = orr_json_next(&j, &t, r->e);
        if (rc == 0)
            rc = orr_packjson_read(&j, &t, &r->packed, &r->es, r->e);
    }
    orr_json_fini(&j);
    return rc;
}

/* meta and the foreign fields in one map. */
static int pack_joined(struct reader *r)
{
    struct orr_pack_map map;
    const struct slice *meta = r->meta.end ? &r->meta : NULL;
    int rc = orr_pack_map_begin(&r->packed, &r->es, &map);
    if (rc < 0)
        return no_memory(r->e);
    if (meta && r->j.start[meta->at] == '{')
        rc = pack_entries_of(r, meta);
    else if (meta)
        rc = pack_entry(r, "meta", 4, meta);
    for (size_t i = 0; i < r->count && rc == 0; i++)
        rc = pack_entry(r, r->keys.data + r->foreign[i].key,
                        r->foreign[i].key_n, &r->foreign[i]);
    return rc < 0 ? rc : orr_pack_map_end(&r->packed, &r->es, &map);
}

/* A field that stands in meta too is meta's: then the foreign ones, which our
 * own files never have, are given up. */
static int pack_meta(struct reader *r, struct orr_artifact *a, size_t at)
{
    int rc = 0;
    if (!r->count && !r->meta.end)
        return 0;
    if (orr_pack_open(&r->packed) < 0)
        return no_memory(r->e);
    if (r->count)
        rc = pack_joined(r);
    if (rc == ORR_EINVAL && !r->meta.end)
        return orr_json_fail(&r->j, at, rc, r->e,
                             "a key stands twice in this artifact");
    if (rc == ORR_EINVAL) {
        orr_entries_clear(&r->es);
        r->packed.len = 1;
    }
    if (!r->count || rc == ORR_EINVAL)
        rc = pack_slice(r, &r->meta);
    a->meta = (struct orr_span){(const char *)r->packed.data, r->packed.len};
    return rc;
}

static int add_artifact(struct reader *r, struct orr_artifact *a, size_t at)
{
    struct orr_err why;
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (span_of(a, i)->n)
            span_of(a, i)->p =
                (const char *)r->texts.data + (uintptr_t)span_of(a, i)->p;
    int rc = pack_meta(r, a, at);
    if (rc < 0)
        return rc;
    rc = orr_registry_add(r->into, a, a, &why);
    if (rc < 0)
        return orr_json_fail(&r->j, at, rc, r->e, "%s", why.msg);
    orr_registry_note_saved(r->into, orr_registry_count(r->into) - 1,
                            a->version);
    return 0;
}

static int read_artifact(struct reader *r, size_t at)
{
    struct orr_artifact a = {.size = -1};
    struct orr_json_token t;
    int rc;
    orr_buf_clear(&r->texts);
    orr_buf_clear(&r->keys);
    orr_buf_clear(&r->packed);
    r->count = 0;
    r->meta = (struct slice){0};
    while ((rc = orr_json_next(&r->j, &t, r->e)) == 0 &&
           t.kind == ORR_JSON_KEY) {
        rc = read_field(r, &t, &a);
        if (rc < 0)
            return rc;
    }
    return rc < 0 ? rc : add_artifact(r, &a, at);
}

static int read_list(struct reader *r)
{
    struct orr_json_token t;
    int rc = orr_json_next(&r->j, &t, r->e);
    if (rc == 0 && t.kind != ORR_JSON_ARRAY)
        return orr_json_fail(&r->j, t.at, ORR_EINVAL, r->e,
                             "'artifacts' must be an array");
    while (rc == 0 && (rc = orr_json_next(&r->j, &t, r->e)) == 0 &&
           t.kind != ORR_JSON_ARRAY_END) {
        if (t.kind != ORR_JSON_OBJECT)
            return orr_json_fail(&r->j, t.at, ORR_EINVAL, r->e,
                                 "an artifact must be an object");
        rc = read_artifact(r, t.at);
    }
    return rc;
}

static int read_all(struct reader *r)
{
    struct orr_json_token t, value;
    bool found = false;
    int rc = orr_json_next(&r->j, &t, r->e);
    if (rc == 0 && t.kind != ORR_JSON_OBJECT)
        return orr_json_fail(&r->j, t.at, ORR_EINVAL, r->e,
                             "a registry is an object with 'artifacts'");
    while (rc == 0 && (rc = orr_json_next(&r->j, &t, r->e)) == 0 &&
           t.kind == ORR_JSON_KEY) {
        if (key_is(&t, "artifacts")) {
            found = true;
            rc = read_list(r);
            continue;
        }
        rc = orr_json_next(&r->j, &value, r->e);
        if (rc == 0)
            rc = orr_packjson_skip(&r->j, &value, r->e);
    }
    if (rc == 0)
        rc = orr_json_next(&r->j, &t, r->e); // nothing may follow
    if (rc == 0 && !found)
        return orr_json_fail(&r->j, 0, ORR_EINVAL, r->e,
                             "no 'artifacts': this is not a registry");
    return rc;
}

int orr_registryread_file(struct orr_registry *into, const char *path,
                          struct orr_err *e)
{
    struct orr_buf text = {0};
    struct reader *r = NULL;
    int rc = orr_files_read(path, MOST_BYTES, &text, e);
    if (rc < 0)
        goto out;
    r = calloc(1, sizeof *r);
    if (!r) {
        rc = no_memory(e);
        goto out;
    }
    r->into = into;
    r->e = e;
    orr_json_init(&r->j, text.data, text.len, path, ORR_PACK_DEPTH);
    rc = read_all(r);
out:
    if (r) {
        orr_json_fini(&r->j);
        orr_buf_fini(&r->texts);
        orr_buf_fini(&r->keys);
        orr_buf_fini(&r->packed);
        orr_entries_fini(&r->es);
        free(r->foreign);
        free(r);
    }
    orr_buf_fini(&text);
    return rc;
}
