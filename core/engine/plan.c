/*
 * plan: encoding walks the memo's numbers; checking asks the memo about all
 * files at once and compares. It knows nothing of steps or keys: which facts a
 * run rests on, and what may be concluded, is its caller's matter.
 */
#include "engine/plan.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/crc.h"

enum { HEADER = 32, CRC_AT = 8, FILE_SIZE = 56, DIR_SIZE = 56 };
enum { INSIDE = 1u << 31 /* of a length: the path is relative to the root */ };
static const char magic[8] = {'o', 'r', 'r', 'p', 'l', 'a', 'n', '1'};
static const int64_t second = 1000000000;

/* --- encoding --------------------------------------------------------------
 */

struct encoder {
    const struct orr_filememo *m;
    const char *root;
    size_t root_len;
    struct orr_buf fixed, strings;
    uint32_t files, dirs;
    struct orr_err *e;
};

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for a plan");
}

/* Puts where the path will lie among the strings, and its length. */
static int put_path(struct encoder *c, const char *path, size_t n)
{
    uint32_t inside = 0;
    if (n > c->root_len && !memcmp(path, c->root, c->root_len) &&
        path[c->root_len] == '/') {
        path += c->root_len + 1;
        n -= c->root_len + 1;
        inside = INSIDE;
    }
    if (n >= INSIDE || c->strings.len + n > UINT32_MAX)
        return ORR_ENOMEM;
    int rc = orr_buf_put_u32(&c->fixed, (uint32_t)c->strings.len);
    rc |= orr_buf_put_u32(&c->fixed, (uint32_t)n | inside);
    rc |= orr_buf_put(&c->strings, path, n);
    return rc ? ORR_ENOMEM : 0;
}

/* The type of what a symlink leads to; 0: nothing. */
static uint32_t target_type(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? st.st_mode & S_IFMT : 0;
}

static int put_file(struct encoder *c, uint32_t id)
{
    static const struct orr_filefact nothing;
    size_t n;
    int sys;
    const char *path = orr_filememo_path(c->m, id, &n);
    const struct orr_filefact *f = orr_filememo_fact(c->m, id, &sys);
    if (!f && !sys)
        return 0; // never asked
    if (!f && sys != ENOENT && sys != ENOTDIR)
        return orr_err_set(c->e, ORR_EINVAL, "%s is no file", path);
    if (!f)
        f = &nothing;
    int rc = put_path(c, path, n);
    rc |= orr_buf_put_u32(&c->fixed, f->mode);
    rc |= orr_buf_put_u32(&c->fixed, f->kind);
    rc |= orr_buf_put_u32(&c->fixed,
                          f->kind == ORR_FILE_LINK ? target_type(path) : 0);
    rc |= orr_buf_put_u32(&c->fixed, 0);
    rc |= orr_buf_put(&c->fixed, &f->digest, sizeof f->digest);
    c->files++;
    return rc ? no_memory(c->e) : 0;
}

/* What stat says of a directory; 'dev' and 'ino' 0: it is not there. Returns 0
 * or an errno. */
static int look(const char *path, struct orr_filefact *f)
{
    struct statx st;
    *f = (struct orr_filefact){0};
    if (statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_TYPE | STATX_INO | STATX_MTIME | STATX_CTIME, &st) < 0)
        return errno == ENOENT || errno == ENOTDIR ? 0 : errno;
    if (!S_ISDIR(st.stx_mode))
        return ENOTDIR;
    f->dev = (uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor;
    f->ino = st.stx_ino;
    f->mtime = st.stx_mtime.tv_sec * second + st.stx_mtime.tv_nsec;
    f->ctime = st.stx_ctime.tv_sec * second + st.stx_ctime.tv_nsec;
    return 0;
}

