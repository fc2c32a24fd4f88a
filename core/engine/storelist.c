/* storelist: records one after the other, for people who look. */
#include <string.h>

#include "engine/store_priv.h"

/* Reading one that is damaged drops it, as any use does. */
static int fill(struct orr_store *s, size_t i, struct orr_store_item *out,
                struct orr_err *e)
{
    struct orr_frame f;
    struct orr_entry t = s->cat.entries[i];
    const struct orr_space *sp = &s->cat.spaces[t.space];
    int rc = orr_store_read(s, &t, &f, e);
    if (rc == ORR_ECORRUPT)
        orr_store_discard(s, i);
    if (rc < 0)
        return rc;
    *out = (struct orr_store_item){.space = sp->name,
                                   .space_len = sp->len,
                                   .key = f.key,
                                   .key_len = f.key_len,
                                   .created = f.created,
                                   .expires = f.expires,
                                   .used_day = s->cat.days[i],
                                   .size = orr_entry_bytes(&t)};
    if (f.type == ORR_FRAME_RECORD) {
        out->bytes = f.payload;
        out->n = f.payload_len;
    } else if (f.type == ORR_FRAME_INDIRECT &&
               f.payload_len == sizeof out->blob.bytes) {
        memcpy(out->blob.bytes, f.payload, sizeof out->blob.bytes);
        out->far = true;
    }
    return 0;
}

int orr_store_next(struct orr_store *s, size_t *cursor,
                   struct orr_store_item *out, struct orr_err *e)
{
    uint64_t now = s->wall();
    while (*cursor < s->cat.count) {
        size_t i = (*cursor)++;
        const struct orr_entry *t = &s->cat.entries[i];
        if (!orr_entry_live(t) || t->space == ORR_SPACE_BLOBS ||
            (t->expires && t->expires <= now))
            continue;
        int rc = fill(s, i, out, e);
        if (!rc)
            return 1;
        if (rc == ORR_ENOMEM)
            return rc;
    }
    return 0;
}

uint64_t orr_store_blob_size(struct orr_store *s, const struct orr_digest *d)
{
    ptrdiff_t i = orr_store_find_blob(s, d);
    return i < 0 ? 0 : orr_entry_bytes(&s->cat.entries[i]);
}
