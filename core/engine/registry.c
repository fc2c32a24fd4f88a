/*
 * registry: fixed-size records in blocks that never move, their text in an
 * arena, and four indexes of 8 bytes a slot.
 *
 *   ids ───────────────► record ──► text: id name path digest meta
 *   names types steps ─► group {first, last, top version}
 *                          └► records chained by next[kind]
 *
 * The indexes compare with the text of the record instead of keeping keys of
 * their own (base/map would hold each id and name a second time and take 24
 * bytes a slot). Nothing moves, so that views can be handed out and used
 * without the lock. Knows nothing of JSON, files or what an artifact means.
 */
#include "engine/registry.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/map.h"
#include "base/xalloc.h"
#include "engine/registry_table.h"

enum { BLOCK = 256, KINDS = 3, SUFFIX = 16 };

struct record {
    const char *text; /* id name path digest meta, one after the other */
    int64_t size;
    uint32_t id_n, name_n, path_n, digest_n, meta_n;
    uint32_t version, saved;
    uint32_t type, step;  /* group number + 1; 0: absent */
    uint32_t next[KINDS]; /* record number + 1 of the next in each group */
};

struct group {
    const char *text; /* the shared name, type or step */
    uint32_t text_n;
    uint32_t first, last; /* record numbers + 1 */
    uint32_t top;         /* highest version; names only */
};

struct groups {
    struct orr_registry_table table;
    struct group *all; /* owned; table.count of them in use */
    size_t cap;
};

struct orr_registry {
    pthread_mutex_t lock;
    // --- guarded by lock
    struct record **blocks; /* owned; each BLOCK records */
    size_t blocks_cap;
    size_t count;
    struct orr_registry_table ids;
    struct groups by[KINDS];
    struct orr_arena text;
};

static struct record *record_at(const struct orr_registry *r, size_t no)
{
    return &r->blocks[no / BLOCK][no % BLOCK];
}

static bool match_id(const void *owner, uint32_t no, const char *key, size_t n)
{
    const struct record *rec = record_at(owner, no);
    return rec->id_n == n && !memcmp(rec->text, key, n);
}

static bool match_group(const void *owner, uint32_t no, const char *key,
                        size_t n)
{
    const struct group *g = &((const struct groups *)owner)->all[no];
    return g->text_n == n && !memcmp(g->text, key, n);
}

static bool find_id(const struct orr_registry *r, const char *id, size_t n,
                    uint32_t hash, uint32_t *no)
{
    return orr_registry_table_find(&r->ids, match_id, r, id, n, hash, no);
}

static struct group *find_hashed(const struct groups *g, const char *key,
                                 size_t n, uint32_t hash)
{
    uint32_t no = 0;
    bool found = n && orr_registry_table_find(&g->table, match_group, g, key, n,
                                              hash, &no);
    return found ? &g->all[no] : NULL;
}

static struct group *find_group(const struct groups *g, const char *key,
                                size_t n)
{
    return find_hashed(g, key, n, orr_map_hash(key, n));
}

/* --- room, so that nothing after it can fail --- */

static int reserve_block(struct orr_registry *r)
{
    size_t no = r->count / BLOCK;
    if (no == r->blocks_cap) {
        size_t cap = r->blocks_cap ? r->blocks_cap * 2 : 16;
        struct record **blocks =
            reallocarray(r->blocks, cap, sizeof(struct record *));
        if (!blocks)
            return ORR_ENOMEM;
        memset(blocks + no, 0, (cap - no) * sizeof(struct record *));
        r->blocks = blocks;
        r->blocks_cap = cap;
    }
    if (!r->blocks[no])
        r->blocks[no] = calloc(BLOCK, sizeof(struct record));
    return r->blocks[no] ? 0 : ORR_ENOMEM;
}

static int reserve_group(struct groups *g)
{
    if (g->table.count == g->cap) {
        size_t cap = g->cap ? g->cap + g->cap / 2 : 16;
        struct group *all = reallocarray(g->all, cap, sizeof *all);
        if (!all)
            return ORR_ENOMEM;
        g->all = all;
        g->cap = cap;
    }
    return orr_registry_table_reserve(&g->table);
}

