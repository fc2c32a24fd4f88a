/*
 * store: several processes at once, and processes that are killed.
 *
 * A value says which key it is of and can be checked by itself, so whatever a
 * process reads is known to be what some process put, or is wrong.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "store_help.h"

enum { KEYS = 40, PROCESSES = 8, STEPS = 400, MAX_VALUE = 70000 };

static uint32_t draw(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Fills 'out' by key and salt: the salt, the key, then bytes of both. */
static size_t make_value(unsigned char *out, uint32_t key, uint32_t salt)
{
    size_t n = 8 + salt % 3000;
    if (salt % 37 == 0)
        n = 8 + salt % (MAX_VALUE - 8);
    memcpy(out, &salt, 4);
    memcpy(out + 4, &key, 4);
    uint32_t x = salt ^ key * 2654435761u;
    for (size_t i = 8; i < n; i++) {
        x = x * 69069u + 1;
        out[i] = (unsigned char)(x >> 16);
    }
    return n;
}

static int value_right(const unsigned char *p, size_t n, uint32_t key)
{
    static unsigned char want[MAX_VALUE];
    uint32_t salt;
    if (n < 8)
        return 0;
    memcpy(&salt, p, 4);
    return make_value(want, key, salt) == n && !memcmp(p, want, n);
}

static int get_right(struct orr_store *s, uint32_t key)
{
    struct orr_store_value v;
    struct orr_err e = {0};
    int rc = orr_store_get(s, "sp", 2, &key, sizeof key, &v, &e);
    if (rc == ORR_ENOENT)
        return 1;
    if (rc == 0 && value_right(v.bytes, v.n, key))
        return 1;
    fprintf(stderr, "key %u: rc %d %s\n", key, rc, e.msg);
    return 0;
}

/* One random deed; 0 when something is wrong. */
static int act(struct orr_store **s, void **state, uint32_t *seed)
{
    static unsigned char value[MAX_VALUE];
    uint32_t key = draw(seed) % KEYS, what = draw(seed) % 100;
    struct orr_err e = {0};
    struct orr_digest d;
    uint64_t a, b;
    int rc = 0;
    if (what < 40) {
        size_t n = make_value(value, key, draw(seed));
        rc = orr_store_put(*s, "sp", 2, &key, sizeof key, value, n, 0, &e);
    } else if (what < 80) {
        return get_right(*s, key);
    } else if (what < 86) {
        rc = orr_store_del(*s, "sp", 2, &key, sizeof key, &e);
    } else if (what < 92) {
        struct orr_buf out = {0};
        size_t n = make_value(value, key, key * 977);
        rc = orr_store_put_blob(*s, value, n, &d, &e);
        if (!rc)
            rc = orr_store_get_blob(*s, &d, &out, &e);
        if (!rc && (out.len != n || memcmp(out.data, value, n)))
            rc = ORR_ECORRUPT;
        orr_buf_fini(&out);
        if (rc == ORR_ENOENT) /* pruned by another meanwhile */
            rc = 0;
    } else if (what < 95) {
        struct orr_store_limits l = {20000 + draw(seed) % 60000, UINT64_MAX,
                                     true};
        rc = orr_store_prune(*s, &l, &a, &b, &e);
    } else if (what < 97) {
        rc = orr_store_clear(*s, what == 95 ? "sp" : NULL, what == 95 ? 2 : 0,
                             &a, &e);
    } else {
        orr_store_close(*s);
        *s = NULL;
        rc = orr_store_open(in_folder(state, "cache"), NULL, s, &e);
    }
    if (rc < 0)
        fprintf(stderr, "deed %u: rc %d %s\n", what, rc, e.msg);
    return rc >= 0;
}

static int live_a_life(void **state, uint32_t seed)
{
    struct orr_store *s = NULL;
    int ok = !orr_store_open(in_folder(state, "cache"), NULL, &s, NULL);
    for (int i = 0; ok && i < STEPS; i++)
        ok = act(&s, state, &seed);
    orr_store_close(s);
    return ok;
}

static void many_processes_only_ever_read_what_was_put(void **state)
{
    pid_t pids[PROCESSES];
    for (uint32_t i = 0; i < PROCESSES; i++) {
        pids[i] = fork();
        if (!pids[i])
            _exit(!live_a_life(state, i * 7919 + 1));
    }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        waitpid(pids[i], &status, 0);
        assert_int_equal(status, 0);
    }
    for (int round = 0; round < 2; round++) {
        struct orr_store_report r;
        struct orr_store *s = open_store(state);
        for (uint32_t key = 0; key < KEYS; key++)
            assert_true(get_right(s, key));
        assert_int_equal(orr_store_verify(s, &r, NULL), 0);
        assert_int_equal(r.corrupt, 0);
        orr_store_close(s);
        unlink(in_folder(state, "cache/index"));
    }
}

static int put_series(void **state, uint32_t first)
{
    static unsigned char v[MAX_VALUE];
    struct orr_store *s = open_store(state);
    int rc = 0;
    for (uint32_t key = first; key < first + 50 && !rc; key++) {
        size_t n = make_value(v, key, key * 7);
        rc = orr_store_put(s, "sp", 2, &key, sizeof key, v, n, 0, NULL);
    }
    orr_store_close(s);
    return rc;
}

