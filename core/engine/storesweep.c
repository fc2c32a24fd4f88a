/*
 * storesweep: what goes, and why: expired, long unused, least recently used.
 *
 * Last use is known to the day: an entry used on a later day than it was made
 * counts as used at that day's end. Looking for what to remove is a pass over
 * flat arrays (two bytes an entry for age and size); everything else is done
 * only for what is removed.
 */
#include <stdlib.h>
#include <string.h>

#include <fcntl.h>
#include <unistd.h>

#include "engine/store_priv.h"
#include "engine/tempfile.h"

static const uint64_t day_ns = (uint64_t)ORR_DAY_S * 1000000000u;

/* Numbers of entries to remove. */
struct victims {
    uint32_t *at; /* owned */
    size_t n, cap;
};

static int add(struct victims *v, size_t entry, struct orr_err *e)
{
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 64;
        uint32_t *p = realloc(v->at, cap * sizeof *p);
        if (!p)
            return orr_err_set(e, ORR_ENOMEM, "no memory to prune the cache");
        v->at = p;
        v->cap = cap;
    }
    v->at[v->n++] = (uint32_t)entry;
    return 0;
}

static uint64_t last_use(const struct orr_catalog *c, size_t i)
{
    uint64_t made = c->entries[i].stamp;
    uint64_t end = ((uint64_t)c->days[i] + 1) * day_ns - 1;
    return made / day_ns == c->days[i] ? made : end;
}

/* --- choosing --------------------------------------------------------------
 */

static int choose_expired(struct orr_store *s, struct victims *v,
                          struct orr_err *e)
{
    struct orr_catalog *c = &s->cat;
    uint64_t now = s->wall(), next = UINT64_MAX;
    if (c->next_expiry > now)
        return 0;
    for (size_t i = 0; i < c->count; i++) {
        const struct orr_entry *t = &c->entries[i];
        if (!orr_entry_live(t) || t->space == ORR_SPACE_BLOBS || !t->expires)
            continue;
        if (t->expires > now) {
            if (t->expires < next)
                next = t->expires;
        } else if (add(v, i, e) < 0) {
            return ORR_ENOMEM;
        }
    }
    c->next_expiry = next;
    return 0;
}

/* May bounds take it? What expired goes in any case. */
static bool takeable(const struct orr_store *s, size_t i)
{
    const struct orr_entry *t = &s->cat.entries[i];
    return orr_entry_live(t) && !(s->sparing && t->used);
}

static int choose_old(struct orr_store *s, uint64_t max_age, struct victims *v,
                      struct orr_err *e)
{
    const struct orr_catalog *c = &s->cat;
    uint64_t now = s->wall();
    if (max_age == UINT64_MAX || max_age > now)
        return 0;
    uint64_t before = now - max_age;
    for (size_t i = 0; i < c->count; i++) {
        if (c->days[i] > before / day_ns || !takeable(s, i))
            continue;
        if (last_use(c, i) <= before && add(v, i, e) < 0)
            return ORR_ENOMEM;
    }
    return 0;
}

struct aged {
    uint64_t stamp;
    uint32_t entry;
};

static int by_stamp(const void *a, const void *b)
{
    const struct aged *x = a, *y = b;
    return (x->stamp > y->stamp) - (x->stamp < y->stamp);
}

/* Adds entries last used on 'day', oldest first, until 'excess' is gone. */
static int choose_of_day(struct orr_store *s, uint16_t day, uint64_t *excess,
                         struct victims *v, struct orr_err *e)
{
    const struct orr_catalog *c = &s->cat;
    struct aged *all = NULL;
    size_t n = 0;
    for (size_t i = 0; i < c->count; i++)
        n += c->days[i] == day && takeable(s, i);
    if (!(all = malloc((n + 1) * sizeof *all)))
        return orr_err_set(e, ORR_ENOMEM, "no memory to prune the cache");
    n = 0;
    for (size_t i = 0; i < c->count; i++)
        if (c->days[i] == day && takeable(s, i))
            all[n++] = (struct aged){c->entries[i].stamp, (uint32_t)i};
    qsort(all, n, sizeof *all, by_stamp);
    int rc = 0;
    for (size_t i = 0; i < n && *excess && !rc; i++) {
        uint64_t bytes = orr_entry_bytes(&c->entries[all[i].entry]);
        *excess -= bytes < *excess ? bytes : *excess;
        rc = add(v, all[i].entry, e);
    }
    free(all);
    return rc;
}

static int choose_excess(struct orr_store *s, uint64_t max_bytes,
                         struct victims *v, struct orr_err *e)
{
    const struct orr_catalog *c = &s->cat;
    if (c->bytes <= max_bytes)
        return 0;
    uint64_t excess = c->bytes - max_bytes;
    unsigned day = 0;
    while (excess && day <= UINT16_MAX) {
        unsigned next = UINT16_MAX + 1u; /* the first day not yet dealt with */
        for (size_t i = 0; i < c->count; i++)
            if (c->days[i] >= day && c->days[i] < next && takeable(s, i))
                next = c->days[i];
        if (next > UINT16_MAX)
            break;
        if (choose_of_day(s, (uint16_t)next, &excess, v, e) < 0)
            return ORR_ENOMEM;
        day = next + 1;
    }
    return 0;
}

