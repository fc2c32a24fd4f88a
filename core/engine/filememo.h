/*
 * filememo: digests of files, remembered in an index by what stat says of them.
 *
 * Files are known by small integers, so that a plan of flat arrays can ask for
 * thousands at the price of a statx each. A remembered digest is believed when
 * device, inode, size, mtime and ctime are what they were, and when the file
 * was provably older than the moment its bytes were read: a file written in the
 * same tick of the clock, or "in the future" because the clock was set back, is
 * read again next time (git's racy rule). A symlink is its target:
 * the digest of "link:" and the target's text.
 *
 * Threads: one at a time; checking many files uses threads of its own.
 */
#ifndef ORR_ENGINE_FILEMEMO_H
#define ORR_ENGINE_FILEMEMO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/hash.h"
#include "engine/index.h"

struct orr_filememo;

enum orr_file_kind { ORR_FILE_REGULAR = 1, ORR_FILE_LINK = 2 };

/* What is remembered of a file; stored as it is. */
struct orr_filefact {
    uint64_t dev, ino, size;
    int64_t mtime, ctime; /* nanoseconds */
    int64_t seen;         /* when reading began; 0: not to be believed */
    uint32_t mode;        /* permission bits */
    uint32_t kind;        /* enum orr_file_kind */
    struct orr_digest digest;
};

/* Was the file older than the moment it was read, by more than the 'tick' of
 * the clock that stamps files, so that any later write shows in its times? And
 * has the clock not been set back since? File systems that keep whole seconds
 * get two of them. */
bool orr_filefact_settled(const struct orr_filefact *f, int64_t now,
                          int64_t tick);

/* Says of a file what stat says; the digest is not filled. 'flags' as for
 * statx. 0 or an errno: EISDIR, EINVAL: neither file nor link. */
int orr_filefact_look(int dirfd, const char *path, int flags,
                      struct orr_filefact *f);

/* Does stat say the same of both? */
bool orr_filefact_same(const struct orr_filefact *a,
                       const struct orr_filefact *b);

/* The clock that stamps files, in nanoseconds, and its tick. */
int64_t orr_file_now(void);
int64_t orr_file_tick(void);

/* A memo over 'ix', which must outlive it and is written only by checks and
 * forgets. Keys are "file:" and the path as given. */
struct orr_filememo *orr_filememo_new(struct orr_index *ix);
void orr_filememo_free(struct orr_filememo *m);

/* The clock that stamps files, in nanoseconds; for tests. NULL: the real one */
void orr_filememo_set_clock(struct orr_filememo *m, int64_t (*now)(void));

/* The number of a path, the same for the same text; numbers count from 0. */
uint32_t orr_filememo_id(struct orr_filememo *m, const char *path, size_t n);

/* Brings the files up to date: a statx each, reading those that changed, with
 * up to 'threads' threads (0: one per processor). 0 or ORR_ENOMEM; each file
 * has its own result. */
int orr_filememo_check(struct orr_filememo *m, const uint32_t *ids, size_t n,
                       unsigned threads);

/* What the last check found; NULL when the file cannot be had, for a reason
 * given as errno (ENOENT, EISDIR …) in '*sys' (may be NULL). Never checked:
 * NULL and 0. The fact is valid until the index is closed. */
const struct orr_filefact *orr_filememo_fact(const struct orr_filememo *m,
                                             uint32_t id, int *sys);

/* Checks one path: 0 and the fact, or a filled error. */
int orr_filememo_get(struct orr_filememo *m, const char *path, size_t n,
                     const struct orr_filefact **fact, struct orr_err *e);

/* Forgets what is known of a path. */
void orr_filememo_forget(struct orr_filememo *m, const char *path, size_t n);

/* How many paths have numbers, and the path of one (NUL-terminated, '*n' bytes;
 * valid until the memo is freed). */
size_t orr_filememo_count(const struct orr_filememo *m);
const char *orr_filememo_path(const struct orr_filememo *m, uint32_t id,
                              size_t *n);

/* Did a file not stay, as far as checks saw, what the first check of this memo
 * found, or was it forgotten after its check? Then what was concluded from the
 * checks need not hold together. */
bool orr_filememo_wavered(const struct orr_filememo *m, uint32_t id);

/* Was it checked, and not forgotten since? */
bool orr_filememo_checked(const struct orr_filememo *m, uint32_t id);

/* What the clock that stamps files says now. */
int64_t orr_filememo_now(const struct orr_filememo *m);

/* Files that had to be read since the memo was made. */
uint64_t orr_filememo_reads(const struct orr_filememo *m);

#endif
