/* spawn_help: what the tests of spawn share. Include after cmocka.h.
 *
 * "Nobody is left" is never a guess after a pause: every process a step starts
 * inherits the write end of a pipe, and its read end reaching EOF says that the
 * last of them is gone. */
#ifndef ORR_TEST_SPAWN_HELP_H
#define ORR_TEST_SPAWN_HELP_H

#include <fcntl.h>
#include <linux/close_range.h>
#include <string.h>
#include <unistd.h>

#include "engine/spawn.h"

enum { HANG = 20 }; /* seconds until a test counts as hung */
#define LONG 1000.0 /* a grace or timeout that must not be needed */

/* What the last wait brought and nobody has looked at yet. */
static struct {
    const struct orr_event *ev;
    size_t n;
} inbox;

static inline int open_loop(void **state)
{
    alarm(HANG);
    inbox.n = 0;
    return orr_loop_open((struct orr_loop **)state, NULL);
}

static inline int close_loop(void **state)
{
    orr_loop_close(*state);
    alarm(0);
    return 0;
}

static inline struct orr_spec words(const char *const *argv)
{
    return (struct orr_spec){
        .argv = argv, .grace = LONG, .limit = ORR_SPAWN_LIMIT};
}

static inline int64_t start(struct orr_loop *loop, const struct orr_spec *spec)
{
    int64_t id = 0;
    pid_t pid = 0;
    struct orr_err e;
    if (orr_spawn(loop, spec, &id, &pid, &e) < 0)
        fail_msg("%s", e.msg);
    assert_true(pid > 0);
    return id;
}

/* The next event, lent until the one after it. */
static inline const struct orr_event *next(struct orr_loop *loop)
{
    if (!inbox.n) {
        struct orr_err e;
        assert_int_equal(orr_loop_wait(loop, -1, &inbox.ev, &inbox.n, &e), 0);
        assert_true(inbox.n > 0);
    }
    inbox.n--;
    return inbox.ev++;
}

/* The next event of that kind; those before it are passed over. */
static inline const struct orr_event *await(struct orr_loop *loop,
                                            enum orr_event_kind kind)
{
    const struct orr_event *ev;
    do
        ev = next(loop);
    while (ev->kind != kind);
    return ev;
}

static inline const struct orr_exit *run(struct orr_loop *loop,
                                         const struct orr_spec *spec)
{
    int64_t id = start(loop, spec);
    const struct orr_event *ev = await(loop, ORR_EVENT_EXIT);
    assert_int_equal(ev->id, id);
    return ev->exit;
}

static inline const struct orr_exit *sh(struct orr_loop *loop,
                                        const char *script)
{
    const char *argv[] = {"sh", "-c", script, NULL};
    struct orr_spec spec = words(argv);
    return run(loop, &spec);
}

static inline void says(const struct orr_buf *b, const char *want)
{
    assert_int_equal(b->len, strlen(want));
    if (b->len)
        assert_memory_equal(b->data, want, b->len);
}

/* A pipe whose write end the children inherit. */
struct leash {
    int held, end;
};

static inline struct leash leash_make(void)
{
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    fcntl(fds[1], F_SETFD, 0);
    return (struct leash){fds[0], fds[1]};
}

/* No more processes may be started with it. */
static inline void leash_let_go(struct leash *l)
{
    close(l->end);
}

/* Returns when everything that inherited it is gone; else the alarm does. */
static inline void leash_all_gone(struct leash *l)
{
    char c;
    assert_int_equal(read(l->held, &c, 1), 0);
    close(l->held);
}

/* What the caller left open for us is no concern of the children. */
static inline void close_what_was_inherited(void)
{
    close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

#endif