/* --- removing --------------------------------------------------------------
 */

static int batch_del(struct orr_store *s, size_t entry, struct orr_err *e)
{
    const struct orr_entry *t = &s->cat.entries[entry];
    const struct orr_space *sp = &s->cat.spaces[t->space];
    struct orr_frame del = {.type = ORR_FRAME_DEL,
                            .space = sp->name,
                            .space_len = sp->len,
                            .key = t->hash,
                            .key_len = sizeof t->hash};
    return orr_store_batch(s, &del, e);
}

/* Removes the cas file of an entry, if it has one. */
static void remove_file(struct orr_store *s, const struct orr_entry *t)
{
    struct orr_frame f;
    struct orr_digest d;
    if (t->type != ORR_FRAME_CAS || orr_store_read(s, t, &f, NULL) < 0)
        return;
    memcpy(d.bytes, f.key, sizeof d.bytes);
    orr_cas_del(&s->cas, &d);
}

/* Deletes the chosen entries in few large writes. Files go first: if another
 * process puts one again meanwhile, it is found again by its name, whereas a
 * frame without its file would be a loss. */
static int remove_all(struct orr_store *s, struct victims *v, uint64_t *removed,
                      uint64_t *bytes, struct orr_err *e)
{
    int rc = 0;
    for (size_t i = 0; i < v->n && !rc;) {
        size_t from = i;
        uint64_t freed = 0;
        for (; i < v->n && i - from < 4096 && !rc; i++) {
            struct orr_entry t = s->cat.entries[v->at[i]];
            freed += orr_entry_bytes(&t);
            remove_file(s, &t);
            rc = batch_del(s, v->at[i], e);
        }
        if (!rc)
            rc = orr_store_commit(s, e);
        if (!rc) {
            *removed += i - from;
            *bytes += freed;
        }
    }
    return rc;
}

/* Removes what was chosen and starts a new choice. */
static int carry_out(struct orr_store *s, struct victims *v, int rc,
                     uint64_t *removed, uint64_t *bytes, struct orr_err *e)
{
    if (!rc && v->n)
        rc = remove_all(s, v, removed, bytes, e);
    v->n = 0;
    return rc;
}

static void sweep_temps(struct orr_store *s)
{
    int fd = openat(s->dirfd, "tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    orr_tempfile_sweep(fd, (int64_t)(s->wall() / 1000000000u) - ORR_DAY_S);
    close(fd);
}

int orr_store_prune(struct orr_store *s, const struct orr_store_limits *l,
                    uint64_t *removed, uint64_t *bytes, struct orr_err *e)
{
    struct victims v = {0};
    uint64_t n = 0, size = 0;
    int rc = orr_store_refresh(s, e);
    if (!rc && l->expired)
        rc = carry_out(s, &v, choose_expired(s, &v, e), &n, &size, e);
    if (!rc)
        rc = carry_out(s, &v, choose_old(s, l->max_age, &v, e), &n, &size, e);
    if (!rc)
        rc = carry_out(s, &v, choose_excess(s, l->max_bytes, &v, e), &n, &size,
                       e);
    if (!rc)
        rc = orr_store_compact(s, NULL, 0, e);
    free(v.at);
    sweep_temps(s);
    if (rc < 0)
        return rc;
    *removed = n;
    *bytes = size;
    return 0;
}

/* --- clearing --------------------------------------------------------------
 */

static int drop_file(void *ctx, const struct orr_digest *d, uint64_t size)
{
    (void)size;
    orr_cas_del(ctx, d);
    return 0;
}

int orr_store_clear(struct orr_store *s, const char *space, size_t n,
                    uint64_t *removed, struct orr_err *e)
{
    if (space && !n)
        return orr_err_set(e, ORR_EINVAL, "a space name has 1 to 255 bytes");
    int rc = orr_store_refresh(s, e);
    if (rc < 0)
        return rc;
    uint64_t before = s->cat.records + s->cat.blobs;
    struct orr_frame f = {
        .type = ORR_FRAME_CLEAR, .space = space ? space : "", .space_len = n};
    if (space && orr_catalog_space(&s->cat, space, n, false) < 0) {
        *removed = 0;
        return 0;
    }
    if (!space)
        orr_cas_walk(&s->cas, drop_file, &s->cas);
    rc = orr_store_batch(s, &f, e);
    if (!rc)
        rc = orr_store_commit(s, e);
    if (rc < 0)
        return rc;
    *removed = before - s->cat.records - s->cat.blobs;
    return orr_store_compact(s, NULL, 0, e);
}
