/*
 * index: records stay where they were read; the table only points at them.
 *
 *   table:  [hash ●] [] [hash ●] …          slot: hash, pending?, record
 *                 └──┐        └─► added: bump blocks, never moved
 *                    ▼
 *   block:  header | record record record …  as it was read
 *
 * Knows nothing of the file's fate: indexfile.c reads and writes it.
 */
#include "engine/index.h"

#include <stdlib.h>
#include <string.h>

#include "base/map.h"
#include "base/xalloc.h"
#include "engine/index_priv.h"

enum { BLOCK = 64 * 1024 };

const unsigned char *orr_irec_value(const struct orr_irec *r)
{
    return (const unsigned char *)(r + 1) + orr_pad8(r->klen);
}

size_t orr_irec_size(const struct orr_irec *r)
{
    return sizeof *r + orr_pad8(r->klen) + orr_pad8(r->vlen);
}

/* --- the table -------------------------------------------------------------
 */

static struct orr_islot *find(const struct orr_index *ix, uint32_t hash,
                              const void *key, size_t n)
{
    if (!ix->cap)
        return NULL;
    for (size_t i = hash & (ix->cap - 1);; i = (i + 1) & (ix->cap - 1)) {
        struct orr_islot *s = &ix->slots[i];
        if (!s->rec)
            return NULL;
        if (s->hash == hash && s->rec->klen == n &&
            (!n || !memcmp(s->rec + 1, key, n)))
            return s;
    }
}

int orr_index_reserve(struct orr_index *ix, size_t keys)
{
    size_t cap = ix->cap ? ix->cap : 64;
    while (cap * 3 < keys * 4)
        cap *= 2;
    if (cap == ix->cap)
        return 0;
    struct orr_islot *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ORR_ENOMEM;
    for (size_t i = 0; i < ix->cap; i++) {
        if (!ix->slots[i].rec)
            continue;
        size_t j = ix->slots[i].hash & (cap - 1);
        while (slots[j].rec)
            j = (j + 1) & (cap - 1);
        slots[j] = ix->slots[i];
    }
    free(ix->slots);
    ix->slots = slots;
    ix->cap = cap;
    return 0;
}

int orr_index_apply(struct orr_index *ix, const struct orr_irec *r,
                    bool pending)
{
    struct orr_islot *s = find(ix, r->hash, r + 1, r->klen);
    if (s && s->pending && !pending)
        return 0; /* ours is written later, so it wins */
    if (!s) {
        if (orr_index_reserve(ix, ix->used + 1) < 0)
            return ORR_ENOMEM;
        size_t i = r->hash & (ix->cap - 1);
        while (ix->slots[i].rec)
            i = (i + 1) & (ix->cap - 1);
        s = &ix->slots[i];
        s->hash = r->hash;
        ix->used++;
    } else {
        ix->live -= !(s->rec->flags & ORR_IREC_DELETED);
    }
    ix->live += !(r->flags & ORR_IREC_DELETED);
    ix->pending += pending && !s->pending;
    s->pending = pending;
    s->rec = r;
    return 0;
}

/* --- memory ----------------------------------------------------------------
 */

void *orr_index_block(struct orr_index *ix, size_t size)
{
    struct orr_iblock *b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->next = ix->blocks;
    ix->blocks = b;
    return b + 1;
}

/* Room for a record; the rest of a small block serves the next ones. */
static void *bump(struct orr_index *ix, size_t size)
{
    if (size > BLOCK / 4)
        return orr_index_block(ix, size);
    if (size > ix->room) {
        unsigned char *p = orr_index_block(ix, BLOCK);
        if (!p)
            return NULL;
        ix->next = p;
        ix->room = BLOCK;
    }
    void *p = ix->next;
    ix->next += size;
    ix->room -= size;
    return p;
}

/* --- the face --------------------------------------------------------------
 */

int orr_index_open(const char *path, struct orr_index **out, struct orr_err *e)
{
    struct orr_index *ix = orr_xalloc(sizeof *ix);
    ix->path = orr_xstrdup(path);
    int rc = orr_indexfile_load(ix, e);
    if (rc < 0) {
        orr_index_close(ix);
        return rc;
    }
    *out = ix;
    return 0;
}

void orr_index_close(struct orr_index *ix)
{
    if (!ix)
        return;
    while (ix->blocks) {
        struct orr_iblock *b = ix->blocks;
        ix->blocks = b->next;
        free(b);
    }
    free(ix->slots);
    free(ix->path);
    free(ix);
}

bool orr_index_get(const struct orr_index *ix, const void *key, size_t n,
                   const void **value, size_t *vlen)
{
    const struct orr_islot *s = find(ix, orr_map_hash(key, n), key, n);
    if (!s || (s->rec->flags & ORR_IREC_DELETED))
        return false;
    *value = orr_irec_value(s->rec);
    *vlen = s->rec->vlen;
    return true;
}

static int add(struct orr_index *ix, uint32_t hash, const void *key, size_t n,
               const void *value, size_t vlen, uint32_t flags,
               const void **kept)
{
    size_t size = sizeof(struct orr_irec) + orr_pad8(n) + orr_pad8(vlen);
    struct orr_irec *r = bump(ix, size);
    if (!r)
        return ORR_ENOMEM;
    memset(r, 0, sizeof *r + orr_pad8(n));
    *r = (struct orr_irec){hash, (uint32_t)n, (uint32_t)vlen, flags};
    if (n)
        memcpy(r + 1, key, n);
    unsigned char *v = (unsigned char *)(r + 1) + orr_pad8(n);
    if (vlen) {
        memset(v + orr_pad8(vlen) - 8, 0, 8);
        memcpy(v, value, vlen);
    }
    if (kept)
        *kept = v;
    return orr_index_apply(ix, r, true);
}

int orr_index_put(struct orr_index *ix, const void *key, size_t n,
                  const void *value, size_t vlen, const void **kept,
                  struct orr_err *e)
{
    if (n > ORR_INDEX_MAX_KEY || vlen > ORR_INDEX_MAX_VALUE)
        return orr_err_set(e, ORR_ELIMIT,
                           "too large for the index: key of %zu bytes, value "
                           "of %zu",
                           n, vlen);
    uint32_t hash = orr_map_hash(key, n);
    const struct orr_islot *s = find(ix, hash, key, n);
    if (s && !s->rec->flags && s->rec->vlen == vlen &&
        (!vlen || !memcmp(orr_irec_value(s->rec), value, vlen))) {
        if (kept)
            *kept = orr_irec_value(s->rec);
        return 0;
    }
    if (add(ix, hash, key, n, value, vlen, 0, kept) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for the index");
    return 0;
}

int orr_index_del(struct orr_index *ix, const void *key, size_t n)
{
    uint32_t hash = orr_map_hash(key, n);
    const struct orr_islot *s = find(ix, hash, key, n);
    if (!s || (s->rec->flags & ORR_IREC_DELETED))
        return 0;
    return add(ix, hash, key, n, NULL, 0, ORR_IREC_DELETED, NULL);
}

size_t orr_index_count(const struct orr_index *ix)
{
    return ix->live;
}
