/* Tests of core/engine/loop: timers, signals, wakers, files, forgetting. */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "engine/loop.h"
#include "engine/relay.h"

enum { HANG = 60 }; /* seconds until a test counts as hung */

static int open_loop(void **state)
{
    alarm(HANG);
    return orr_loop_open((struct orr_loop **)state, NULL);
}

static int close_loop(void **state)
{
    orr_loop_close(*state);
    alarm(0);
    return 0;
}

static size_t wait_for(struct orr_loop *loop, double timeout,
                       const struct orr_event **ev)
{
    size_t n = 0;
    struct orr_err e;
    assert_int_equal(orr_loop_wait(loop, timeout, ev, &n, &e), 0);
    return n;
}

static const struct orr_event *one(struct orr_loop *loop,
                                   enum orr_event_kind kind)
{
    const struct orr_event *ev = NULL;
    assert_int_equal(wait_for(loop, -1, &ev), 1);
    assert_int_equal(ev->kind, kind);
    return ev;
}

static void a_loop_with_nothing_to_wait_for_returns_at_once(void **state)
{
    const struct orr_event *ev;
    assert_int_equal(wait_for(*state, -1, &ev), 0);
    assert_int_equal(wait_for(*state, 0, &ev), 0);
}

static void a_timeout_ends_a_wait_without_events(void **state)
{
    const struct orr_event *ev;
    uint64_t before = orr_clock_mono();
    assert_int_equal(wait_for(*state, 0.02, &ev), 0);
    assert_true(orr_clock_mono() - before >= 20000000);
}

static void timers_fire_once_and_in_order_of_their_time(void **state)
{
    struct orr_loop *loop = *state;
    int64_t late = orr_loop_timer(loop, 0.03);
    int64_t soon = orr_loop_timer(loop, 0.01);
    int64_t now = orr_loop_timer(loop, 0);
    assert_int_equal(one(loop, ORR_EVENT_TIMER)->id, now);
    assert_int_equal(one(loop, ORR_EVENT_TIMER)->id, soon);
    assert_int_equal(one(loop, ORR_EVENT_TIMER)->id, late);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

static void a_timer_never_fires_early(void **state)
{
    for (int i = 0; i < 20; i++) {
        uint64_t before = orr_clock_mono();
        orr_loop_timer(*state, 0.0015);
        one(*state, ORR_EVENT_TIMER);
        assert_true(orr_clock_mono() - before >= 1500000);
    }
}

static void a_timer_is_not_early_for_one_who_keeps_asking(void **state)
{
    // Asking all the time meets the very moment at which the clock of whole
    // milliseconds says it is time.
    for (int i = 0; i < 50; i++) {
        const struct orr_event *ev;
        uint64_t before = orr_clock_mono();
        orr_loop_timer(*state, 0.0015);
        while (!wait_for(*state, 0, &ev)) {
        }
        assert_true(orr_clock_mono() - before >= 1500000);
    }
}

static void ten_thousand_timers_have_ten_thousand_ids(void **state)
{
    struct orr_loop *loop = *state;
    enum { N = 10000 };
    static unsigned char seen[N];
    const struct orr_event *ev;
    size_t got = 0;
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < N; i++)
        orr_loop_timer(loop, 0.0001 * (i % 10));
    for (size_t n; (n = wait_for(loop, -1, &ev)); got += n)
        for (size_t i = 0; i < n; i++) {
            uint32_t slot = (uint32_t)ev[i].id;
            assert_true(slot < N && !seen[slot]);
            seen[slot] = 1;
        }
    assert_int_equal(got, N);
}

static void a_forgotten_timer_does_not_fire(void **state)
{
    struct orr_loop *loop = *state;
    int64_t gone = orr_loop_timer(loop, 0);
    int64_t stays = orr_loop_timer(loop, 0.01);
    orr_loop_forget(loop, gone);
    orr_loop_forget(loop, gone);
    orr_loop_forget(loop, -1);
    orr_loop_forget(loop, INT64_MAX);
    assert_int_equal(one(loop, ORR_EVENT_TIMER)->id, stays);
    assert_true(orr_loop_timer(loop, 0) != gone);
}

