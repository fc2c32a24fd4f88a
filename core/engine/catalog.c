/*
 * catalog: a hash table over flat arrays. The hash of a key is already uniform
 * (SHA-256), so its first bytes are the slot. Knows nothing of files.
 */
#include "engine/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "base/xalloc.h"
#include "engine/hash.h"

enum { GONE = UINT32_MAX /* a slot whose entry was dropped */ };

void orr_catalog_init(struct orr_catalog *c)
{
    *c = (struct orr_catalog){.next_expiry = UINT64_MAX};
    c->stamp_lo = SIZE_MAX;
    orr_catalog_space(c, "", 0, true);
}

void orr_catalog_fini(struct orr_catalog *c)
{
    for (size_t i = 0; i < c->nspaces; i++)
        free(c->spaces[i].name);
    free(c->spaces);
    free(c->segs);
    free(c->entries);
    free(c->days);
    free(c->slots);
    orr_map_fini(&c->space_ids);
    *c = (struct orr_catalog){0};
}

void orr_catalog_hash(const void *space, size_t space_len, const void *key,
                      size_t key_len, unsigned char out[ORR_KEY_HASH])
{
    if (!space_len) {
        memset(out, 0, ORR_KEY_HASH);
        memcpy(out, key, key_len < ORR_KEY_HASH ? key_len : ORR_KEY_HASH);
        return;
    }
    struct orr_hasher h;
    struct orr_digest d;
    unsigned char len = (unsigned char)space_len;
    orr_hasher_init(&h);
    orr_hasher_put(&h, &len, 1);
    orr_hasher_put(&h, space, space_len);
    orr_hasher_put(&h, key, key_len);
    orr_hasher_get(&h, &d);
    memcpy(out, d.bytes, ORR_KEY_HASH);
}

/* --- the table ------------------------------------------------------------ */

static size_t slot_of(const struct orr_catalog *c, const unsigned char *hash)
{
    uint64_t v;
    memcpy(&v, hash, sizeof v);
    return (size_t)v & (c->slot_cap - 1);
}

/* The slot that holds 'hash', or SIZE_MAX. */
static size_t find_slot(const struct orr_catalog *c, const unsigned char *hash)
{
    if (!c->slot_cap)
        return SIZE_MAX;
    for (size_t i = slot_of(c, hash);; i = (i + 1) & (c->slot_cap - 1)) {
        uint32_t v = c->slots[i];
        if (!v)
            return SIZE_MAX;
        if (v != GONE && !memcmp(c->entries[v - 1].hash, hash, ORR_KEY_HASH))
            return i;
    }
}

ptrdiff_t orr_catalog_find(const struct orr_catalog *c,
                           const unsigned char hash[ORR_KEY_HASH])
{
    size_t i = find_slot(c, hash);
    return i == SIZE_MAX ? -1 : (ptrdiff_t)c->slots[i] - 1;
}

static void set_slot(struct orr_catalog *c, size_t entry)
{
    size_t i = slot_of(c, c->entries[entry].hash);
    while (c->slots[i])
        i = (i + 1) & (c->slot_cap - 1);
    c->slots[i] = (uint32_t)entry + 1;
    c->slot_used++;
}

static int grow_slots(struct orr_catalog *c, size_t want)
{
    size_t cap = 64;
    while (cap < want * 2)
        cap *= 2;
    uint32_t *slots = calloc(cap, sizeof *slots);
    if (!slots)
        return ORR_ENOMEM;
    free(c->slots);
    c->slots = slots;
    c->slot_cap = cap;
    c->slot_used = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->entries[i].type)
            set_slot(c, i);
    return 0;
}

