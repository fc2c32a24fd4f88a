/* registry_table: linear probing, at most three quarters full. */
#include "engine/registry_table.h"

#include <stdlib.h>

#include "base/err.h"

struct orr_registry_slot {
    uint32_t hash; /* 0: empty */
    uint32_t no;
};

bool orr_registry_table_find(const struct orr_registry_table *t,
                             orr_registry_match match, const void *owner,
                             const char *key, size_t n, uint32_t hash,
                             uint32_t *no)
{
    if (!t->cap)
        return false;
    size_t mask = t->cap - 1;
    for (size_t i = hash & mask; t->slots[i].hash; i = (i + 1) & mask) {
        const struct orr_registry_slot *s = &t->slots[i];
        if (s->hash == hash && match(owner, s->no, key, n)) {
            *no = s->no;
            return true;
        }
    }
    return false;
}

static void place(struct orr_registry_slot *slots, size_t cap,
                  struct orr_registry_slot s)
{
    size_t i = s.hash & (cap - 1);
    while (slots[i].hash)
        i = (i + 1) & (cap - 1);
    slots[i] = s;
}

int orr_registry_table_reserve(struct orr_registry_table *t)
{
    if ((t->count + 1) * 4 <= t->cap * 3)
        return 0;
    size_t cap = t->cap ? t->cap * 2 : 64;
    struct orr_registry_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ORR_ENOMEM;
    for (size_t i = 0; i < t->cap; i++)
        if (t->slots[i].hash)
            place(slots, cap, t->slots[i]);
    free(t->slots);
    t->slots = slots;
    t->cap = cap;
    return 0;
}

void orr_registry_table_put(struct orr_registry_table *t, uint32_t hash,
                            uint32_t no)
{
    place(t->slots, t->cap, (struct orr_registry_slot){hash, no});
    t->count++;
}

size_t orr_registry_table_bytes(const struct orr_registry_table *t)
{
    return t->cap * sizeof *t->slots;
}

void orr_registry_table_fini(struct orr_registry_table *t)
{
    free(t->slots);
    *t = (struct orr_registry_table){0};
}
