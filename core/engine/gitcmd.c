/*
 * gitcmd: git's -z outputs as a list of files. Files are added in git's own
 * order, in which counts and patches follow too; sorted at the end.
 */
#include "engine/gitcmd.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/xalloc.h"
#include "engine/gitspawn.h"

/* --- single answers --- */

/* Runs git for one line; without its newline in 'out', with a NUL behind it.
 * A status that is not 0 is ORR_EGIT. */
static int ask(const char *at, const char *const *args, struct orr_buf *out,
               struct orr_err *e)
{
    int status = 0;
    int rc = orr_gitspawn_run(at, args, out, &status, e);
    if (rc < 0)
        return rc;
    if (status)
        return ORR_EGIT;
    if (out->len && out->data[out->len - 1] == '\n')
        out->len--;
    if (orr_buf_putc(out, 0) < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for git's answer");
    out->len--;
    return 0;
}

static int ask_id(const char *at, const char *const *args, char id[ORR_GIT_HEX],
                  struct orr_err *e)
{
    struct orr_buf out = {0};
    int rc = ask(at, args, &out, e);
    if (rc == 0 && (out.len >= ORR_GIT_HEX || out.len < 40))
        rc = orr_err_set(e, ORR_EGIT, "git answered something else than an id");
    if (rc == 0)
        memcpy(id, out.data, out.len + 1);
    orr_buf_fini(&out);
    return rc;
}

int orr_gitcmd_root(const char *at, char **root, struct orr_err *e)
{
    const char *const bare[] = {"rev-parse", "--is-bare-repository", NULL};
    const char *const top[] = {"rev-parse", "--show-toplevel", NULL};
    struct orr_buf out = {0};
    int rc = ask(at, bare, &out, e);
    bool is_bare = rc == 0 && !strcmp((char *)out.data, "true");
    orr_buf_clear(&out);
    if (rc == 0 && !is_bare)
        rc = ask(at, top, &out, e);
    if (rc == 0)
        *root = is_bare ? NULL : orr_xstrdup((char *)out.data);
    orr_buf_fini(&out);
    return rc;
}

bool orr_gitcmd_is_shallow(const char *at)
{
    const char *const args[] = {"rev-parse", "--is-shallow-repository", NULL};
    struct orr_buf out = {0};
    bool shallow =
        ask(at, args, &out, NULL) == 0 && !strcmp((char *)out.data, "true");
    orr_buf_fini(&out);
    return shallow;
}

int orr_gitcmd_resolve(const char *at, const char *ref, char id[ORR_GIT_HEX],
                       struct orr_err *e)
{
    struct orr_buf spec = {0};
    int rc = orr_buf_printf(&spec, "%s^{commit}", ref);
    if (rc == 0)
        rc = orr_buf_putc(&spec, 0);
    if (rc < 0)
        return orr_err_set(e, ORR_ENOMEM, "no memory for a git ref");
    const char *const args[] = {"rev-parse",
                                "--quiet",
                                "--verify",
                                "--end-of-options",
                                (const char *)spec.data,
                                NULL};
    rc = ask_id(at, args, id, e);
    orr_buf_fini(&spec);
    return rc == ORR_EGIT ? ORR_ENOENT : rc;
}

int orr_gitcmd_merge_base(const char *at, const char *a, const char *b,
                          char id[ORR_GIT_HEX], struct orr_err *e)
{
    const char *const args[] = {"merge-base", a, b, NULL};
    int rc = ask_id(at, args, id, e);
    return rc == ORR_EGIT ? ORR_ENOENT : rc;
}

int orr_gitcmd_empty_tree(const char *at, char id[ORR_GIT_HEX],
                          struct orr_err *e)
{
    const char *const args[] = {"hash-object", "-t", "tree", "/dev/null", NULL};
    return ask_id(at, args, id, e);
}

int orr_gitcmd_refs(const char *at, struct orr_buf *out, struct orr_err *e)
{
    const char *const args[] = {"for-each-ref", "--format=%(refname)", NULL};
    int status = 0;
    int rc = orr_gitspawn_run(at, args, out, &status, e);
    return rc < 0 ? rc : status ? ORR_EGIT : 0;
}

int orr_gitcmd_file(const char *at, const char *id, const char *path,
                    struct orr_buf *out, struct orr_err *e)
{
    struct orr_buf spec = {0};
    int status = 0, there = 0;
    int rc = orr_buf_printf(&spec, "%s:%s", id, path);
    if (rc == 0)
        rc = orr_buf_putc(&spec, 0);
    if (rc < 0) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory for a path");
        goto out;
    }
    const char *name = (const char *)spec.data;
    const char *const probe[] = {"cat-file", "-e", name, NULL};
    const char *const args[] = {"cat-file", "blob", name, NULL};
    struct orr_buf nothing = {0};
    rc = orr_gitspawn_run(at, probe, &nothing, &status, e);
    orr_buf_fini(&nothing);
    if (rc < 0 || status)
        goto out;
    rc = orr_gitspawn_run(at, args, out, &status, e);
    there = rc == 0 && status == 0;
out:
    orr_buf_fini(&spec);
    return rc < 0 ? rc : there;
}