int orr_catalog_reserve(struct orr_catalog *c, size_t n)
{
    if (n <= c->cap)
        return 0;
    size_t cap = c->cap ? c->cap : 32;
    while (cap < n)
        cap += cap / 2;
    struct orr_entry *t = realloc(c->entries, cap * sizeof *t);
    if (!t)
        return ORR_ENOMEM;
    c->entries = t;
    uint16_t *d = realloc(c->days, cap * sizeof *d);
    if (!d)
        return ORR_ENOMEM;
    c->days = d;
    c->cap = cap;
    return 0;
}

/* --- counters --------------------------------------------------------------
 */

bool orr_entry_live(const struct orr_entry *t)
{
    return t->type && t->type != ORR_FRAME_DEL;
}

uint64_t orr_entry_bytes(const struct orr_entry *t)
{
    return t->size + (t->type == ORR_FRAME_CAS ? t->expires : 0);
}

static void count(struct orr_catalog *c, const struct orr_entry *t, int sign)
{
    if (!orr_entry_live(t))
        return;
    struct orr_space *sp = &c->spaces[t->space];
    uint64_t one = (uint64_t)(int64_t)sign;
    uint64_t bytes = orr_entry_bytes(t) * one;
    c->segs[t->seg].live += t->size * one;
    c->bytes += bytes;
    sp->bytes += bytes;
    sp->records += one;
    if (t->space == ORR_SPACE_BLOBS) {
        c->blobs += one;
        return;
    }
    c->records += one;
    if (sign > 0 && t->expires && t->expires < c->next_expiry)
        c->next_expiry = t->expires;
}

int orr_catalog_rebuild(struct orr_catalog *c)
{
    if (grow_slots(c, c->count + 1) < 0)
        return ORR_ENOMEM;
    for (size_t i = 0; i < c->count; i++)
        count(c, &c->entries[i], 1);
    return 0;
}

/* --- spaces and segments ---------------------------------------------------
 */

int orr_catalog_space(struct orr_catalog *c, const void *name, size_t n,
                      bool make)
{
    const uint64_t *known = orr_map_get(&c->space_ids, name, n);
    if (known)
        return (int)*known;
    if (!make || c->nspaces > UINT16_MAX)
        return -1;
    struct orr_space *p =
        realloc(c->spaces, (c->nspaces + 1) * sizeof *c->spaces);
    if (!p)
        return -1;
    c->spaces = p;
    if (orr_map_put(&c->space_ids, name, n, c->nspaces) < 0)
        return -1;
    p[c->nspaces] =
        (struct orr_space){.name = orr_xmemdup0(name, n), .len = (uint16_t)n};
    return (int)c->nspaces++;
}

ptrdiff_t orr_catalog_seg(struct orr_catalog *c, uint64_t id)
{
    for (size_t i = 0; i < c->nsegs; i++)
        if (c->segs[i].id == id)
            return (ptrdiff_t)i;
    struct orr_seg *p = realloc(c->segs, (c->nsegs + 1) * sizeof *p);
    if (!p)
        return -1;
    c->segs = p;
    p[c->nsegs] = (struct orr_seg){.id = id, .fd = -1, .oldest = UINT64_MAX};
    return (ptrdiff_t)c->nsegs++;
}

/* --- changes ---------------------------------------------------------------
 */

void orr_catalog_drop(struct orr_catalog *c, size_t entry)
{
    struct orr_entry *t = &c->entries[entry];
    size_t slot = find_slot(c, t->hash);
    if (slot != SIZE_MAX)
        c->slots[slot] = GONE;
    count(c, t, -1);
    t->type = 0;
    c->fresh++;
}

void orr_catalog_drop_seg(struct orr_catalog *c, size_t seg)
{
    for (size_t i = 0; i < c->count; i++)
        if (c->entries[i].type && c->entries[i].seg == seg)
            orr_catalog_drop(c, i);
    c->segs[seg].covered = 0;
    c->segs[seg].oldest = UINT64_MAX;
}

