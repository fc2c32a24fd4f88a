/*
 * spawn: starting a child. posix_spawn does the work between fork and exec
 * without copying our page tables; everything that needs a decision or memory
 * happens before it.
 */
#include "engine/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/child.h"
#include "engine/job.h"
#include "engine/program.h"
#include "engine/spawner.h"

#define TAG_NAME "ORRERY_STEP="

extern char **environ;

/* What lives only while a child is being started; by the spawner's thread, if
 * it is apart: then it owns the words of its spec. */
struct start {
    struct orr_errand errand;
    struct orr_spec spec;
    struct orr_child *c;
    struct orr_buf file;     /* the program, NUL-terminated */
    const char **env;        /* owned array of borrowed strings, or NULL */
    char *tag;               /* owned "ORRERY_STEP=…" */
    void *words[3];          /* owned: what spec.argv, env and cwd point to */
    int in, out[2];          /* the child's ends; in may be borrowed */
    bool own_in, foreground; /* close 'in'; hand over the terminal */
    bool tried;              /* whether it was launched is known */
    int rc;                  /* what came of it, with 'err' */
    struct orr_err err;
    pid_t pid;
    int pidfd;
    uint64_t began;
};

/* --- environment ----------------------------------------------------------*/

static const char *const *given_env(const struct orr_spec *spec)
{
    return spec->env ? spec->env : (const char *const *)environ;
}

static const char *env_value(const char *const *env, const char *name, size_t n)
{
    for (; *env; env++)
        if (!strncmp(*env, name, n))
            return *env + n;
    return NULL;
}

/* The tag comes first: whoever looks for it in /proc finds it at once. */
static int make_env(struct start *st, struct orr_err *e)
{
    const char *const *from = given_env(&st->spec);
    if (!st->spec.tag)
        return 0;
    size_t n = 0, k = 0, head = sizeof TAG_NAME - 1;
    size_t tail = strlen(st->spec.tag) + 1;
    while (from[n])
        n++;
    st->env = malloc((n + 2) * sizeof *st->env);
    st->tag = malloc(head + tail);
    if (!st->env || !st->tag)
        return orr_err_set(e, ORR_ENOMEM, "out of memory");
    memcpy(st->tag, TAG_NAME, head);
    memcpy(st->tag + head, st->spec.tag, tail);
    st->env[k++] = st->tag;
    for (size_t i = 0; i < n; i++)
        if (strncmp(from[i], TAG_NAME, sizeof TAG_NAME - 1) != 0)
            st->env[k++] = from[i];
    st->env[k] = NULL;
    return 0;
}

/* --- descriptors ----------------------------------------------------------*/

/* Bytes to feed go through an anonymous file: nothing to write later, no
 * broken pipe, and the child reads them at its own pace. */
static int open_input(struct start *st, struct orr_err *e)
{
    const struct orr_spec *spec = &st->spec;
    st->in = -1;
    if (spec->input == ORR_STDIN_INHERIT)
        return 0;
    st->in = orr_loop_null(st->c->src.loop);
    if (spec->input == ORR_STDIN_NULL || !spec->size)
        return 0;
    int fd = memfd_create("stdin", MFD_CLOEXEC);
    if (fd < 0)
        return orr_err_errno(e, errno, "standard input of a child");
    st->in = fd;
    st->own_in = true;
    const char *at = spec->bytes;
    for (size_t left = spec->size; left;) {
        ssize_t n = write(fd, at, left);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return orr_err_errno(e, errno, "standard input of a child");
        at += n;
        left -= (size_t)n;
    }
    lseek(fd, 0, SEEK_SET);
    return 0;
}

/* Only our end must not block; the flag belongs to one end. */
static int open_pipe(struct start *st, int i, struct orr_err *e)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return orr_err_errno(e, errno, "output pipe of a child");
    st->c->out[i] = fds[0];
    st->out[i] = fds[1];
    fcntl(fds[0], F_SETFL, O_NONBLOCK);
    return 0;
}

