/*
 * ignores: which ignore files apply where. A chain of files from the deepest
 * directory up to the top of the repository, then .git/info/exclude; the first
 * that says anything about a path decides, as in git. A user's global ignore
 * file is not read: results must not depend on who asks.
 * Threads: a chain belongs to one walk.
 */
#ifndef ORR_ENGINE_IGNORES_H
#define ORR_ENGINE_IGNORES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "engine/ignore.h"

struct orr_ignores {
    struct orr_ignores *up;   /* borrowed: the next to ask */
    struct orr_ignore *rules; /* owned */
    size_t base; /* length of its directory in paths from the top, with "/" */
};

/* Finds the repository around 'root' (an open directory) and reads the ignore
 * files above it. 'prefix' becomes the root's path from the top, with a "/"
 * unless empty; 'seen' gets the files looked for, there or not, relative to the
 * root; 'hidden' tells whether they hide the root itself. The chain is freed
 * with orr_ignores_free_all. */
int orr_ignores_open(int root, struct orr_ignores **out, struct orr_buf *prefix,
                     struct orr_strs *seen, bool *hidden, struct orr_err *e);

/* Reads dir/.gitignore, if there, in front of 'up'. 'base': see above. Sets
 * *out to 'up' when there is nothing to add; else to a new link, which is freed
 * with orr_ignores_free. A symlink is not read, as in git. */
int orr_ignores_push(int dir, const char *path, size_t base,
                     struct orr_ignores *up, struct orr_ignores **out,
                     struct orr_err *e);

/* Is this path from the top hidden? Its parents are not looked at. */
bool orr_ignores_hide(const struct orr_ignores *ig, const char *path, size_t n,
                      bool dir);

/* Frees one link; NULL is fine. */
void orr_ignores_free(struct orr_ignores *ig);

/* Frees a link and all above it. */
void orr_ignores_free_all(struct orr_ignores *ig);

#endif