/* A clear of space 0 is a clear of everything. */
static void clear(struct orr_catalog *c, size_t space, size_t seg,
                  uint64_t stamp)
{
    if (c->spaces[space].cleared > stamp)
        return;
    c->spaces[space].cleared = stamp;
    c->spaces[space].clear_seg = (uint32_t)seg;
    for (size_t i = 0; i < c->count; i++) {
        const struct orr_entry *t = &c->entries[i];
        bool hit = space == ORR_SPACE_BLOBS || t->space == space;
        if (t->type && hit && t->stamp < stamp)
            orr_catalog_drop(c, i);
    }
}

static struct orr_entry entry_of(const struct orr_frame *f, size_t seg,
                                 uint64_t off, int space, bool ours)
{
    struct orr_entry t = {.stamp = f->stamp,
                          .expires = f->expires,
                          .seg = (uint32_t)seg,
                          .off = (uint32_t)(off / 8),
                          .size = f->size,
                          .space = (uint16_t)space,
                          .type = (uint8_t)f->type,
                          .used = ours};
    if (f->type == ORR_FRAME_CAS)
        t.expires = f->payload_len == 8 ? orr_get_u64(f->payload) : 0;
    if (f->type == ORR_FRAME_DEL) /* its key is a hash already */
        orr_catalog_hash("", 0, f->key, f->key_len, t.hash);
    else
        orr_catalog_hash(f->space, f->space_len, f->key, f->key_len, t.hash);
    return t;
}

static int add(struct orr_catalog *c, const struct orr_entry *t, uint16_t day)
{
    if (c->count + 2 >= UINT32_MAX || orr_catalog_reserve(c, c->count + 1) < 0)
        return ORR_ENOMEM;
    if ((c->slot_used + 1) * 4 > c->slot_cap * 3 &&
        grow_slots(c, c->count + 1) < 0)
        return ORR_ENOMEM;
    c->entries[c->count] = *t;
    c->days[c->count] = day;
    set_slot(c, c->count++);
    count(c, t, 1);
    return 0;
}

/* Notes the last day an entry was used on. */
static void note_day(struct orr_catalog *c, size_t entry, uint16_t day)
{
    if (c->days[entry] >= day)
        return;
    c->days[entry] = day;
    if (entry >= c->loaded)
        return;
    if (entry < c->stamp_lo)
        c->stamp_lo = entry;
    if (entry + 1 > c->stamp_hi)
        c->stamp_hi = entry + 1;
}

int orr_catalog_apply(struct orr_catalog *c, size_t seg,
                      const struct orr_frame *f, uint64_t off)
{
    const uint64_t day_ns = 86400u * 1000000000ull;
    int space = orr_catalog_space(c, f->space, f->space_len, true);
    if (space < 0)
        return ORR_ENOMEM;
    c->fresh++;
    if (f->stamp > c->last_stamp)
        c->last_stamp = f->stamp;
    if (f->stamp < c->segs[seg].oldest)
        c->segs[seg].oldest = f->stamp;
    if (f->type == ORR_FRAME_CLEAR) {
        clear(c, (size_t)space, seg, f->stamp);
        return 0;
    }
    if (f->stamp < c->spaces[space].cleared ||
        f->stamp < c->spaces[ORR_SPACE_BLOBS].cleared)
        return 0;
    struct orr_entry t = entry_of(f, seg, off, space, c->ours);
    ptrdiff_t known = orr_catalog_find(c, t.hash);
    if (known < 0)
        return add(c, &t, (uint16_t)(f->created / day_ns));
    struct orr_entry *old = &c->entries[known];
    if (f->stamp < old->stamp)
        return 0;
    if (f->stamp > old->stamp)
        note_day(c, (size_t)known, (uint16_t)(f->created / day_ns));
    count(c, old, -1);
    t.used |= old->used;
    *old = t;
    count(c, old, 1);
    return 0;
}

void orr_catalog_use(struct orr_catalog *c, size_t entry, uint16_t day)
{
    c->entries[entry].used = 1;
    note_day(c, entry, day);
}