static int open_output(struct start *st, struct orr_err *e)
{
    int rc = 0;
    if (st->spec.output != ORR_OUTPUT_INHERIT)
        rc = open_pipe(st, 0, e);
    if (rc == 0 && st->spec.output == ORR_OUTPUT_CAPTURE)
        rc = open_pipe(st, 1, e);
    return rc;
}

static void close_all(struct start *st)
{
    for (int i = 0; i < 2; i++)
        if (st->out[i] >= 0)
            close(st->out[i]);
    if (st->own_in)
        close(st->in);
    st->out[0] = st->out[1] = -1;
    st->own_in = false;
}

/* --- posix_spawn ----------------------------------------------------------*/

static int plan_files(struct start *st, posix_spawn_file_actions_t *fa)
{
    const struct orr_spec *spec = &st->spec;
    int err = st->out[1] >= 0 ? st->out[1] : st->out[0]; // merge: one pipe
    int rc = 0;
    if (spec->cwd)
        rc = posix_spawn_file_actions_addchdir_np(fa, spec->cwd);
    if (!rc && st->in >= 0)
        rc = posix_spawn_file_actions_adddup2(fa, st->in, 0);
    if (!rc && st->out[0] >= 0)
        rc = posix_spawn_file_actions_adddup2(fa, st->out[0], 1);
    if (!rc && err >= 0)
        rc = posix_spawn_file_actions_adddup2(fa, err, 2);
    if (!rc && st->foreground)
        rc = posix_spawn_file_actions_addtcsetpgrp_np(fa, st->c->tty);
    return rc;
}

static int plan_attr(posix_spawnattr_t *attr)
{
    sigset_t all, none;
    sigfillset(&all);
    sigemptyset(&none);
    posix_spawnattr_setsigdefault(attr, &all);
    posix_spawnattr_setsigmask(attr, &none);
    posix_spawnattr_setpgroup(attr, 0);
    return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETPGROUP |
                                              POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETSIGMASK);
}

/* A script without "#!" is the shell's, as execvp and make have it. */
static int run_as_script(struct start *st, const posix_spawn_file_actions_t *fa,
                         const posix_spawnattr_t *attr, char *const *env)
{
    size_t n = 0;
    while (st->spec.argv[n])
        n++;
    const char **argv = malloc((n + 2) * sizeof *argv);
    if (!argv)
        return ENOMEM;
    argv[0] = "/bin/sh";
    argv[1] = (const char *)st->file.data;
    memcpy(argv + 2, st->spec.argv + 1, n * sizeof *argv);
    int sys =
        posix_spawn(&st->pid, argv[0], fa, attr, (char *const *)argv, env);
    free(argv);
    return sys;
}

/* Returns an errno. */
static int launch(struct start *st)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    const char *const *env = st->env ? st->env : given_env(&st->spec);
    char *const *envp = (char *const *)env;
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    int sys = plan_files(st, &fa);
    if (!sys)
        sys = plan_attr(&attr);
    if (!sys)
        sys = posix_spawn(&st->pid, (const char *)st->file.data, &fa, &attr,
                          (char *const *)st->spec.argv, envp);
    if (sys == ENOEXEC)
        sys = run_as_script(st, &fa, &attr, envp);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return sys;
}

/* --- failures -------------------------------------------------------------*/

static int bad_cwd(const char *cwd, struct orr_err *e)
{
    struct stat st;
    int sys = 0;
    if (stat(cwd, &st) < 0)
        sys = errno;
    else if (!S_ISDIR(st.st_mode))
        sys = ENOTDIR;
    else if (access(cwd, X_OK) < 0)
        sys = errno;
    return sys ? orr_err_errno(e, sys, "working directory %s", cwd) : 0;
}

