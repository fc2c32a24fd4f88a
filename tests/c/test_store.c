/* store: records and blobs, one process at a time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>

#include "store_help.h"

/* --- records ---------------------------------------------------------------
 */

static void a_record_outlives_its_handle(void **state)
{
    struct orr_store *s = open_store(state);
    put(s, "a", "one");
    put(s, "b", "");
    assert_value(s, "a", "one");
    orr_store_close(s);
    s = open_store(state);
    assert_value(s, "a", "one");
    assert_value(s, "b", "");
    assert_none(s, "c");
    orr_store_close(s);
}

static void the_last_put_wins_also_after_a_rebuild(void **state)
{
    struct orr_store *s = open_store(state);
    for (int i = 0; i < 50; i++) {
        char v[16];
        snprintf(v, sizeof v, "%d", i);
        put(s, "a", v);
    }
    assert_value(s, "a", "49");
    orr_store_close(s);
    unlink(in_folder(state, "cache/index"));
    s = open_store(state);
    assert_value(s, "a", "49");
    orr_store_close(s);
}

static void spaces_and_keys_do_not_run_together(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_value v;
    assert_int_equal(orr_store_put(s, "ab", 2, "c", 1, "1", 1, 0, NULL), 0);
    assert_int_equal(orr_store_get(s, "a", 1, "bc", 2, &v, NULL), ORR_ENOENT);
    assert_int_equal(orr_store_get(s, "ab", 2, "c", 1, &v, NULL), 0);
    assert_int_equal(orr_store_get(s, "ab", 2, "", 0, &v, NULL), ORR_ENOENT);
    orr_store_close(s);
}

static void any_bytes_are_a_key_and_a_value(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_value v;
    assert_int_equal(
        orr_store_put(s, "a\0b", 3, "\0\xff", 2, "\0\1\2", 3, 0, NULL), 0);
    assert_int_equal(orr_store_get(s, "a\0b", 3, "\0\xff", 2, &v, NULL), 0);
    assert_int_equal(v.n, 3);
    assert_memory_equal(v.bytes, "\0\1\2", 3);
    orr_store_close(s);
}

static void names_without_a_length_that_fits_are_refused(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_value v;
    static char big[70000];
    assert_int_equal(orr_store_put(s, "", 0, "k", 1, "v", 1, 0, NULL),
                     ORR_EINVAL);
    assert_int_equal(orr_store_put(s, big, 256, "k", 1, "v", 1, 0, NULL),
                     ORR_EINVAL);
    assert_int_equal(orr_store_get(s, "", 0, "k", 1, &v, NULL), ORR_EINVAL);
    assert_int_equal(orr_store_put(s, "s", 1, big, sizeof big, "v", 1, 0, NULL),
                     ORR_ELIMIT);
    put(s, "a", "still works");
    assert_value(s, "a", "still works");
    orr_store_close(s);
}

static void a_large_value_comes_back_whole(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_value v;
    static char big[3000000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 7919 >> 5);
    const size_t sizes[] = {65535, 65536, 65537, sizeof big};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            orr_store_put(s, "s", 1, "k", 1, big, sizes[i], 0, NULL), 0);
        assert_int_equal(orr_store_get(s, "s", 1, "k", 1, &v, NULL), 0);
        assert_int_equal(v.n, sizes[i]);
        assert_memory_equal(v.bytes, big, sizes[i]);
    }
    orr_store_close(s);
}

static void a_deleted_record_stays_deleted(void **state)
{
    struct orr_store *s = open_store(state);
    put(s, "a", "one");
    put(s, "b", "two");
    assert_int_equal(orr_store_del(s, "sp", 2, "a", 1, NULL), 1);
    assert_int_equal(orr_store_del(s, "sp", 2, "a", 1, NULL), 0);
    assert_none(s, "a");
    orr_store_close(s);
    unlink(in_folder(state, "cache/index"));
    s = open_store(state);
    assert_none(s, "a");
    assert_value(s, "b", "two");
    put(s, "a", "again");
    assert_value(s, "a", "again");
    orr_store_close(s);
}

