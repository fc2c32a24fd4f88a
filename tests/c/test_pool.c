/* pool: jobs on threads, cancelling, and ends that leave nothing behind. The
 * runner here is plain C: what it does is named by the first byte of the code.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/pool.h"

static atomic_int contexts, contexts_made, lost, release, started;

static void *ctx_open(void)
{
    atomic_fetch_add(&contexts, 1);
    atomic_fetch_add(&contexts_made, 1);
    return orr_xalloc(1);
}

static void ctx_close(void *ctx)
{
    atomic_fetch_sub(&contexts, 1);
    free(ctx);
}

static void ctx_lost(int delta)
{
    atomic_fetch_add(&lost, delta);
}

/* 'e' echoes, 'f' fails, 'c' tells its config, 'l' loops until cancelled, 's'
 * sits until released and looks at nothing. */
static void run(void *ctx, const struct orr_pool_job *job,
                struct orr_pool_result *out)
{
    *(char *)ctx = 1; /* TSan: nobody else has it */
    atomic_fetch_add(&started, 1);
    switch (job->code[0]) {
    case 'e':
        orr_buf_put(&out->value, job->args, job->nargs);
        break;
    case 'f':
        out->rc = ORR_EINVAL;
        orr_buf_puts(&out->value, "no");
        break;
    case 'c':
        orr_buf_put(&out->value, job->config->bytes, job->config->len);
        break;
    case 'l':
        while (!atomic_load(&job->cancelled))
            sched_yield();
        orr_buf_puts(&out->facts, "was here");
        break;
    case 's':
        while (!atomic_load(&release))
            sched_yield();
        break;
    }
}

static const struct orr_pool_runner runner = {
    .open = ctx_open, .run = run, .close = ctx_close, .lost = ctx_lost};

static struct orr_pool *open_pool(int threads, size_t queue, double grace)
{
    struct orr_pool *p = NULL;
    struct orr_pool_options opt = {
        .threads = threads, .queue = queue, .grace = grace};
    atomic_store(&release, 0);
    atomic_store(&started, 0);
    atomic_store(&contexts_made, 0);
    assert_int_equal(orr_pool_open(&runner, &opt, &p, NULL), 0);
    return p;
}

static int64_t submit(struct orr_pool *p, const char *code, const char *args)
{
    int64_t id = 0;
    assert_int_equal(
        orr_pool_submit(p, code, strlen(code), args, strlen(args), &id, NULL),
        0);
    return id;
}

static void await_started(int n)
{
    while (atomic_load(&started) < n)
        sched_yield();
}

static void drop(struct orr_pool_result *r)
{
    orr_buf_fini(&r->value);
    orr_buf_fini(&r->facts);
}

static void assert_buf(const struct orr_buf *b, const char *want)
{
    assert_int_equal(b->len, strlen(want));
    assert_memory_equal(b->data, want, b->len);
}

static void takes_what_was_submitted(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(2, 16, 1);
    struct orr_pool_result r;
    assert_false(orr_pool_take(p, &r));
    int64_t id = submit(p, "e", "hello");
    assert_true(orr_pool_wait(p, -1));
    assert_true(orr_pool_take(p, &r));
    assert_int_equal(r.id, id);
    assert_int_equal(r.rc, 0);
    assert_buf(&r.value, "hello");
    drop(&r);
    id = submit(p, "f", "");
    assert_true(orr_pool_wait(p, -1));
    assert_true(orr_pool_take(p, &r));
    assert_int_equal(r.rc, ORR_EINVAL);
    assert_buf(&r.value, "no");
    drop(&r);
    assert_false(orr_pool_wait(p, -1)); /* nothing is under way */
    orr_pool_close(p);
    assert_int_equal(atomic_load(&contexts), 0);
}

static void threads_start_on_need_and_keep_their_context(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(8, 16, 1);
    struct orr_pool_result r;
    struct orr_pool_stats s;
    orr_pool_stats(p, &s);
    assert_int_equal(s.threads, 0);
    for (int i = 0; i < 3; i++) {
        submit(p, "e", "");
        assert_true(orr_pool_wait(p, -1));
        assert_true(orr_pool_take(p, &r));
        drop(&r);
    }
    orr_pool_stats(p, &s);
    assert_in_range(s.threads, 1, 3);
    assert_int_equal(atomic_load(&contexts_made), s.threads);
    orr_pool_close(p);
}

static void a_full_queue_refuses_and_says_so(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(1, 2, 1);
    struct orr_err e;
    int64_t id;
    submit(p, "l", "");
    await_started(1);
    submit(p, "e", "");
    submit(p, "e", "");
    assert_int_equal(orr_pool_submit(p, "e", 1, "", 0, &id, &e), ORR_EBUSY);
    assert_string_equal(e.msg, "the pool's queue is full");
    orr_pool_close(p);
}

