/*
 * slab: chunks of a quarter of all so far, cut from the front; a list of free
 * blocks for each size in steps of eight bytes. What is left of a chunk when
 * the next block does not fit goes to the list of its size. Blocks over
 * ORR_SLAB_SMALL are malloc's, but for those a slab within given memory cut
 * from it before it was let grow: these are not used again.
 *
 * Chunks come from mmap with their pages present: one call is cheaper than a
 * fault a page, which is a fifth of what a short run's memory costs.
 */
#include "base/slab.h"

#include <stdbool.h>
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
    char *at, *end;        /* what is left of the last chunk */
    struct chunk *last;    /* owned; the slab itself lies in the first one */
    size_t first, total;   /* bytes of the first chunk, of all */
    char *room, *room_end; /* borrowed: where it lies within, or NULL */
    bool fixed;            /* takes nothing from elsewhere */
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

struct orr_slab *orr_slab_within(void *mem, size_t size, size_t first)
{
    struct orr_slab *s = mem;
    if (size < sizeof *s)
        return NULL;
    *s = (struct orr_slab){.at = (char *)(s + 1),
                           .end = (char *)mem + size,
                           .first = first,
                           .total = first,
                           .room = mem,
                           .room_end = (char *)mem + size,
                           .fixed = true};
    return s;
}

size_t orr_slab_used(const struct orr_slab *s)
{
    return (size_t)(s->at - s->room);
}

void orr_slab_release(struct orr_slab *s)
{
    s->fixed = false;
    s->at = s->end;
    memset(s->given_back, 0, sizeof s->given_back);
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
    if (s->fixed)
        return -1;
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

/* From the front of what is left. */
static void *cut(struct orr_slab *s, size_t size)
{
    if ((size_t)(s->end - s->at) < size && grow(s) < 0)
        return NULL;
    void *p = s->at;
    s->at += size;
    return p;
}

static void *take(struct orr_slab *s, size_t class)
{
    struct block *b = s->given_back[class];
    if (!b)
        return cut(s, class * STEP);
    s->given_back[class] = b->next;
    return b;
}

/* --- blocks over ORR_SLAB_SMALL ------------------------------------------- */

static bool is_within(const struct orr_slab *s, const void *p)
{
    return (const char *)p >= s->room && (const char *)p < s->room_end;
}

static void *take_large(struct orr_slab *s, size_t size)
{
    return s->fixed ? cut(s, class_of(size) * STEP) : malloc(size);
}

static void free_large(const struct orr_slab *s, void *p)
{
    if (!is_within(s, p))
        free(p);
}

static void *take_any(struct orr_slab *s, size_t size)
{
    return size > ORR_SLAB_SMALL ? take_large(s, size)
                                 : take(s, class_of(size));
}

static void give_back_any(struct orr_slab *s, void *p, size_t was)
{
    if (s->fixed)
        memset(p, 0, was);
    if (was > ORR_SLAB_SMALL)
        free_large(s, p);
    else
        give_back(s, p, class_of(was));
}

static void *renew(struct orr_slab *s, void *p, size_t was, size_t size)
{
    void *fresh = take_any(s, size);
    if (!fresh)
        return size < was ? p : NULL; // Lua counts on it that this works
    memcpy(fresh, p, was < size ? was : size);
    give_back_any(s, p, was);
    return fresh;
}

void *orr_slab_alloc(void *slab, void *p, size_t was, size_t size)
{
    struct orr_slab *s = slab;
    if (!p)
        return size ? take_any(s, size) : NULL;
    if (size == 0) {
        give_back_any(s, p, was);
        return NULL;
    }
    if (was > ORR_SLAB_SMALL && size > ORR_SLAB_SMALL && !s->fixed &&
        !is_within(s, p))
        return realloc(p, size);
    if (was <= ORR_SLAB_SMALL && class_of(was) == class_of(size))
        return p;
    return renew(s, p, was, size);
}
