/*
 * buf: a growable byte buffer. Initialise with {0}; free with orr_buf_fini.
 * Growth doubles; every append can fail (ORR_ENOMEM) and then leaves the buffer
 * as it was. 'data' is NULL while nothing was ever reserved.
 */
#ifndef ORR_BASE_BUF_H
#define ORR_BASE_BUF_H

#include <stddef.h>
#include <stdint.h>

struct orr_buf {
    unsigned char *data; /* owned */
    size_t len;          /* bytes in use */
    size_t cap;          /* bytes allocated */
};

/* Makes room for 'more' bytes beyond len. 0 or ORR_ENOMEM. */
int orr_buf_reserve(struct orr_buf *b, size_t more);

/* Appends. 0 or ORR_ENOMEM. */
int orr_buf_put(struct orr_buf *b, const void *bytes, size_t n);
int orr_buf_putc(struct orr_buf *b, unsigned char c);
int orr_buf_puts(struct orr_buf *b, const char *s);
int orr_buf_printf(struct orr_buf *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/* Appends little-endian fixed-width integers. 0 or ORR_ENOMEM. */
int orr_buf_put_u32(struct orr_buf *b, uint32_t v);
int orr_buf_put_u64(struct orr_buf *b, uint64_t v);

/* Reads little-endian integers from raw bytes. */
uint32_t orr_get_u32(const unsigned char *p);
uint64_t orr_get_u64(const unsigned char *p);

/* Forgets the contents, keeps the memory. */
void orr_buf_clear(struct orr_buf *b);

/* Frees the memory and zeroes the struct. Idempotent. */
void orr_buf_fini(struct orr_buf *b);

#endif
