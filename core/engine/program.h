/* program: which file a command's name means. */
#ifndef ORR_ENGINE_PROGRAM_H
#define ORR_ENGINE_PROGRAM_H

#include "base/buf.h"
#include "base/err.h"

/* Appends, NUL-terminated, the file to execute from 'cwd' (NULL: here) for
 * 'name': name itself when it has a slash, else the first executable regular
 * file of that name on 'path' (NULL: the system's default), whose relative
 * entries are taken from cwd. 0; ORR_ENOENT; ORR_ESYS with EACCES when there
 * are only files that may not be executed. Messages begin "cannot run 'name'".
 */
int orr_program_find(const char *name, const char *path, const char *cwd,
                     struct orr_buf *out, struct orr_err *e);

/* Appends the same file as an absolute path in normal form, NUL-terminated. 0,
 * or as above without a message. */
int orr_program_absolute(const char *name, const char *path, const char *cwd,
                         struct orr_buf *out);

#endif
