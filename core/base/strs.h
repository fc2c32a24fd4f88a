/*
 * strs: a growable list of byte strings in one arena, for names and paths.
 * Initialise with {0}; free with orr_strs_fini. Items are NUL-terminated in the
 * arena, and may hold NULs of their own. Threads: none; the owner locks.
 */
#ifndef ORR_BASE_STRS_H
#define ORR_BASE_STRS_H

#include <stddef.h>

#include "base/buf.h"

struct orr_strs_item {
    size_t at;  /* offset in the arena */
    size_t len; /* bytes, without the NUL */
};

struct orr_strs {
    struct orr_buf text;         /* the arena */
    struct orr_strs_item *items; /* owned */
    size_t count, cap;
};

/* Appends a copy of 'n' bytes. 0 or ORR_ENOMEM. */
int orr_strs_put(struct orr_strs *s, const void *bytes, size_t n);

/* The i-th item, NUL-terminated; valid until the next put. */
const char *orr_strs_at(const struct orr_strs *s, size_t i);

/* Sorts by bytes (shorter first on a common prefix). */
void orr_strs_sort(struct orr_strs *s);

/* Drops equal neighbours; call after sort. */
void orr_strs_unique(struct orr_strs *s);

/* Forgets the items, keeps the memory. */
void orr_strs_clear(struct orr_strs *s);

void orr_strs_fini(struct orr_strs *s);

#endif
