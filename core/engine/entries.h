/*
 * entries: the entries of a map, written to a buffer in any order and put in
 * key order when the map ends.
 *
 * A hash table hands out its pairs in no order, but canonical bytes need one.
 * So each pair is written where it comes, only its place and key are noted
 * here, and the finished pieces are moved once. Maps nest: the list is a stack,
 * an inner map's entries lie above its parent's.
 *
 * Order: integer keys first, by value; then string keys, by bytes.
 * Initialise with {0}; free with orr_entries_fini. Threads: one.
 */
#ifndef ORR_ENGINE_ENTRIES_H
#define ORR_ENGINE_ENTRIES_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

struct orr_entry {
    size_t at;       /* where the entry starts in the buffer */
    size_t size;     /* its bytes; known when the map ends */
    size_t len;      /* key length; SIZE_MAX: an integer key */
    uintptr_t key;   /* key bytes: relative to the 'base' given at the end */
    uint64_t prefix; /* first eight key bytes, so that most compares are one */
};

struct orr_entries {
    struct orr_entry *list; /* owned */
    size_t count, cap;
    struct orr_buf scratch; /* where pieces are put in order */
};

/* Notes an entry that starts at offset 'at'. 0 or ORR_ENOMEM. */
int orr_entries_add_int(struct orr_entries *es, size_t at, int64_t key);

/* Same for a string key. 'bytes' is read now; 'key' is its address relative to
 * a base that may still move (an offset in the buffer), or with base NULL its
 * address, which then must stay valid until the map ends. */
int orr_entries_add_str(struct orr_entries *es, size_t at, const void *bytes,
                        size_t len, uintptr_t key);

/* Ends the map whose entries were added since the list had 'first' of them:
 * reorders buf[list[first].at … buf->len) and forgets them. The entries must
 * fill that span without gaps. 0, ORR_ENOMEM, or ORR_EINVAL: two equal keys. */
int orr_entries_sort(struct orr_entries *es, size_t first, struct orr_buf *buf,
                     const void *base);

/* Forgets all entries and keeps the memory, unless it grew large. */
void orr_entries_clear(struct orr_entries *es);

void orr_entries_fini(struct orr_entries *es);

#endif