/* posix_spawn says only an errno; find out what it was about. */
static int explain(const struct start *st, int sys, struct orr_err *e)
{
    const char *name = st->spec.argv[0];
    if (st->spec.cwd && bad_cwd(st->spec.cwd, e) < 0)
        return e ? e->rc : ORR_ESYS;
    if (sys == ENOENT && access((const char *)st->file.data, F_OK) < 0)
        return orr_err_errno(e, sys, "cannot run '%s': %s", name,
                             (const char *)st->file.data);
    if (sys == ENOENT)
        return orr_err_errno(e, sys,
                             "cannot run '%s': the interpreter of %s is "
                             "missing",
                             name, (const char *)st->file.data);
    return orr_err_errno(e, sys, "cannot run '%s'", name);
}

/* --- the way --------------------------------------------------------------*/

static int prepare(struct start *st, struct orr_err *e)
{
    const struct orr_spec *spec = &st->spec;
    const char *path = env_value(given_env(spec), "PATH=", 5);
    int rc = 0;
    if (!spec->file)
        rc = orr_program_find(spec->argv[0], path, spec->cwd, &st->file, e);
    else if (orr_buf_put(&st->file, spec->file, strlen(spec->file) + 1) < 0)
        rc = orr_err_set(e, ORR_ENOMEM, "out of memory");
    if (rc < 0 && spec->cwd) {
        struct orr_err other;
        if (bad_cwd(spec->cwd, &other) < 0 && e)
            *e = other;
    }
    if (rc == 0)
        rc = make_env(st, e);
    if (rc == 0)
        rc = open_input(st, e);
    if (rc == 0)
        rc = open_output(st, e);
    return rc;
}

/* Who is not watched must not run. */
static void undo(struct start *st)
{
    kill(-st->pid, SIGKILL);
    waitpid(st->pid, NULL, 0);
    if (st->pidfd >= 0)
        close(st->pidfd);
}

/* Starts the process; by any thread. */
static void go_out(struct start *st)
{
    st->tried = true;
    st->began = orr_clock_mono();
    int sys = launch(st);
    if (sys) {
        st->rc = explain(st, sys, &st->err);
    } else if ((st->pidfd = (int)syscall(SYS_pidfd_open, st->pid, 0)) < 0) {
        st->rc = orr_err_errno(&st->err, errno, "watching a child");
        undo(st);
    } else if ((sys = orr_child_watch(st->c, st->pidfd))) {
        st->rc = orr_err_errno(&st->err, sys, "watching a child");
        undo(st);
    }
    close_all(st);
}

/* The process runs; from here on it is the loop's. */
static void adopt(struct start *st)
{
    struct orr_child *c = st->c;
    c->pid = st->pid;
    c->pidfd = st->pidfd;
    c->started = st->began;
    if (st->spec.timeout > 0 && st->spec.timeout < 1e9)
        c->end_by = c->started + (uint64_t)(st->spec.timeout * 1e9);
    orr_child_adopt(c);
}

static struct orr_child *make_child(struct orr_loop *loop,
                                    const struct orr_spec *spec)
{
    struct orr_child *c = orr_xalloc(sizeof *c);
    c->src.loop = loop;
    c->exit = orr_xalloc(sizeof *c->exit);
    c->pidfd = c->out[0] = c->out[1] = c->tty = -1;
    c->live = spec->live;
    c->limit = spec->limit;
    c->grace = spec->grace;
    c->tag = spec->tag ? orr_xstrdup(spec->tag) : NULL;
    return c;
}

static void unmake_child(struct orr_child *c)
{
    for (int i = 0; i < 2; i++)
        if (c->out[i] >= 0)
            close(c->out[i]);
    if (c->tty >= 0)
        close(c->tty);
    free(c->exit);
    free(c->tag);
    free(c);
}

static struct start *start_new(struct orr_loop *loop,
                               const struct orr_spec *spec)
{
    struct start *st = orr_xalloc(sizeof *st);
    st->spec = *spec;
    st->c = make_child(loop, spec);
    st->in = st->out[0] = st->out[1] = st->pidfd = -1;
    return st;
}

static void start_free(struct start *st)
{
    close_all(st);
    for (int i = 0; i < 3; i++)
        free(st->words[i]);
    free(st->env);
    free(st->tag);
    orr_buf_fini(&st->file);
    free(st);
}

