/*
 * recall: what a store read more than once, kept in memory. A frame never
 * changes where it lies, so a copy is as good as another look as long as the
 * catalog names that very frame. Bounded: at most ORR_RECALL_SLOTS values of at
 * most ORR_RECALL_BYTES, the newest in each slot. Initialise with {0}.
 * Threads: none; the store owns it.
 */
#ifndef ORR_ENGINE_RECALL_H
#define ORR_ENGINE_RECALL_H

#include "engine/catalog.h"

enum { ORR_RECALL_SLOTS = 4096, ORR_RECALL_BYTES = 1024 };

/* What is kept of a frame. */
struct orr_recalled {
    unsigned char hash[ORR_KEY_HASH];
    uint64_t stamp, created, expires;
    uint64_t seg; /* its id */
    uint32_t off;
    uint32_t n, cap;
    unsigned char bytes[]; /* cap of them, n in use */
};

struct orr_recall {
    struct orr_recalled **slots; /* owned, as what they hold; some NULL */
    size_t cap, count;           /* cap is a power of two, or 0 */
};

/* What is kept of the entry's frame in segment 'seg', or NULL. Valid until the
 * next keep. */
const struct orr_recalled *orr_recall_find(const struct orr_recall *r,
                                           const struct orr_entry *t,
                                           uint64_t seg);

/* Keeps the payload of the entry's frame. What is too large, or for what there
 * is no memory, is not kept. */
void orr_recall_keep(struct orr_recall *r, const struct orr_entry *t,
                     uint64_t seg, const struct orr_frame *f);

void orr_recall_fini(struct orr_recall *r);

#endif
