/* index_priv: what index.c (the table) and indexfile.c (the file) share. */
#ifndef ORR_ENGINE_INDEX_PRIV_H
#define ORR_ENGINE_INDEX_PRIV_H

#include "engine/index.h"

enum { ORR_IREC_DELETED = 1 };

struct orr_irec { /* then the key, then the value */
    uint32_t hash, klen, vlen, flags;
};

struct orr_islot {
    uint32_t hash;
    uint32_t pending; /* not yet in the file */
    const struct orr_irec *rec;
};

struct orr_iblock { /* then the bytes */
    struct orr_iblock *next;
    uint64_t align;
};

struct orr_index {
    char *path; /* owned */
    struct orr_islot *slots;
    size_t cap, used;     /* used: slots with a record */
    size_t live, pending; /* keys that are there; changes not in the file */
    struct orr_iblock *blocks; /* owned; all record bytes */
    unsigned char *next;       /* free bytes of the newest small block */
    size_t room;
    /* the file these records are from */
    uint64_t salt;     /* in its header; 0: there is none that is sound */
    uint64_t snapshot; /* bytes up to the end of its snapshot */
    uint64_t known;    /* bytes taken in */
};

static inline size_t orr_pad8(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

const unsigned char *orr_irec_value(const struct orr_irec *r);
size_t orr_irec_size(const struct orr_irec *r);

/* Makes the table large enough for 'keys' keys in all. 0 or ORR_ENOMEM. */
int orr_index_reserve(struct orr_index *ix, size_t keys);

/* Takes a record into the table, which keeps the pointer. One from the file
 * does not replace a pending one. 0 or ORR_ENOMEM. */
int orr_index_apply(struct orr_index *ix, const struct orr_irec *r,
                    bool pending);

/* Bytes that live as long as the index; aligned to 16. NULL: no memory. */
void *orr_index_block(struct orr_index *ix, size_t size);

/* Takes in the file as it is. Unsound: nothing. 0 or ORR_ENOMEM. */
int orr_indexfile_load(struct orr_index *ix, struct orr_err *e);

#endif