static int reserve(struct orr_registry *r)
{
    if (orr_registry_table_reserve(&r->ids) < 0 || reserve_block(r) < 0)
        return ORR_ENOMEM;
    for (int kind = 0; kind < KINDS; kind++)
        if (reserve_group(&r->by[kind]) < 0)
            return ORR_ENOMEM;
    return 0;
}

/* --- adding --- */

/* Writes "@v<version>"; printf would be a third of an add. */
static size_t write_suffix(char *out, uint32_t version)
{
    char digits[10];
    size_t n = 0, len = 2;
    memcpy(out, "@v", 2);
    for (; version; version /= 10)
        digits[n++] = (char)('0' + version % 10);
    while (n)
        out[len++] = digits[--n];
    return len;
}

/* Where an artifact goes, looked up once. */
struct place {
    uint32_t id_hash, hash[KINDS];
    struct group *g[KINDS]; /* NULL: a new one, or none */
};

static void find_groups(const struct orr_registry *r,
                        const struct orr_artifact *a, struct place *p)
{
    const struct orr_span *keys[KINDS] = {&a->name, &a->type, &a->step};
    for (int kind = 0; kind < KINDS; kind++) {
        p->hash[kind] = orr_map_hash(keys[kind]->p, keys[kind]->n);
        p->g[kind] = find_hashed(&r->by[kind], keys[kind]->p, keys[kind]->n,
                                 p->hash[kind]);
    }
}

/* Settles version and id: the first free "<name>@v<n>", unless one was given;
 * false when that is taken. 'scratch' has room for the name and SUFFIX bytes.
 */
static bool settle_id(const struct orr_registry *r, struct orr_artifact *a,
                      struct place *p, char *scratch)
{
    uint32_t no;
    const struct group *g = p->g[ORR_REGISTRY_NAME];
    bool free_version = !a->version, free_id = !a->id.n;
    if (free_version)
        a->version = g ? g->top + 1 : 1;
    if (free_id)
        memcpy(scratch, a->name.p, a->name.n);
    for (;; a->version++) {
        if (free_id) {
            size_t n = write_suffix(scratch + a->name.n, a->version);
            a->id = (struct orr_span){scratch, a->name.n + n};
        }
        p->id_hash = orr_map_hash(a->id.p, a->id.n);
        if (!find_id(r, a->id.p, a->id.n, p->id_hash, &no))
            return true;
        if (!free_id || !free_version)
            return false;
    }
}

static struct orr_span put_span(char **at, struct orr_span s)
{
    struct orr_span stored = {*at, s.n};
    if (s.n)
        memcpy(*at, s.p, s.n);
    *at += s.n;
    return stored;
}

/* Adds record 'no' to its group of 'p', or to a new one of that key, whose
 * bytes it borrows; returns the group's number + 1. Room was reserved. */
static uint32_t join(struct orr_registry *r, enum orr_registry_by kind,
                     const struct place *p, struct orr_span key, uint32_t no)
{
    struct groups *gs = &r->by[kind];
    struct group *g = p->g[kind];
    if (!g) {
        g = &gs->all[gs->table.count];
        *g = (struct group){.text = key.p, .text_n = (uint32_t)key.n};
        orr_registry_table_put(&gs->table, p->hash[kind],
                               (uint32_t)gs->table.count);
    }
    if (g->last)
        record_at(r, g->last - 1)->next[kind] = no + 1;
    else
        g->first = no + 1;
    g->last = no + 1;
    uint32_t version = record_at(r, no)->version;
    g->top = version > g->top ? version : g->top;
    return (uint32_t)(g - gs->all) + 1;
}

/* Same for a type or step, whose text its group keeps for all. */
static uint32_t join_shared(struct orr_registry *r, enum orr_registry_by kind,
                            const struct place *p, struct orr_span key,
                            uint32_t no, char **at)
{
    if (!key.n)
        return 0;
    return join(r, kind, p, p->g[kind] ? key : put_span(at, key), no);
}

