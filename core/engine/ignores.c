/* ignores: reading ignore files in git's order of precedence. */
#include "engine/ignores.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_SIZE = 16 * 1024 * 1024 };

/* Reads a small regular file; absent, a symlink or a directory: no bytes. */
static int slurp(int dir, const char *name, const char *label,
                 struct orr_buf *out, struct orr_err *e)
{
    int rc = 0;
    struct stat st;
    int fd = openat(dir, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP))
        return 0;
    if (fd < 0 || fstat(fd, &st) < 0) {
        rc = orr_err_errno(e, errno, "cannot read %s", label);
        goto out;
    }
    if (!S_ISREG(st.st_mode))
        goto out;
    if (st.st_size > MAX_SIZE) {
        rc = orr_err_set(e, ORR_ELIMIT, "%s is over %d MiB", label,
                         MAX_SIZE >> 20);
        goto out;
    }
    size_t want = (size_t)st.st_size;
    if (orr_buf_reserve(out, want + 1) < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "cannot read %s: no memory", label);
        goto out;
    }
    while (want) {
        ssize_t n = read(fd, out->data + out->len, want);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            rc = orr_err_errno(e, errno, "cannot read %s", label);
        if (n <= 0)
            break;
        out->len += (size_t)n;
        want -= (size_t)n;
    }
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

static int push_file(int dir, const char *name, const char *label, size_t base,
                     struct orr_ignores *up, struct orr_ignores **out,
                     struct orr_err *e)
{
    struct orr_buf text = {0};
    struct orr_ignore *rules = NULL;
    struct orr_ignores *link = NULL;
    *out = up;
    int rc = slurp(dir, name, label, &text, e);
    if (rc < 0 || !text.len)
        goto out;
    rules = orr_ignore_new((char *)text.data, text.len);
    link = rules ? malloc(sizeof *link) : NULL;
    if (!link) {
        rc = orr_err_set(e, ORR_ENOMEM, "cannot read %s: no memory", label);
        goto out;
    }
    *link = (struct orr_ignores){up, rules, base};
    rules = NULL;
    *out = link;
out:
    orr_ignore_free(rules);
    orr_buf_fini(&text);
    return rc;
}

int orr_ignores_push(int dir, const char *path, size_t base,
                     struct orr_ignores *up, struct orr_ignores **out,
                     struct orr_err *e)
{
    return push_file(dir, ".gitignore", path, base, up, out, e);
}

bool orr_ignores_hide(const struct orr_ignores *ig, const char *path, size_t n,
                      bool dir)
{
    for (; ig; ig = ig->up) {
        enum orr_ignore_answer a =
            orr_ignore_match(ig->rules, path + ig->base, n - ig->base, dir);
        if (a != ORR_IGNORE_SILENT)
            return a == ORR_IGNORE_HIDE;
    }
    return false;
}

/* The first line of a small file behind 'label', as an owned string or NULL. */
static char *first_line(int dir, const char *name, const char *label)
{
    struct orr_buf b = {0};
    char *line = NULL;
    size_t skip = strlen(label);
    if (slurp(dir, name, name, &b, NULL) == 0 && b.len > skip &&
        !memcmp(b.data, label, skip)) {
        size_t n = skip;
        while (n < b.len && b.data[n] != '\n' && b.data[n] != '\r')
            n++;
        line = strndup((char *)b.data + skip, n - skip);
    }
    orr_buf_fini(&b);
    return line;
}

/* "a" seen from "dir": owned, or NULL. */
static char *joined(const char *dir, const char *a)
{
    char *s = NULL;
    if (a[0] == '/')
        return strdup(a);
    return asprintf(&s, "%s/%s", dir, a) < 0 ? NULL : s;
}

/* Path of the repository's info/exclude, seen from the root: in .git, or where
 * the .git file of a linked worktree leads. Owned, or NULL. */
static char *exclude_path(int root, const char *top)
{
    char *git = joined(top, ".git"), *line = NULL, *common = NULL, *out = NULL;
    if (!git)
        return NULL;
    line = first_line(root, git, "gitdir: ");
    if (line) {
        free(git);
        git = joined(top, line);
        free(line);
        line = git ? joined(git, "commondir") : NULL;
        common = line ? first_line(root, line, "") : NULL;
    }
    if (common) {
        char *dir = joined(git, common);
        out = dir ? joined(dir, "info/exclude") : NULL;
        free(dir);
    } else {
        out = git ? joined(git, "info/exclude") : NULL;
    }
    free(common);
    free(line);
    free(git);
    return out;
}