static int put_dir(struct encoder *c, const char *path, size_t n)
{
    struct orr_filefact f;
    int64_t now = orr_filememo_now(c->m); /* before the look */
    int sys = look(path, &f);
    if (sys)
        return orr_err_set(c->e, ORR_EINVAL, "%s is no directory", path);
    f.seen = now;
    if (f.ino && !orr_filefact_settled(&f, now, orr_filememo_tick(c->m)))
        return orr_err_set(c->e, ORR_EBUSY, "%s changed a moment ago", path);
    int rc = put_path(c, path, n);
    rc |= orr_buf_put_u64(&c->fixed, f.dev);
    rc |= orr_buf_put_u64(&c->fixed, f.ino);
    rc |= orr_buf_put_u64(&c->fixed, (uint64_t)f.mtime);
    rc |= orr_buf_put_u64(&c->fixed, (uint64_t)f.ctime);
    rc |= orr_buf_put_u64(&c->fixed, (uint64_t)f.seen);
    rc |= orr_buf_put_u64(&c->fixed, 0);
    c->dirs++;
    return rc ? no_memory(c->e) : 0;
}

/* Appends header, arrays and strings to 'out'. */
static int join(const struct encoder *c, struct orr_buf *out)
{
    size_t at = out->len;
    int rc = orr_buf_put(out, magic, sizeof magic);
    rc |= orr_buf_put_u32(out, 0);
    rc |= orr_buf_put_u32(out, c->files);
    rc |= orr_buf_put_u32(out, c->dirs);
    rc |= orr_buf_put_u32(out, (uint32_t)c->root_len);
    rc |= orr_buf_put_u32(out, (uint32_t)c->strings.len);
    rc |= orr_buf_put_u32(out, 0);
    rc |= orr_buf_put(out, c->fixed.data, c->fixed.len);
    rc |= orr_buf_put(out, c->strings.data, c->strings.len);
    if (rc) {
        out->len = at;
        return no_memory(c->e);
    }
    uint32_t crc =
        orr_crc32c(0, out->data + at + CRC_AT + 4, out->len - at - CRC_AT - 4);
    for (int i = 0; i < 4; i++)
        out->data[at + CRC_AT + (size_t)i] = (unsigned char)(crc >> 8 * i);
    return 0;
}

int orr_plan_encode(const struct orr_filememo *m, const char *root,
                    const struct orr_strs *dirs, struct orr_buf *out,
                    struct orr_err *e)
{
    struct encoder c = {.m = m, .root = root, .root_len = strlen(root), .e = e};
    int rc = orr_buf_put(&c.strings, root, c.root_len) ? no_memory(e) : 0;
    if (orr_filememo_wavered(m))
        rc = orr_err_set(e, ORR_EBUSY, "a file changed meanwhile");
    size_t count = orr_filememo_count(m);
    for (size_t i = 0; rc == 0 && i < count; i++)
        rc = put_file(&c, (uint32_t)i);
    for (size_t i = 0; rc == 0 && i < dirs->count; i++)
        rc = put_dir(&c, orr_strs_at(dirs, i), dirs->items[i].len);
    if (rc == 0)
        rc = join(&c, out);
    orr_buf_fini(&c.fixed);
    orr_buf_fini(&c.strings);
    return rc;
}

/* --- checking --------------------------------------------------------------
 */

struct view {
    const unsigned char *files, *dirs, *strings;
    uint32_t file_count, dir_count, root_len, strings_len;
    struct orr_buf path; /* of the record looked at, NUL-terminated */
};

static int read_header(struct view *v, const unsigned char *p, size_t n)
{
    if (n < HEADER || memcmp(p, magic, sizeof magic) != 0 ||
        orr_get_u32(p + CRC_AT) !=
            orr_crc32c(0, p + CRC_AT + 4, n - CRC_AT - 4))
        return ORR_ECORRUPT;
    v->file_count = orr_get_u32(p + 12);
    v->dir_count = orr_get_u32(p + 16);
    v->root_len = orr_get_u32(p + 20);
    v->strings_len = orr_get_u32(p + 24);
    v->files = p + HEADER;
    uint64_t files = (uint64_t)v->file_count * FILE_SIZE;
    uint64_t dirs = (uint64_t)v->dir_count * DIR_SIZE;
    if (HEADER + files + dirs + v->strings_len != n ||
        v->root_len > v->strings_len)
        return ORR_ECORRUPT;
    v->dirs = v->files + files;
    v->strings = v->dirs + dirs;
    return 0;
}