static void view(const struct orr_registry *r, const struct record *rec,
                 struct orr_artifact *out)
{
    const char *at = rec->text;
    out->id = (struct orr_span){at, rec->id_n};
    out->name = (struct orr_span){at += rec->id_n, rec->name_n};
    out->path = (struct orr_span){at += rec->name_n, rec->path_n};
    out->digest = (struct orr_span){at += rec->path_n, rec->digest_n};
    out->meta = (struct orr_span){at + rec->digest_n, rec->meta_n};
    out->type = out->step = (struct orr_span){NULL, 0};
    if (rec->type) {
        const struct group *g = &r->by[ORR_REGISTRY_TYPE].all[rec->type - 1];
        out->type = (struct orr_span){g->text, g->text_n};
    }
    if (rec->step) {
        const struct group *g = &r->by[ORR_REGISTRY_STEP].all[rec->step - 1];
        out->step = (struct orr_span){g->text, g->text_n};
    }
    out->size = rec->size;
    out->version = rec->version;
    out->saved = rec->saved;
}

/* Stores a settled artifact, for which room was reserved. ORR_ENOMEM leaves
 * all as it was. */
static int store(struct orr_registry *r, const struct orr_artifact *a,
                 const struct place *p, struct orr_artifact *out)
{
    char *at = orr_arena_take(
        &r->text, a->id.n + a->name.n + a->path.n + a->digest.n + a->meta.n +
                      (p->g[ORR_REGISTRY_TYPE] ? 0 : a->type.n) +
                      (p->g[ORR_REGISTRY_STEP] ? 0 : a->step.n));
    if (!at)
        return ORR_ENOMEM;
    uint32_t no = (uint32_t)r->count;
    struct record *rec = record_at(r, no);
    *rec = (struct record){.text = at,
                           .size = a->size,
                           .id_n = (uint32_t)a->id.n,
                           .name_n = (uint32_t)a->name.n,
                           .path_n = (uint32_t)a->path.n,
                           .digest_n = (uint32_t)a->digest.n,
                           .meta_n = (uint32_t)a->meta.n,
                           .version = a->version,
                           .saved = a->saved};
    put_span(&at, a->id);
    struct orr_span name = put_span(&at, a->name);
    put_span(&at, a->path);
    put_span(&at, a->digest);
    put_span(&at, a->meta);
    orr_registry_table_put(&r->ids, p->id_hash, no);
    join(r, ORR_REGISTRY_NAME, p, name, no);
    rec->type = join_shared(r, ORR_REGISTRY_TYPE, p, a->type, no, &at);
    rec->step = join_shared(r, ORR_REGISTRY_STEP, p, a->step, no, &at);
    r->count++;
    view(r, rec, out);
    return 0;
}

static int check(const struct orr_artifact *a, struct orr_err *e)
{
    const struct orr_span all[] = {a->id,   a->name,   a->type, a->step,
                                   a->path, a->digest, a->meta};
    if (!a->name.n)
        return orr_err_set(e, ORR_EINVAL, "an artifact needs a name");
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i].n > UINT32_MAX - SUFFIX)
            return orr_err_set(e, ORR_ELIMIT,
                               "a field of artifact '%.*s' is over 4 GiB",
                               a->name.n > 80 ? 80 : (int)a->name.n, a->name.p);
    return 0;
}

