/* spawn: ending whole trees of processes, also those that hide. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spawn_help.h"

static void a_background_process_that_writes_is_waited_for(void **state)
{
    const struct orr_exit *x =
        sh(*state, "(head -c 100000 /dev/zero; echo late) "
                   "2>/dev/null & echo early");
    assert_int_equal(x->code, 0);
    assert_int_equal(x->left, 0);
    assert_int_equal(x->out[0].len, 6 + 100000 + 5);
}

static void
what_holds_a_pipe_longer_than_grace_is_ended_and_counted(void **state)
{
    struct leash leash = leash_make();
    const char *argv[] = {"sh", "-c",
                          "sleep 1000 & setsid sleep 1000 & echo early; exit 4",
                          NULL};
    struct orr_spec spec = words(argv);
    spec.grace = 0.05;
    spec.tag = "test/left/1";
    const struct orr_exit *x = run(*state, &spec);
    says(&x->out[0], "early\n");
    assert_int_equal(x->code, 4);
    assert_int_equal(x->left, 2);
    assert_false(x->timed_out || x->killed);
    leash_let_go(&leash);
    leash_all_gone(&leash);
}

static void a_deadline_ends_the_tree_politely(void **state)
{
    const char *argv[] = {
        "sh", "-c",
        "trap 'echo bye; exit 9' TERM; echo hi; while :; do sleep 0.01; done",
        NULL};
    struct orr_spec spec = words(argv);
    spec.timeout = 0.1;
    const struct orr_exit *x = run(*state, &spec);
    assert_true(x->timed_out);
    assert_int_equal(x->code, 9);
    says(&x->out[0], "hi\nbye\n");
}

static void a_deadline_is_kept_however_often_the_loop_is_asked(void **state)
{
    const char *argv[] = {"sleep", "1000", NULL};
    struct orr_spec spec = words(argv);
    spec.timeout = 0.0035;
    for (int i = 0; i < 25; i++) {
        const struct orr_event *ev;
        size_t n = 0;
        start(*state, &spec);
        while (!n)
            assert_int_equal(orr_loop_wait(*state, 0, &ev, &n, NULL), 0);
        assert_true(ev->exit->timed_out);
    }
}

/* Children of every hostile kind; each writes one byte when it is ready. Some
 * hide their environment, some their ancestry, none listens to TERM. */
#define STUBBORN                                                               \
    "exec sh -c \"trap \\\"\\\" TERM HUP INT; printf r; exec sleep 1000\""
static const char hostile[] =
    "trap '' TERM HUP INT\n"
    "sh -c '" STUBBORN "' &\n"                            // ignores TERM
    "setsid sh -c '" STUBBORN "' &\n"                     // own session
    "(setsid sh -c '" STUBBORN "' &)\n"                   // and orphaned
    "env -i setsid sh -c '" STUBBORN "' &\n"              // own session, no tag
    "(env -i PATH=$PATH setsid sh -c '" STUBBORN "' &)\n" // all of it, has pipe
    "sh -c '" STUBBORN "' >&2 2>/dev/null &\n"
    "printf r; exec sleep 1000\n";
enum { HOSTILE = 7 };

static int64_t start_hostile(struct orr_loop *loop, struct orr_spec *spec)
{
    static const char *argv[] = {"sh", "-c", hostile, NULL};
    size_t ready = 0;
    *spec = words(argv);
    spec->tag = "test/hostile/1";
    spec->live = true;
    spec->grace = 0.05;
    int64_t id = start(loop, spec);
    while (ready < HOSTILE)
        ready += await(loop, ORR_EVENT_OUTPUT)->text.len;
    return id;
}

static void killing_ends_even_those_that_hide(void **state)
{
    struct leash leash = leash_make();
    struct orr_spec spec;
    int64_t id = start_hostile(*state, &spec);
    leash_let_go(&leash);
    orr_child_kill(*state, id, SIGTERM, -1);
    const struct orr_event *ev = await(*state, ORR_EVENT_EXIT);
    assert_int_equal(ev->id, id);
    assert_true(ev->exit->killed);
    assert_int_equal(ev->exit->signal, SIGKILL);
    leash_all_gone(&leash);
}

static void closing_the_loop_ends_even_those_that_hide(void **state)
{
    struct leash leash = leash_make();
    struct orr_spec spec;
    start_hostile(*state, &spec);
    leash_let_go(&leash);
    orr_loop_close(*state);
    *state = NULL;
    leash_all_gone(&leash);
}

static void a_tree_ends_only_when_all_of_it_has(void **state)
{
    // The leader and the pipes are gone at once; one that ignores TERM is not.
    struct leash leash = leash_make();
    struct leash ready = leash_make();
    char script[256], c;
    snprintf(script, sizeof script,
             "sh -c 'trap \"\" TERM; exec >/dev/null 2>&1; "
             "echo >/proc/self/fd/%d; exec sleep 1000' & wait",
             ready.end);
    const char *argv[] = {"sh", "-c", script, NULL};
    struct orr_spec spec = words(argv);
    spec.grace = 0.05;
    int64_t id = start(*state, &spec);
    leash_let_go(&ready);
    leash_let_go(&leash);
    assert_int_equal(read(ready.held, &c, 1), 1);
    orr_child_kill(*state, id, SIGTERM, -1);
    const struct orr_exit *x = await(*state, ORR_EVENT_EXIT)->exit;
    assert_int_equal(x->signal, SIGTERM);
    leash_all_gone(&leash);
    close(ready.held);
}

