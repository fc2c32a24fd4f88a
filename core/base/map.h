/*
 * map: a hash map from byte strings to 64-bit values (often an array index).
 * Open addressing, linear probing, keys copied into one arena, so that a
 * million short keys cost 16 bytes each beyond their text. Initialise with {0}.
 * Threads: none; the owner locks.
 */
#ifndef ORR_BASE_MAP_H
#define ORR_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

struct orr_map_slot {
    uint32_t hash; /* 0 means empty; a real hash of 0 is stored as 1 */
    uint32_t len;  /* of the key */
    uint64_t key;  /* offset of the key in the arena */
    uint64_t val;
};

struct orr_map {
    struct orr_map_slot *slots; /* owned; 'cap' of them */
    size_t cap;                 /* power of two, or 0 */
    size_t count;               /* keys */
    unsigned char *arena;       /* owned; key bytes */
    size_t arena_len, arena_cap;
};

/* Finds a key; returns a pointer to its value, valid until the next put,
 * or NULL. */
uint64_t *orr_map_get(const struct orr_map *m, const void *key, size_t n);

/* Inserts or replaces. 0, ORR_ENOMEM, or ORR_ELIMIT for keys over 4 GiB. */
int orr_map_put(struct orr_map *m, const void *key, size_t n, uint64_t val);

void orr_map_fini(struct orr_map *m);

/* The 32-bit hash the map uses; never 0. */
uint32_t orr_map_hash(const void *bytes, size_t n);

#endif