/* All begin at once, so that they find and take each other's new segments. */
static void what_one_process_puts_all_others_get(void **state)
{
    enum { ROUNDS = 15, WRITERS = 6 };
    for (uint32_t round = 0; round < ROUNDS; round++) {
        pid_t pids[WRITERS];
        for (uint32_t i = 0; i < WRITERS; i++) {
            pids[i] = fork();
            if (!pids[i])
                _exit(put_series(state, (round * WRITERS + i) * 50) != 0);
        }
        for (int i = 0; i < WRITERS; i++) {
            int status;
            waitpid(pids[i], &status, 0);
            assert_int_equal(status, 0);
        }
    }
    struct orr_store *s = open_store(state);
    for (uint32_t key = 0; key < ROUNDS * WRITERS * 50; key++) {
        struct orr_store_value v;
        assert_int_equal(orr_store_get(s, "sp", 2, &key, sizeof key, &v, NULL),
                         0);
        assert_true(value_right(v.bytes, v.n, key));
    }
    orr_store_close(s);
}

/* Puts keys one after another, saying so after each; closes now and then. */
static void write_until_killed(void **state, int report, uint32_t from)
{
    static unsigned char v[MAX_VALUE];
    struct orr_store *s = open_store(state);
    for (uint32_t key = from;; key++) {
        size_t n = make_value(v, key, key * 31);
        if (orr_store_put(s, "sp", 2, &key, sizeof key, v, n, 0, NULL) < 0 ||
            write(report, &key, sizeof key) != sizeof key)
            _exit(1);
        if (key % 300 == 299) {
            uint64_t a, b;
            struct orr_store_limits l = {UINT64_MAX, UINT64_MAX, true};
            orr_store_prune(s, &l, &a, &b, NULL);
            orr_store_close(s);
            s = open_store(state);
        }
    }
}

static void
a_process_killed_at_any_moment_loses_nothing_it_reported(void **state)
{
    uint32_t next = 0;
    for (uint32_t round = 0; round < 25; round++) {
        int report[2];
        assert_int_equal(pipe(report), 0);
        pid_t pid = fork();
        if (!pid)
            write_until_killed(state, report[1], next);
        close(report[1]);
        uint32_t key = 0;
        for (uint32_t i = 0; i < 1 + round * 17; i++)
            assert_int_equal(read(report[0], &key, sizeof key), sizeof key);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(report[0], &key, sizeof key) == sizeof key)
            ;
        close(report[0]);
        next = key + 1;
    }
    struct orr_store_report r;
    struct orr_store *s = open_store(state);
    for (uint32_t key = 0; key < next; key++) {
        struct orr_store_value v;
        assert_int_equal(orr_store_get(s, "sp", 2, &key, sizeof key, &v, NULL),
                         0);
        assert_true(value_right(v.bytes, v.n, key));
    }
    assert_int_equal(orr_store_verify(s, &r, NULL), 0);
    assert_int_equal(r.corrupt, 0);
    orr_store_close(s);
}

static void a_lock_is_free_again_when_its_holder_is_killed(void **state)
{
    int ready[2];
    char c;
    uint64_t place;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        struct orr_store *s = open_store(state);
        if (!orr_store_try_lock(s, "step", 4, &place, NULL))
            (void)!write(ready[1], "k", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    struct orr_store *s = open_store(state);
    assert_int_equal(orr_store_try_lock(s, "step", 4, &place, NULL), ORR_EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(orr_store_try_lock(s, "step", 4, &place, NULL), 0);
    orr_store_close(s);
    close(ready[0]);
    close(ready[1]);
}

/* Until a change from now on has a later time stamp than those before. */
static void next_tick(void)
{
    uint64_t now = orr_clock_stamp();
    while (orr_clock_stamp() == now)
        sched_yield();
}

static void look(struct orr_store *s)
{
    assert_int_equal(orr_store_refresh(s, NULL), 0);
}

/* Whether a listing of the segments is still good must not be guessed: what
 * grows, comes and goes is seen each time it is looked. */
static void each_look_sees_what_others_added_since(void **state)
{
    struct orr_store *a = open_store(state), *b = open_store(state);
    put(a, "mine", "1");
    next_tick();
    look(a);
    look(a); /* by the listing of before */
    put(b, "new segment", "2");
    look(a);
    assert_value(a, "new segment", "2");
    next_tick();
    look(a);
    put(b, "grown segment", "3");
    look(a);
    assert_value(a, "grown segment", "3");
    for (int i = 0; i < 20; i++) { /* within one tick, sooner or later */
        char key[16];
        struct orr_store *c = open_store(state);
        snprintf(key, sizeof key, "k%d", i);
        put(c, key, "4");
        look(a);
        assert_value(a, key, "4");
        orr_store_close(c);
    }
    next_tick();
    look(a);
    uint64_t removed;
    assert_int_equal(orr_store_clear(b, NULL, 0, &removed, NULL), 0);
    look(a);
    assert_none(a, "grown segment");
    orr_store_close(a);
    orr_store_close(b);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(many_processes_only_ever_read_what_was_put),
        IN_FOLDER(what_one_process_puts_all_others_get),
        IN_FOLDER(a_process_killed_at_any_moment_loses_nothing_it_reported),
        IN_FOLDER(each_look_sees_what_others_added_since),
        IN_FOLDER(a_lock_is_free_again_when_its_holder_is_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
