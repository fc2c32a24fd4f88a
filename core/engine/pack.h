/*
 * pack: canonical bytes of plain values. One value has exactly one encoding, so
 * the bytes are at once the message between states, the payload of the memo and
 * the preimage of digests. Knows no Lua.
 *
 *   text  := version value              version is one byte, ORR_PACK_VERSION
 *   value := tag payload
 *     nil false true null empty-array   no payload; nil only as the whole text
 *     int       zigzag, then base-128 little-endian groups, shortest form
 *     double    8 bytes, little-endian IEEE 754; one NaN; -0.0 is not 0.0
 *     str       length, bytes           any bytes, NUL too
 *     seq       count >= 1, values
 *     map       count >= 0, (key, value)…  keys are int or str, ascending: ints
 *               by value, then strs by bytes; never exactly 1…count (a seq)
 *
 * An integer and a double are never the same bytes, even 1 and 1.0. Lengths and
 * counts are base-128 groups in shortest form. Containers nest to
 * ORR_PACK_DEPTH.
 */
#ifndef ORR_ENGINE_PACK_H
#define ORR_ENGINE_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/err.h"
#include "engine/entries.h"

enum {
    ORR_PACK_VERSION = 1,
    ORR_PACK_DEPTH = 100 /* containers inside each other */
};

/* The tags, which are also what the reader tells. Stored: never renumber. */
enum orr_pack_kind {
    ORR_PACK_NIL,
    ORR_PACK_FALSE,
    ORR_PACK_TRUE,
    ORR_PACK_NULL,
    ORR_PACK_INT,
    ORR_PACK_DOUBLE,
    ORR_PACK_STR,
    ORR_PACK_EMPTY, /* the empty array */
    ORR_PACK_SEQ,
    ORR_PACK_MAP
};

/* --- writing: 0 or ORR_ENOMEM. The caller keeps the grammar. -------------- */

/* The version byte; first in every text. */
int orr_pack_open(struct orr_buf *b);

/* nil, false, true, null: a kind without payload. */
int orr_pack_word(struct orr_buf *b, enum orr_pack_kind kind);
int orr_pack_int(struct orr_buf *b, int64_t i);
int orr_pack_double(struct orr_buf *b, double d);
int orr_pack_str(struct orr_buf *b, const void *s, size_t n);

/* Begins a sequence of 'count' values, which must follow; 0 is the empty
 * array. Nothing ends it. */
int orr_pack_seq(struct orr_buf *b, size_t count);

/* A map being written. Keys come in any order; the end sorts them. */
struct orr_pack_map {
    size_t at;    /* its first key's offset */
    size_t first; /* its first entry */
};

/* Between begin and end: a key, its value, a key, its value… All calls get the
 * same 'es'. The end returns ORR_EINVAL for equal keys, and for the keys
 * 1…count, which are a sequence. */
int orr_pack_map_begin(struct orr_buf *b, struct orr_entries *es,
                       struct orr_pack_map *m);
int orr_pack_key_int(struct orr_buf *b, struct orr_entries *es, int64_t i);
int orr_pack_key_str(struct orr_buf *b, struct orr_entries *es, const void *s,
                     size_t n);
int orr_pack_map_end(struct orr_buf *b, struct orr_entries *es,
                     const struct orr_pack_map *m);

/* --- reading -------------------------------------------------------------- */

struct orr_pack_item {
    enum orr_pack_kind kind;
    int64_t i;              /* int */
    double d;               /* double */
    const unsigned char *s; /* str; borrowed from the text */
    size_t n;               /* str: bytes; seq: values; map: pairs; else 0 */
};

struct orr_unpack_frame {
    size_t left;  /* values, or pairs, still to begin */
    size_t count; /* in all */
    int map, want_key;
    int seen; /* 'last' holds the previous key */
    int starts_at_one;
    struct orr_pack_item last;
};

/* A strict reader: what it accepts is exactly what the writer writes. Never
 * reads outside the text, never believes a count the text is too short for. */
struct orr_unpack {
    const unsigned char *start, *p, *end; /* borrowed */
    unsigned depth;                       /* open containers */
    int begun;                            /* the root was read */
    struct orr_unpack_frame frames[ORR_PACK_DEPTH];
};

/* Begins. 0 or ORR_ECORRUPT: no text, or another version. */
int orr_unpack_open(struct orr_unpack *r, const void *bytes, size_t n,
                    struct orr_err *e);

/* The next item: a value, or inside a map by turns a key and its value. After a
 * seq or map item come its contents. 0 or ORR_ECORRUPT, also past the end. */
int orr_unpack_next(struct orr_unpack *r, struct orr_pack_item *item,
                    struct orr_err *e);

/* True when the root value was read whole. */
int orr_unpack_done(const struct orr_unpack *r);

/* 0 when done and no byte is left, else ORR_ECORRUPT. */
int orr_unpack_close(const struct orr_unpack *r, struct orr_err *e);

/* Reads all of a text: 0 when it is canonical, else ORR_ECORRUPT. */
int orr_pack_check(const void *bytes, size_t n, struct orr_err *e);

#endif