static void an_expired_record_is_a_miss_and_can_be_pruned(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall};
    struct orr_store_limits l = {UINT64_MAX, UINT64_MAX, true};
    struct orr_store_value v;
    uint64_t removed, bytes;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    assert_int_equal(
        orr_store_put(s, "sp", 2, "a", 1, "v", 1, 10 * SECOND, NULL), 0);
    put(s, "b", "for ever");
    fake_now += 9 * SECOND;
    assert_int_equal(get(s, "a", &v), 0);
    assert_int_equal(v.created, 20000 * DAY);
    assert_int_equal(v.expires, 20000 * DAY + 10 * SECOND);
    assert_int_equal(orr_store_prune(s, &l, &removed, &bytes, NULL), 0);
    assert_int_equal(removed, 0);
    fake_now += SECOND;
    assert_none(s, "a");
    assert_int_equal(orr_store_prune(s, &l, &removed, &bytes, NULL), 0);
    assert_int_equal(removed, 1);
    assert_true(bytes > 0);
    assert_value(s, "b", "for ever");
    orr_store_close(s);
}

static void two_handles_see_each_others_records(void **state)
{
    struct orr_store *a = open_store(state), *b = open_store(state);
    put(a, "x", "from a");
    put(b, "y", "from b");
    assert_int_equal(orr_store_refresh(a, NULL), 0);
    assert_int_equal(orr_store_refresh(b, NULL), 0);
    assert_value(b, "x", "from a");
    assert_value(a, "y", "from b");
    put(b, "x", "from b");
    assert_int_equal(orr_store_refresh(a, NULL), 0);
    assert_value(a, "x", "from b");
    orr_store_close(a);
    orr_store_close(b);
}

static void taking_a_lock_shows_what_its_last_holder_wrote(void **state)
{
    struct orr_store *a = open_store(state), *b = open_store(state);
    uint64_t place;
    assert_int_equal(orr_store_try_lock(a, "k", 1, &place, NULL), 0);
    assert_int_equal(orr_store_try_lock(b, "k", 1, &place, NULL), ORR_EBUSY);
    put(a, "x", "worked out");
    orr_store_unlock(a, place);
    assert_int_equal(orr_store_try_lock(b, "k", 1, &place, NULL), 0);
    assert_value(b, "x", "worked out");
    orr_store_close(a);
    orr_store_close(b);
}

static void the_segment_of_a_closed_handle_is_used_again(void **state)
{
    for (int i = 0; i < 5; i++) {
        struct orr_store *s = open_store(state);
        char key[8];
        snprintf(key, sizeof key, "%d", i);
        put(s, key, "v");
        orr_store_close(s);
    }
    assert_int_equal(each_segment(state, NULL), 1);
    struct orr_store *a = open_store(state), *b = open_store(state);
    put(a, "a", "v");
    put(b, "b", "v");
    assert_int_equal(each_segment(state, NULL), 2);
    orr_store_close(a);
    orr_store_close(b);
}

/* --- blobs -----------------------------------------------------------------
 */

static void blobs_of_every_size_come_back(void **state)
{
    struct orr_store *s = open_store(state);
    static char big[100000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = (char)(i * 131 >> 4);
    const size_t sizes[] = {0, 1, 16384, 16385, sizeof big};
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < 5; i++) {
            struct orr_digest d, want;
            struct orr_buf b = {0};
            uint64_t size = 0;
            orr_hash_bytes(big, sizes[i], &want);
            write_file(in_folder(state, "f"), big, sizes[i]);
            if (round)
                assert_int_equal(orr_store_put_file(s, in_folder(state, "f"),
                                                    &d, &size, NULL),
                                 0);
            else
                assert_int_equal(orr_store_put_blob(s, big, sizes[i], &d, NULL),
                                 0);
            assert_memory_equal(&d, &want, sizeof d);
            assert_true(orr_store_has_blob(s, &d));
            assert_int_equal(orr_store_get_blob(s, &d, &b, NULL), 0);
            assert_int_equal(b.len, sizes[i]);
            if (b.len)
                assert_memory_equal(b.data, big, b.len);
            orr_buf_fini(&b);
        }
    }
    struct orr_store_stats st;
    orr_store_stats(s, &st);
    assert_int_equal(st.blobs, 5);
    assert_int_equal(st.records, 0);
    assert_true(st.bytes > 16385 + sizeof big);
    orr_store_close(s);
}

