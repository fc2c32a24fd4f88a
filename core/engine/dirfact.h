/*
 * dirfact: what is remembered of a directory: its stat and a digest of its
 * listing, the names and types of its entries.
 *
 * When the stat is the same and the directory was provably older than the
 * moment it was listed (the racy rule of filememo), it is not listed again.
 */
#ifndef ORR_ENGINE_DIRFACT_H
#define ORR_ENGINE_DIRFACT_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/hash.h"

struct orr_dirfact {
    uint64_t dev, ino;    /* both 0: it is not there */
    int64_t mtime, ctime; /* nanoseconds */
    int64_t seen;         /* when it was listed */
    struct orr_digest listing;
};

/* Stats and lists 'path'; 'now' is the clock before. 0 or an errno (ENOTDIR:
 * something else is there); what is not there is a fact too. */
int orr_dirfact_get(const char *path, int64_t now, struct orr_dirfact *out);

/* Is the listing what 'f' says, by the stat alone? */
bool orr_dirfact_holds(const char *path, const struct orr_dirfact *f,
                       int64_t now, int64_t tick);

#endif
