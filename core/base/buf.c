/* buf: bytes that grow by doubling. Knows nothing of what it holds. */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

int orr_buf_reserve(struct orr_buf *b, size_t more)
{
    if (more <= b->cap - b->len)
        return 0;
    if (more > SIZE_MAX / 2 - b->len)
        return ORR_ENOMEM;
    size_t want = b->len + more;
    size_t cap = b->cap ? b->cap : 64;
    while (cap < want)
        cap *= 2;
    unsigned char *p = realloc(b->data, cap);
    if (!p)
        return ORR_ENOMEM;
    b->data = p;
    b->cap = cap;
    return 0;
}

int orr_buf_put(struct orr_buf *b, const void *bytes, size_t n)
{
    if (!n)
        return 0;
    if (orr_buf_reserve(b, n) < 0)
        return ORR_ENOMEM;
    memcpy(b->data + b->len, bytes, n);
    b->len += n;
    return 0;
}

int orr_buf_putc(struct orr_buf *b, unsigned char c)
{
    if (b->len == b->cap && orr_buf_reserve(b, 1) < 0)
        return ORR_ENOMEM;
    b->data[b->len++] = c;
    return 0;
}

int orr_buf_puts(struct orr_buf *b, const char *s)
{
    return orr_buf_put(b, s, strlen(s));
}

int orr_buf_printf(struct orr_buf *b, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (n < 0 || orr_buf_reserve(b, (size_t)n + 1) < 0)
        return ORR_ENOMEM;
    va_start(ap, fmt);
    vsnprintf((char *)b->data + b->len, (size_t)n + 1, fmt, ap);
    va_end(ap);
    b->len += (size_t)n;
    return 0;
}

int orr_buf_put_u32(struct orr_buf *b, uint32_t v)
{
    unsigned char p[4];
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (8 * i));
    return orr_buf_put(b, p, sizeof p);
}

int orr_buf_put_u64(struct orr_buf *b, uint64_t v)
{
    unsigned char p[8];
    for (int i = 0; i < 8; i++)
        p[i] = (unsigned char)(v >> (8 * i));
    return orr_buf_put(b, p, sizeof p);
}

uint32_t orr_get_u32(const unsigned char *p)
{
    uint32_t v = 0;
    for (int i = 3; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

uint64_t orr_get_u64(const unsigned char *p)
{
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

void orr_buf_clear(struct orr_buf *b)
{
    b->len = 0;
}

void orr_buf_fini(struct orr_buf *b)
{
    free(b->data);
    *b = (struct orr_buf){0};
}
