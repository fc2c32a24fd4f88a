/*
 * filecopy: the bytes of one open file into another, the cheapest way there
 * is: a shared extent (FICLONE), the kernel's copy, then plain reads and
 * writes. Threads: any; nothing is kept.
 */
#ifndef ORR_ENGINE_FILECOPY_H
#define ORR_ENGINE_FILECOPY_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "engine/hash.h"

/* Copies all of 'from' (read from its start) into 'to', an empty file at its
 * start and open for reading too. With 'digest' (may be NULL) the bytes that
 * arrived are hashed on the way: what 'digest' says is what 'to' holds. 'size'
 * (may be NULL) gets their number. 'what' names the file in messages. */
int orr_filecopy(int from, int to, const char *what, struct orr_digest *digest,
                 uint64_t *size, struct orr_err *e);

/* Hashes all of an open file, read from its start. */
int orr_filehash(int fd, const char *what, struct orr_digest *digest,
                 struct orr_err *e);

/* Writes all of 'n' bytes at the file's place. 0 or a filled error. */
int orr_write_all(int fd, const void *bytes, size_t n, const char *what,
                  struct orr_err *e);

#endif
