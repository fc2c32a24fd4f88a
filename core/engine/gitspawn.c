/* gitspawn: posix_spawn, two pipes, one poll loop. */
#include "engine/gitspawn.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Variables that point git at some other repository or change its output. */
static const char *const dropped[] = {
    "GIT_DIR",           "GIT_WORK_TREE",    "GIT_INDEX_FILE",
    "GIT_PREFIX",        "GIT_COMMON_DIR",   "GIT_OBJECT_DIRECTORY",
    "GIT_GRAFT_FILE",    "GIT_SHALLOW_FILE", "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",     "GIT_DIFF_OPTS",    "GIT_EXTERNAL_DIFF",
    "GIT_TRACE",         "LC_ALL",           "GIT_TERMINAL_PROMPT",
    "GIT_OPTIONAL_LOCKS"};

static char *const added[] = {"LC_ALL=C", "GIT_TERMINAL_PROMPT=0",
                              "GIT_OPTIONAL_LOCKS=0"};

static bool keeps(const char *entry)
{
    size_t n = strcspn(entry, "=");
    for (size_t i = 0; i < sizeof dropped / sizeof *dropped; i++)
        if (strlen(dropped[i]) == n && !memcmp(dropped[i], entry, n))
            return false;
    return true;
}

/* Returns owned; its strings are borrowed. */
static char **make_env(void)
{
    size_t n = 0, have = 0;
    while (environ && environ[n])
        n++;
    char **env = calloc(n + sizeof added / sizeof *added + 1, sizeof(char *));
    if (!env)
        return NULL;
    for (size_t i = 0; i < n; i++)
        if (keeps(environ[i]))
            env[have++] = environ[i];
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        env[have++] = added[i];
    return env;
}

/* Returns owned; its strings are borrowed. */
static char **make_argv(const char *dir, const char *const *args)
{
    const char *const head[] = {"git",
                                "--no-optional-locks",
                                "--literal-pathspecs",
                                "--no-pager",
                                "-c",
                                "core.fsmonitor=false",
                                "-c",
                                "core.hooksPath=/dev/null",
                                "-c",
                                "core.quotePath=false",
                                "-C",
                                dir};
    size_t heads = sizeof head / sizeof *head, n = 0;
    while (args[n])
        n++;
    char **argv = calloc(heads + n + 1, sizeof(char *));
    if (!argv)
        return NULL;
    // posix_spawn takes char *const *, and reads only.
    for (size_t i = 0; i < heads; i++)
        argv[i] = (char *)(uintptr_t)head[i];
    for (size_t i = 0; i < n; i++)
        argv[heads + i] = (char *)(uintptr_t)args[i];
    return argv;
}

static int start(char **argv, char **env, int out, int err, pid_t *pid)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t attr;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&fa);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_addopen(&fa, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&fa, out, 1);
    posix_spawn_file_actions_adddup2(&fa, err, 2);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setsigdefault(&attr, &all);
    posix_spawnattr_setflags(&attr,
                             POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int rc = posix_spawnp(pid, "git", &fa, &attr, argv, env);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&fa);
    return rc;
}

static int drain(int fd, struct orr_buf *b, bool *open)
{
    if (orr_buf_reserve(b, 65536) < 0)
        return ENOMEM;
    ssize_t n = read(fd, b->data + b->len, b->cap - b->len);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : errno;
    b->len += (size_t)n;
    *open = n > 0;
    return 0;
}

/* Reads both pipes to their ends. 0 or an errno. */
static int drain_both(int out, int err, struct orr_buf *stdout_buf,
                      struct orr_buf *stderr_buf)
{
    bool open[2] = {true, true};
    struct orr_buf *into[2] = {stdout_buf, stderr_buf};
    int rc = 0;
    while (!rc && (open[0] || open[1])) {
        struct pollfd p[2] = {{open[0] ? out : -1, POLLIN, 0},
                              {open[1] ? err : -1, POLLIN, 0}};
        if (poll(p, 2, -1) < 0) {
            rc = errno == EINTR ? 0 : errno;
            continue;
        }
        for (int i = 0; i < 2 && !rc; i++)
            if (p[i].revents)
                rc = drain(p[i].fd, into[i], &open[i]);
    }
    return rc;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

/* git's last line of stderr, without its "fatal: ". */
static int say_why(struct orr_buf *text, int status, struct orr_err *e)
{
    while (text->len && text->data[text->len - 1] == '\n')
        text->len--;
    if (!text->len)
        return orr_err_set(e, ORR_EGIT, "git ended with status %d", status);
    for (size_t i = 0; i < text->len; i++)
        if (text->data[i] < ' ')
            text->data[i] = ' ';
    const char *s = (const char *)text->data;
    size_t n = text->len;
    if (n > 7 && !memcmp(s, "fatal: ", 7))
        s += 7, n -= 7;
    return orr_err_set(e, ORR_EGIT, "git: %.*s", n > 400 ? 400 : (int)n, s);
}

static int collect(pid_t pid, int *status)
{
    int how = 0;
    while (waitpid(pid, &how, 0) < 0)
        if (errno != EINTR)
            return errno;
    *status = WIFEXITED(how) ? WEXITSTATUS(how) : 128 + WTERMSIG(how);
    return 0;
}

int orr_gitspawn_run(const char *dir, const char *const *args,
                     struct orr_buf *out, int *status, struct orr_err *e)
{
    int rc = 0, sys = 0, code = 0;
    int to_out[2] = {-1, -1}, to_err[2] = {-1, -1};
    pid_t pid = -1;
    struct orr_buf words = {0};
    char **argv = make_argv(dir, args);
    char **env = make_env();
    if (!argv || !env) {
        rc = orr_err_set(e, ORR_ENOMEM, "no memory to run git");
        goto out;
    }
    if (pipe2(to_out, O_CLOEXEC) < 0 || pipe2(to_err, O_CLOEXEC) < 0) {
        rc = orr_err_errno(e, errno, "make a pipe for git");
        goto out;
    }
    sys = start(argv, env, to_out[1], to_err[1], &pid);
    if (sys) {
        rc = orr_err_errno(e, sys, "run git (is it installed?)");
        goto out;
    }
    close_fd(&to_out[1]);
    close_fd(&to_err[1]);
    sys = drain_both(to_out[0], to_err[0], out, &words);
    close_fd(&to_out[0]);
    close_fd(&to_err[0]);
    int lost = collect(pid, &code);
    if (sys || lost)
        rc = orr_err_errno(e, sys ? sys : lost, "read what git says");
    else if (code)
        say_why(&words, code, e);
    if (rc == 0)
        *status = code;
out:
    for (int i = 0; i < 2; i++) {
        close_fd(&to_out[i]);
        close_fd(&to_err[i]);
    }
    orr_buf_fini(&words);
    free(env);
    free(argv);
    return rc;
}
