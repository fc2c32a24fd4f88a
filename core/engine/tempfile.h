/* tempfile: files that will be renamed into their place. Threads: any. */
#ifndef ORR_ENGINE_TEMPFILE_H
#define ORR_ENGINE_TEMPFILE_H

#include <stdint.h>

#include "base/err.h"

enum { ORR_TEMPFILE_NAME = 40 };

/* Creates a file of a fresh name ("<prefix><16 hex digits>", prefix up to 20
 * characters) in the directory, mode 0600, open for reading and writing. The
 * descriptor or a negative ORR_E*; then 'name' is "". */
int orr_tempfile_open(int dirfd, const char *prefix,
                      char name[ORR_TEMPFILE_NAME], struct orr_err *e);

/* The same for a directory, mode 0700. 0 or a negative ORR_E*. */
int orr_tempfile_mkdir(int dirfd, const char *prefix,
                       char name[ORR_TEMPFILE_NAME], struct orr_err *e);

/* Removes files of the directory that were last written before 'before'
 * (seconds since 1970): left by processes that were killed. */
void orr_tempfile_sweep(int dirfd, int64_t before);

#endif
