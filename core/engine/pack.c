/* pack: the writer of canonical bytes. The reader is unpack.c. */
#include "engine/pack.h"

#include <string.h>

enum { VARINT_MAX = 10 };

/* Base-128 groups, low first, high bit: more follow. */
static size_t put_varint(unsigned char *p, uint64_t v)
{
    size_t n = 0;
    while (v >= 0x80) {
        p[n++] = (unsigned char)(v | 0x80);
        v >>= 7;
    }
    p[n++] = (unsigned char)v;
    return n;
}

static int put_tagged(struct orr_buf *b, enum orr_pack_kind kind, uint64_t v)
{
    if (orr_buf_reserve(b, 1 + VARINT_MAX) < 0)
        return ORR_ENOMEM;
    b->data[b->len] = (unsigned char)kind;
    b->len += 1 + put_varint(b->data + b->len + 1, v);
    return 0;
}

int orr_pack_open(struct orr_buf *b)
{
    return orr_buf_putc(b, ORR_PACK_VERSION);
}

int orr_pack_word(struct orr_buf *b, enum orr_pack_kind kind)
{
    return orr_buf_putc(b, (unsigned char)kind);
}

int orr_pack_int(struct orr_buf *b, int64_t i)
{
    uint64_t zigzag = (uint64_t)i << 1 ^ (i < 0 ? UINT64_MAX : 0);
    return put_tagged(b, ORR_PACK_INT, zigzag);
}

int orr_pack_double(struct orr_buf *b, double d)
{
    uint64_t bits;
    if (d != d)
        bits = UINT64_C(0x7ff8000000000000);
    else
        memcpy(&bits, &d, sizeof bits);
    if (orr_buf_reserve(b, 1 + sizeof bits) < 0)
        return ORR_ENOMEM;
    b->data[b->len++] = ORR_PACK_DOUBLE;
    return orr_buf_put_u64(b, bits);
}

int orr_pack_str(struct orr_buf *b, const void *s, size_t n)
{
    if (n > SIZE_MAX / 2 || orr_buf_reserve(b, n + 1 + VARINT_MAX) < 0)
        return ORR_ENOMEM;
    put_tagged(b, ORR_PACK_STR, n);
    return orr_buf_put(b, s, n);
}

int orr_pack_seq(struct orr_buf *b, size_t count)
{
    if (!count)
        return orr_pack_word(b, ORR_PACK_EMPTY);
    return put_tagged(b, ORR_PACK_SEQ, count);
}

int orr_pack_map_begin(struct orr_buf *b, struct orr_entries *es,
                       struct orr_pack_map *m)
{
    // One byte is kept for the count, which is enough for nearly all maps.
    int rc = put_tagged(b, ORR_PACK_MAP, 0);
    m->at = b->len;
    m->first = es->count;
    return rc;
}

int orr_pack_key_int(struct orr_buf *b, struct orr_entries *es, int64_t i)
{
    int rc = orr_entries_add_int(es, b->len, i);
    return rc < 0 ? rc : orr_pack_int(b, i);
}

int orr_pack_key_str(struct orr_buf *b, struct orr_entries *es, const void *s,
                     size_t n)
{
    size_t at = b->len;
    int rc = orr_pack_str(b, s, n);
    return rc < 0 ? rc : orr_entries_add_str(es, at, s, n, b->len - n);
}

/* Writes the count into the byte kept for it, or makes room for more. */
static int put_count(struct orr_buf *b, size_t at, size_t count)
{
    unsigned char groups[VARINT_MAX];
    size_t n = put_varint(groups, count);
    if (n > 1) {
        if (orr_buf_reserve(b, n - 1) < 0)
            return ORR_ENOMEM;
        memmove(b->data + at + n - 1, b->data + at, b->len - at);
        b->len += n - 1;
    }
    memcpy(b->data + at - 1, groups, n);
    return 0;
}

int orr_pack_map_end(struct orr_buf *b, struct orr_entries *es,
                     const struct orr_pack_map *m)
{
    const struct orr_entry *x = es->list + m->first;
    size_t count = es->count - m->first;
    int rc = orr_entries_sort(es, m->first, b, b->data);
    if (rc < 0)
        return rc;
    // Sorted and distinct, from 1 to count: then it is a sequence.
    const uint64_t zero = UINT64_C(1) << 63;
    if (count && x[count - 1].len == SIZE_MAX && x[0].prefix == zero + 1 &&
        x[count - 1].prefix == zero + count)
        return ORR_EINVAL;
    return put_count(b, m->at, count);
}
