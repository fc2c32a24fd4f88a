/* Tests of core/engine/job: the terminal, and ^Z, on a pseudo-terminal.
 *
 *   this test --master--> terminal <--slave-- "shell", a session leader
 *                                               `- job: a loop with a child
 *
 * The shell does what a shell does: waits for the job to stop, takes the
 * terminal, gives it back and continues the job. Its exit status is the result.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/proctab.h"
#include "engine/spawn.h"

enum { HANG = 30, NOT_STOPPED = 90, NOT_OURS = 91, NOT_ENDED = 92 };

/* The job: runs one child to its end; its status is ours. */
static _Noreturn void job_main(const char *script, bool tty)
{
    struct orr_loop *loop;
    const char *argv[] = {"sh", "-c", script, NULL};
    struct orr_spec spec = {.argv = argv,
                            .grace = 1,
                            .limit = 4096,
                            .tty = tty,
                            .output = ORR_OUTPUT_INHERIT,
                            .input = tty ? ORR_STDIN_INHERIT : ORR_STDIN_NULL};
    int64_t id;
    pid_t pid;
    const struct orr_event *ev = NULL;
    size_t n = 0;
    alarm(HANG);
    if (orr_loop_open(&loop, NULL) < 0 ||
        orr_spawn(loop, &spec, &id, &pid, NULL) < 0)
        _exit(NOT_ENDED);
    while (!n || ev->kind != ORR_EVENT_EXIT)
        orr_loop_wait(loop, -1, &ev, &n, NULL);
    int code = ev->exit->code;
    if (tcgetpgrp(0) != getpgrp())
        code = NOT_OURS;
    orr_loop_close(loop);
    _exit(code);
}

static void foreground(pid_t group)
{
    signal(SIGTTOU, SIG_IGN);
    tcsetpgrp(0, group);
    signal(SIGTTOU, SIG_DFL);
}

/* The state letter of a process, 0 when it is gone. */
static char state_of(pid_t pid)
{
    char path[64], text[512] = "";
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
    if (f)
        fclose(f);
    const char *name_end = n ? strrchr(text, ')') : NULL;
    return name_end ? name_end[2] : '\0';
}

/* A stopped job's step is stopped, too, or the alarm ends the shell; then it is
 * told to end, which it can do only when it is continued. */
static void check_step(pid_t job)
{
    struct orr_proctab tab;
    pid_t step = 0;
    orr_proctab_read(&tab);
    for (size_t i = 0; i < tab.count; i++)
        if (tab.v[i].parent == job)
            step = tab.v[i].pid;
    orr_proctab_fini(&tab);
    if (!step)
        _exit(NOT_STOPPED);
    while (state_of(step) != 'T')
        usleep(1000);
    kill(step, SIGUSR1);
}

/* The shell: 'stops' times the job must stop before it may end. */
static _Noreturn void shell_main(const char *script, bool tty, int stops)
{
    int status;
    alarm(HANG);
    pid_t job = fork();
    if (job == 0) {
        setpgid(0, 0);
        foreground(getpid());
        job_main(script, tty);
    }
    setpgid(job, job);
    for (; stops > 0; stops--) {
        if (waitpid(job, &status, WUNTRACED) != job || !WIFSTOPPED(status))
            _exit(NOT_STOPPED);
        foreground(getpgrp());
        if (!tty)
            check_step(job);
        dprintf(1, "stopped\n");
        foreground(job);
        kill(-job, SIGCONT);
    }
    if (waitpid(job, &status, 0) != job || !WIFEXITED(status))
        _exit(NOT_ENDED);
    _exit(WEXITSTATUS(status));
}

static pid_t start_shell(const char *script, bool tty, int stops, int *master)
{
    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(*master >= 0);
    assert_int_equal(grantpt(*master), 0);
    assert_int_equal(unlockpt(*master), 0);
    char name[64];
    assert_int_equal(ptsname_r(*master, name, sizeof name), 0);
    pid_t shell = fork();
    if (shell == 0) {
        setsid();
        int fd = open(name, O_RDWR); // becomes the controlling terminal
        for (int i = 0; i < 3; i++)
            dup2(fd, i);
        close(fd);
        shell_main(script, tty, stops);
    }
    return shell;
}

/* Reads the terminal until it said 'word'; the alarm ends a test that waits in
 * vain. */
static void until(int master, const char *word)
{
    char text[4096] = "";
    size_t n = 0;
    while (!strstr(text, word)) {
        ssize_t got = read(master, text + n, sizeof text - 1 - n);
        if (got <= 0)
            fail_msg("the terminal ended before it said %s: %s", word, text);
        n += (size_t)got;
        text[n] = '\0';
    }
}

static int status_of(pid_t shell)
{
    int status;
    assert_int_equal(waitpid(shell, &status, 0), shell);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static void type(int master, const char *keys)
{
    assert_int_equal(write(master, keys, strlen(keys)), (int)strlen(keys));
}

static void a_tty_step_reads_the_terminal_and_gives_it_back(void **state)
{
    (void)state;
    int master;
    alarm(HANG);
    pid_t shell = start_shell("echo ask; read x; test \"$x\" = yes && exit 5",
                              true, 0, &master);
    until(master, "ask");
    type(master, "yes\n");
    assert_int_equal(status_of(shell), 5);
    close(master);
}

static void interrupting_a_tty_step_ends_the_step_only(void **state)
{
    (void)state;
    int master;
    alarm(HANG);
    pid_t shell = start_shell("echo ask; read x", true, 0, &master);
    until(master, "ask");
    type(master, "\x03");
    assert_int_equal(status_of(shell), 128 + SIGINT);
    close(master);
}

static void stopping_a_tty_step_stops_the_job_and_it_goes_on(void **state)
{
    (void)state;
    int master;
    alarm(HANG);
    pid_t shell = start_shell("echo ask; read x; test \"$x\" = yes && exit 6",
                              true, 1, &master);
    until(master, "ask");
    type(master, "\x1a");
    until(master, "stopped");
    type(master, "yes\n");
    assert_int_equal(status_of(shell), 6);
    close(master);
}

static void stopping_the_job_stops_a_step_that_is_not_in_front(void **state)
{
    (void)state;
    int master;
    alarm(HANG);
    // It must not fork: a shell whose child is stopped before its exec is
    // stuck in the kernel, which does not count as stopped.
    pid_t shell =
        start_shell("kill -TSTP $PPID; exec sleep 1000", false, 1, &master);
    until(master, "stopped");
    assert_int_equal(status_of(shell), 128 + SIGUSR1);
    close(master);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tty_step_reads_the_terminal_and_gives_it_back),
        cmocka_unit_test(interrupting_a_tty_step_ends_the_step_only),
        cmocka_unit_test(stopping_a_tty_step_stops_the_job_and_it_goes_on),
        cmocka_unit_test(stopping_the_job_stops_a_step_that_is_not_in_front),
    };
    return cmocka_run_group_tests_name("job", tests, NULL, NULL);
}
