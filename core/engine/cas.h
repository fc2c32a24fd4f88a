/*
 * cas: content-addressed files, `cas/ab/<digest>`, for blobs too large for a
 * segment. A file appears whole, by rename from `tmp/`; whoever uses one checks
 * its digest, and a corrupt one is removed. Threads: any, the struct is only
 * read after orr_cas_init.
 */
#ifndef ORR_ENGINE_CAS_H
#define ORR_ENGINE_CAS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/hash.h"

struct orr_cas {
    int dirfd; /* borrowed; the store's directory */
};

/* Stores 'n' bytes whose digest the caller knows. */
int orr_cas_put(const struct orr_cas *c, const void *bytes, size_t n,
                const struct orr_digest *d, struct orr_err *e);

/* Stores what an open file holds, read from its start; reflink where possible.
 * Fills digest and size. 'what' names it in messages. */
int orr_cas_put_fd(const struct orr_cas *c, int fd, const char *what,
                   struct orr_digest *d, uint64_t *size, struct orr_err *e);

/* Is the file there? Its size in '*size' (may be NULL). Not verified. */
bool orr_cas_has(const struct orr_cas *c, const struct orr_digest *d,
                 uint64_t *size);

/* Appends the verified bytes to 'out'. ORR_ENOENT: not there; ORR_ECORRUPT: it
 * was not what it says, and was removed. */
int orr_cas_get(const struct orr_cas *c, const struct orr_digest *d,
                struct orr_buf *out, struct orr_err *e);

/* Copies the verified bytes into the empty file 'to'. Results as above; what
 * was written is of no use when it fails. */
int orr_cas_copy(const struct orr_cas *c, const struct orr_digest *d, int to,
                 struct orr_err *e);

/* Reads the file and compares. Results as above. */
int orr_cas_check(const struct orr_cas *c, const struct orr_digest *d,
                  struct orr_err *e);

/* Removes the file; nothing there is fine. */
void orr_cas_del(const struct orr_cas *c, const struct orr_digest *d);

/* Calls 'each' for every file that is named like a digest. 'each' returns 0 or
 * a negative code that ends the walk. */
typedef int orr_cas_each(void *ctx, const struct orr_digest *d, uint64_t size);
int orr_cas_walk(const struct orr_cas *c, orr_cas_each *each, void *ctx);

#endif
