/*
 * walk_tree: depth first, with an explicit stack.
 *
 * A frame is a directory that is being visited: its descriptor, the patterns'
 * states there, the ignore files that apply, and the subdirectories still to
 * enter. A frame gives its descriptor up before its last subdirectory is
 * entered; beyond MAX_OPEN descriptors the oldest are closed too and opened
 * again, step by step from the root, when their turn comes.
 */
#include "engine/walk_tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_OPEN = 128, LIST_BYTES = 64 * 1024 };

struct frame {
    int fd;     /* -1: closed for now */
    size_t len; /* of the walk's path, at this directory */
    struct orr_glob_states states;
    struct orr_ignores *ignores; /* what applies in here */
    bool owns;                   /* 'ignores' is its own .gitignore */
    struct orr_strs subdirs;
    size_t next; /* subdirectory to enter next */
};

struct walk {
    const struct orr_glob *g;
    struct orr_walk_found *out;
    struct orr_err *e;
    const char *base; /* what found paths start with: "", "/", "../" */
    int root;         /* descriptor of the directory they start in */
    bool ignore;
    struct orr_buf path; /* from the repository's top: prefix, then directory;
                            each with a "/" behind it */
    size_t prefix;       /* where the part below the root starts */
    struct frame *v;     /* the stack */
    size_t depth, cap;
    size_t open;           /* frames that hold a descriptor */
    struct orr_strs files; /* of the directory being read */
    char *list;            /* LIST_BYTES for directory entries */
};

static int no_memory(struct walk *w)
{
    return orr_err_set(w->e, ORR_ENOMEM, "no memory for the walk");
}

/* Where the walk is, for messages and facts: base + path below the root. */
static int put_here(struct walk *w, struct orr_strs *to, const char *name,
                    size_t n)
{
    struct orr_buf b = {0};
    size_t below = w->path.len - w->prefix;
    int rc = orr_buf_puts(&b, w->base);
    rc |= orr_buf_put(&b, w->path.data + w->prefix, below);
    rc |= orr_buf_put(&b, name, n);
    if (rc == 0 && !n) { // a directory, without the slash
        b.len -= b.len > 1;
        rc = b.len ? 0 : orr_buf_putc(&b, '.');
    }
    rc |= rc ? rc : orr_strs_put(to, b.data, b.len);
    orr_buf_fini(&b);
    return rc ? no_memory(w) : 0;
}

static int fail_here(struct walk *w, int sys, const char *name)
{
    struct orr_strs s = {0};
    int rc = put_here(w, &s, name, strlen(name));
    if (rc == 0)
        rc = orr_err_errno(w->e, sys, "cannot read directory %s",
                           orr_strs_at(&s, 0));
    orr_strs_fini(&s);
    return rc;
}

/* --- descriptors ---------------------------------------------------------- */

static void close_fd(struct walk *w, struct frame *f)
{
    if (f->fd < 0)
        return;
    close(f->fd);
    f->fd = -1;
    w->open--;
}

static void close_oldest(struct walk *w)
{
    for (size_t i = 0; i < w->depth && w->open > MAX_OPEN; i++)
        close_fd(w, &w->v[i]);
}

