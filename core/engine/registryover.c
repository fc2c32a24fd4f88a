/*
 * registryover: a file of artifacts made from an earlier one. A line has its
 * step in a field; within a string the quotes of such a text would be escaped.
 */
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "engine/files.h"
#include "engine/registryfile.h"

#define STEP "\"step\": "

struct over {
    const struct orr_map *steps;
    struct orr_buf out;
    size_t count;
};

static int begin_line(struct over *o)
{
    return o->count++ ? orr_buf_puts(&o->out, ORR_REGISTRYFILE_NEXT) : 0;
}

/* Whether a line is an artifact of one of the steps. */
static bool is_of_one(const struct over *o, const char *line, size_t n)
{
    const char *at = memmem(line, n, STEP, sizeof STEP - 1);
    if (!at)
        return false;
    const char *id = at + sizeof STEP - 1, *end = line + n, *p = id + 1;
    while (p < end && *p != '"')
        p += *p == '\\' ? 2 : 1;
    return p < end && orr_map_get(o->steps, id, (size_t)(p + 1 - id)) != NULL;
}

static int take_line(struct over *o, const char *line, size_t n)
{
    if (is_of_one(o, line, n))
        return 0;
    int rc = begin_line(o);
    return rc < 0 ? rc : orr_buf_put(&o->out, line, n);
}

/* Takes over the lines of a file's bytes. */
static int take_lines(struct over *o, const char *text, size_t n,
                      struct orr_err *e)
{
    static const char head[] = ORR_REGISTRYFILE_HEAD,
                      tail[] = ORR_REGISTRYFILE_TAIL;
    const size_t ends = sizeof head - 1 + sizeof tail - 1;
    if (n < ends || memcmp(text, head, sizeof head - 1) != 0 ||
        memcmp(text + n - (sizeof tail - 1), tail, sizeof tail - 1) != 0)
        return orr_err_set(e, ORR_ECORRUPT, "not a list of artifacts");
    const char *at = text + sizeof head - 1,
               *end = text + n - (sizeof tail - 1);
    int rc = 0;
    while (at < end && rc == 0) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        const char *last = stop ? stop - 1 : end; // without its comma
        rc = take_line(o, at, (size_t)(last - at));
        at = stop ? stop + 1 : end;
    }
    return rc;
}

static int take_file(struct over *o, const char *path, struct orr_err *e)
{
    struct orr_buf b = {0};
    int rc = orr_files_read(path, SIZE_MAX, &b, e);
    if (rc == 0)
        rc = orr_buf_reserve(&o->out, b.len);
    if (rc == 0)
        rc = take_lines(o, (const char *)b.data, b.len, e);
    orr_buf_fini(&b);
    return rc;
}

static int put_all(struct over *o, struct orr_registry *r, struct orr_err *e)
{
    struct orr_artifact a;
    int rc = 0;
    for (size_t i = 0; rc == 0 && orr_registry_at(r, i, &a); i++) {
        rc = begin_line(o);
        if (rc == 0)
            rc = orr_registryfile_put(&o->out, &a, e);
    }
    return rc;
}

int orr_registryfile_save_over(struct orr_registry *r, const char *before,
                               const struct orr_map *steps, const char *path,
                               size_t *count, struct orr_err *e)
{
    struct over o = {.steps = steps};
    int rc = orr_buf_puts(&o.out, ORR_REGISTRYFILE_HEAD);
    if (rc == 0)
        rc = take_file(&o, before, e);
    if (rc == 0)
        rc = put_all(&o, r, e);
    if (rc == 0)
        rc = orr_buf_puts(&o.out, ORR_REGISTRYFILE_TAIL);
    if (rc == ORR_ENOMEM)
        orr_err_set(e, rc, "no memory for the registry's file");
    *count = o.count;
    if (rc == 0 && o.count)
        rc = orr_files_write(path, o.out.data, o.out.len, -1, false, e);
    orr_buf_fini(&o.out);
    return rc;
}
