/*
 * gitspawn: runs the git command and waits. By argv, never through a shell;
 * it takes no optional locks, runs no hooks and no file monitor, asks nobody
 * for a password, reads paths literally, and ignores GIT_DIR and its like.
 */
#ifndef ORR_ENGINE_GITSPAWN_H
#define ORR_ENGINE_GITSPAWN_H

#include "base/buf.h"
#include "base/err.h"

/* Runs "git -C <dir> <args…>" ('args' ends with NULL), appends its stdout to
 * 'out' and sets 'status' to its exit code. ORR_ENOENT: git is not installed.
 * When 'status' is not 0, 'e' holds git's own last words as ORR_EGIT, although
 * 0 is returned. */
int orr_gitspawn_run(const char *dir, const char *const *args,
                     struct orr_buf *out, int *status, struct orr_err *e);

#endif
