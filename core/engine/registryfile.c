/*
 * registryfile: writing, loading and merging. A file is read into a registry of
 * its own first, so that one that is wrong near its end changes nothing.
 */
#include "engine/registryfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "engine/files.h"
#include "engine/json.h"
#include "engine/lock.h"
#include "engine/packjson.h"
#include "engine/registryread.h"

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the registry's file");
}

static int put_name(struct orr_buf *b, const char *name)
{
    return orr_buf_printf(b, ", \"%s\": ", name);
}

static int put_text(struct orr_buf *b, const char *name, struct orr_span s)
{
    if (!s.n)
        return 0;
    int rc = put_name(b, name);
    return rc < 0 ? rc : orr_json_put_str(b, s.p, s.n, ORR_JSON_LOSSY, NULL);
}

static int put_int(struct orr_buf *b, const char *name, int64_t i)
{
    int rc = put_name(b, name);
    return rc < 0 ? rc : orr_json_put_int(b, i);
}

int orr_registryfile_put(struct orr_buf *b, const struct orr_artifact *a,
                         struct orr_err *e)
{
    const struct {
        const char *name;
        struct orr_span text;
    } texts[] = {{"name", a->name},
                 {"type", a->type},
                 {"step", a->step},
                 {"path", a->path},
                 {"digest", a->digest}};
    int rc = orr_buf_puts(b, "    { \"id\": ");
    if (rc == 0)
        rc = orr_json_put_str(b, a->id.p, a->id.n, ORR_JSON_LOSSY, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && rc == 0; i++)
        rc = put_text(b, texts[i].name, texts[i].text);
    if (rc == 0 && a->size >= 0)
        rc = put_int(b, "size", a->size);
    if (rc == 0)
        rc = put_int(b, "version", a->version);
    if (rc == 0 && a->meta.n) {
        rc = put_name(b, "meta");
        if (rc == 0)
            rc = orr_packjson_write(b, a->meta.p, a->meta.n, e);
        if (rc == ORR_ECORRUPT)
            return rc;
    }
    if (rc == 0)
        rc = orr_buf_puts(b, " }");
    return rc < 0 ? no_memory(e) : 0;
}

/* --- a whole file --- */

/* 'instead' (may be NULL) has for each number NULL or what replaces it. */
static int write_file(struct orr_registry *r, struct orr_artifact **instead,
                      const char *path, struct orr_err *e)
{
    struct orr_buf b = {0};
    struct orr_artifact a;
    int rc = orr_buf_puts(&b, ORR_REGISTRYFILE_HEAD);
    for (size_t i = 0; rc == 0 && orr_registry_at(r, i, &a); i++) {
        if (i)
            rc = orr_buf_puts(&b, ORR_REGISTRYFILE_NEXT);
        if (rc == 0)
            rc = orr_registryfile_put(
                &b, instead && instead[i] ? instead[i] : &a, e);
    }
    if (rc == 0)
        rc = orr_buf_puts(&b, ORR_REGISTRYFILE_TAIL);
    if (rc == ORR_ENOMEM)
        no_memory(e);
    if (rc == 0)
        rc = orr_files_write(path, b.data, b.len, -1, false, e);
    orr_buf_fini(&b);
    return rc;
}

/* --- merging --- */

static bool same_span(struct orr_span a, struct orr_span b)
{
    return a.n == b.n && (!a.n || !memcmp(a.p, b.p, a.n));
}

/* Equal in all but id and version. */
static bool same_content(const struct orr_artifact *a,
                         const struct orr_artifact *b)
{
    return same_span(a->name, b->name) && same_span(a->type, b->type) &&
           same_span(a->step, b->step) && same_span(a->path, b->path) &&
           same_span(a->digest, b->digest) && same_span(a->meta, b->meta) &&
           a->size == b->size;
}

static bool has_default_id(const struct orr_artifact *a)
{
    char suffix[16];
    int n = snprintf(suffix, sizeof suffix, "@v%u", a->version);
    return a->id.n == a->name.n + (size_t)n &&
           !memcmp(a->id.p, a->name.p, a->name.n) &&
           !memcmp(a->id.p + a->name.n, suffix, (size_t)n);
}

struct merge {
    struct orr_registry *ours, *file;
    struct orr_artifact *mine;     /* owned; ours, one by one */
    struct orr_artifact **instead; /* owned; by number in the file: whose */
    uint32_t *versions;            /* owned; of ours in the file */
    size_t count, before;          /* ours; the file's own */
};

