/*
 * plan: what a run had seen of the file system, as flat arrays in one
 * checksummed blob, and what of it is not so any more.
 *
 *   header 40: "orrplan2" crc files dirs root strings 0
 *   files[]  : path, mode, kind, what a link leads to, digest, stat
 *   dirs[]   : path, stat, digest of the listing
 *   strings  : the root, then the paths, each with a NUL
 *
 * Records have numbers: files from 0, directories after them. An absent file
 * must stay absent. Looking costs a statx a record and tells apart what is
 * surely as it was from what is in doubt: changed, or changed so shortly before
 * it was read that a later change could show the same times (the racy rule of
 * filememo). Only what is in doubt is read again.
 * Threads: one at a time; looking uses threads of its own.
 */
#ifndef ORR_ENGINE_PLAN_H
#define ORR_ENGINE_PLAN_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "engine/filememo.h"

enum orr_plan_exec { ORR_PLAN_ANY, ORR_PLAN_PLAIN, ORR_PLAN_EXEC };

/* What was used of a file: it must still be so when it is encoded. */
struct orr_plan_want {
    struct orr_digest digest;
    bool there;              /* false: it must be absent */
    unsigned char as_input;  /* enum orr_plan_exec: the owner may execute it */
    unsigned char as_output; /* … anyone may */
};

/* Appends the blob of the files 'paths' (absolute, without repeats; they get
 * the numbers 0 … in this order), of all else that 'm' was asked since it was
 * made, and of 'dirs'. Paths inside 'root' are kept relative to it. Fails,
 * leaving 'out' as it was: ORR_EBUSY when a file is not what was wanted of it,
 * or one that nothing was wanted of changed while the memo was asked;
 * ORR_EINVAL when something is neither file, link nor absent (or no directory,
 * among 'dirs'); ORR_ENOMEM. */
int orr_plan_encode(struct orr_filememo *m, const char *root,
                    const struct orr_strs *paths,
                    const struct orr_plan_want *wants,
                    const struct orr_strs *dirs, struct orr_buf *out,
                    struct orr_err *e);

/* Puts the numbers in doubt, in order, into 'doubt' as uint32_t. 'now' and
 * 'tick' are the clock's that stamps files, read before. ORR_ECORRUPT: this is
 * no whole plan; ORR_ENOMEM. */
int orr_plan_look(const void *blob, size_t n, int64_t now, int64_t tick,
                  struct orr_buf *doubt, struct orr_err *e);

/* Of 'count' numbers puts those that are not what the plan says into 'other'.
 * A directory is its listing. */
int orr_plan_check(const void *blob, size_t n, struct orr_filememo *m,
                   const uint32_t *numbers, size_t count, struct orr_buf *other,
                   struct orr_err *e);

/* Appends the blob with the records of these numbers made anew, from files
 * that are what is wanted of them (NULL: what the plan says already), and
 * directories whose listing is what it was. With wants, all else that 'm' was
 * asked must be in the plan and so still. Errors as for encode. */
int orr_plan_patch(const void *blob, size_t n, struct orr_filememo *m,
                   const uint32_t *numbers, const struct orr_plan_want *wants,
                   size_t count, struct orr_buf *out, struct orr_err *e);

/* Appends the absolute path of a number. ORR_EINVAL: there is none such. */
int orr_plan_path(const void *blob, size_t n, uint32_t number,
                  struct orr_buf *out, struct orr_err *e);

#endif