static int add_locked(struct orr_registry *r, struct orr_artifact *a,
                      char *scratch, struct orr_artifact *out,
                      struct orr_err *e)
{
    if (r->count >= UINT32_MAX - 1)
        return orr_err_set(e, ORR_ELIMIT, "the registry is full");
    if (reserve(r) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for another artifact");
    struct place p; // groups do not move any more
    find_groups(r, a, &p);
    if (!settle_id(r, a, &p, scratch))
        return orr_err_set(e, ORR_EINVAL,
                           "artifact id '%.*s' is registered already",
                           a->id.n > 200 ? 200 : (int)a->id.n, a->id.p);
    if (store(r, a, &p, out) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for another artifact");
    return 0;
}

int orr_registry_add(struct orr_registry *r, const struct orr_artifact *in,
                     struct orr_artifact *out, struct orr_err *e)
{
    struct orr_artifact a = *in, stored;
    char small[256];
    char *scratch = small;
    int rc = check(in, e);
    if (rc < 0)
        return rc;
    if (in->name.n > sizeof small - SUFFIX)
        scratch = malloc(in->name.n + SUFFIX);
    if (!scratch)
        return orr_err_set(e, ORR_ENOMEM, "no memory for an artifact's name");
    pthread_mutex_lock(&r->lock);
    rc = add_locked(r, &a, scratch, &stored, e);
    pthread_mutex_unlock(&r->lock);
    if (rc == 0 && out)
        *out = stored;
    if (scratch != small)
        free(scratch);
    return rc;
}

struct orr_registry *orr_registry_new(void)
{
    struct orr_registry *r = orr_xalloc(sizeof *r);
    int rc = pthread_mutex_init(&r->lock, NULL);
    assert(rc == 0);
    (void)rc;
    return r;
}

void orr_registry_free(struct orr_registry *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < r->blocks_cap; i++)
        free(r->blocks[i]);
    free(r->blocks);
    for (int kind = 0; kind < KINDS; kind++) {
        orr_registry_table_fini(&r->by[kind].table);
        free(r->by[kind].all);
    }
    orr_registry_table_fini(&r->ids);
    orr_arena_fini(&r->text);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

/* --- finding --- */

bool orr_registry_get(struct orr_registry *r, const char *id, size_t n,
                      struct orr_artifact *out)
{
    uint32_t no;
    uint32_t hash = orr_map_hash(id, n);
    pthread_mutex_lock(&r->lock);
    bool found = find_id(r, id, n, hash, &no);
    if (found)
        view(r, record_at(r, no), out);
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool orr_registry_has(struct orr_registry *r, const char *id, size_t n,
                      size_t *no)
{
    uint32_t found_no = 0;
    uint32_t hash = orr_map_hash(id, n);
    pthread_mutex_lock(&r->lock);
    bool found = find_id(r, id, n, hash, &found_no);
    pthread_mutex_unlock(&r->lock);
    if (found && no)
        *no = found_no;
    return found;
}

bool orr_registry_at(struct orr_registry *r, size_t i, struct orr_artifact *out)
{
    pthread_mutex_lock(&r->lock);
    bool found = i < r->count;
    if (found)
        view(r, record_at(r, i), out);
    pthread_mutex_unlock(&r->lock);
    return found;
}

bool orr_registry_by_name(struct orr_registry *r, const char *name, size_t n,
                          uint32_t version, struct orr_artifact *out)
{
    pthread_mutex_lock(&r->lock);
    const struct group *g = find_group(&r->by[ORR_REGISTRY_NAME], name, n);
    uint32_t want = version || !g ? version : g->top;
    uint32_t no = 0;
    if (g && record_at(r, g->last - 1)->version == want)
        no = g->last;
    for (uint32_t i = g && !no ? g->first : 0; i && !no;
         i = record_at(r, i - 1)->next[ORR_REGISTRY_NAME])
        if (record_at(r, i - 1)->version == want)
            no = i;
    if (no)
        view(r, record_at(r, no - 1), out);
    pthread_mutex_unlock(&r->lock);
    return no != 0;
}

bool orr_registry_walk(struct orr_registry *r, enum orr_registry_by by,
                       const char *key, size_t n, size_t *it,
                       struct orr_artifact *out)
{
    uint32_t no = 0;
    pthread_mutex_lock(&r->lock);
    if (*it) {
        no = record_at(r, *it - 1)->next[by];
    } else {
        const struct group *g = find_group(&r->by[by], key, n);
        no = g ? g->first : 0;
    }
    if (no) {
        view(r, record_at(r, no - 1), out);
        *it = no;
    }
    pthread_mutex_unlock(&r->lock);
    return no != 0;
}

void orr_registry_note_saved(struct orr_registry *r, size_t i, uint32_t version)
{
    pthread_mutex_lock(&r->lock);
    if (i < r->count)
        record_at(r, i)->saved = version;
    pthread_mutex_unlock(&r->lock);
}

size_t orr_registry_count(struct orr_registry *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = r->count;
    pthread_mutex_unlock(&r->lock);
    return n;
}

size_t orr_registry_bytes(struct orr_registry *r)
{
    pthread_mutex_lock(&r->lock);
    size_t n = sizeof *r + r->blocks_cap * sizeof *r->blocks + r->text.bytes +
               (r->count + BLOCK - 1) / BLOCK * BLOCK * sizeof(struct record) +
               orr_registry_table_bytes(&r->ids);
    for (int kind = 0; kind < KINDS; kind++)
        n += orr_registry_table_bytes(&r->by[kind].table) +
             r->by[kind].cap * sizeof(struct group);
    pthread_mutex_unlock(&r->lock);
    return n;
}
