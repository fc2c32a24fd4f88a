/* gitmemo: a map to an array. */
#include "engine/gitmemo.h"

#include <stdlib.h>

#include "base/err.h"

enum { MOST_BYTES = 64 << 20 };

const struct orr_gitfiles *orr_gitmemo_get(const struct orr_gitmemo *m,
                                           const struct orr_buf *key)
{
    const uint64_t *no = orr_map_get(&m->at, key->data, key->len);
    return no ? m->all[*no] : NULL;
}

int orr_gitmemo_put(struct orr_gitmemo *m, const struct orr_buf *key,
                    struct orr_gitfiles *f)
{
    size_t bytes = orr_gitfiles_bytes(f) + key->len;
    if (m->bytes + bytes > MOST_BYTES)
        orr_gitmemo_clear(m);
    if (m->count == m->cap) {
        size_t cap = m->cap ? m->cap * 2 : 16;
        struct orr_gitfiles **all =
            reallocarray(m->all, cap, sizeof(struct orr_gitfiles *));
        if (!all)
            return ORR_ENOMEM;
        m->all = all;
        m->cap = cap;
    }
    if (orr_map_put(&m->at, key->data, key->len, m->count) < 0)
        return ORR_ENOMEM;
    m->all[m->count++] = f;
    m->bytes += bytes;
    return 0;
}

void orr_gitmemo_clear(struct orr_gitmemo *m)
{
    for (size_t i = 0; i < m->count; i++)
        orr_gitfiles_free(m->all[i]);
    free(m->all);
    orr_map_fini(&m->at);
    *m = (struct orr_gitmemo){0};
}
