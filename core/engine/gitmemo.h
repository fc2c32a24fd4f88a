/*
 * gitmemo: diffs by key, kept until cleared. Past 64 MiB it forgets all and
 * starts again: a bound, where a better rule would not be noticed. Initialise
 * with {0}. Threads: one at a time.
 */
#ifndef ORR_ENGINE_GITMEMO_H
#define ORR_ENGINE_GITMEMO_H

#include "base/buf.h"
#include "base/map.h"
#include "engine/gitfiles.h"

struct orr_gitmemo {
    struct orr_map at;         /* key to number */
    struct orr_gitfiles **all; /* owned */
    size_t count, cap, bytes;
};

/* Borrowed until the next put or clear; NULL: not there. */
const struct orr_gitfiles *orr_gitmemo_get(const struct orr_gitmemo *m,
                                           const struct orr_buf *key);

/* Takes 'f' when it returns 0. 0 or ORR_ENOMEM. */
int orr_gitmemo_put(struct orr_gitmemo *m, const struct orr_buf *key,
                    struct orr_gitfiles *f);

/* Forgets all; the memo can be used again. */
void orr_gitmemo_clear(struct orr_gitmemo *m);

#endif
