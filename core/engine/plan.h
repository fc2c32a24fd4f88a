/*
 * plan: what a run that found everything clean had seen of the file system, as
 * flat arrays in one checksummed blob, and whether all of it is so still.
 *
 *   header 32: "orrplan1" crc files dirs root strings 0
 *   files[]  : path, mode, kind, what a link leads to, digest
 *   dirs[]   : path, device, inode, mtime, ctime, when it was looked at
 *   strings  : the root, then the paths
 *
 * Files are those that a filememo was asked about; an absent one must stay
 * absent. A directory is its stat: when it changed so shortly before it was
 * looked at that a later change could show the same times, there is no plan
 * (the racy rule of filememo). Whoever adds a directory lists it after the
 * encoding and compares with what it had used.
 * Threads: one at a time; checking uses threads of its own.
 */
#ifndef ORR_ENGINE_PLAN_H
#define ORR_ENGINE_PLAN_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"
#include "engine/filememo.h"

/* Appends the blob of all that 'm' was asked since it was made, and of 'dirs'.
 * Paths inside 'root' (absolute) are kept relative to it. Fails, leaving 'out'
 * as it was: ORR_EBUSY when something changed a moment ago or while the memo
 * was asked, ORR_EINVAL when something is neither file, link nor absent (or no
 * directory, among 'dirs'), ORR_ENOMEM. */
int orr_plan_encode(const struct orr_filememo *m, const char *root,
                    const struct orr_strs *dirs, struct orr_buf *out,
                    struct orr_err *e);

/* Is everything as it was? 1; 0, and 'why' names the first that is not;
 * ORR_ECORRUPT: this is no whole plan; ORR_ENOMEM. */
int orr_plan_check(const void *blob, size_t n, struct orr_filememo *m,
                   struct orr_buf *why, struct orr_err *e);

#endif
