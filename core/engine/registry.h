/*
 * registry: the artifacts of a run: named outputs, found by id, name, type and
 * step in constant time, walked in the order they were added. Append-only.
 *
 * Ownership: everything given is copied; everything handed out is borrowed and
 * stays valid, at the same address, until orr_registry_free.
 * Threads: any thread may call anything but free at any time; a walk sees what
 * was added before each of its steps.
 */
#ifndef ORR_ENGINE_REGISTRY_H
#define ORR_ENGINE_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* Bytes with a length; p may be NULL when n is 0. */
struct orr_span {
    const char *p;
    size_t n;
};

/* One artifact, as given and as handed out. Empty spans are absent fields. */
struct orr_artifact {
    struct orr_span id;   /* given empty: "<name>@v<version>" */
    struct orr_span name; /* never empty */
    struct orr_span type, step, path, digest;
    struct orr_span meta; /* opaque bytes */
    int64_t size;         /* -1: unknown */
    uint32_t version;     /* given 0: one more than the highest of the name */
    uint32_t saved;       /* its version in the file it was saved to; 0: none */
};

enum orr_registry_by {
    ORR_REGISTRY_NAME,
    ORR_REGISTRY_TYPE,
    ORR_REGISTRY_STEP
};

struct orr_registry;

struct orr_registry *orr_registry_new(void);
void orr_registry_free(struct orr_registry *r);

/* Adds; fills 'out' (may be NULL) with what was stored. ORR_EINVAL: no name, or
 * the id is taken; ORR_ELIMIT: 2^32 artifacts, or a field over 4 GiB. */
int orr_registry_add(struct orr_registry *r, const struct orr_artifact *in,
                     struct orr_artifact *out, struct orr_err *e);

/* Finds by id. */
bool orr_registry_get(struct orr_registry *r, const char *id, size_t n,
                      struct orr_artifact *out);

/* Is there such an id? 'no' (may be NULL) gets its number, as for at. */
bool orr_registry_has(struct orr_registry *r, const char *id, size_t n,
                      size_t *no);

/* The i-th in insertion order, from 0. */
bool orr_registry_at(struct orr_registry *r, size_t i,
                     struct orr_artifact *out);

/* The newest of a name (version 0), or that version of it. Finding an older
 * version walks the versions of the name. */
bool orr_registry_by_name(struct orr_registry *r, const char *name, size_t n,
                          uint32_t version, struct orr_artifact *out);

/* Walks what shares a name, type or step, in insertion order: start with
 * *it = 0; true fills 'out', false is the end. */
bool orr_registry_walk(struct orr_registry *r, enum orr_registry_by by,
                       const char *key, size_t n, size_t *it,
                       struct orr_artifact *out);

/* Notes the version under which a file has the i-th. */
void orr_registry_note_saved(struct orr_registry *r, size_t i,
                             uint32_t version);

size_t orr_registry_count(struct orr_registry *r);

/* Bytes of memory held, texts included. */
size_t orr_registry_bytes(struct orr_registry *r);

#endif
