/*
 * program: the PATH search that execvp does, for a PATH that is not ours and
 * with an answer that can be shown.
 */
#include "engine/program.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/path.h"

#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"

enum found { NOTHING, FORBIDDEN, EXECUTABLE };

static enum found examine(const char *file)
{
    struct stat st;
    if (stat(file, &st) < 0)
        return errno == EACCES ? FORBIDDEN : NOTHING;
    if (!S_ISREG(st.st_mode))
        return S_ISDIR(st.st_mode) ? NOTHING : FORBIDDEN;
    return st.st_mode & 0111 ? EXECUTABLE : FORBIDDEN;
}

/* The file as seen from here, when 'file' is meant from cwd. */
static enum found examine_from(const char *cwd, const char *file)
{
    if (!cwd || *file == '/')
        return examine(file);
    struct orr_buf b = {0};
    enum found f = NOTHING;
    if (orr_buf_printf(&b, "%s/%s", cwd, file) == 0 &&
        orr_buf_putc(&b, '\0') == 0)
        f = examine((const char *)b.data);
    orr_buf_fini(&b);
    return f;
}

/* 'dir'/'name' at the end of out; an empty dir is the current one. */
static int join(struct orr_buf *out, const char *dir, size_t n,
                const char *name)
{
    int rc = n ? orr_buf_put(out, dir, n) : orr_buf_putc(out, '.');
    if (rc == 0)
        rc = orr_buf_putc(out, '/');
    return rc ? rc : orr_buf_put(out, name, strlen(name) + 1);
}

static int fail(struct orr_err *e, const char *name, enum found best, bool path)
{
    if (best == FORBIDDEN) {
        orr_err_set(e, ORR_ESYS, "cannot run '%s': not executable", name);
        if (e)
            e->sys = EACCES;
        return ORR_ESYS;
    }
    orr_err_set(e, ORR_ENOENT, "cannot run '%s': no such %s", name,
                path ? "program on PATH" : "file");
    if (e)
        e->sys = ENOENT;
    return ORR_ENOENT;
}

static int search(const char *name, const char *path, const char *cwd,
                  struct orr_buf *out, struct orr_err *e)
{
    enum found best = NOTHING;
    size_t start = out->len;
    for (const char *dir = path; dir;) {
        const char *colon = strchrnul(dir, ':');
        out->len = start;
        if (join(out, dir, (size_t)(colon - dir), name) < 0)
            return orr_err_set(e, ORR_ENOMEM, "out of memory");
        enum found f = examine_from(cwd, (const char *)out->data + start);
        if (f == EXECUTABLE)
            return 0;
        best = f > best ? f : best;
        dir = *colon ? colon + 1 : NULL;
    }
    out->len = start;
    return fail(e, name, best, true);
}

int orr_program_find(const char *name, const char *path, const char *cwd,
                     struct orr_buf *out, struct orr_err *e)
{
    if (!*name)
        return fail(e, name, NOTHING, true);
    if (!strchr(name, '/'))
        return search(name, path ? path : DEFAULT_PATH, cwd, out, e);
    enum found f = examine_from(cwd, name);
    if (f != EXECUTABLE)
        return fail(e, name, f, false);
    if (orr_buf_put(out, name, strlen(name) + 1) < 0)
        return orr_err_set(e, ORR_ENOMEM, "out of memory");
    return 0;
}

/* 'dir' and a slash, when 'dir' says anything. */
static int put_dir(struct orr_buf *b, const char *dir)
{
    if (!dir)
        return 0;
    int rc = orr_buf_puts(b, dir);
    return rc ? rc : orr_buf_putc(b, '/');
}

int orr_program_absolute(const char *name, const char *path, const char *cwd,
                         struct orr_buf *out)
{
    struct orr_buf file = {0}, whole = {0};
    char *here = NULL;
    int rc = orr_program_find(name, path, cwd, &file, NULL);
    if (rc < 0)
        goto out;
    const char *found = (const char *)file.data;
    bool from_cwd = *found != '/';
    if (from_cwd && (!cwd || *cwd != '/') && !(here = getcwd(NULL, 0)))
        rc = ORR_ESYS;
    if (rc == 0)
        rc = put_dir(&whole, here);
    if (rc == 0)
        rc = put_dir(&whole, from_cwd ? cwd : NULL);
    if (rc == 0)
        rc = orr_buf_puts(&whole, found);
    if (rc == 0)
        rc = orr_path_normal(out, (const char *)whole.data, whole.len);
    if (rc == 0)
        rc = orr_buf_putc(out, '\0');
out:
    free(here);
    orr_buf_fini(&file);
    orr_buf_fini(&whole);
    return rc;
}
