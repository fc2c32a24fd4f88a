/*
 * registry_table: open addressing from a hash to a number, 8 bytes a slot. The
 * keys stay where they are: the caller says whether a number has the key.
 * Nothing is ever removed. Initialise with {0}. Threads: none.
 */
#ifndef ORR_ENGINE_REGISTRY_TABLE_H
#define ORR_ENGINE_REGISTRY_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct orr_registry_slot;

struct orr_registry_table {
    struct orr_registry_slot *slots; /* owned */
    size_t cap, count;
};

/* Does number 'no' of 'owner' have this key? */
typedef bool (*orr_registry_match)(const void *owner, uint32_t no,
                                   const char *key, size_t n);

/* Finds a key whose orr_map_hash is 'hash'; true fills 'no'. */
bool orr_registry_table_find(const struct orr_registry_table *t,
                             orr_registry_match match, const void *owner,
                             const char *key, size_t n, uint32_t hash,
                             uint32_t *no);

/* Makes room for one more key. 0 or ORR_ENOMEM. */
int orr_registry_table_reserve(struct orr_registry_table *t);

/* Adds a key that is not there, by its hash; room was reserved. */
void orr_registry_table_put(struct orr_registry_table *t, uint32_t hash,
                            uint32_t no);

/* Bytes allocated. */
size_t orr_registry_table_bytes(const struct orr_registry_table *t);

void orr_registry_table_fini(struct orr_registry_table *t);

#endif