/* How many directories above 'root' the repository's top is; -1: none. */
static int find_top(int root, const char *abs, struct orr_buf *up)
{
    int levels = 1;
    for (const char *s = abs; *s; s++)
        levels += s[0] == '/' && s[1];
    orr_buf_puts(up, ".");
    for (int i = 0; i < levels; i++) {
        struct stat st;
        size_t keep = up->len;
        if (orr_buf_puts(up, "/.git") < 0 || orr_buf_putc(up, 0) < 0)
            return -1;
        int found = fstatat(root, (char *)up->data, &st, 0) == 0;
        up->len = keep;
        if (found)
            return i;
        if (i == 0)
            orr_buf_clear(up);
        if (orr_buf_puts(up, i ? "/.." : "..") < 0)
            return -1;
    }
    return -1;
}

/* Reads "../../.gitignore", "../.gitignore": those of the directories above
 * the root, from the top down, and asks them about the way to the root. */
static int read_above(int root, int levels, const struct orr_buf *prefix,
                      struct orr_ignores **chain, struct orr_strs *seen,
                      bool *hidden, struct orr_err *e)
{
    size_t base = 0;
    const char *path = (const char *)prefix->data;
    for (int i = levels; i > 0 && !*hidden; i--) {
        struct orr_buf name = {0};
        int rc = 0;
        for (int k = 0; k < i; k++)
            rc |= orr_buf_puts(&name, "../");
        rc |= orr_buf_puts(&name, ".gitignore");
        rc |= orr_buf_putc(&name, 0);
        rc |= rc ? rc : orr_strs_put(seen, name.data, name.len - 1);
        if (rc)
            rc = orr_err_set(e, ORR_ENOMEM, "no memory for ignore files");
        else
            rc = push_file(root, (char *)name.data, (char *)name.data, base,
                           *chain, chain, e);
        orr_buf_fini(&name);
        if (rc < 0)
            return rc;
        const char *slash = memchr(path + base, '/', prefix->len - base);
        size_t end = slash ? (size_t)(slash - path) : prefix->len;
        *hidden = orr_ignores_hide(*chain, path, end, true);
        base = end + 1;
    }
    return 0;
}

/* The last 'levels' components of 'abs', each with a "/". */
static int set_prefix(const char *abs, int levels, struct orr_buf *prefix)
{
    const char *s = abs + strlen(abs);
    for (int i = 0; i < levels; i++)
        while (s > abs && *--s != '/')
            ;
    if (!levels)
        return 0;
    int rc = orr_buf_puts(prefix, s + 1);
    return rc < 0 ? rc : orr_buf_putc(prefix, '/');
}

static int put_path(struct orr_strs *seen, const char *path)
{
    path += !strncmp(path, "./", 2) ? 2 : 0;
    return orr_strs_put(seen, path, strlen(path));
}

static char *absolute(int root)
{
    char link[48];
    snprintf(link, sizeof link, "/proc/self/fd/%d", root);
    return realpath(link, NULL);
}

int orr_ignores_open(int root, struct orr_ignores **out, struct orr_buf *prefix,
                     struct orr_strs *seen, bool *hidden, struct orr_err *e)
{
    int rc = 0;
    struct orr_buf up = {0};
    char *exclude = NULL;
    char *abs = absolute(root);
    *out = NULL;
    *hidden = false;
    int levels = abs ? find_top(root, abs, &up) : -1;
    if (levels < 0)
        goto out; // no repository: only the ignore files below count
    if (orr_buf_putc(&up, 0) < 0 || set_prefix(abs, levels, prefix) < 0 ||
        !(exclude = exclude_path(root, (char *)up.data)) ||
        put_path(seen, exclude) < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for ignore files");
        goto out;
    }
    rc = push_file(root, exclude, exclude, 0, NULL, out, e);
    if (rc == 0)
        rc = read_above(root, levels, prefix, out, seen, hidden, e);
out:
    if (rc < 0) {
        orr_ignores_free_all(*out);
        *out = NULL;
    }
    free(exclude);
    free(abs);
    orr_buf_fini(&up);
    return rc;
}

void orr_ignores_free(struct orr_ignores *ig)
{
    if (!ig)
        return;
    orr_ignore_free(ig->rules);
    free(ig);
}

void orr_ignores_free_all(struct orr_ignores *ig)
{
    while (ig) {
        struct orr_ignores *up = ig->up;
        orr_ignores_free(ig);
        ig = up;
    }
}
