/*
 * filememo: a digest is remembered exactly as long as it can be known to hold.
 *
 * ctime cannot be forged, so what a stale fact would look like is written into
 * the index by hand: the present stat of a file with a wrong digest. Believing
 * it is right when it is old enough, and wrong in every other case.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "memo_help.h"

static void save_memo(struct memo *o)
{
    struct orr_err e = {0};
    if (orr_index_flush(o->ix, &e) < 0)
        fail_msg("%s", e.msg);
    close_memo(o);
}

static const struct orr_filefact *fact_of(struct memo *o, const char *path)
{
    const struct orr_filefact *f = NULL;
    struct orr_err e = {0};
    if (orr_filememo_get(o->m, path, strlen(path), &f, &e) < 0)
        fail_msg("%s", e.msg);
    return f;
}

static void assert_digest(const struct orr_filefact *f, const char *text)
{
    struct orr_digest want;
    orr_hash_bytes(text, strlen(text), &want);
    assert_memory_equal(&f->digest, &want, sizeof want);
}

/* Sets the fake clock to 'after' nanoseconds after the file's last change. */
static void clock_after(const char *path, int64_t after)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    fake_now = st.st_ctim.tv_sec * second + st.st_ctim.tv_nsec + after;
}

static void a_settled_file_is_read_once(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    clock_after(path, 10 * second);
    struct memo o = open_memo(state);
    assert_digest(fact_of(&o, path), "text");
    assert_digest(fact_of(&o, path), "text");
    assert_int_equal(orr_filememo_reads(o.m), 1);
    save_memo(&o);
    o = open_memo(state);
    const struct orr_filefact *f = fact_of(&o, path);
    assert_digest(f, "text");
    assert_int_equal(f->kind, ORR_FILE_REGULAR);
    assert_int_equal(f->size, 4);
    assert_int_equal(orr_filememo_reads(o.m), 0);
    save_memo(&o);
}

static void a_changed_file_is_read_again(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    clock_after(path, 10 * second);
    struct memo o = open_memo(state);
    assert_digest(fact_of(&o, path), "text");
    write_file(path, "TEXT", 4);
    clock_after(path, 10 * second);
    assert_digest(fact_of(&o, path), "TEXT");
    assert_int_equal(chmod(path, 0755), 0);
    clock_after(path, 10 * second);
    assert_int_equal(fact_of(&o, path)->mode, 0755);
    save_memo(&o);
}

static void a_file_read_in_the_tick_it_was_written_is_read_again(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    struct memo o = open_memo(state);
    const int64_t afters[] = {-100 * second, -1, 0, 1};
    for (size_t i = 0; i < 4; i++) {
        clock_after(path, afters[i]);
        assert_digest(fact_of(&o, path), "text");
        assert_int_equal(orr_filememo_reads(o.m), i + 1);
    }
    save_memo(&o);
    clock_after(path, 10 * second);
    o = open_memo(state);
    assert_digest(fact_of(&o, path), "text");
    assert_int_equal(orr_filememo_reads(o.m), 1);
    assert_digest(fact_of(&o, path), "text");
    assert_int_equal(orr_filememo_reads(o.m), 1);
    save_memo(&o);
}

/* Puts a fact with the file's own stat, a wrong digest, and 'seen'. */
static void forge(struct memo *o, const char *path, int64_t seen)
{
    char key[600];
    struct orr_filefact f = *fact_of(o, path);
    memset(&f.digest, 0xAA, sizeof f.digest);
    f.seen = seen;
    snprintf(key, sizeof key, "file:%s", path);
    assert_int_equal(
        orr_index_put(o->ix, key, strlen(key), &f, sizeof f, NULL, NULL), 0);
}

static int believes(void **state, const char *path, int64_t seen_after,
                    int64_t now_after)
{
    struct memo o = open_memo(state);
    clock_after(path, seen_after);
    forge(&o, path, fake_now);
    save_memo(&o);
    o = open_memo(state);
    clock_after(path, now_after);
    int wrong = fact_of(&o, path)->digest.bytes[0] == 0xAA;
    save_memo(&o);
    return wrong;
}

static void only_a_fact_that_must_hold_is_believed(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    assert_true(believes(state, path, 10 * second, 20 * second));
    assert_false(believes(state, path, 0, 20 * second));
    assert_false(believes(state, path, 1, 20 * second));
    assert_false(believes(state, path, -5 * second, 20 * second));
    /* the clock was set back since: the file may have changed "then" */
    assert_false(believes(state, path, 10 * second, 5 * second));
    assert_false(believes(state, path, 10 * second, -5 * second));
    assert_true(believes(state, path, 10 * second, 10 * second));
}

static void a_modification_time_in_the_future_is_not_believed(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    clock_after(path, 10 * second);
    struct timespec t[2] = {{0, UTIME_OMIT}, {fake_now / second + 3600, 5}};
    assert_int_equal(utimensat(AT_FDCWD, path, t, 0), 0);
    assert_false(believes(state, path, 10 * second, 20 * second));
}