static void killing_twice_or_too_late_does_no_harm(void **state)
{
    const char *argv[] = {"sleep", "1000", NULL};
    struct orr_spec spec = words(argv);
    int64_t id = start(*state, &spec);
    orr_child_kill(*state, id, SIGTERM, LONG);
    orr_child_kill(*state, id, SIGINT, LONG);
    orr_child_kill(*state, id + 12345, SIGTERM, 0);
    assert_int_equal(await(*state, ORR_EVENT_EXIT)->id, id);
    orr_child_kill(*state, id, SIGTERM, 0);
}

static void a_stopped_child_hears_the_signal_that_ends_it(void **state)
{
    const char *argv[] = {"sh", "-c",
                          "trap 'exit 5' TERM; echo x; kill -STOP $$; while :; "
                          "do sleep 0.01; done",
                          NULL};
    struct orr_spec spec = words(argv);
    spec.live = true;
    int64_t id = start(*state, &spec);
    await(*state, ORR_EVENT_OUTPUT);
    orr_child_kill(*state, id, SIGTERM, -1);
    assert_int_equal(await(*state, ORR_EVENT_EXIT)->exit->code, 5);
}

static void siblings_survive_the_end_of_a_tree(void **state)
{
    struct orr_loop *loop = *state;
    const char *argv[] = {"sh", "-c", "sleep 1000 & sleep 1000", NULL};
    const char *other[] = {"sh", "-c", "read x; echo $x", NULL};
    int fds[2];
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    int saved = dup(0);
    dup2(fds[0], 0);
    struct orr_spec a = words(argv), b = words(other);
    a.tag = "test/a/1";
    b.tag = "test/b/1";
    b.input = ORR_STDIN_INHERIT;
    int64_t victim = start(loop, &a), sibling = start(loop, &b);
    dup2(saved, 0);
    orr_child_kill(loop, victim, SIGKILL, 0);
    assert_int_equal(await(loop, ORR_EVENT_EXIT)->id, victim);
    assert_int_equal(write(fds[1], "fine\n", 5), 5);
    const struct orr_event *ev = await(loop, ORR_EVENT_EXIT);
    assert_int_equal(ev->id, sibling);
    says(&ev->exit->out[0], "fine\n");
    close(fds[0]);
    close(fds[1]);
    close(saved);
}

static void orphans_that_ended_leave_no_zombies(void **state)
{
    for (int i = 0; i < 3; i++)
        sh(*state, "(setsid true &) ; (true &)");
    sh(*state, "true");
    // All outputs ended, so all orphans did; a last step reaps what was late.
    siginfo_t si = {0};
    while (waitid(P_ALL, 0, &si, WEXITED | WNOWAIT) == 0)
        sh(*state, "true");
    assert_int_equal(errno, ECHILD);
}

static void children_of_others_are_left_to_them(void **state)
{
    FILE *p = popen("exit 7", "r");
    while (fgetc(p) != EOF) {
    }
    sh(*state, "true");
    sh(*state, "true");
    assert_int_equal(WEXITSTATUS(pclose(p)), 7);
}

static void a_thousand_children_leak_no_descriptor(void **state)
{
    struct orr_loop *loop = *state;
    const char *argv[] = {"true", NULL};
    struct orr_spec spec = words(argv);
    spec.input = ORR_STDIN_BYTES;
    spec.bytes = "x";
    spec.size = 1;
    run(loop, &spec);
    int before = dup(0);
    close(before);
    for (int i = 0; i < 200; i++)
        start(loop, &spec);
    for (int done = 0, started = 200; done < 1000; done++) {
        await(loop, ORR_EVENT_EXIT);
        if (started++ < 1000)
            start(loop, &spec);
    }
    int after = dup(0);
    close(after);
    assert_int_equal(before, after);
}

int main(void)
{
    close_what_was_inherited();
    const struct CMUnitTest tests[] = {
        TEST(a_background_process_that_writes_is_waited_for),
        TEST(what_holds_a_pipe_longer_than_grace_is_ended_and_counted),
        TEST(a_deadline_ends_the_tree_politely),
        TEST(a_deadline_is_kept_however_often_the_loop_is_asked),
        TEST(killing_ends_even_those_that_hide),
        TEST(closing_the_loop_ends_even_those_that_hide),
        TEST(a_tree_ends_only_when_all_of_it_has),
        TEST(killing_twice_or_too_late_does_no_harm),
        TEST(a_stopped_child_hears_the_signal_that_ends_it),
        TEST(siblings_survive_the_end_of_a_tree),
        TEST(orphans_that_ended_leave_no_zombies),
        TEST(children_of_others_are_left_to_them),
        TEST(a_thousand_children_leak_no_descriptor),
    };
    return cmocka_run_group_tests_name("spawn_end", tests, NULL, NULL);
}
