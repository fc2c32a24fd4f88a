/*
 * arena: bytes that are taken and never given back one by one; what was handed
 * out never moves. Initialise with {0}; free all at once with orr_arena_fini.
 * Threads: none; the owner locks.
 */
#ifndef ORR_BASE_ARENA_H
#define ORR_BASE_ARENA_H

#include <stddef.h>

struct orr_arena_block;

struct orr_arena {
    struct orr_arena_block *last; /* owned; the block being filled */
    size_t bytes;                 /* allocated in all */
};

/* Takes 'n' bytes, unaligned, uninitialised. NULL: no memory. */
char *orr_arena_take(struct orr_arena *a, size_t n);

void orr_arena_fini(struct orr_arena *a);

#endif
