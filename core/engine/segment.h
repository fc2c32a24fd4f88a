/*
 * segment: append-only files of framed, checksummed records.
 *
 *   frame = header 48 | space | key | payload | zeros to a multiple of 8
 *
 *   0 magic    8 key len      16 stamp      40 crc of what follows the header
 *   4 version  12 payload len 24 created    44 crc of the header, seeded by
 *   5 type                    32 expires       the segment's id and the offset
 *   6 space len
 *
 * The seed makes a frame valid only where it was written, so segment bytes
 * inside a payload are never taken for frames. A header that fails its checksum
 * is skipped by searching for the next one that passes; a body that fails is
 * skipped likewise. A frame that ends beyond the file is being written (or was
 * torn by a kill): the scan stops before it. Integers are little-endian.
 *
 * One process at a time appends to a segment: it holds the file's lock, which
 * dies with it. Then another may adopt the segment: whatever incomplete bytes
 * are at its end are cut off and appending goes on.
 */
#ifndef ORR_ENGINE_SEGMENT_H
#define ORR_ENGINE_SEGMENT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"

enum orr_frame_type {
    ORR_FRAME_RECORD = 1,   /* payload is the value */
    ORR_FRAME_INDIRECT = 2, /* payload is the digest of a cas file */
    ORR_FRAME_BLOB = 3,     /* key is the digest of the payload */
    ORR_FRAME_CAS = 4,      /* key is a digest, payload the file's size (u64) */
    ORR_FRAME_DEL = 5,      /* key is the hash of a key that is gone */
    ORR_FRAME_CLEAR = 6     /* everything older in the space is gone */
};

enum {
    ORR_FRAME_HEADER = 48,
    ORR_FRAME_MAX_SPACE = 255,
    ORR_FRAME_MAX_KEY = 64 * 1024 - 1,
    ORR_FRAME_MAX_PAYLOAD = 64 * 1024,
    ORR_FRAME_MAX = ORR_FRAME_HEADER + ORR_FRAME_MAX_SPACE + ORR_FRAME_MAX_KEY +
                    ORR_FRAME_MAX_PAYLOAD + 7
};

struct orr_frame {
    enum orr_frame_type type;
    uint64_t stamp;   /* order of writing across processes */
    uint64_t created; /* wall clock, nanoseconds */
    uint64_t expires; /* wall clock, nanoseconds; 0: never */
    const void *space;
    size_t space_len;
    const void *key;
    size_t key_len;
    const void *payload;
    size_t payload_len;
    uint32_t size; /* of the whole frame; filled by encode and decode */
};

/* Appends the bytes of 'f' as they belong at offset 'off' of segment 'id'.
 * Fills f->size. 0, ORR_ENOMEM, or ORR_ELIMIT when a length is over its
 * maximum. */
int orr_frame_encode(struct orr_buf *out, struct orr_frame *f, uint64_t id,
                     uint64_t off);

/* Reads the frame at 'p', of which 'n' bytes are known. Pointers in 'f' borrow
 * from 'p'. 0: 'f' is filled and verified; 1: the frame needs f->size bytes;
 * ORR_ECORRUPT: there is no valid frame here. */
int orr_frame_decode(const unsigned char *p, size_t n, uint64_t id,
                     uint64_t off, struct orr_frame *f);

/* A segment this process appends to. Initialise with ORR_SEGMENT_INIT. */
struct orr_segment {
    int fd; /* locked */
    uint64_t id;
    uint64_t size; /* where the next frame goes */
};
#define ORR_SEGMENT_INIT                                                       \
    {                                                                          \
        .fd = -1                                                               \
    }

/* The file name of a segment: 16 hex digits and a NUL. */
void orr_segment_name(uint64_t id, char out[17]);

/* 1 and the id when 'name' is a segment's file name, else 0. */
int orr_segment_parse(const char *name, uint64_t *id);

/* Makes a new, empty, locked segment in the directory. */
int orr_segment_create(struct orr_segment *s, int dirfd, struct orr_err *e);

/* Takes over an existing segment whose writer is gone; s->size is the file's.
 * The caller scans what it does not know yet, then cuts it to what is whole.
 * ORR_EBUSY: it is in use, or was removed meanwhile. */
int orr_segment_adopt(struct orr_segment *s, int dirfd, uint64_t id,
                      struct orr_err *e);

/* Drops what is torn at the end of a locked segment. */
int orr_segment_cut(struct orr_segment *s, uint64_t size, struct orr_err *e);

/* Appends whole frames that were encoded for offset s->size. On failure the
 * file is cut back to what it was. */
int orr_segment_append(struct orr_segment *s, const void *bytes, size_t n,
                       struct orr_err *e);

/* Unlocks and closes. Idempotent. */
void orr_segment_fini(struct orr_segment *s);

/* Calls 'each' for every valid frame from offset 'from' on; 'each' returns 0
 * or a negative code that ends the scan. '*covered' gets where the next scan
 * has to begin; '*bad' (may be NULL) is increased by the number of places that
 * had to be skipped. */
typedef int orr_segment_each(void *ctx, const struct orr_frame *f,
                             uint64_t off);
int orr_segment_scan(int fd, uint64_t id, uint64_t from, orr_segment_each *each,
                     void *ctx, uint64_t *covered, uint64_t *bad,
                     struct orr_err *e);

#endif