/* Puts ours in the place of the file's artifact with the same id. */
static void replace(struct merge *m, size_t i)
{
    struct orr_artifact a;
    for (size_t k = 0; k < m->before && orr_registry_at(m->file, k, &a); k++)
        if (same_span(a.id, m->mine[i].id)) {
            m->instead[k] = &m->mine[i];
            return;
        }
}

static int merge_one(struct merge *m, size_t i, struct orr_err *e)
{
    struct orr_artifact *a = &m->mine[i], there, copy = *a;
    bool plain = has_default_id(a);
    if (a->saved && plain &&
        orr_registry_by_name(m->file, a->name.p, a->name.n, a->saved, &there) &&
        same_content(a, &there)) {
        m->versions[i] = a->saved;
        return 0;
    }
    if (!plain && orr_registry_get(m->file, a->id.p, a->id.n, &there)) {
        if (!same_content(a, &there))
            replace(m, i);
        m->versions[i] = a->version;
        return 0;
    }
    if (plain && orr_registry_has(m->file, a->id.p, a->id.n, NULL)) {
        copy.id = (struct orr_span){NULL, 0};
        copy.version = 0;
    }
    int rc = orr_registry_add(m->file, &copy, &copy, e);
    m->versions[i] = copy.version;
    return rc;
}

static int merge_all(struct merge *m, const char *path, struct orr_err *e)
{
    m->count = orr_registry_count(m->ours);
    m->before = orr_registry_count(m->file);
    m->mine = calloc(m->count + 1, sizeof *m->mine);
    m->versions = calloc(m->count + 1, sizeof *m->versions);
    m->instead =
        calloc(m->before + m->count + 1, sizeof(struct orr_artifact *));
    if (!m->mine || !m->versions || !m->instead)
        return no_memory(e);
    int rc = 0;
    for (size_t i = 0; i < m->count && rc == 0; i++) {
        orr_registry_at(m->ours, i, &m->mine[i]);
        rc = merge_one(m, i, e);
    }
    if (rc == 0)
        rc = write_file(m->file, m->instead, path, e);
    for (size_t i = 0; i < m->count && rc == 0; i++)
        orr_registry_note_saved(m->ours, i, m->versions[i]);
    return rc;
}

static int save_merged(struct orr_registry *r, const char *path,
                       struct orr_err *e)
{
    struct merge m = {.ours = r, .file = orr_registry_new()};
    int rc = orr_registryread_file(m.file, path, e);
    if (rc == 0 || (rc == ORR_ENOENT && access(path, F_OK) < 0))
        rc = merge_all(&m, path, e);
    free(m.mine);
    free(m.versions);
    free(m.instead);
    orr_registry_free(m.file);
    return rc;
}

static int open_lock(const char *path, int *fd, struct orr_err *e)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s.lock", path);
    if (n < 0 || (size_t)n >= sizeof name)
        return orr_err_errno(e, ENAMETOOLONG, "lock %.200s", path);
    *fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*fd < 0)
        return orr_err_errno(e, errno, "open %.300s", name);
    int sys = orr_byte_lock_wait(*fd, 0);
    if (sys == 0)
        return 0;
    close(*fd);
    return orr_err_errno(e, -sys, "lock %.300s", name);
}

int orr_registryfile_save(struct orr_registry *r, const char *path, bool merge,
                          struct orr_err *e)
{
    struct orr_artifact a;
    int fd = -1, rc;
    if (merge) {
        rc = open_lock(path, &fd, e);
        if (rc < 0)
            return rc;
        rc = save_merged(r, path, e);
        orr_byte_unlock(fd, 0);
        close(fd);
        return rc;
    }
    rc = write_file(r, NULL, path, e);
    for (size_t i = 0; rc == 0 && orr_registry_at(r, i, &a); i++)
        orr_registry_note_saved(r, i, a.version);
    return rc;
}

int orr_registryfile_load(struct orr_registry *r, const char *path,
                          size_t *loaded, struct orr_err *e)
{
    struct orr_registry *file = orr_registry_new();
    struct orr_artifact a;
    size_t n = 0;
    int rc = orr_registryread_file(file, path, e);
    for (size_t i = 0; rc == 0 && orr_registry_at(file, i, &a); i++) {
        if (orr_registry_has(r, a.id.p, a.id.n, NULL))
            continue;
        rc = orr_registry_add(r, &a, NULL, e);
        n++;
    }
    if (rc == 0)
        *loaded = n;
    orr_registry_free(file);
    return rc;
}
