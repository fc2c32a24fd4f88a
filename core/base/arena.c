/*
 * arena: blocks that double up to 256 KiB; a request that does not fit gets a
 * block of its own behind the one being filled, so little is wasted.
 */
#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>

enum { FIRST = 1024, BIGGEST = 256 * 1024 };

struct orr_arena_block {
    struct orr_arena_block *before; /* owned */
    size_t used, cap;
    char data[];
};

static struct orr_arena_block *block_new(struct orr_arena *a, size_t cap)
{
    if (cap > SIZE_MAX - sizeof(struct orr_arena_block))
        return NULL;
    struct orr_arena_block *b = malloc(sizeof *b + cap);
    if (!b)
        return NULL;
    *b = (struct orr_arena_block){.cap = cap};
    a->bytes += sizeof *b + cap;
    return b;
}

static size_t next_cap(const struct orr_arena *a)
{
    if (a->bytes < FIRST)
        return FIRST;
    return a->bytes < BIGGEST ? a->bytes : BIGGEST;
}

char *orr_arena_take(struct orr_arena *a, size_t n)
{
    struct orr_arena_block *b = a->last;
    if (b && n <= b->cap - b->used) {
        b->used += n;
        return b->data + b->used - n;
    }
    size_t cap = next_cap(a);
    struct orr_arena_block *fresh = block_new(a, n > cap / 4 ? n : cap);
    if (!fresh)
        return NULL;
    fresh->used = n;
    if (b && fresh->cap == n) {
        fresh->before = b->before;
        b->before = fresh;
    } else {
        fresh->before = b;
        a->last = fresh;
    }
    return fresh->data;
}

void orr_arena_fini(struct orr_arena *a)
{
    while (a->last) {
        struct orr_arena_block *b = a->last;
        a->last = b->before;
        free(b);
    }
    a->bytes = 0;
}