/* --- diffs --- */

struct work {
    const char *at;
    const struct orr_gitquery *q;
    struct orr_gitfiles *out;
    struct orr_err *e;
};

static int no_memory(struct orr_err *e)
{
    return orr_err_set(e, ORR_ENOMEM, "no memory for the diff");
}

static int unexpected(struct orr_err *e)
{
    return orr_err_set(e, ORR_EGIT, "git's output is not as expected");
}

/* Runs "git <head…> -- <paths…>"; its whole output with a NUL behind it. */
static int run_on_paths(const struct work *w, const char *const *head,
                        struct orr_buf *text)
{
    size_t n = 0;
    int status = 0, rc;
    while (head[n])
        n++;
    const char **args = calloc(n + w->q->paths_n + 2, sizeof(char *));
    if (!args)
        return no_memory(w->e);
    memcpy(args, head, n * sizeof *args);
    args[n++] = "--";
    for (size_t i = 0; i < w->q->paths_n; i++)
        args[n++] = w->q->paths[i];
    rc = orr_gitspawn_run(w->at, args, text, &status, w->e);
    free(args);
    if (rc == 0 && status)
        rc = ORR_EGIT;
    if (rc == 0 && orr_buf_putc(text, 0) < 0)
        rc = no_memory(w->e);
    if (rc == 0)
        text->len--;
    return rc;
}

static int run_diff(const struct work *w, const char *format,
                    struct orr_buf *text)
{
    const char *const head[] = {"diff",
                                format,
                                "-z",
                                "--no-ext-diff",
                                "--no-textconv",
                                "--no-color",
                                "--find-renames",
                                "--src-prefix=a/",
                                "--dst-prefix=b/",
                                w->out->from,
                                *w->out->to ? w->out->to : NULL,
                                NULL};
    return run_on_paths(w, head, text);
}

/* The next NUL-ended word of 'text', or NULL at the end. */
static const char *next_word(const struct orr_buf *text, size_t *at)
{
    if (*at >= text->len)
        return NULL;
    const char *s = (const char *)text->data + *at;
    *at += strlen(s) + 1;
    return s;
}

/* "M" path, or "R090" old new. */
static int read_names(const struct work *w)
{
    struct orr_buf text = {0};
    size_t at = 0;
    int rc = run_diff(w, "--name-status", &text);
    for (const char *s; rc == 0 && (s = next_word(&text, &at));) {
        const char *old = *s == 'R' ? next_word(&text, &at) : NULL;
        const char *path = next_word(&text, &at);
        char status = strchr("AMDRTU", *s) ? *s : 'M';
        if (!path || (*s == 'R' && !old))
            rc = unexpected(w->e);
        else if (!orr_gitfiles_add(w->out, status, path, old))
            rc = no_memory(w->e);
    }
    orr_buf_fini(&text);
    return rc;
}

/* "3\t1\tpath", "-\t-\tpath" when binary, or "3\t1\t" old new. */
static int read_count(const struct orr_buf *text, size_t *at,
                      struct orr_gitfile *f)
{
    const char *s = next_word(text, at);
    const char *tab = s ? strchr(s, '\t') : NULL;
    const char *path = tab ? strchr(tab + 1, '\t') : NULL;
    if (!path)
        return ORR_EGIT;
    if (!path[1] && (!next_word(text, at) || !next_word(text, at)))
        return ORR_EGIT;
    f->binary = *s == '-';
    if (!f->binary) {
        f->additions = strtoll(s, NULL, 10);
        f->deletions = strtoll(tab + 1, NULL, 10);
    }
    return 0;
}

static int read_counts(const struct work *w)
{
    struct orr_buf text = {0};
    size_t at = 0;
    int rc = run_diff(w, "--numstat", &text);
    for (size_t i = 0; rc == 0 && i < w->out->count; i++)
        if (w->out->all[i].status != 'U' &&
            read_count(&text, &at, &w->out->all[i]) < 0)
            rc = unexpected(w->e);
    orr_buf_fini(&text);
    return rc;
}

