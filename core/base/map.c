/*
 * map: open addressing over one arena of keys.
 *
 *   slots: [hash len key val] [empty] [hash len key val] …
 *                    └─► arena: "step:a" "step:b" …
 *
 * Maps here grow and never shrink.
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>

#include "base/err.h"

uint32_t orr_map_hash(const void *bytes, size_t n)
{
    /* Eight bytes a round, multiply-and-fold; good spread, no state. */
    const unsigned char *p = bytes;
    uint64_t h = 0x9E3779B97F4A7C15u ^ n;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = (h ^ w) * 0xD6E8FEB86659FD93u;
        h ^= h >> 32;
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n; i++)
        tail |= (uint64_t)p[i] << (8 * i);
    h = (h ^ tail) * 0xD6E8FEB86659FD93u;
    h ^= h >> 32;
    h *= 0xD6E8FEB86659FD93u;
    uint32_t r = (uint32_t)(h >> 32);
    return r ? r : 1;
}

static struct orr_map_slot *find(const struct orr_map *m, const void *key,
                                 size_t n, uint32_t hash)
{
    if (!m->cap)
        return NULL;
    size_t mask = m->cap - 1;
    for (size_t i = hash & mask;; i = (i + 1) & mask) {
        struct orr_map_slot *s = &m->slots[i];
        if (!s->hash)
            return NULL;
        if (s->hash == hash && s->len == n &&
            (!n || !memcmp(m->arena + s->key, key, n)))
            return s;
    }
}

uint64_t *orr_map_get(const struct orr_map *m, const void *key, size_t n)
{
    struct orr_map_slot *s = find(m, key, n, orr_map_hash(key, n));
    return s ? &s->val : NULL;
}

static int grow(struct orr_map *m)
{
    size_t cap = m->cap ? m->cap : 16;
    while (cap < (m->count + 1) * 2)
        cap *= 2;
    struct orr_map_slot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ORR_ENOMEM;
    for (size_t i = 0; i < m->cap; i++) {
        struct orr_map_slot *s = &m->slots[i];
        if (!s->hash)
            continue;
        size_t j = s->hash & (cap - 1);
        while (slots[j].hash)
            j = (j + 1) & (cap - 1);
        slots[j] = *s;
    }
    free(m->slots);
    m->slots = slots;
    m->cap = cap;
    return 0;
}

static int keep_key(struct orr_map *m, const void *key, size_t n, uint64_t *at)
{
    if (n > m->arena_cap - m->arena_len) {
        size_t cap = m->arena_cap ? m->arena_cap : 256;
        while (cap - m->arena_len < n)
            cap *= 2;
        unsigned char *p = realloc(m->arena, cap);
        if (!p)
            return ORR_ENOMEM;
        m->arena = p;
        m->arena_cap = cap;
    }
    if (n)
        memcpy(m->arena + m->arena_len, key, n);
    *at = m->arena_len;
    m->arena_len += n;
    return 0;
}

int orr_map_put(struct orr_map *m, const void *key, size_t n, uint64_t val)
{
    if (n > UINT32_MAX)
        return ORR_ELIMIT;
    uint32_t hash = orr_map_hash(key, n);
    struct orr_map_slot *s = find(m, key, n, hash);
    if (s) {
        s->val = val;
        return 0;
    }
    if ((m->count + 1) * 4 > m->cap * 3 && grow(m) < 0)
        return ORR_ENOMEM;
    uint64_t at = 0;
    if (keep_key(m, key, n, &at) < 0)
        return ORR_ENOMEM;
    size_t i = hash & (m->cap - 1);
    while (m->slots[i].hash)
        i = (i + 1) & (m->cap - 1);
    m->slots[i] = (struct orr_map_slot){hash, (uint32_t)n, at, val};
    m->count++;
    return 0;
}

void orr_map_fini(struct orr_map *m)
{
    free(m->slots);
    free(m->arena);
    *m = (struct orr_map){0};
}
