/*
 * xalloc: allocations that cannot reasonably fail (small, fixed sizes) abort
 * the process with a message. Sizes that come from input never go through here:
 * they use orr_buf_reserve or a checked malloc.
 */
#ifndef ORR_BASE_XALLOC_H
#define ORR_BASE_XALLOC_H

#include <stddef.h>

/* Zeroed memory, owned by the caller, never NULL. */
void *orr_xalloc(size_t size);

/* A copy of 'n' bytes plus a NUL, owned by the caller, never NULL. */
char *orr_xmemdup0(const void *bytes, size_t n);

/* A copy of a C string, owned by the caller, never NULL. */
char *orr_xstrdup(const char *s);

#endif
