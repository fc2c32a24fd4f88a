/*
 * store: blobs and records that outlive runs, in one directory that several
 * processes share.
 *
 *   seg/<id>         what each process appends (segment.h): records, blobs up
 *                    to 16 KiB, deletions
 *   cas/ab/<digest>  larger blobs (cas.h)
 *   index            a shortcut for opening (catalogfile.h)
 *   lock             named locks (lock.h)
 *   tmp/             files on their way into place
 *
 * Each handle appends to a segment of its own, taken at the first write: one
 * whose process is gone, or a new one. What other processes wrote is looked for
 * on opening, then at most every ORR_STORE_REFRESH_NS when something is asked,
 * by orr_store_refresh, and after a lock was taken. Every record is verified
 * when used; a corrupt one is dropped and is a miss. Last use is known to the
 * day. Threads: a handle belongs to one thread at a time; several handles of
 * one process are like several processes. Not for the child of a fork.
 */
#ifndef ORR_ENGINE_STORE_H
#define ORR_ENGINE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/hash.h"

struct orr_store;

enum {
    ORR_STORE_INLINE_BLOB = 16 * 1024,
    ORR_STORE_INLINE_RECORD = 64 * 1024,
    ORR_STORE_REFRESH_NS = 10 * 1000 * 1000
};

struct orr_store_opts {
    uint64_t max_bytes;     /* kept by closing; 0: 10 GiB */
    uint64_t max_age;       /* nanoseconds unused; 0: 30 days */
    uint64_t (*wall)(void); /* clock; NULL: the real one */
    bool spare; /* the bounds of closing spare what this handle used and put */
};

/* Opens or makes the store. 'o' may be NULL. A damaged one opens as what is
 * whole in it; a directory that cannot be made or read is an error. */
int orr_store_open(const char *dir, const struct orr_store_opts *o,
                   struct orr_store **out, struct orr_err *e);

/* Begins to remove what expired, when something did, on a thread of its own and
 * through a handle of its own: it is of no use to anybody, so nobody waits.
 * Closing does. */
void orr_store_tidy(struct orr_store *s);

/* All that was stored is on the disk when this returns. */
int orr_store_sync(struct orr_store *s, struct orr_err *e);

/* Keeps the bounds, saves the index when that is worth it, frees. NULL is
 * fine. */
void orr_store_close(struct orr_store *s);

/* --- records -------------------------------------------------------------- */

struct orr_store_value {
    const unsigned char *bytes; /* borrowed until the next call */
    size_t n;
    uint64_t created, expires; /* wall nanoseconds; expires 0: never */
};

/* Finds a record. 0; ORR_ENOENT: there is none (or it expired, or was corrupt
 * and is now dropped). Other codes: the store cannot be read. */
int orr_store_get(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, struct orr_store_value *out,
                  struct orr_err *e);

/* Puts a record. 'space' has 1 to 255 bytes, 'key' under 64 KiB. 'ttl' in
 * nanoseconds, 0: for ever. */
int orr_store_put(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, const void *bytes, size_t n,
                  uint64_t ttl, struct orr_err *e);

/* Removes a record: 1, or 0 when there was none, or a negative code. */
int orr_store_del(struct orr_store *s, const char *space, size_t space_len,
                  const void *key, size_t key_len, struct orr_err *e);

/* Looks for what other processes wrote, now. */
int orr_store_refresh(struct orr_store *s, struct orr_err *e);

/* --- blobs ---------------------------------------------------------------- */

int orr_store_put_blob(struct orr_store *s, const void *bytes, size_t n,
                       struct orr_digest *d, struct orr_err *e);

/* Stores a regular file's contents; follows symlinks. */
int orr_store_put_file(struct orr_store *s, const char *path,
                       struct orr_digest *d, uint64_t *size, struct orr_err *e);

/* Appends the verified bytes to 'out'. ORR_ENOENT: not there, or corrupt and
 * now dropped. */
int orr_store_get_blob(struct orr_store *s, const struct orr_digest *d,
                       struct orr_buf *out, struct orr_err *e);

/* Says that a blob is in use, without looking for its file. */
void orr_store_touch(struct orr_store *s, const struct orr_digest *d);