/* Length of the section at 's', which starts with "diff --git": up to the next
 * such line. Lines of content start with ' ', '+', '-', '@' or '\'. */
static size_t section(const char *s, size_t n)
{
    static const char mark[] = "\ndiff --git ";
    const char *next = memmem(s, n, mark, sizeof mark - 1);
    return next ? (size_t)(next + 1 - s) : n;
}

static int set_patch(const struct work *w, struct orr_gitfile *f, const char *s,
                     size_t n)
{
    f->patch = orr_gitfiles_text(w->out, s, n);
    f->patch_n = n;
    return f->patch ? 0 : no_memory(w->e);
}

static int read_patches(const struct work *w)
{
    struct orr_buf text = {0};
    int rc = run_diff(w, "-p", &text);
    const char *s = (const char *)text.data;
    size_t left = text.len;
    for (size_t i = 0; rc == 0 && i < w->out->count; i++) {
        struct orr_gitfile *f = &w->out->all[i];
        if (f->status == 'U')
            continue;
        size_t n = section(s, left);
        // A changed type is a deletion and a creation.
        if (f->status == 'T')
            n += section(s + n, left - n);
        rc = set_patch(w, f, s, n);
        s += n;
        left -= n;
    }
    orr_buf_fini(&text);
    return rc;
}

static int mark_staged(const struct work *w)
{
    const char *const head[] = {"diff",     "--name-only",  "-z",
                                "--cached", "--no-renames", "--no-ext-diff",
                                NULL};
    struct orr_buf text = {0};
    size_t at = 0;
    int rc = run_on_paths(w, head, &text);
    for (const char *s; rc == 0 && (s = next_word(&text, &at));) {
        struct orr_gitfile *f = orr_gitfiles_find(w->out, s);
        if (f)
            f->staged = true;
    }
    orr_buf_fini(&text);
    return rc;
}

static void count_additions(struct orr_gitfile *f, const char *s, size_t n)
{
    const char *end = s + n;
    const char *body = memmem(s, n, "\n@@ ", 4);
    f->binary = !body && memmem(s, n, "\nBinary files ", 14);
    if (f->binary)
        return;
    f->additions = f->deletions = 0;
    for (const char *p = body; p;
         p = memchr(p + 1, '\n', (size_t)(end - p - 1)))
        f->additions += p + 1 < end && p[1] == '+';
}

/* git has no patch for an untracked file but by comparing it with nothing. */
static int read_untracked(const struct work *w, struct orr_gitfile *f)
{
    const char *const args[] = {"diff",
                                "--no-index",
                                "-p",
                                "--no-ext-diff",
                                "--no-textconv",
                                "--no-color",
                                "--src-prefix=a/",
                                "--dst-prefix=b/",
                                "--",
                                "/dev/null",
                                f->path,
                                NULL};
    struct orr_buf text = {0};
    int status = 0;
    int rc = orr_gitspawn_run(w->at, args, &text, &status, w->e);
    if (rc == 0 && status > 1)
        rc = ORR_EGIT;
    if (rc == 0 && w->q->numstat)
        count_additions(f, (const char *)text.data, text.len);
    if (rc == 0 && w->q->patch)
        rc = set_patch(w, f, (const char *)text.data, text.len);
    orr_buf_fini(&text);
    return rc;
}

static int add_untracked(const struct work *w)
{
    const char *const head[] = {"ls-files", "--others", "--exclude-standard",
                                "-z", NULL};
    struct orr_buf text = {0};
    size_t at = 0;
    int rc = run_on_paths(w, head, &text);
    for (const char *s; rc == 0 && (s = next_word(&text, &at));) {
        struct orr_gitfile *f = orr_gitfiles_add(w->out, '?', s, NULL);
        bool directory = *s && s[strlen(s) - 1] == '/';
        if (!f)
            rc = no_memory(w->e);
        else if ((w->q->patch || w->q->numstat) && !directory)
            rc = read_untracked(w, f);
    }
    orr_buf_fini(&text);
    return rc;
}

int orr_gitcmd_diff(const char *at, const struct orr_gitquery *q,
                    struct orr_gitfiles *out, struct orr_err *e)
{
    struct work w = {at, q, out, e};
    int rc = read_names(&w);
    if (rc == 0 && q->numstat)
        rc = read_counts(&w);
    if (rc == 0 && q->patch)
        rc = read_patches(&w);
    if (rc == 0 && !*out->to)
        rc = add_untracked(&w);
    if (rc < 0)
        return rc;
    orr_gitfiles_sort(out);
    return *out->to || !out->count ? 0 : mark_staged(&w);
}