/* Makes the path of a record. */
static int make_path(struct view *v, const unsigned char *record)
{
    uint32_t at = orr_get_u32(record), n = orr_get_u32(record + 4);
    bool inside = n & INSIDE;
    n &= ~(uint32_t)INSIDE;
    if ((uint64_t)at + n > v->strings_len)
        return ORR_ECORRUPT;
    orr_buf_clear(&v->path);
    int rc = inside ? orr_buf_put(&v->path, v->strings, v->root_len) : 0;
    rc |= inside ? orr_buf_putc(&v->path, '/') : 0;
    rc |= orr_buf_put(&v->path, v->strings + at, n);
    rc |= orr_buf_putc(&v->path, 0);
    return rc ? ORR_ENOMEM : 0;
}

static bool same_file(const struct orr_filememo *m, uint32_t id,
                      const unsigned char *r, const char *path)
{
    int sys;
    const struct orr_filefact *f = orr_filememo_fact(m, id, &sys);
    uint32_t mode = orr_get_u32(r + 8), kind = orr_get_u32(r + 12);
    if (!f)
        return kind == 0 && (sys == ENOENT || sys == ENOTDIR);
    if (f->kind != kind || f->mode != mode ||
        memcmp(&f->digest, r + 24, sizeof f->digest) != 0)
        return false;
    return kind != ORR_FILE_LINK || target_type(path) == orr_get_u32(r + 16);
}

static int check_files(struct view *v, struct orr_filememo *m, uint32_t *ids)
{
    int rc = 0;
    for (uint32_t i = 0; rc == 0 && i < v->file_count; i++) {
        rc = make_path(v, v->files + (size_t)i * FILE_SIZE);
        if (rc == 0)
            ids[i] = orr_filememo_id(m, (char *)v->path.data, v->path.len - 1);
    }
    if (rc == 0 && orr_filememo_check(m, ids, v->file_count, 0) < 0)
        rc = ORR_ENOMEM;
    for (uint32_t i = 0; rc == 0 && i < v->file_count; i++) {
        size_t n;
        const char *path = orr_filememo_path(m, ids[i], &n);
        if (!same_file(m, ids[i], v->files + (size_t)i * FILE_SIZE, path)) {
            orr_buf_clear(&v->path);
            return orr_buf_put(&v->path, path, n + 1) ? ORR_ENOMEM : 0;
        }
    }
    return rc ? rc : 1;
}

static int check_dirs(struct view *v, const struct orr_filememo *m)
{
    int64_t now = orr_filememo_now(m), tick = orr_filememo_tick(m);
    for (uint32_t i = 0; i < v->dir_count; i++) {
        const unsigned char *r = v->dirs + (size_t)i * DIR_SIZE;
        struct orr_filefact f;
        int rc = make_path(v, r);
        if (rc)
            return rc;
        if (look((char *)v->path.data, &f) || f.dev != orr_get_u64(r + 8) ||
            f.ino != orr_get_u64(r + 16) ||
            f.mtime != (int64_t)orr_get_u64(r + 24) ||
            f.ctime != (int64_t)orr_get_u64(r + 32))
            return 0;
        f.seen = (int64_t)orr_get_u64(r + 40);
        if (f.ino && !orr_filefact_settled(&f, now, tick))
            return 0;
    }
    return 1;
}

int orr_plan_check(const void *blob, size_t n, struct orr_filememo *m,
                   struct orr_buf *why, struct orr_err *e)
{
    struct view v = {0};
    uint32_t *ids = NULL;
    int rc = read_header(&v, blob, n);
    if (rc == 0) {
        ids = malloc(((size_t)v.file_count + 1) * sizeof *ids);
        rc = ids ? check_dirs(&v, m) : ORR_ENOMEM;
    }
    if (rc == 1)
        rc = check_files(&v, m, ids);
    if (rc == 0 && orr_buf_put(why, v.path.data, v.path.len - 1))
        rc = ORR_ENOMEM;
    if (rc == ORR_ECORRUPT)
        orr_err_set(e, rc, "the plan is damaged");
    else if (rc < 0)
        no_memory(e);
    free(ids);
    orr_buf_fini(&v.path);
    return rc;
}