static void too_many_bytes_are_refused(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(1, 2, 1);
    int64_t id;
    assert_int_equal(
        orr_pool_submit(p, "e", 1, "", (size_t)ORR_POOL_BYTES + 1, &id, NULL),
        ORR_ELIMIT);
    orr_pool_close(p);
}

static void a_cancelled_job_in_the_queue_never_runs(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(1, 16, 1);
    struct orr_pool_result r;
    int64_t first = submit(p, "l", "");
    await_started(1);
    int64_t second = submit(p, "e", "");
    int64_t third = submit(p, "e", "3");
    assert_true(orr_pool_cancel(p, second));
    assert_true(orr_pool_take(p, &r));
    assert_int_equal(r.id, second);
    assert_int_equal(r.rc, ORR_ECANCELLED);
    drop(&r);
    assert_false(orr_pool_cancel(p, second));
    assert_true(orr_pool_cancel(p, first));
    assert_true(orr_pool_wait(p, -1));
    assert_true(orr_pool_take(p, &r));
    assert_int_equal(r.id, first);
    assert_int_equal(r.rc, ORR_ECANCELLED);
    assert_buf(&r.facts, "was here");
    drop(&r);
    assert_true(orr_pool_wait(p, -1));
    assert_true(orr_pool_take(p, &r));
    assert_int_equal(r.id, third);
    drop(&r);
    assert_int_equal(atomic_load(&started), 2);
    assert_false(orr_pool_cancel(p, 99));
    orr_pool_close(p);
}

static void a_job_that_ignores_its_cancel_flag_loses_its_thread(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(1, 16, 0.01);
    struct orr_pool_result r;
    struct orr_pool_stats s;
    int64_t id = submit(p, "s", "");
    await_started(1);
    int64_t next = submit(p, "e", "on");
    assert_true(orr_pool_cancel(p, id));
    for (int64_t want = id; want <= next; want++) {
        assert_true(orr_pool_wait(p, -1));
        assert_true(orr_pool_take(p, &r));
        assert_int_equal(r.id, want);
        assert_int_equal(r.rc, want == id ? ORR_ECANCELLED : 0);
        drop(&r);
    }
    orr_pool_stats(p, &s);
    assert_int_equal(s.lost, 1);
    assert_int_equal(s.threads, 1);
    atomic_store(&release, 1); /* it comes back, and cleans up after itself */
    while (s.lost > 0) {
        sched_yield();
        orr_pool_stats(p, &s);
    }
    assert_false(orr_pool_take(p, &r));
    orr_pool_close(p);
    while (atomic_load(&contexts) > 0 || atomic_load(&lost) > 0)
        sched_yield();
}

static void a_close_waits_for_stuck_threads_no_longer_than_the_grace(void **st)
{
    (void)st;
    struct orr_pool *p = open_pool(2, 16, 0.01);
    submit(p, "s", "");
    submit(p, "s", "");
    await_started(2);
    orr_pool_close(p);
    while (atomic_load(&lost) < 2)
        sched_yield();
    atomic_store(&release, 1);
    while (atomic_load(&contexts) > 0 || atomic_load(&lost) > 0)
        sched_yield();
}

static void a_close_ends_what_runs_and_what_waits(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(4, 64, 5);
    for (int i = 0; i < 40; i++)
        submit(p, i % 2 ? "e" : "l", "x");
    await_started(4);
    orr_pool_close(p);
    assert_int_equal(atomic_load(&contexts), 0);
    orr_pool_close(NULL);
}

static void a_job_keeps_the_config_it_was_submitted_under(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(1, 16, 1);
    struct orr_pool_result r;
    int64_t busy = submit(p, "l", "");
    const char *const want[] = {"", "", "one", "two"};
    submit(p, "c", "");
    assert_int_equal(orr_pool_configure(p, "one", 3, NULL), 0);
    submit(p, "c", "");
    assert_int_equal(orr_pool_configure(p, "two", 3, NULL), 0);
    submit(p, "c", "");
    assert_true(orr_pool_cancel(p, busy));
    for (int i = 0; i < 4; i++) {
        assert_true(orr_pool_wait(p, -1));
        assert_true(orr_pool_take(p, &r));
        if (i > 0)
            assert_buf(&r.value, want[i]);
        drop(&r);
    }
    orr_pool_close(p);
}

static atomic_int woken;

static void count_wake(void *arg)
{
    atomic_fetch_add((atomic_int *)arg, 1);
}