int orr_spawn(struct orr_loop *loop, const struct orr_spec *spec, int64_t *id,
              pid_t *pid, struct orr_err *e)
{
    struct start *st = start_new(loop, spec);
    struct orr_child *c = st->c;
    st->rc = prepare(st, &st->err);
    if (st->rc == 0) {
        st->foreground = orr_job_prepare(loop, c, spec->tty);
        orr_child_announce(loop, c);
        go_out(st);
        if (st->rc < 0)
            orr_source_drop(&c->src);
    }
    int rc = st->rc;
    if (rc == 0) {
        adopt(st);
        orr_job_enter(c);
        *id = c->src.id;
        *pid = c->pid;
    } else {
        unmake_child(c);
        if (e)
            *e = st->err;
    }
    start_free(st);
    return rc;
}

/* --- apart ----------------------------------------------------------------*/

/* A copy of a list of words in one piece of memory, or NULL. */
static const char **copy_words(const char *const *from)
{
    size_t n = 0, bytes = 0;
    for (; from[n]; n++)
        bytes += strlen(from[n]) + 1;
    const char **v = malloc((n + 1) * sizeof *v + bytes);
    if (!v)
        return NULL;
    char *at = (char *)(v + n + 1);
    for (size_t i = 0; i < n; i++) {
        size_t size = strlen(from[i]) + 1;
        memcpy(at, from[i], size);
        v[i] = at;
        at += size;
    }
    v[n] = NULL;
    return v;
}

/* The caller's words are not there any more when the thread needs them. */
static int own_words(struct start *st, struct orr_err *e)
{
    struct orr_spec *spec = &st->spec;
    const char **argv = copy_words(spec->argv);
    const char **env = copy_words(st->env ? st->env : given_env(spec));
    char *cwd = spec->cwd ? strdup(spec->cwd) : NULL;
    st->words[0] = argv;
    st->words[1] = env;
    st->words[2] = cwd;
    if (!argv || !env || (spec->cwd && !cwd))
        return orr_err_set(e, ORR_ENOMEM, "out of memory");
    spec->argv = argv;
    spec->env = env;
    spec->cwd = cwd;
    free(st->env);
    st->env = NULL;
    return 0;
}

/* What runs tells of itself by its pipes and its end; its deadline is set when
 * the loop knows of it. */
static void errand_out(struct orr_errand *it)
{
    struct start *st = (struct start *)it;
    go_out(st);
    it->quiet = st->rc == 0 && !(st->spec.timeout > 0);
}

/* One that was not begun ends unseen: the loop closes. */
static void errand_back(struct orr_errand *it)
{
    struct start *st = (struct start *)it;
    struct orr_child *c = st->c;
    if (st->tried && st->rc == 0)
        adopt(st);
    if (!st->tried || st->rc < 0) {
        struct orr_event *ev =
            orr_loop_push(c->src.loop, ORR_EVENT_EXIT, c->src.id);
        ev->exit = c->exit;
        ev->exit->error = orr_xalloc(sizeof st->err);
        *ev->exit->error = st->err;
        c->exit = NULL;
        orr_job_leave(c);
        orr_source_drop(&c->src);
        unmake_child(c);
    }
    start_free(st);
}

int orr_spawn_apart(struct orr_loop *loop, const struct orr_spec *spec,
                    int64_t *id, struct orr_err *e)
{
    struct start *st = start_new(loop, spec);
    struct orr_child *c = st->c;
    st->errand.out = errand_out;
    st->errand.back = errand_back;
    int rc = prepare(st, e);
    if (rc == 0)
        rc = own_words(st, e);
    if (rc == 0) {
        orr_job_prepare(loop, c, false);
        orr_child_announce(loop, c);
        int sys = orr_spawner_send(loop, &st->errand);
        if (sys) {
            rc = orr_err_errno(e, sys, "a thread that starts children");
            orr_source_drop(&c->src);
        }
    }
    if (rc < 0) {
        unmake_child(c);
        start_free(st);
        return rc;
    }
    orr_job_enter(c);
    *id = c->src.id;
    return 0;
}