static void whole_seconds_get_a_wider_margin(void **state)
{
    (void)state;
    const int64_t tick = 4000000, t = 1000 * second, now = 2000 * second;
    struct orr_filefact f = {.mtime = t, .ctime = t, .seen = t + second};
    assert_false(orr_filefact_settled(&f, now, tick));
    f.seen = t + 2 * second + 1;
    assert_true(orr_filefact_settled(&f, now, tick));
    f.mtime = f.ctime = t + 1;
    f.seen = t + 2 + tick;
    assert_true(orr_filefact_settled(&f, now, tick));
    f.seen = t + 1 + tick;
    assert_false(orr_filefact_settled(&f, now, tick));
    f.seen = now + tick;
    assert_true(orr_filefact_settled(&f, now, tick));
    f.seen = now + tick + 1;
    assert_false(orr_filefact_settled(&f, now, tick));
}

static void a_symlink_is_its_target(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/l", (char *)*state);
    assert_int_equal(symlink("no/such/place", path), 0);
    clock_after(path, 10 * second);
    struct memo o = open_memo(state);
    const struct orr_filefact *f = fact_of(&o, path);
    assert_int_equal(f->kind, ORR_FILE_LINK);
    assert_digest(f, "link:no/such/place");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("elsewhere", path), 0);
    assert_digest(fact_of(&o, path), "link:elsewhere");
    save_memo(&o);
}

static void what_is_no_file_is_refused_with_its_reason(void **state)
{
    struct memo o = open_memo(state);
    const struct orr_filefact *f;
    struct orr_err e = {0};
    const char *dir = *state;
    assert_true(orr_filememo_get(o.m, dir, strlen(dir), &f, &e) < 0);
    assert_string_equal(orr_err_code(&e), "EISDIR");
    assert_int_equal(orr_filememo_get(o.m, "/dev/null", 9, &f, &e), ORR_EINVAL);
    assert_int_equal(orr_filememo_get(o.m, "/no/such", 8, &f, &e), ORR_ENOENT);
    char path[512];
    snprintf(path, sizeof path, "%s/pipe", dir);
    assert_int_equal(mkfifo(path, 0644), 0);
    assert_int_equal(orr_filememo_get(o.m, path, strlen(path), &f, &e),
                     ORR_EINVAL);
    save_memo(&o);
}

static void a_removed_file_is_forgotten(void **state)
{
    char path[512];
    snprintf(path, sizeof path, "%s/f", (char *)*state);
    write_file(path, "text", 4);
    clock_after(path, 10 * second);
    struct memo o = open_memo(state);
    fact_of(&o, path);
    assert_int_equal(orr_index_count(o.ix), 1);
    assert_int_equal(unlink(path), 0);
    const struct orr_filefact *f;
    assert_int_equal(orr_filememo_get(o.m, path, strlen(path), &f, NULL),
                     ORR_ENOENT);
    assert_int_equal(orr_index_count(o.ix), 0);
    write_file(path, "back", 4);
    assert_digest(fact_of(&o, path), "back");
    orr_filememo_forget(o.m, path, strlen(path));
    assert_int_equal(orr_index_count(o.ix), 0);
    save_memo(&o);
}

static void thousands_of_files_keep_their_order(void **state)
{
    enum { N = 1500 };
    uint32_t ids[N];
    char path[512], text[16];
    struct memo o = open_memo(state);
    for (int i = 0; i < N; i++) {
        snprintf(path, sizeof path, "%s/f%d", (char *)*state, i);
        snprintf(text, sizeof text, "text %d", i);
        if (i % 10)
            write_file(path, text, strlen(text));
        ids[i] = orr_filememo_id(o.m, path, strlen(path));
        assert_int_equal(ids[i], orr_filememo_id(o.m, path, strlen(path)));
        assert_null(orr_filememo_fact(o.m, ids[i], NULL));
    }
    clock_after(path, 10 * second);
    const unsigned threads[] = {1, 2, 5, 0};
    for (int t = 0; t < 4; t++) {
        assert_int_equal(orr_filememo_check(o.m, ids, N, threads[t]), 0);
        for (int i = 0; i < N; i++) {
            int sys;
            const struct orr_filefact *f = orr_filememo_fact(o.m, ids[i], &sys);
            snprintf(text, sizeof text, "text %d", i);
            assert_int_equal(sys, i % 10 ? 0 : ENOENT);
            if (i % 10)
                assert_digest(f, text);
            else
                assert_null(f);
        }
        assert_int_equal(orr_filememo_reads(o.m), N - N / 10);
    }
    save_memo(&o);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_settled_file_is_read_once),
        IN_FOLDER(a_changed_file_is_read_again),
        IN_FOLDER(a_file_read_in_the_tick_it_was_written_is_read_again),
        IN_FOLDER(only_a_fact_that_must_hold_is_believed),
        IN_FOLDER(a_modification_time_in_the_future_is_not_believed),
        IN_FOLDER(whole_seconds_get_a_wider_margin),
        IN_FOLDER(a_symlink_is_its_target),
        IN_FOLDER(what_is_no_file_is_refused_with_its_reason),
        IN_FOLDER(a_removed_file_is_forgotten),
        IN_FOLDER(thousands_of_files_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
