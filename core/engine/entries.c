/*
 * entries: sorts small records that stand for pieces of a buffer, then moves
 * the pieces. Knows neither pack nor JSON.
 */
#include "engine/entries.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

#define INT_KEY SIZE_MAX

enum {
    SMALL_MAP = 24, // insertion sort up to here
    KEEP_BYTES = 1 << 20,
};

static struct orr_entry *add(struct orr_entries *es)
{
    if (es->count == es->cap) {
        size_t cap = es->cap ? es->cap * 2 : 32;
        if (cap > SIZE_MAX / sizeof *es->list)
            return NULL;
        struct orr_entry *p = realloc(es->list, cap * sizeof *p);
        if (!p)
            return NULL;
        es->list = p;
        es->cap = cap;
    }
    return &es->list[es->count++];
}

int orr_entries_add_int(struct orr_entries *es, size_t at, int64_t key)
{
    struct orr_entry *x = add(es);
    if (!x)
        return ORR_ENOMEM;
    // Flipping the sign bit makes unsigned order the order of the integers.
    *x = (struct orr_entry){.at = at,
                            .len = INT_KEY,
                            .prefix = (uint64_t)key ^ (UINT64_C(1) << 63)};
    return 0;
}

/* The first eight bytes as a big-endian number, zeros where there are fewer:
 * unequal numbers are in the order of the strings. */
static uint64_t prefix_of(const unsigned char *s, size_t n)
{
    uint64_t v = 0;
    if (n >= 8) {
        memcpy(&v, s, 8);
        return __builtin_bswap64(v);
    }
    for (size_t i = 0; i < n; i++)
        v |= (uint64_t)s[i] << (56 - 8 * i);
    return v;
}

int orr_entries_add_str(struct orr_entries *es, size_t at, const void *bytes,
                        size_t len, uintptr_t key)
{
    struct orr_entry *x = add(es);
    if (!x)
        return ORR_ENOMEM;
    *x = (struct orr_entry){
        .at = at, .len = len, .key = key, .prefix = prefix_of(bytes, len)};
    return 0;
}

static int compare(const void *va, const void *vb, void *base)
{
    const struct orr_entry *a = va, *b = vb;
    int a_int = a->len == INT_KEY, b_int = b->len == INT_KEY;
    if (a_int != b_int)
        return a_int ? -1 : 1;
    if (a->prefix != b->prefix)
        return a->prefix < b->prefix ? -1 : 1;
    if (a_int)
        return 0;
    size_t n = a->len < b->len ? a->len : b->len;
    if (n > 8) {
        int c = memcmp((const void *)((uintptr_t)base + a->key),
                       (const void *)((uintptr_t)base + b->key), n);
        if (c)
            return c;
    }
    return a->len == b->len ? 0 : a->len < b->len ? -1 : 1;
}

static void sort_list(struct orr_entry *x, size_t n, void *base)
{
    if (n > SMALL_MAP) {
        qsort_r(x, n, sizeof *x, compare, base);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        struct orr_entry e = x[i];
        size_t j = i;
        for (; j > 0 && compare(&e, &x[j - 1], base) < 0; j--)
            x[j] = x[j - 1];
        x[j] = e;
    }
}

static int is_sorted(const struct orr_entry *x, size_t n, void *base)
{
    for (size_t i = 1; i < n; i++)
        if (compare(&x[i - 1], &x[i], base) >= 0)
            return 0;
    return 1;
}

/* Moves the pieces of 'buf' from 'start' on into the order of 'x'. */
static int move_pieces(struct orr_entries *es, const struct orr_entry *x,
                       size_t n, struct orr_buf *buf, size_t start)
{
    orr_buf_clear(&es->scratch);
    if (orr_buf_reserve(&es->scratch, buf->len - start) < 0)
        return ORR_ENOMEM;
    unsigned char *to = es->scratch.data;
    for (size_t i = 0; i < n; i++) {
        memcpy(to, buf->data + x[i].at, x[i].size);
        to += x[i].size;
    }
    memcpy(buf->data + start, es->scratch.data, buf->len - start);
    return 0;
}

int orr_entries_sort(struct orr_entries *es, size_t first, struct orr_buf *buf,
                     const void *base)
{
    size_t n = es->count - first;
    struct orr_entry *x = es->list + first;
    void *b = (void *)(uintptr_t)base;
    es->count = first;
    if (n < 2 || is_sorted(x, n, b))
        return 0;
    size_t start = x[0].at;
    for (size_t i = 0; i + 1 < n; i++)
        x[i].size = x[i + 1].at - x[i].at;
    x[n - 1].size = buf->len - x[n - 1].at;
    sort_list(x, n, b);
    if (!is_sorted(x, n, b))
        return ORR_EINVAL;
    return move_pieces(es, x, n, buf, start);
}

void orr_entries_clear(struct orr_entries *es)
{
    es->count = 0;
    if (es->cap * sizeof *es->list > KEEP_BYTES || es->scratch.cap > KEEP_BYTES)
        orr_entries_fini(es);
}

void orr_entries_fini(struct orr_entries *es)
{
    free(es->list);
    orr_buf_fini(&es->scratch);
    *es = (struct orr_entries){0};
}