static void the_owner_is_woken_for_the_first_of_what_is_finished(void **state)
{
    (void)state;
    struct orr_pool *p = NULL;
    struct orr_pool_result r;
    struct orr_pool_options opt = {.threads = 1,
                                   .queue = 16,
                                   .grace = 1,
                                   .wake = count_wake,
                                   .wake_arg = &woken};
    atomic_store(&woken, 0);
    atomic_store(&started, 0);
    assert_int_equal(orr_pool_open(&runner, &opt, &p, NULL), 0);
    int64_t busy = submit(p, "l", "");
    await_started(1);
    int64_t a = submit(p, "e", ""), b = submit(p, "e", "");
    assert_true(orr_pool_cancel(p, a));
    assert_int_equal(atomic_load(&woken), 1);
    assert_true(orr_pool_cancel(p, b));
    assert_int_equal(atomic_load(&woken), 1);
    while (orr_pool_take(p, &r))
        drop(&r);
    assert_true(orr_pool_cancel(p, busy));
    while (atomic_load(&woken) < 2)
        sched_yield();
    orr_pool_close(p);
}

enum { SUBMITTERS = 64, EACH = 50 };

struct submitter {
    struct orr_pool *pool;
    pthread_t thread;
    unsigned n;
};

/* Submits, and cancels every fifth of its own. */
static void *submit_many(void *arg)
{
    struct submitter *s = arg;
    for (int i = 0; i < EACH; i++) {
        int64_t id;
        const char *code = i % 5 == 0 ? "l" : "e";
        while (orr_pool_submit(s->pool, code, 1, "abc", 3, &id, NULL) ==
               ORR_EBUSY)
            sched_yield();
        if (i % 5 == 0)
            orr_pool_cancel(s->pool, id);
    }
    return NULL;
}

static void sixty_four_submitters_get_one_result_for_each_job(void **state)
{
    (void)state;
    struct orr_pool *p = open_pool(8, 32, 60);
    static struct submitter all[SUBMITTERS];
    static unsigned char seen[SUBMITTERS * EACH + 1];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < SUBMITTERS; i++) {
        all[i] = (struct submitter){.pool = p};
        assert_int_equal(
            pthread_create(&all[i].thread, NULL, submit_many, &all[i]), 0);
    }
    int echoed = 0, cancelled = 0;
    while (echoed + cancelled < SUBMITTERS * EACH) {
        struct orr_pool_result r;
        if (!orr_pool_wait(p, -1) || !orr_pool_take(p, &r)) {
            sched_yield();
            continue;
        }
        assert_in_range(r.id, 1, SUBMITTERS * EACH);
        assert_int_equal(seen[r.id]++, 0);
        if (r.rc == 0) {
            assert_buf(&r.value, "abc");
            echoed++;
        } else {
            assert_int_equal(r.rc, ORR_ECANCELLED);
            cancelled++;
        }
        drop(&r);
    }
    for (int i = 0; i < SUBMITTERS; i++)
        pthread_join(all[i].thread, NULL);
    assert_int_equal(cancelled, SUBMITTERS * EACH / 5);
    orr_pool_close(p);
    assert_int_equal(atomic_load(&contexts), 0);
}

static void opening_and_closing_at_once_leaves_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 50; i++) {
        struct orr_pool *p = open_pool(1 + i % 4, 8, 5);
        for (int j = 0; j < i % 5; j++)
            submit(p, "e", "x");
        orr_pool_close(p);
    }
    assert_int_equal(atomic_load(&contexts), 0);
}

static void the_number_of_threads_is_checked(void **state)
{
    (void)state;
    struct orr_pool *p = NULL;
    struct orr_err e;
    struct orr_pool_options opt = {.threads = 0, .queue = 1};
    assert_int_equal(orr_pool_open(&runner, &opt, &p, &e), ORR_EINVAL);
    assert_string_equal(e.msg, "a pool has 1 to 256 threads, not 0");
    assert_null(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_what_was_submitted),
        cmocka_unit_test(threads_start_on_need_and_keep_their_context),
        cmocka_unit_test(a_full_queue_refuses_and_says_so),
        cmocka_unit_test(too_many_bytes_are_refused),
        cmocka_unit_test(a_cancelled_job_in_the_queue_never_runs),
        cmocka_unit_test(a_job_that_ignores_its_cancel_flag_loses_its_thread),
        cmocka_unit_test(
            a_close_waits_for_stuck_threads_no_longer_than_the_grace),
        cmocka_unit_test(a_close_ends_what_runs_and_what_waits),
        cmocka_unit_test(a_job_keeps_the_config_it_was_submitted_under),
        cmocka_unit_test(the_owner_is_woken_for_the_first_of_what_is_finished),
        cmocka_unit_test(sixty_four_submitters_get_one_result_for_each_job),
        cmocka_unit_test(opening_and_closing_at_once_leaves_nothing),
        cmocka_unit_test(the_number_of_threads_is_checked),
    };
    return cmocka_run_group_tests_name("pool", tests, NULL, NULL);
}
