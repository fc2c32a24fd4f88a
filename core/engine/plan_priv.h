/* plan_priv: the layout of a plan's blob, for its writer and its reader. */
#ifndef ORR_ENGINE_PLAN_PRIV_H
#define ORR_ENGINE_PLAN_PRIV_H

#include <string.h>

#include "engine/dirfact.h"
#include "engine/plan.h"

#define ORR_PLAN_MAGIC "orrplan2"

enum { ORR_PLAN_HEADER = 40, ORR_PLAN_CRC = 8 };
enum { ORR_PLAN_INSIDE = 1u << 31 /* of a length: relative to the root */ };

/* As they lie in the blob: little-endian machines only write for themselves,
 * and the index beside it is in the machine's order too. */
struct orr_plan_file {
    uint32_t path, path_len;
    uint32_t target; /* type of what a link leads to; 0: nothing */
    uint32_t pad;
    struct orr_filefact fact; /* kind 0: absent */
};

struct orr_plan_dir {
    uint32_t path, path_len;
    struct orr_dirfact fact;
};

struct orr_plan_view {
    const unsigned char *files, *dirs, *strings;
    uint32_t file_count, dir_count, root_len, strings_len;
};

/* Checks header and bounds, and with 'whole' the checksum. */
int orr_plan_view(struct orr_plan_view *v, const void *blob, size_t n,
                  bool whole);

static inline struct orr_plan_file
orr_plan_file_at(const struct orr_plan_view *v, uint32_t i)
{
    struct orr_plan_file f;
    memcpy(&f, v->files + (size_t)i * sizeof f, sizeof f);
    return f;
}

static inline struct orr_plan_dir orr_plan_dir_at(const struct orr_plan_view *v,
                                                  uint32_t i)
{
    struct orr_plan_dir d;
    memcpy(&d, v->dirs + (size_t)i * sizeof d, sizeof d);
    return d;
}

/* Makes the absolute path, NUL-terminated, of a record. */
int orr_plan_path_of(const struct orr_plan_view *v, uint32_t at, uint32_t len,
                     struct orr_buf *out);

/* The type of what a symlink leads to; 0: nothing. */
uint32_t orr_plan_target(int dirfd, const char *path);

/* Does the file say what the record says, by the memo's last check? */
bool orr_plan_says(const struct orr_plan_file *r, const struct orr_filememo *m,
                   uint32_t id);

int orr_plan_no_memory(struct orr_err *e);

#endif
