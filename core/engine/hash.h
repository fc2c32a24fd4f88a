/*
 * hash: SHA-256 of bytes, of files, and of many files at once.
 *
 * Digests are plain values, copied freely. No function keeps a pointer after it
 * returned. Threads: everything here may be called from any thread; one hasher
 * belongs to one thread at a time.
 */
#ifndef ORR_ENGINE_HASH_H
#define ORR_ENGINE_HASH_H

#include <stddef.h>
#include <stdint.h>

#include <openssl/sha.h>

#include "base/err.h"

enum { ORR_DIGEST_HEX = 64 /* hex digits of a digest */ };

struct orr_digest {
    unsigned char bytes[32];
};

/* A running SHA-256; needs no fini. */
struct orr_hasher {
    SHA256_CTX ctx;
};

void orr_hasher_init(struct orr_hasher *h);
void orr_hasher_put(struct orr_hasher *h, const void *bytes, size_t n);

/* Fills 'out'. The hasher itself goes on: more bytes may follow. */
void orr_hasher_get(const struct orr_hasher *h, struct orr_digest *out);

/* Hashes 'n' bytes; 'bytes' may be NULL when n is 0. */
void orr_hash_bytes(const void *bytes, size_t n, struct orr_digest *out);

/* Hashes the contents of a regular file, following symlinks; 'size' (may be
 * NULL) gets the number of bytes hashed. Anything else (directory, device,
 * pipe) is refused with ORR_EINVAL, for it has no contents that stay. */
int orr_hash_file(const char *path, struct orr_digest *out, uint64_t *size,
                  struct orr_err *e);

/* One file of many. 'path' is borrowed; the rest is filled. */
struct orr_hash_job {
    const char *path;
    struct orr_digest digest; /* valid when rc is 0 */
    uint64_t size;
    int rc;  /* 0 or ORR_E* */
    int sys; /* errno, or 0 */
};

/* Says why a job failed; only for jobs whose rc is not 0. */
void orr_hash_job_error(const struct orr_hash_job *job, struct orr_err *e);

/* Hashes 'n' files with up to 'threads' threads (the caller is one of them;
 * 0: one per processor). Each job has its own result; never fails as a whole:
 * when no thread can be made the caller does it all. */
void orr_hash_files(struct orr_hash_job *jobs, size_t n, unsigned threads);

/* Writes 64 lower-case hex digits and a NUL. */
void orr_digest_hex(const struct orr_digest *d, char out[65]);

/* Reads exactly 64 hex digits, either case. 0 or ORR_EINVAL; 'd' is written
 * only on success. */
int orr_digest_parse(const char *hex, size_t n, struct orr_digest *d);

#endif
