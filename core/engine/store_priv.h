/*
 * store_priv: what the parts of store share: store.c (opening, seeing),
 * storerecord.c, storeblob.c, storerestore.c, storesweep.c (prune, clear),
 * storecompact.c, storecheck.c (verify), storelist.c. Private to them.
 */
#ifndef ORR_ENGINE_STORE_PRIV_H
#define ORR_ENGINE_STORE_PRIV_H

#include "engine/cas.h"
#include "engine/catalog.h"
#include "engine/lock.h"
#include "engine/recall.h"
#include "engine/restore.h"
#include "engine/segment.h"
#include "engine/store.h"

struct orr_store {
    char *dir; /* owned; for messages */
    int dirfd, segfd;
    struct orr_catalog cat;
    struct orr_segment seg; /* what this handle appends to, if anything */
    struct orr_cas cas;
    struct orr_locks locks;
    struct orr_buf batch;     /* frames encoded for the end of 'seg' */
    struct orr_buf read;      /* the last frame or value read */
    struct orr_recall recall; /* values read more than once */
    uint64_t next_refresh;
    uint64_t listed; /* when its directory of segments had last changed; 0 */
    uint64_t max_bytes, max_age;
    uint64_t (*wall)(void);
    bool wrote;
    bool spare;   /* closing is to spare what this handle used */
    bool sparing; /* this prune is the closing one */
    struct orr_keeper *keeper;
    /* where was restored last: a run restores to one root */
    struct orr_restore_root root;
    char *root_path; /* owned */
    dev_t root_dev;
    ino_t root_ino;
};

enum { ORR_DAY_S = 86400 };

/* Waits for the thread of orr_store_tidy; NULL is fine. */
struct orr_keeper;
void orr_keeper_join(struct orr_keeper *k);

/* Today, in days since 1970. */
uint16_t orr_store_today(const struct orr_store *s);

/* The descriptor for reading a segment, or -1 and errno. */
int orr_store_seg_fd(struct orr_store *s, size_t seg);

/* Opens s->root to restore under: at most once for as long as the path means
 * the same directory. */
int orr_store_root(struct orr_store *s, const char *path, struct orr_err *e);

/* Removes what is over the bounds: by size when over it, by age once a day. */
void orr_store_keep_bounds(struct orr_store *s);

/* Adds a frame to the batch, taking a segment first if there is none. A stamp
 * of 0 is replaced by the next one, a creation of 0 by now. */
int orr_store_batch(struct orr_store *s, struct orr_frame *f,
                    struct orr_err *e);

/* Appends the batch in one write and takes it into the catalog. */
int orr_store_commit(struct orr_store *s, struct orr_err *e);

/* Reads and verifies the frame of an entry into s->read, for the key with that
 * hash. ORR_ENOENT: its segment is gone; ORR_ECORRUPT. */
int orr_store_read(struct orr_store *s, const struct orr_entry *t,
                   struct orr_frame *f, struct orr_err *e);

/* The entry of a blob, or -1. */
ptrdiff_t orr_store_find_blob(struct orr_store *s, const struct orr_digest *d);

/* Marks an entry deleted, on disk too if that can be done; its cas file is
 * removed. */
void orr_store_discard(struct orr_store *s, size_t entry);

/* The live, unexpired entry of a hash, after looking for news if none is known
 * or it is time; -1. */
ptrdiff_t orr_store_find(struct orr_store *s, const unsigned char *hash);

/* Scans what is new in one segment; its file was 'size' bytes long. */
int orr_store_scan(struct orr_store *s, size_t seg, uint64_t size,
                   struct orr_err *e);

/* Rewrites and removes segments that are mostly dead, or 'forced' (one flag a
 * segment, may be NULL). */
int orr_store_compact(struct orr_store *s, const bool *forced, size_t nforced,
                      struct orr_err *e);

#endif