/* Opens the frame's directory again, one component after the other. */
static int reopen(struct walk *w, struct frame *f)
{
    char *p = (char *)w->path.data + w->prefix;
    const char *end = (char *)w->path.data + f->len;
    int fd = openat(w->root, ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
    while (fd >= 0 && p < end) {
        char *slash = memchr(p, '/', (size_t)(end - p));
        *slash = 0; // in place: a name may be longer than NAME_MAX (FUSE)
        int next = openat(fd, p, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        int saved = errno;
        *slash = '/';
        close(fd);
        errno = saved;
        fd = next;
        p = slash + 1;
    }
    if (fd < 0)
        return -1;
    f->fd = fd;
    w->open++;
    return 0;
}

/* --- reading one directory ------------------------------------------------ */

static bool wants_list(const struct walk *w, const struct orr_glob_states *s)
{
    for (size_t i = 0; i < s->count; i++) {
        const struct orr_glob_pattern *p = &w->g->patterns[s->v[i].pattern];
        if (!p->exclude && p->wild.segs[s->v[i].seg].kind != ORR_WILD_LITERAL)
            return true;
    }
    return false;
}

static bool wants_ignores(const struct walk *w, const struct orr_glob_states *s)
{
    for (size_t i = 0; w->ignore && i < s->count; i++)
        if (!s->v[i].raw && !w->g->patterns[s->v[i].pattern].exclude)
            return true;
    return false;
}

/* Files one entry as a file or a subdirectory. 'type': DT_UNKNOWN to ask. */
static int add_entry(struct walk *w, struct frame *f, const char *name,
                     unsigned char type)
{
    size_t n = strlen(name);
    struct stat st;
    if (orr_glob_reserved(name, n))
        return 0;
    if (type == DT_UNKNOWN) {
        if (fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT || errno == ENAMETOOLONG)
                return 0;
            return fail_here(w, errno, name);
        }
        type = (unsigned char)IFTODT(st.st_mode);
    }
    struct orr_strs *to = type == DT_DIR ? &f->subdirs : &w->files;
    if (type != DT_DIR && type != DT_REG && type != DT_LNK)
        return 0; // sockets, fifos and devices hold no bytes of their own
    return orr_strs_put(to, name, n) < 0 ? no_memory(w) : 0;
}

static int list_dir(struct walk *w, struct frame *f, bool *has_ignore)
{
    for (;;) {
        ssize_t n = getdents64(f->fd, w->list, LIST_BYTES);
        if (n < 0)
            return errno == ENOENT ? 0 : fail_here(w, errno, "");
        if (n == 0)
            return 0;
        for (ssize_t i = 0; i < n;) {
            struct dirent64 *d = (struct dirent64 *)(void *)(w->list + i);
            i += d->d_reclen;
            if (!strcmp(d->d_name, ".") || !strcmp(d->d_name, ".."))
                continue;
            *has_ignore |= !strcmp(d->d_name, ".gitignore");
            int rc = add_entry(w, f, d->d_name, d->d_type);
            if (rc < 0)
                return rc;
        }
    }
}

/* Looks only for the names that literal segments ask for. */
static int probe_dir(struct walk *w, struct frame *f)
{
    int rc = 0;
    struct orr_strs names = {0};
    for (size_t i = 0; rc == 0 && i < f->states.count; i++) {
        const struct orr_glob_state *s = &f->states.v[i];
        const struct orr_glob_pattern *p = &w->g->patterns[s->pattern];
        if (p->exclude)
            continue;
        const struct orr_wild_seg *seg = &p->wild.segs[s->seg];
        if (orr_strs_put(&names, seg->text, seg->len) < 0)
            rc = no_memory(w);
    }
    orr_strs_sort(&names);
    orr_strs_unique(&names);
    for (size_t i = 0; rc == 0 && i < names.count; i++)
        rc = add_entry(w, f, orr_strs_at(&names, i), DT_UNKNOWN);
    orr_strs_fini(&names);
    return rc;
}

static int load_ignores(struct walk *w, struct frame *f)
{
    struct orr_strs at = {0};
    struct orr_ignores *up = f->ignores;
    int rc = put_here(w, &at, ".gitignore", 10);
    if (rc == 0)
        rc = orr_ignores_push(f->fd, orr_strs_at(&at, 0), w->path.len, up,
                              &f->ignores, w->e);
    f->owns = rc == 0 && f->ignores != up;
    if (rc == 0 && orr_strs_put(&w->out->ignore_files, orr_strs_at(&at, 0),
                                at.items[0].len) < 0)
        rc = no_memory(w);
    orr_strs_fini(&at);
    return rc;
}

/* Do ignore files hide this entry of the frame's directory? 0, 1 or an error.
 */
static int is_hidden(struct walk *w, const struct frame *f, const char *name,
                     size_t n, bool dir)
{
    if (!w->ignore || !f->ignores)
        return 0;
    size_t keep = w->path.len;
    if (orr_buf_put(&w->path, name, n) < 0)
        return no_memory(w);
    bool hide =
        orr_ignores_hide(f->ignores, (char *)w->path.data, w->path.len, dir);
    w->path.len = keep;
    return hide;
}

static int judge_file(struct walk *w, const struct frame *f, const char *name,
                      size_t n)
{
    enum orr_glob_answer a = orr_glob_file(w->g, &f->states, name, n, false);
    if (a == ORR_GLOB_UNLESS_IGNORED) {
        int hide = is_hidden(w, f, name, n, false);
        if (hide < 0)
            return hide;
        a = hide ? orr_glob_file(w->g, &f->states, name, n, true)
                 : ORR_GLOB_YES;
    }
    return a == ORR_GLOB_YES ? put_here(w, &w->out->files, name, n) : 0;
}

/* Reads the frame's directory: its files are judged, its subdirectories wait.
 */
static int visit(struct walk *w, struct frame *f)
{
    bool list = wants_list(w, &f->states), has_ignore = !list;
    orr_strs_clear(&w->files);
    int rc = put_here(w, &w->out->dirs, "", 0);
    if (rc == 0)
        rc = list ? list_dir(w, f, &has_ignore) : probe_dir(w, f);
    if (rc == 0 && has_ignore && wants_ignores(w, &f->states))
        rc = load_ignores(w, f);
    for (size_t i = 0; rc == 0 && i < w->files.count; i++)
        rc = judge_file(w, f, orr_strs_at(&w->files, i), w->files.items[i].len);
    return rc;
}

/* --- the stack ------------------------------------------------------------ */

static int push(struct walk *w, struct frame f)
{
    if (w->depth == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 32;
        void *p = realloc(w->v, cap * sizeof *w->v);
        if (!p)
            return no_memory(w);
        w->v = p;
        w->cap = cap;
    }
    w->v[w->depth++] = f;
    w->open++;
    close_oldest(w);
    return 0;
}

static void frame_fini(struct frame *f)
{
    orr_glob_states_fini(&f->states);
    orr_strs_fini(&f->subdirs);
    if (f->owns)
        orr_ignores_free(f->ignores);
    if (f->fd >= 0)
        close(f->fd);
}

static void pop(struct walk *w)
{
    struct frame *f = &w->v[--w->depth];
    w->open -= f->fd >= 0;
    frame_fini(f);
}

/* Enters the subdirectory 'name' of the top frame, if anything in it can
 * match. */
static int enter(struct walk *w, const char *name, size_t n, bool last)
{
    struct frame *f = &w->v[w->depth - 1], sub = {.fd = -1};
    int hide = is_hidden(w, f, name, n, true);
    int rc = hide < 0 ? hide : 0;
    if (rc == 0 &&
        orr_glob_enter(w->g, &f->states, name, n, hide > 0, &sub.states) < 0)
        rc = no_memory(w);
    if (rc < 0 || !sub.states.count)
        goto out;
    if (f->fd < 0 && reopen(w, f) < 0) {
        rc = errno == ENOENT ? 0 : fail_here(w, errno, "");
        goto out;
    }
    int how = wants_list(w, &sub.states) ? O_RDONLY : O_PATH;
    sub.fd = openat(f->fd, name, how | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (sub.fd < 0) { // vanished or replaced meanwhile: not there
        bool gone = errno == ENOENT || errno == ENOTDIR || errno == ELOOP;
        rc = gone ? 0 : fail_here(w, errno, name);
        goto out;
    }
    if (orr_buf_put(&w->path, name, n) < 0 || orr_buf_putc(&w->path, '/') < 0) {
        rc = no_memory(w);
        goto out;
    }
    sub.len = w->path.len;
    sub.ignores = f->ignores;
    if (last)
        close_fd(w, f);
    rc = push(w, sub);
    if (rc < 0)
        goto out;
    return visit(w, &w->v[w->depth - 1]);
out:
    frame_fini(&sub);
    return rc;
}

static int run(struct walk *w)
{
    int rc = visit(w, &w->v[0]);
    while (rc == 0 && w->depth) {
        struct frame *f = &w->v[w->depth - 1];
        w->path.len = f->len;
        if (f->next == f->subdirs.count) {
            pop(w);
            continue;
        }
        size_t i = f->next++;
        rc = enter(w, orr_strs_at(&f->subdirs, i), f->subdirs.items[i].len,
                   f->next == f->subdirs.count);
    }
    return rc;
}

int orr_walk_tree(const struct orr_walk_start *s, const struct orr_glob *g,
                  struct orr_walk_found *out, struct orr_err *e)
{
    struct walk w = {.g = g,
                     .out = out,
                     .e = e,
                     .base = s->base,
                     .root = s->fd,
                     .ignore = s->ignore};
    struct frame top = {.fd = -1, .ignores = s->ignores};
    int rc = orr_glob_start(g, s->base, s->hidden, &top.states);
    if (rc < 0 || orr_buf_puts(&w.path, s->prefix) < 0) {
        rc = no_memory(&w);
        goto out;
    }
    if (!top.states.count)
        goto out;
    w.prefix = top.len = w.path.len;
    w.list = malloc(LIST_BYTES);
    if (!w.list) {
        rc = no_memory(&w);
        goto out;
    }
    top.fd = openat(s->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (top.fd < 0) {
        rc = fail_here(&w, errno, "");
        goto out;
    }
    rc = push(&w, top);
    if (rc < 0)
        goto out;
    top = (struct frame){.fd = -1};
    rc = run(&w);
out:
    while (w.depth)
        pop(&w);
    frame_fini(&top);
    orr_strs_fini(&w.files);
    orr_buf_fini(&w.path);
    free(w.v);
    free(w.list);
    return rc;
}
