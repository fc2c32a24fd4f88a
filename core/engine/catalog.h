/*
 * catalog: what a store knows by heart: for every key the newest frame, and
 * where it is. It can always be made again by scanning the segments; the file
 * `index` only saves that.
 *
 *   slots: [.] [3] [.] [0] …            hash → number of an entry
 *   entries: [hash stamp seg off …] …   48 bytes each; days beside them
 *   segs: [id covered live oldest] …    spaces: [name counters cleared] …
 *
 * A deletion is an entry too (type DEL), for a frame it deletes may still be
 * lying in a segment nobody has scanned. Space 0 (the empty name) is the
 * blobs. Threads: none; the store owns it.
 */
#ifndef ORR_ENGINE_CATALOG_H
#define ORR_ENGINE_CATALOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/map.h"
#include "engine/segment.h"

enum { ORR_KEY_HASH = 16, ORR_SPACE_BLOBS = 0 };

struct orr_entry {
    unsigned char hash[ORR_KEY_HASH]; /* of space and key; digest's first 16 */
    uint64_t stamp;
    uint64_t expires; /* 0: never; of a CAS entry: bytes of its file */
    uint32_t seg;     /* number in segs */
    uint32_t off;     /* in units of 8 bytes */
    uint32_t size;    /* of the frame */
    uint16_t space;   /* number in spaces */
    uint8_t type;     /* enum orr_frame_type; 0: free */
    uint8_t used;     /* by this handle; of no meaning on disk */
};

struct orr_seg {
    uint64_t id;
    uint64_t covered; /* scanned up to here */
    uint64_t live;    /* bytes of frames that are the newest of their key */
    uint64_t oldest;  /* least stamp of any frame in it */
    int fd;           /* for reading, opened on demand; -1 */
    bool gone;        /* the file was removed */
    bool doomed;      /* being compacted: nothing is to be appended to it */
    bool seen;        /* mark of a directory listing */
};

struct orr_space {
    char *name; /* owned */
    uint16_t len;
    uint64_t records, bytes;
    uint64_t hits, misses; /* of this process */
    uint64_t cleared;      /* frames older than this stamp are dead */
    uint32_t clear_seg;    /* where the frame that says so lies */
};

struct orr_catalog {
    struct orr_entry *entries; /* owned; some may be free */
    uint16_t *days;            /* owned; day of last use of each entry */
    size_t count, cap;
    uint32_t *slots; /* owned; 0 empty, else number + 1 */
    size_t slot_cap, slot_used;
    struct orr_seg *segs; /* owned */
    size_t nsegs;
    struct orr_space *spaces; /* owned */
    size_t nspaces;
    struct orr_map space_ids;
    uint64_t last_stamp;
    uint64_t records, blobs, bytes; /* live totals; bytes with cas files */
    uint64_t next_expiry; /* no record expires before this; UINT64_MAX: none */
    uint32_t pruned_day;  /* when old entries were last looked for */
    bool ours; /* the frames that are applied now are this handle's */
    /* about the file `index` this was loaded from */
    size_t loaded;        /* entries in it; their order is that of entries */
    uint64_t loaded_days; /* where its days begin */
    uint32_t loaded_crc;  /* of its header, by which it is known again */
    uint64_t fresh;       /* frames applied since */
    size_t stamp_lo, stamp_hi; /* loaded entries whose day changed */
};

/* An empty catalog with the space of blobs. */
void orr_catalog_init(struct orr_catalog *c);
void orr_catalog_fini(struct orr_catalog *c);

/* The hash of a key. In space 0 the key is a digest and its own hash. */
void orr_catalog_hash(const void *space, size_t space_len, const void *key,
                      size_t key_len, unsigned char out[ORR_KEY_HASH]);

/* Number of the entry of a key, deletions included; -1 when unknown. */
ptrdiff_t orr_catalog_find(const struct orr_catalog *c,
                           const unsigned char hash[ORR_KEY_HASH]);

/* Number of a space. Unknown names: -1, or made when 'make' (then -1 only when
 * there are too many or memory ran out). */
int orr_catalog_space(struct orr_catalog *c, const void *name, size_t n,
                      bool make);

/* Number of the segment 'id', added when unknown; -1: no memory. */
ptrdiff_t orr_catalog_seg(struct orr_catalog *c, uint64_t id);

/* The key of a DEL frame is the 16 bytes of the hash it deletes.
 * Takes in one frame seen at 'off' of segment 'seg'; older news than what is
 * known changes nothing. 0 or ORR_ENOMEM. */
int orr_catalog_apply(struct orr_catalog *c, size_t seg,
                      const struct orr_frame *f, uint64_t off);

/* Forgets one entry, without leaving a deletion. */
void orr_catalog_drop(struct orr_catalog *c, size_t entry);

/* Forgets every entry that lies in a segment, and how far it was scanned. */
void orr_catalog_drop_seg(struct orr_catalog *c, size_t seg);

/* Notes that this handle used an entry, on 'day'. */
void orr_catalog_use(struct orr_catalog *c, size_t entry, uint16_t day);

/* True for entries that hold something: records and blobs. */
bool orr_entry_live(const struct orr_entry *t);

/* Bytes an entry stands for, its cas file included. */
uint64_t orr_entry_bytes(const struct orr_entry *t);

/* Reserves room for 'n' entries in all. 0 or ORR_ENOMEM. */
int orr_catalog_reserve(struct orr_catalog *c, size_t n);

/* Makes slots and counters from entries; used after loading. */
int orr_catalog_rebuild(struct orr_catalog *c);

#endif
