/* gitfiles: an array and an arena. Knows nothing of where a diff comes from. */
#include "engine/gitfiles.h"

#include <stdlib.h>
#include <string.h>

struct orr_gitfiles *orr_gitfiles_new(void)
{
    return calloc(1, sizeof(struct orr_gitfiles));
}

void orr_gitfiles_free(struct orr_gitfiles *f)
{
    if (!f)
        return;
    free(f->all);
    orr_arena_fini(&f->text);
    free(f);
}

const char *orr_gitfiles_text(struct orr_gitfiles *f, const void *bytes,
                              size_t n)
{
    char *p = orr_arena_take(&f->text, n + 1);
    if (!p)
        return NULL;
    if (n)
        memcpy(p, bytes, n);
    p[n] = 0;
    return p;
}

struct orr_gitfile *orr_gitfiles_add(struct orr_gitfiles *f, char status,
                                     const char *path, const char *old_path)
{
    if (f->count == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : 16;
        struct orr_gitfile *all = reallocarray(f->all, cap, sizeof *all);
        if (!all)
            return NULL;
        f->all = all;
        f->cap = cap;
    }
    struct orr_gitfile file = {
        .status = status, .additions = -1, .deletions = -1};
    file.path = orr_gitfiles_text(f, path, strlen(path));
    if (old_path)
        file.old_path = orr_gitfiles_text(f, old_path, strlen(old_path));
    if (!file.path || (old_path && !file.old_path))
        return NULL;
    f->all[f->count] = file;
    return &f->all[f->count++];
}

static int compare(const void *a, const void *b)
{
    const struct orr_gitfile *x = a, *y = b;
    int c = strcmp(x->path, y->path);
    return c ? c : x->status - y->status;
}

void orr_gitfiles_sort(struct orr_gitfiles *f)
{
    if (f->count)
        qsort(f->all, f->count, sizeof *f->all, compare);
}

struct orr_gitfile *orr_gitfiles_find(const struct orr_gitfiles *f,
                                      const char *path)
{
    size_t lo = 0, hi = f->count;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(f->all[mid].path, path) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == f->count || strcmp(f->all[lo].path, path) != 0)
        return NULL;
    return &f->all[lo];
}

size_t orr_gitfiles_bytes(const struct orr_gitfiles *f)
{
    return sizeof *f + f->cap * sizeof *f->all + f->text.bytes;
}
