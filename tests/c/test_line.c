/* line, on a pseudo-terminal: the child edits, the parent types. */
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/line.h"

/* What the editor writes is read until it shows 'text'. */
static void await(int fd, const char *text)
{
    char seen[8192];
    size_t n = 0;
    seen[0] = 0;
    while (!strstr(seen, text)) {
        ssize_t k = read(fd, seen + n, sizeof seen - n - 1);
        if (k <= 0)
            fail_msg("the editor ended; it never wrote %s but %s", text, seen);
        n += (size_t)k;
        seen[n] = 0;
    }
}

/* Types once the terminal is the editor's, which it becomes after the prompt:
 * before, the terminal itself would take Ctrl-D, Ctrl-C and Ctrl-Z. */
static void type(int fd, const char *keys)
{
    struct termios t;
    do {
        assert_int_equal(tcgetattr(fd, &t), 0);
    } while ((t.c_lflag & ICANON) && sched_yield() == 0);
    assert_int_equal(write(fd, keys, strlen(keys)), (ssize_t)strlen(keys));
}

/* The line came out as that, and the next prompt is there. */
static void await_line(int fd, const char *line)
{
    char text[256];
    snprintf(text, sizeof text, "(%s)\r\nready> ", line);
    await(fd, text);
}

static size_t complete(void *ctx, const char *text, size_t len, size_t pos,
                       struct orr_buf *words)
{
    (void)ctx;
    (void)len;
    if (pos >= 2 && !memcmp(text, "al", 2)) {
        orr_buf_put(words, "alpha", 6);
        orr_buf_put(words, "alphabet", 9);
        return 0;
    }
    return pos;
}

/* Edits lines and says what each came to; never returns. */
static _Noreturn void edit(void)
{
    struct orr_err e;
    struct orr_line *l = NULL;
    struct orr_buf b = {0};
    if (orr_line_new(&l, complete, NULL, &e) < 0)
        _exit(9);
    for (;;) {
        enum orr_line_end end = orr_line_read(l, "ready> ", &b);
        if (end == ORR_LINE_END)
            break;
        if (end == ORR_LINE_INTERRUPT) {
            printf("\n(interrupt)\n");
        } else {
            printf("(%.*s)\n", (int)b.len, (char *)b.data);
            orr_buf_putc(&b, 0);
            orr_line_remember(l, (char *)b.data);
        }
        fflush(stdout);
    }
    orr_line_free(l);
    orr_buf_fini(&b);
    exit(0);
}

/* The shell's part: a stopped job is said to be so and continued at once. */
static _Noreturn void look_after(pid_t job)
{
    int status = 0;
    while (waitpid(job, &status, WUNTRACED) == job && WIFSTOPPED(status)) {
        printf("(stopped)\n");
        fflush(stdout);
        kill(-job, SIGCONT);
    }
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 8);
}

static pid_t start(int *fd)
{
    struct winsize size = {.ws_row = 24, .ws_col = 80};
    pid_t pid = forkpty(fd, NULL, NULL, &size);
    assert_true(pid >= 0);
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        signal(SIGTTOU, SIG_IGN);
        pid_t job = fork();
        if (job)
            look_after(job);
        setpgid(0, 0);
        tcsetpgrp(0, getpid());
        edit();
    }
    await(*fd, "ready> ");
    return pid;
}

static void finish(pid_t pid, int fd)
{
    int status;
    char rest[16384];
    type(fd, "\004");
    ssize_t n, at = 0;
    while (at < (ssize_t)sizeof rest - 1 &&
           (n = read(fd, rest + at, sizeof rest - 1 - (size_t)at)) > 0)
        at += n;
    rest[at] = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
        fail_msg("the editor ended with %d: %s", status, rest);
    close(fd);
}

static void a_line_is_edited_and_returned(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "allX\x7fo\001h\005!\r");
    await_line(fd, "hallo!");
    finish(pid, fd);
}

static void characters_beyond_ascii_pass(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "\xc3\xa4\xe2\x82\xac\r");
    await_line(fd, "\xc3\xa4\xe2\x82\xac");
    finish(pid, fd);
}

static void control_c_gives_up_the_line_only(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "junk\003");
    await_line(fd, "interrupt");
    type(fd, "good\r");
    await_line(fd, "good");
    finish(pid, fd);
}

static void the_up_key_brings_back_the_last_line(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "first\r");
    await_line(fd, "first");
    type(fd, "\020!\r");
    await_line(fd, "first!");
    finish(pid, fd);
}

static void tab_adds_what_all_candidates_share_then_lists_them(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "al\t");
    await(fd, "pha");
    type(fd, "\t");
    await(fd, "alphabet");
    type(fd, "\r");
    await_line(fd, "alpha");
    finish(pid, fd);
}

static void control_z_stops_and_editing_goes_on(void **state)
{
    (void)state;
    int fd;
    pid_t pid = start(&fd);
    type(fd, "half\032");
    await(fd, "(stopped)\r\nready> half");
    type(fd, " done\r");
    await_line(fd, "half done");
    finish(pid, fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_edited_and_returned),
        cmocka_unit_test(characters_beyond_ascii_pass),
        cmocka_unit_test(control_c_gives_up_the_line_only),
        cmocka_unit_test(the_up_key_brings_back_the_last_line),
        cmocka_unit_test(tab_adds_what_all_candidates_share_then_lists_them),
        cmocka_unit_test(control_z_stops_and_editing_goes_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
