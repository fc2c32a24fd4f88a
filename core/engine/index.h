/*
 * index: the memory of a checkout: keyed byte strings in one file that is read
 * whole, never mapped.
 *
 *   header 48 | snapshot: records | batch header 24, records | …
 *   record = hash len vlen flags (16) | key, padded to 8 | value, padded to 8
 *
 * The snapshot and each batch have a checksum; reading ends at the first batch
 * that fails its own. Changes stay in memory until flush appends them as one
 * batch, under a lock, after taking in what other processes appended meanwhile
 * (per key, the last to flush wins). When the batches outgrew the snapshot the
 * file is replaced by a new snapshot. Whatever is damaged costs time, never
 * results. Integers are in the machine's order.
 *
 * Pointers to values stay valid until the index is closed, and are aligned to
 * 8 bytes. Threads: one at a time, but any number may read while none writes.
 */
#ifndef ORR_ENGINE_INDEX_H
#define ORR_ENGINE_INDEX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

struct orr_index;

enum { ORR_INDEX_MAX_KEY = 1 << 20, ORR_INDEX_MAX_VALUE = 1 << 30 };

/* Opens 'path'; nothing there, or nothing sound, is an empty index. Fails only
 * for want of memory. */
int orr_index_open(const char *path, struct orr_index **out, struct orr_err *e);

/* Frees; what was not flushed is forgotten. NULL is fine. */
void orr_index_close(struct orr_index *ix);

/* True and the value when the key is there. */
bool orr_index_get(const struct orr_index *ix, const void *key, size_t n,
                   const void **value, size_t *vlen);

/* Puts a value; the same bytes as before are no change. '*kept' (may be NULL)
 * gets where the value now lies. 0, ORR_ENOMEM or ORR_ELIMIT. */
int orr_index_put(struct orr_index *ix, const void *key, size_t n,
                  const void *value, size_t vlen, const void **kept,
                  struct orr_err *e);

/* Removes a key; one that is not there is fine. 0 or ORR_ENOMEM. */
int orr_index_del(struct orr_index *ix, const void *key, size_t n);

/* Keys that are there. */
size_t orr_index_count(const struct orr_index *ix);

/* Writes what changed. ORR_EBUSY: another process held the file for a second;
 * the changes are kept and may be flushed later. */
int orr_index_flush(struct orr_index *ix, struct orr_err *e);

#endif
