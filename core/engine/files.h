/*
 * files: whole-file operations on the file system: read, replace, list, copy,
 * remove. Paths are NUL-terminated and borrowed. Unless a contract says
 * otherwise nothing follows a symlink in the last component, no file descriptor
 * survives a call or an exec, and a failure leaves the target as it was.
 * Threads: reentrant.
 */
#ifndef ORR_ENGINE_FILES_H
#define ORR_ENGINE_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/strs.h"

/* Appends at most 'limit' bytes of the file to 'out'; follows symlinks. */
int orr_files_read(const char *path, size_t limit, struct orr_buf *out,
                   struct orr_err *e);

/* Replaces the file in one step: a temporary file beside it, then rename. A
 * symlink at 'path' is replaced, not followed. mode < 0: the old file's mode,
 * else 0666 minus umask. 'sync': the bytes and the name survive power loss. */
int orr_files_write(const char *path, const void *bytes, size_t n, int mode,
                    bool sync, struct orr_err *e);

/* Appends, creating the file; follows symlinks. With 'sync' the bytes are on
 * the disk when it returns. */
int orr_files_append(const char *path, const void *bytes, size_t n, bool sync,
                     struct orr_err *e);

/* Adds the names in a directory, sorted by bytes, without "." and "..". */
int orr_files_list(const char *dir, struct orr_strs *names, struct orr_err *e);

/* Makes a directory and its parents; existing directories are fine. */
int orr_files_mkdir(const char *path, struct orr_err *e);

/* Removes a file, a symlink or an empty directory. */
int orr_files_remove(const char *path, struct orr_err *e);

/* Removes a file, a symlink or a directory with all it holds, never through a
 * symlink, whatever its depth; nothing there is fine. */
int orr_files_remove_tree(const char *path, struct orr_err *e);

/* Copies a regular file (reflink where possible) or a symlink (as a symlink),
 * with its mode, replacing 'to' in one step. */
int orr_files_copy(const char *from, const char *to, struct orr_err *e);

/* Makes the missing parent directories of root/rel. ORR_EUNSAFE when 'rel' is
 * absolute, leaves the root, or passes a symlink that does. */
int orr_files_safe_parent(const char *root, const char *rel, struct orr_err *e);

#endif