static void a_signal_arrives_by_name_until_forgotten(void **state)
{
    struct orr_loop *loop = *state;
    int64_t id = 0, hup = 0;
    assert_int_equal(orr_loop_signal(loop, "WINCH", &id, NULL), 0);
    assert_int_equal(orr_loop_signal(loop, "HUP", &hup, NULL), 0);
    raise(SIGWINCH);
    const struct orr_event *ev = one(loop, ORR_EVENT_SIGNAL);
    assert_int_equal(ev->id, id);
    assert_string_equal(ev->name, "WINCH");
    raise(SIGHUP);
    assert_string_equal(one(loop, ORR_EVENT_SIGNAL)->name, "HUP");
    orr_loop_forget(loop, id);
    orr_loop_forget(loop, hup);
    raise(SIGWINCH);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

static void an_unknown_signal_is_refused_with_the_known_ones(void **state)
{
    struct orr_err e;
    int64_t id;
    assert_int_equal(orr_loop_signal(*state, "KILL", &id, &e), ORR_EINVAL);
    assert_non_null(strstr(e.msg, "INT, TERM, HUP"));
}

static void a_signal_that_was_ignored_stays_ignored(void **state)
{
    signal(SIGHUP, SIG_IGN);
    int64_t id;
    assert_int_equal(orr_loop_signal(*state, "HUP", &id, NULL), 0);
    raise(SIGHUP);
    const struct orr_event *ev;
    assert_int_equal(wait_for(*state, 0.01, &ev), 0);
    orr_loop_forget(*state, id);
    signal(SIGHUP, SIG_DFL);
}

/* How many signal events come within a moment, after the first. */
static size_t count_signals(struct orr_loop *loop)
{
    const struct orr_event *ev;
    size_t total = 0;
    for (size_t n; (n = wait_for(loop, 0.01, &ev)); total += n) {
    }
    return total;
}

static void a_signal_seen_directly_and_through_the_warden_is_one(void **state)
{
    struct orr_loop *loop = *state;
    int64_t id;
    assert_int_equal(orr_loop_signal(loop, "TERM", &id, NULL), 0);
    int relay = orr_relay_of(SIGTERM);
    raise(SIGTERM);
    raise(relay);
    assert_int_equal(count_signals(loop), 1); // sent to both
    raise(relay);
    assert_int_equal(count_signals(loop), 1); // to the warden only
    raise(relay);
    raise(SIGTERM); // to both; directly it came only the second time
    assert_int_equal(count_signals(loop), 1);
}

static void a_readable_pipe_is_told_once(void **state)
{
    struct orr_loop *loop = *state;
    int fds[2];
    int64_t id;
    const struct orr_event *ev;
    assert_int_equal(pipe(fds), 0);
    assert_int_equal(orr_loop_readable(loop, fds[0], &id, NULL), 0);
    assert_int_equal(wait_for(loop, 0, &ev), 0);
    assert_int_equal(write(fds[1], "x", 1), 1);
    assert_int_equal(one(loop, ORR_EVENT_READABLE)->id, id);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
    assert_int_equal(orr_loop_readable(loop, fds[0], &id, NULL), 0);
    orr_loop_forget(loop, id);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
    close(fds[0]);
    close(fds[1]);
}

static void a_plain_file_is_always_readable(void **state)
{
    int64_t id;
    FILE *f = tmpfile();
    assert_int_equal(orr_loop_readable(*state, fileno(f), &id, NULL), 0);
    assert_int_equal(one(*state, ORR_EVENT_READABLE)->id, id);
    fclose(f);
}

static void a_closed_descriptor_is_an_error_not_a_hang(void **state)
{
    struct orr_err e;
    int64_t id;
    assert_int_equal(orr_loop_readable(*state, 987, &id, &e), ORR_ESYS);
    assert_string_equal(orr_err_code(&e), "EBADF");
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

static void a_directory_tells_the_names_that_change(void **state)
{
    struct orr_loop *loop = *state;
    char dir[] = "/tmp/orr_loop_XXXXXX", file[64];
    int64_t id;
    struct orr_err e;
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/new", dir);
    assert_int_equal(orr_loop_watch(loop, file, &id, &e), ORR_ENOENT);
    assert_int_equal(orr_loop_watch(loop, dir, &id, &e), 0);
    fclose(fopen(file, "w"));
    const struct orr_event *ev;
    assert_true(wait_for(loop, -1, &ev) >= 1);
    assert_int_equal(ev->kind, ORR_EVENT_CHANGE);
    assert_int_equal(ev->id, id);
    assert_int_equal(ev->text.len, 3);
    assert_memory_equal(ev->text.data, "new", 3);
    orr_loop_forget(loop, id);
    unlink(file);
    rmdir(dir);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

/* --- wakers ---------------------------------------------------------------*/

enum { RINGS = 20000 };

static void *ring_often(void *w)
{
    for (int i = 0; i < RINGS; i++)
        orr_waker_notify(w);
    orr_waker_free(w);
    return NULL;
}

static void notifications_between_waits_are_one_event(void **state)
{
    struct orr_loop *loop = *state;
    struct orr_waker *w;
    assert_int_equal(orr_loop_waker(loop, 42, &w, NULL), 0);
    orr_waker_notify(w);
    orr_waker_notify(w);
    assert_int_equal(one(loop, ORR_EVENT_WAKE)->id, 42);
    orr_waker_notify(w);
    assert_int_equal(one(loop, ORR_EVENT_WAKE)->id, 42);
    orr_waker_free(w);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

static void a_notification_survives_the_end_of_its_waker(void **state)
{
    struct orr_waker *w;
    assert_int_equal(orr_loop_waker(*state, 7, &w, NULL), 0);
    orr_waker_notify(w);
    orr_waker_free(w);
    assert_int_equal(one(*state, ORR_EVENT_WAKE)->id, 7);
    a_loop_with_nothing_to_wait_for_returns_at_once(state);
}

static void threads_wake_the_loop_and_none_is_lost(void **state)
{
    enum { THREADS = 4 };
    struct orr_loop *loop = *state;
    pthread_t t[THREADS];
    int seen[THREADS] = {0};
    for (int i = 0; i < THREADS; i++) {
        struct orr_waker *w;
        assert_int_equal(orr_loop_waker(loop, i, &w, NULL), 0);
        pthread_create(&t[i], NULL, ring_often, w);
    }
    const struct orr_event *ev;
    for (size_t n; (n = wait_for(loop, -1, &ev));) // until all are free
        for (size_t i = 0; i < n; i++)
            seen[ev[i].id]++;
    for (int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
        assert_true(seen[i] >= 1 && seen[i] <= RINGS);
    }
}

static void a_waker_outlives_its_loop(void **state)
{
    (void)state;
    struct orr_loop *loop;
    struct orr_waker *w;
    assert_int_equal(orr_loop_open(&loop, NULL), 0);
    assert_int_equal(orr_loop_waker(loop, 1, &w, NULL), 0);
    struct orr_waker *second = orr_waker_ref(w);
    orr_loop_close(loop);
    orr_waker_notify(w);
    orr_waker_free(w);
    orr_waker_notify(second);
    orr_waker_free(second);
}

static void closing_a_loop_frees_all_kinds_of_sources(void **state)
{
    struct orr_loop *loop = *state;
    int fds[2];
    int64_t id;
    assert_int_equal(pipe(fds), 0);
    orr_loop_timer(loop, 1000);
    orr_loop_timer(loop, 0);
    assert_int_equal(orr_loop_signal(loop, "INT", &id, NULL), 0);
    assert_int_equal(orr_loop_readable(loop, fds[0], &id, NULL), 0);
    assert_int_equal(orr_loop_watch(loop, "/tmp", &id, NULL), 0);
    const struct orr_event *ev;
    assert_true(wait_for(loop, -1, &ev) >= 1);
    orr_loop_close(loop);
    *state = NULL; // leaks show under the address sanitizer
    close(fds[0]);
    close(fds[1]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_loop_with_nothing_to_wait_for_returns_at_once),
        TEST(a_timeout_ends_a_wait_without_events),
        TEST(timers_fire_once_and_in_order_of_their_time),
        TEST(a_timer_never_fires_early),
        TEST(a_timer_is_not_early_for_one_who_keeps_asking),
        TEST(ten_thousand_timers_have_ten_thousand_ids),
        TEST(a_forgotten_timer_does_not_fire),
        TEST(a_signal_arrives_by_name_until_forgotten),
        TEST(an_unknown_signal_is_refused_with_the_known_ones),
        TEST(a_signal_that_was_ignored_stays_ignored),
        TEST(a_signal_seen_directly_and_through_the_warden_is_one),
        TEST(a_readable_pipe_is_told_once),
        TEST(a_plain_file_is_always_readable),
        TEST(a_closed_descriptor_is_an_error_not_a_hang),
        TEST(a_directory_tells_the_names_that_change),
        TEST(notifications_between_waits_are_one_event),
        TEST(a_notification_survives_the_end_of_its_waker),
        TEST(threads_wake_the_loop_and_none_is_lost),
        TEST(a_waker_outlives_its_loop),
        TEST(closing_a_loop_frees_all_kinds_of_sources),
    };
    return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
