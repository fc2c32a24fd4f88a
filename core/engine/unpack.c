/*
 * unpack: the strict reader of pack. One item a call, no recursion, no
 * allocation; a frame for each open container holds what canonical order needs.
 */
#include "engine/pack.h"

#include <string.h>

static int corrupt(const struct orr_unpack *r, struct orr_err *e,
                   const char *what)
{
    return orr_err_set(e, ORR_ECORRUPT, "packed value: %s at byte %zu", what,
                       (size_t)(r->p - r->start));
}

int orr_unpack_open(struct orr_unpack *r, const void *bytes, size_t n,
                    struct orr_err *e)
{
    r->start = r->p = bytes;
    r->end = n ? r->start + n : r->start;
    r->depth = 0;
    r->begun = 0;
    if (!n)
        return orr_err_set(e, ORR_ECORRUPT, "packed value: no bytes");
    if (*r->p != ORR_PACK_VERSION)
        return orr_err_set(e, ORR_ECORRUPT,
                           "packed value: format %d, this program reads %d",
                           *r->p, ORR_PACK_VERSION);
    r->p++;
    return 0;
}

/* Shortest form only: no empty last group, nothing above 64 bits. */
static int read_varint(struct orr_unpack *r, uint64_t *out, struct orr_err *e)
{
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (r->p == r->end)
            return corrupt(r, e, "ends inside a number");
        unsigned char c = *r->p++;
        if (shift == 63 && c > 1)
            return corrupt(r, e, "number too large");
        v |= (uint64_t)(c & 0x7f) << shift;
        if (c < 0x80) {
            if (!c && shift)
                return corrupt(r, e, "number not in shortest form");
            *out = v;
            return 0;
        }
    }
    return corrupt(r, e, "number too large");
}

static int read_double(struct orr_unpack *r, double *out, struct orr_err *e)
{
    if (r->end - r->p < 8)
        return corrupt(r, e, "ends inside a float");
    uint64_t bits = orr_get_u64(r->p);
    memcpy(out, &bits, sizeof bits);
    if (*out != *out && bits != UINT64_C(0x7ff8000000000000))
        return corrupt(r, e, "a NaN that is not the canonical one");
    r->p += 8;
    return 0;
}

/* A length or count, each unit of which takes at least 'unit' bytes. */
static int read_size(struct orr_unpack *r, size_t unit, size_t *out,
                     struct orr_err *e)
{
    uint64_t v;
    int rc = read_varint(r, &v, e);
    if (rc < 0)
        return rc;
    if (v > (uint64_t)(r->end - r->p) / unit)
        return corrupt(r, e, "a length beyond the end of the bytes");
    *out = (size_t)v;
    return 0;
}

/* Reads tag and payload, without looking at where they stand. */
static int read_item(struct orr_unpack *r, struct orr_pack_item *it,
                     struct orr_err *e)
{
    uint64_t v = 0;
    int rc = 0;
    if (r->p == r->end)
        return corrupt(r, e, "ends too early");
    if (*r->p > ORR_PACK_MAP)
        return corrupt(r, e, "unknown tag");
    it->kind = (enum orr_pack_kind) * r->p++;
    it->n = 0;
    switch (it->kind) {
    case ORR_PACK_NIL:
    case ORR_PACK_FALSE:
    case ORR_PACK_TRUE:
    case ORR_PACK_NULL:
    case ORR_PACK_EMPTY:
        break;
    case ORR_PACK_INT:
        rc = read_varint(r, &v, e);
        it->i = (int64_t)(v >> 1 ^ (v & 1 ? UINT64_MAX : 0));
        break;
    case ORR_PACK_DOUBLE:
        rc = read_double(r, &it->d, e);
        break;
    case ORR_PACK_STR:
        rc = read_size(r, 1, &it->n, e);
        it->s = r->p;
        if (rc == 0)
            r->p += it->n;
        break;
    case ORR_PACK_SEQ:
        rc = read_size(r, 1, &it->n, e);
        if (rc == 0 && !it->n)
            rc = corrupt(r, e, "a sequence of no values");
        break;
    case ORR_PACK_MAP:
        rc = read_size(r, 3, &it->n, e); // a key is two bytes or more
        break;
    }
    return rc;
}

/* True when key 'a' comes before key 'b'. */
static int before(const struct orr_pack_item *a, const struct orr_pack_item *b)
{
    if (a->kind != b->kind)
        return a->kind == ORR_PACK_INT;
    if (a->kind == ORR_PACK_INT)
        return a->i < b->i;
    size_t n = a->n < b->n ? a->n : b->n;
    int c = n ? memcmp(a->s, b->s, n) : 0;
    return c ? c < 0 : a->n < b->n;
}

static int check_key(const struct orr_unpack *r, struct orr_unpack_frame *f,
                     const struct orr_pack_item *it, struct orr_err *e)
{
    if (it->kind != ORR_PACK_INT && it->kind != ORR_PACK_STR)
        return corrupt(r, e, "a key that is no integer and no string");
    if (f->seen && !before(&f->last, it))
        return corrupt(r, e, "keys out of order");
    if (!f->seen)
        f->starts_at_one = it->kind == ORR_PACK_INT && it->i == 1;
    if (f->left == 1 && f->starts_at_one && it->kind == ORR_PACK_INT &&
        (uint64_t)it->i == f->count)
        return corrupt(r, e, "a sequence written as a map");
    f->last = *it;
    f->seen = 1;
    f->want_key = 0;
    return 0;
}

static int enter(struct orr_unpack *r, const struct orr_pack_item *it,
                 struct orr_err *e)
{
    if (r->depth == ORR_PACK_DEPTH)
        return corrupt(r, e, "nested too deeply");
    struct orr_unpack_frame *f = &r->frames[r->depth++];
    f->left = f->count = it->n;
    f->map = f->want_key = it->kind == ORR_PACK_MAP;
    f->seen = f->starts_at_one = 0;
    return 0;
}

int orr_unpack_next(struct orr_unpack *r, struct orr_pack_item *it,
                    struct orr_err *e)
{
    if (orr_unpack_done(r))
        return corrupt(r, e, "nothing left to read");
    struct orr_unpack_frame *f = r->depth ? &r->frames[r->depth - 1] : NULL;
    int rc = read_item(r, it, e);
    if (rc < 0)
        return rc;
    if (f && f->want_key)
        return check_key(r, f, it, e);
    if (f) {
        if (it->kind == ORR_PACK_NIL)
            return corrupt(r, e, "nil inside a container");
        f->left--;
        f->want_key = f->map;
    }
    r->begun = 1;
    if (it->kind == ORR_PACK_SEQ || it->kind == ORR_PACK_MAP)
        rc = enter(r, it, e);
    while (r->depth && !r->frames[r->depth - 1].left)
        r->depth--;
    return rc;
}

int orr_unpack_done(const struct orr_unpack *r)
{
    return r->begun && !r->depth;
}

int orr_unpack_close(const struct orr_unpack *r, struct orr_err *e)
{
    if (!orr_unpack_done(r))
        return corrupt(r, e, "not read to its end");
    if (r->p != r->end)
        return corrupt(r, e, "bytes after the value");
    return 0;
}

int orr_pack_check(const void *bytes, size_t n, struct orr_err *e)
{
    struct orr_unpack r;
    struct orr_pack_item it;
    int rc = orr_unpack_open(&r, bytes, n, e);
    while (rc == 0 && !orr_unpack_done(&r))
        rc = orr_unpack_next(&r, &it, e);
    return rc < 0 ? rc : orr_unpack_close(&r, e);
}