bool orr_store_has_blob(struct orr_store *s, const struct orr_digest *d);

/* Writes the verified blob to root/rel with exactly 'mode' (restore.h). */
int orr_store_restore(struct orr_store *s, const struct orr_digest *d,
                      const char *root, const char *rel, mode_t mode,
                      struct orr_err *e);

/* One file of many to restore. */
struct orr_store_job {
    struct orr_digest digest;
    const char *rel; /* borrowed */
    mode_t mode;
    bool done; /* filled: it is in its place */
};

/* Restores many files with up to 'threads' threads (0: one per processor).
 * Those that are not done are worth a call of orr_store_restore each, which
 * tries harder and says what is wrong. */
void orr_store_restore_many(struct orr_store *s, const char *root,
                            struct orr_store_job *jobs, size_t n,
                            unsigned threads);

/* --- upkeep --------------------------------------------------------------- */

struct orr_store_stats {
    uint64_t records, blobs;
    uint64_t bytes; /* of what is alive, files included */
    size_t spaces;
    uint64_t oldest, newest; /* wall nanoseconds: nothing is older, newer; 0 */
};

struct orr_store_space {
    const char *name; /* borrowed until the next call; 'len' bytes */
    size_t len;
    uint64_t records, bytes;
    uint64_t hits, misses; /* of this handle */
};

/* In no time at any size. */
void orr_store_stats(const struct orr_store *s, struct orr_store_stats *out);

/* Space 'i' of the stats, from 0; names are never empty. */
void orr_store_space_stats(const struct orr_store *s, size_t i,
                           struct orr_store_space *out);

/* A record as one that looks through all of them sees it. */
struct orr_store_item {
    const char *space; /* borrowed until the next call, as key and bytes */
    size_t space_len;
    const unsigned char *key;
    size_t key_len;
    const unsigned char *bytes; /* NULL when 'far' */
    size_t n;
    struct orr_digest blob; /* of a far one: where its bytes are */
    bool far;
    uint64_t created, expires, size; /* size: what it takes on disk itself */
    uint16_t used_day;               /* days since 1970 */
};

/* The next record after '*cursor', which begins at 0: 1 and 'out', 0 at the
 * end, or a negative code. Looking is no use: no last-used day changes. */
int orr_store_next(struct orr_store *s, size_t *cursor,
                   struct orr_store_item *out, struct orr_err *e);

/* What a blob takes on disk; 0 when it is not here. */
uint64_t orr_store_blob_size(struct orr_store *s, const struct orr_digest *d);

struct orr_store_limits {
    uint64_t max_bytes; /* UINT64_MAX: any */
    uint64_t max_age;   /* nanoseconds unused; UINT64_MAX: any */
    bool expired;       /* remove expired records */
};

/* Removes expired, then long unused, then the least recently used entries, and
 * rewrites segments that became mostly dead and that nobody appends to. */
int orr_store_prune(struct orr_store *s, const struct orr_store_limits *l,
                    uint64_t *removed, uint64_t *bytes, struct orr_err *e);

/* Removes a space, or everything with its blobs when 'space' is NULL. */
int orr_store_clear(struct orr_store *s, const char *space, size_t n,
                    uint64_t *removed, struct orr_err *e);

struct orr_store_report {
    uint64_t checked; /* frames and files */
    uint64_t corrupt; /* of these, not what they say */
    uint64_t
        missing; /* files that are gone, by hand or in a race of two prunes */
};

/* Reads everything, checks every checksum and digest, drops what is corrupt or
 * missing; a second look finds nothing unless another process holds the
 * damaged segment. */
int orr_store_verify(struct orr_store *s, struct orr_store_report *out,
                     struct orr_err *e);

/* --- locks ---------------------------------------------------------------- */

/* Takes the lock 'name' without waiting; ORR_EBUSY: somebody holds it. The
 * next question sees what its last holder wrote. */
int orr_store_try_lock(struct orr_store *s, const char *name, size_t n,
                       uint64_t *place, struct orr_err *e);
void orr_store_unlock(struct orr_store *s, uint64_t place);

#endif
