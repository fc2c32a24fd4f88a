/*
 * slab: chunks of a quarter of all so far, cut from the front; a list of free
 * blocks for each size in steps of eight bytes. What is left of a chunk when
 * the next block does not fit goes to the list of its size. Blocks over
 * ORR_SLAB_SMALL are malloc's.
 *
 * Chunks come from mmap with their pages present: one call is cheaper than a
 * fault a page, which is a fifth of what a short run's memory costs.
 */
#include "base/slab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
    STEP = 8,
    CLASSES = ORR_SLAB_SMALL / STEP + 1, /* the last one is ORR_SLAB_SMALL */
    PAGE = 4096,
    BIGGEST = 1024 * 1024,
};

struct chunk {
    struct chunk *before; /* owned */
    size_t size;
};

struct block {
    struct block *next;
};

struct orr_slab {
    char *at, *end;      /* what is left of the last chunk */
    struct chunk *last;  /* owned; the slab itself lies in the first one */
    size_t first, total; /* bytes of the first chunk, of all */
    struct block *given_back[CLASSES];
};

static struct chunk *chunk_new(size_t size, struct chunk *before)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    struct chunk *c = p;
    *c = (struct chunk){.before = before, .size = size};
    return c;
}

struct orr_slab *orr_slab_new(size_t first)
{
    size_t head = sizeof(struct chunk) + sizeof(struct orr_slab);
    size_t size = (first + head + PAGE - 1) / PAGE * PAGE;
    struct chunk *c = chunk_new(size, NULL);
    if (!c)
        return NULL;
    struct orr_slab *s = (struct orr_slab *)(c + 1);
    s->at = (char *)(s + 1);
    s->end = (char *)c + size;
    s->last = c;
    s->first = s->total = size;
    return s;
}

void orr_slab_free(struct orr_slab *s)
{
    struct chunk *c = s ? s->last : NULL;
    while (c) {
        struct chunk *before = c->before;
        munmap(c, c->size);
        c = before;
    }
}

static size_t class_of(size_t size)
{
    return (size + STEP - 1) / STEP;
}

static void give_back(struct orr_slab *s, void *p, size_t class)
{
    struct block *b = p;
    b->next = s->given_back[class];
    s->given_back[class] = b;
}

/* A new chunk; the rest of the old one is not lost. */
static int grow(struct orr_slab *s)
{
    size_t size = s->total / 4 / PAGE * PAGE;
    if (size > BIGGEST)
        size = BIGGEST;
    if (size < s->first)
        size = s->first;
    struct chunk *c = chunk_new(size, s->last);
    if (!c)
        return -1;
    if (s->end > s->at)
        give_back(s, s->at, (size_t)(s->end - s->at) / STEP);
    s->at = (char *)(c + 1);
    s->end = (char *)c + size;
    s->last = c;
    s->total += size;
    return 0;
}

static void *take(struct orr_slab *s, size_t class)
{
    struct block *b = s->given_back[class];
    if (b) {
        s->given_back[class] = b->next;
        return b;
    }
    size_t size = class * STEP;
    if ((size_t)(s->end - s->at) < size && grow(s) < 0)
        return NULL;
    void *p = s->at;
    s->at += size;
    return p;
}

static void *renew(struct orr_slab *s, void *p, size_t was, size_t size)
{
    void *fresh =
        size > ORR_SLAB_SMALL ? malloc(size) : take(s, class_of(size));
    if (!fresh)
        return size < was ? p : NULL; // Lua counts on it that this works
    memcpy(fresh, p, was < size ? was : size);
    if (was > ORR_SLAB_SMALL)
        free(p);
    else
        give_back(s, p, class_of(was));
    return fresh;
}

void *orr_slab_alloc(void *slab, void *p, size_t was, size_t size)
{
    struct orr_slab *s = slab;
    if (!p) {
        if (size == 0)
            return NULL;
        return size > ORR_SLAB_SMALL ? malloc(size) : take(s, class_of(size));
    }
    if (size == 0) {
        if (was > ORR_SLAB_SMALL)
            free(p);
        else
            give_back(s, p, class_of(was));
        return NULL;
    }
    if (was > ORR_SLAB_SMALL && size > ORR_SLAB_SMALL)
        return realloc(p, size);
    if (class_of(was) == class_of(size))
        return p;
    return renew(s, p, was, size);
}
