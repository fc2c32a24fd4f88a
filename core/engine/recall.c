/* recall: one slot a key, chosen by its hash, which is uniform already; twice
 * as many slots as values until there are as many as may be, then the newest
 * stays. Knows nothing of files; whether a frame still counts is the catalog's
 * word. */
#include "engine/recall.h"

#include <stdlib.h>
#include <string.h>

enum { FIRST = 64 /* slots */, ROUND = 64 /* bytes */ };

static struct orr_recalled **slot_of(const struct orr_recall *r,
                                     const unsigned char *hash)
{
    uint32_t v;
    memcpy(&v, hash, sizeof v);
    return &r->slots[v & (r->cap - 1)];
}

const struct orr_recalled *orr_recall_find(const struct orr_recall *r,
                                           const struct orr_entry *t,
                                           uint64_t seg)
{
    if (!r->cap)
        return NULL;
    const struct orr_recalled *k = *slot_of(r, t->hash);
    bool same = k && k->off == t->off && k->seg == seg &&
                k->stamp == t->stamp &&
                !memcmp(k->hash, t->hash, sizeof k->hash);
    return same ? k : NULL;
}

/* Doubles the slots while there are more to have. More of the hash counts then:
 * no two values meet that did not before. */
static bool make_slots(struct orr_recall *r)
{
    if (r->cap && (r->count * 2 < r->cap || r->cap == ORR_RECALL_SLOTS))
        return true;
    struct orr_recall old = *r;
    size_t cap = old.cap ? old.cap * 2 : FIRST;
    struct orr_recalled **slots = calloc(cap, sizeof *slots);
    if (!slots)
        return old.cap > 0;
    r->slots = slots;
    r->cap = cap;
    for (size_t i = 0; i < old.cap; i++)
        if (old.slots[i])
            *slot_of(r, old.slots[i]->hash) = old.slots[i];
    free(old.slots);
    return true;
}

/* Room for 'n' bytes in a slot, what it held lost; NULL: no memory. */
static struct orr_recalled *make_room(struct orr_recall *r,
                                      struct orr_recalled **slot, size_t n)
{
    if (*slot && n <= (*slot)->cap)
        return *slot;
    size_t cap = (n + ROUND - 1) / ROUND * ROUND;
    struct orr_recalled *k = malloc(sizeof *k + cap);
    if (!k)
        return NULL;
    k->cap = (uint32_t)cap;
    r->count += !*slot;
    free(*slot);
    *slot = k;
    return k;
}

void orr_recall_keep(struct orr_recall *r, const struct orr_entry *t,
                     uint64_t seg, const struct orr_frame *f)
{
    if (f->payload_len > ORR_RECALL_BYTES || !make_slots(r))
        return;
    struct orr_recalled *k = make_room(r, slot_of(r, t->hash), f->payload_len);
    if (!k)
        return;
    memcpy(k->hash, t->hash, sizeof k->hash);
    k->stamp = t->stamp;
    k->created = f->created;
    k->expires = f->expires;
    k->seg = seg;
    k->off = t->off;
    k->n = (uint32_t)f->payload_len;
    if (k->n)
        memcpy(k->bytes, f->payload, k->n);
}

void orr_recall_fini(struct orr_recall *r)
{
    for (size_t i = 0; i < r->cap; i++)
        free(r->slots[i]);
    free(r->slots);
    *r = (struct orr_recall){0};
}