static void only_a_regular_file_can_be_put(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_digest d;
    struct orr_err e = {0};
    uint64_t size;
    assert_int_equal(orr_store_put_file(s, *state, &d, &size, &e), ORR_EINVAL);
    assert_int_equal(orr_store_put_file(s, "/dev/zero", &d, &size, &e),
                     ORR_EINVAL);
    assert_int_equal(
        orr_store_put_file(s, in_folder(state, "none"), &d, &size, &e),
        ORR_ENOENT);
    orr_store_close(s);
}

static void a_restored_file_is_its_own(void **state)
{
    struct orr_store *s = open_store(state);
    static char big[50000];
    const size_t sizes[] = {100, sizeof big};
    memset(big, 'x', sizeof big);
    for (size_t i = 0; i < 2; i++) {
        struct orr_digest d;
        struct stat st;
        struct orr_buf b = {0};
        assert_int_equal(orr_store_put_blob(s, big, sizes[i], &d, NULL), 0);
        assert_int_equal(orr_store_restore(s, &d, *state, "out/f", 0755, NULL),
                         0);
        const char *path = in_folder(state, "out/f");
        assert_file(path, big, sizes[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0755);
        assert_int_equal(st.st_nlink, 1);
        write_file(path, "scribble", 8);
        assert_int_equal(orr_store_get_blob(s, &d, &b, NULL), 0);
        assert_int_equal(b.len, sizes[i]);
        orr_buf_fini(&b);
    }
    orr_store_close(s);
}

static void many_files_are_restored_by_several_threads(void **state)
{
    enum { N = 200 };
    struct orr_store *s = open_store(state);
    struct orr_store_job jobs[N];
    static char names[N][16], big[20000];
    for (int i = 0; i < N; i++) {
        size_t n = i % 20 ? 100 : sizeof big;
        memset(big, i, n);
        snprintf(names[i], sizeof names[i], "d%d/f%d", i % 5, i);
        jobs[i] = (struct orr_store_job){.rel = names[i], .mode = 0640};
        assert_int_equal(orr_store_put_blob(s, big, n, &jobs[i].digest, NULL),
                         0);
    }
    jobs[7].rel = "../outside";
    jobs[8].digest.bytes[0] ^= 1;
    orr_store_restore_many(s, *state, jobs, N, 4);
    for (int i = 0; i < N; i++) {
        assert_int_equal(jobs[i].done, i != 7 && i != 8);
        if (!jobs[i].done)
            continue;
        size_t n = i % 20 ? 100 : sizeof big;
        memset(big, i, n);
        assert_file(in_folder(state, names[i]), big, n);
    }
    assert_int_equal(access(in_folder(state, names[7]), F_OK), -1);
    assert_int_equal(access(in_folder(state, names[8]), F_OK), -1);
    orr_store_close(s);
}

static void restoring_outside_the_root_is_refused(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_digest d;
    struct orr_err e = {0};
    assert_int_equal(orr_store_put_blob(s, "x", 1, &d, NULL), 0);
    assert_int_equal(orr_store_restore(s, &d, *state, "../f", 0644, &e),
                     ORR_EUNSAFE);
    assert_int_equal(orr_store_restore(s, &d, *state, "/tmp/f", 0644, &e),
                     ORR_EUNSAFE);
    orr_store_close(s);
}

static void a_corrupt_cas_file_is_dropped_and_can_be_put_again(void **state)
{
    struct orr_store *s = open_store(state);
    static char big[40000];
    struct orr_digest d;
    struct orr_buf b = {0};
    char path[512];
    assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
    blob_path(state, &d, path);
    for (int how = 0; how < 4; how++) {
        if (how == 0)
            flip_middle(path);
        if (how == 1)
            cut_half(path);
        if (how >= 2)
            assert_int_equal(unlink(path), 0);
        if (how == 3)
            assert_int_equal(mkdir(path, 0755), 0);
        assert_int_equal(orr_store_restore(s, &d, *state, "out", 0644, NULL),
                         ORR_ENOENT);
        assert_int_equal(access(in_folder(state, "out"), F_OK), -1);
        assert_int_equal(orr_store_get_blob(s, &d, &b, NULL), ORR_ENOENT);
        assert_false(orr_store_has_blob(s, &d));
        if (how == 3)
            assert_int_equal(rmdir(path), 0);
        assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
        assert_int_equal(orr_store_get_blob(s, &d, &b, NULL), 0);
        orr_buf_fini(&b);
    }
    orr_store_close(s);
}

/* Often enough that the handle has it in memory. */
static void read_often(struct orr_store *s, const char *key, const char *value)
{
    for (int i = 0; i < 4; i++)
        assert_value(s, key, value);
}

static void what_was_read_often_is_let_go_with_its_record(void **state)
{
    struct orr_store *s = open_store(state), *other = open_store(state);
    uint64_t cleared;
    put(s, "a", "one");
    read_often(s, "a", "one");
    put(s, "a", "two");
    read_often(s, "a", "two");
    orr_store_refresh(other, NULL);
    put(other, "a", "three");
    orr_store_refresh(s, NULL);
    read_often(s, "a", "three");
    put(s, "a", "");
    read_often(s, "a", "");
    assert_int_equal(orr_store_del(s, "sp", 2, "a", 1, NULL), 1);
    assert_none(s, "a");
    put(s, "a", "four");
    read_often(s, "a", "four");
    assert_int_equal(orr_store_clear(s, NULL, 0, &cleared, NULL), 0);
    assert_none(s, "a");
    orr_store_close(other);
    orr_store_close(s);
}

static void what_was_read_often_expires(void **state)
{
    struct orr_store *s =
        open_with(state, &(struct orr_store_opts){.wall = fake_wall});
    struct orr_store_value v;
    fake_now = 100 * DAY;
    assert_int_equal(orr_store_put(s, "sp", 2, "a", 1, "1", 1, SECOND, NULL),
                     0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(get(s, "a", &v), 0);
    assert_int_equal(v.created, fake_now);
    assert_int_equal(v.expires, fake_now + SECOND);
    fake_now += 2 * SECOND;
    assert_none(s, "a");
    orr_store_close(s);
}

static void more_than_memory_holds_is_still_right(void **state)
{
    struct orr_store *s = open_store(state);
    fill(s, 10000);
    for (int i = 0; i < 3; i++)
        assert_int_equal(count_right(s, 10000), 10000);
    orr_store_close(s);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_record_outlives_its_handle),
        IN_FOLDER(the_last_put_wins_also_after_a_rebuild),
        IN_FOLDER(spaces_and_keys_do_not_run_together),
        IN_FOLDER(any_bytes_are_a_key_and_a_value),
        IN_FOLDER(names_without_a_length_that_fits_are_refused),
        IN_FOLDER(a_large_value_comes_back_whole),
        IN_FOLDER(a_deleted_record_stays_deleted),
        IN_FOLDER(an_expired_record_is_a_miss_and_can_be_pruned),
        IN_FOLDER(two_handles_see_each_others_records),
        IN_FOLDER(taking_a_lock_shows_what_its_last_holder_wrote),
        IN_FOLDER(the_segment_of_a_closed_handle_is_used_again),
        IN_FOLDER(blobs_of_every_size_come_back),
        IN_FOLDER(only_a_regular_file_can_be_put),
        IN_FOLDER(a_restored_file_is_its_own),
        IN_FOLDER(many_files_are_restored_by_several_threads),
        IN_FOLDER(restoring_outside_the_root_is_refused),
        IN_FOLDER(a_corrupt_cas_file_is_dropped_and_can_be_put_again),
        IN_FOLDER(what_was_read_often_is_let_go_with_its_record),
        IN_FOLDER(what_was_read_often_expires),
        IN_FOLDER(more_than_memory_holds_is_still_right),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
