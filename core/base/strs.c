/* strs: offsets rather than pointers, so that the arena may move. */
#include "base/strs.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

static int grow(struct orr_strs *s)
{
    size_t cap = s->cap ? s->cap * 2 : 16;
    if (cap > SIZE_MAX / 2 / sizeof *s->items)
        return ORR_ENOMEM;
    void *p = realloc(s->items, cap * sizeof *s->items);
    if (!p)
        return ORR_ENOMEM;
    s->items = p;
    s->cap = cap;
    return 0;
}

int orr_strs_put(struct orr_strs *s, const void *bytes, size_t n)
{
    if (s->count == s->cap && grow(s) < 0)
        return ORR_ENOMEM;
    size_t at = s->text.len;
    if (n > SIZE_MAX - 1 || orr_buf_reserve(&s->text, n + 1) < 0)
        return ORR_ENOMEM;
    if (n)
        memcpy(s->text.data + at, bytes, n);
    s->text.data[at + n] = 0;
    s->text.len += n + 1;
    s->items[s->count++] = (struct orr_strs_item){at, n};
    return 0;
}

const char *orr_strs_at(const struct orr_strs *s, size_t i)
{
    return (const char *)s->text.data + s->items[i].at;
}

static int compare(const void *a, const void *b, void *text)
{
    const struct orr_strs_item *x = a, *y = b;
    const unsigned char *t = text;
    size_t n = x->len < y->len ? x->len : y->len;
    int c = memcmp(t + x->at, t + y->at, n);
    if (c)
        return c;
    return (x->len > y->len) - (x->len < y->len);
}

void orr_strs_sort(struct orr_strs *s)
{
    if (s->count > 1)
        qsort_r(s->items, s->count, sizeof *s->items, compare, s->text.data);
}

void orr_strs_unique(struct orr_strs *s)
{
    size_t n = 0;
    for (size_t i = 0; i < s->count; i++) {
        struct orr_strs_item *it = &s->items[i];
        if (n && compare(&s->items[n - 1], it, s->text.data) == 0)
            continue;
        s->items[n++] = *it;
    }
    s->count = n;
}

void orr_strs_clear(struct orr_strs *s)
{
    s->count = 0;
    orr_buf_clear(&s->text);
}

void orr_strs_fini(struct orr_strs *s)
{
    free(s->items);
    orr_buf_fini(&s->text);
    *s = (struct orr_strs){0};
}
