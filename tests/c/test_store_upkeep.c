/* store: bounds, pruning, clearing, counting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "store_help.h"

/* --- upkeep ----------------------------------------------------------------
 */

static void prune_by_size_takes_the_least_recently_used(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall, .max_age = 900 * DAY};
    uint64_t removed, bytes;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 50);
    fake_now += 2 * DAY;
    assert_value(s, "k7", "value number 7");
    put(s, "new", "v");
    struct orr_store_stats st;
    orr_store_stats(s, &st);
    struct orr_store_limits l = {st.bytes / 10, UINT64_MAX, false};
    assert_int_equal(orr_store_prune(s, &l, &removed, &bytes, NULL), 0);
    assert_true(removed > 40 && removed < 50);
    assert_value(s, "k7", "value number 7");
    assert_value(s, "new", "v");
    assert_value(s, "k49", "value number 49");
    assert_none(s, "k0");
    assert_none(s, "k30");
    orr_store_stats(s, &st);
    assert_true(st.bytes <= l.max_bytes);
    assert_int_equal(st.records, 51 - removed);
    orr_store_close(s);
}

static void prune_by_age_takes_what_was_not_used(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall, .max_age = 900 * DAY};
    struct orr_store_limits l = {UINT64_MAX, 30 * DAY, false};
    uint64_t removed, bytes;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 3000);
    orr_store_close(s);
    fake_now += 20 * DAY;
    s = open_with(state, &o); /* the day of use survives the handle */
    assert_value(s, "k1234", "value number 1234");
    orr_store_close(s);
    fake_now += 15 * DAY;
    s = open_with(state, &o);
    assert_int_equal(orr_store_prune(s, &l, &removed, &bytes, NULL), 0);
    assert_int_equal(removed, 2999);
    assert_value(s, "k1234", "value number 1234");
    orr_store_close(s);
}

static void closing_keeps_the_bounds(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall, .max_bytes = 20000};
    struct orr_store_stats st;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 1000);
    orr_store_close(s);
    s = open_with(state, &o);
    orr_store_stats(s, &st);
    assert_true(st.bytes <= 20000 && st.bytes > 10000);
    assert_int_equal(count_right(s, 1000), st.records);
    put(s, "z", "v");
    orr_store_close(s);
    fake_now += 31 * DAY;
    s = open_with(state, &o);
    put(s, "today", "v");
    orr_store_close(s);
    s = open_with(state, &o);
    orr_store_stats(s, &st);
    assert_int_equal(st.records, 1);
    orr_store_close(s);
}

static void compaction_gives_the_bytes_back(void **state)
{
    struct orr_store *s = open_store(state);
    static char junk[4000];
    uint64_t removed, bytes;
    struct orr_store_limits none = {UINT64_MAX, UINT64_MAX, false};
    put(s, "keep", "me");
    put(s, "drop", "me");
    assert_int_equal(orr_store_del(s, "sp", 2, "drop", 4, NULL), 1);
    for (int i = 0; i < 200; i++)
        assert_int_equal(orr_store_put(s, "sp", 2, "over and over", 13, junk,
                                       sizeof junk, 0, NULL),
                         0);
    assert_int_equal(orr_store_prune(s, &none, &removed, &bytes, NULL), 0);
    assert_int_equal(removed, 0);
    orr_store_close(s);
    struct stat st;
    uint64_t total = 0;
    DIR *d = opendir(in_folder(state, "cache/seg"));
    struct dirent *de;
    while ((de = readdir(d)))
        if (de->d_name[0] != '.' &&
            !fstatat(dirfd(d), de->d_name, &st, AT_SYMLINK_NOFOLLOW))
            total += (uint64_t)st.st_size;
    closedir(d);
    assert_true(total < 10000);
    unlink(in_folder(state, "cache/index"));
    s = open_store(state);
    assert_value(s, "keep", "me");
    assert_none(s, "drop");
    orr_store_close(s);
}

static void a_reader_survives_a_compaction_by_another(void **state)
{
    struct orr_store *a = open_store(state);
    fill(a, 100);
    orr_store_close(a);
    a = open_store(state);
    struct orr_store *b = open_store(state);
    assert_value(a, "k1", "value number 1");
    struct orr_store_limits l = {300, UINT64_MAX, false};
    uint64_t removed, bytes;
    assert_int_equal(orr_store_prune(b, &l, &removed, &bytes, NULL), 0);
    assert_true(removed > 90);
    assert_true(count_right(a, 100) > 0);
    assert_int_equal(orr_store_refresh(a, NULL), 0);
    assert_int_equal(count_right(a, 100), 100 - (int)removed);
    orr_store_close(a);
    orr_store_close(b);
}

static void clearing_a_space_leaves_the_others(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_value v;
    uint64_t removed;
    fill(s, 10);
    assert_int_equal(orr_store_put(s, "other", 5, "a", 1, "v", 1, 0, NULL), 0);
    assert_int_equal(orr_store_clear(s, "none", 4, &removed, NULL), 0);
    assert_int_equal(removed, 0);
    assert_int_equal(orr_store_clear(s, "sp", 2, &removed, NULL), 0);
    assert_int_equal(removed, 10);
    assert_int_equal(count_right(s, 10), 0);
    put(s, "k1", "value number 1");
    orr_store_close(s);
    unlink(in_folder(state, "cache/index"));
    s = open_store(state);
    assert_int_equal(count_right(s, 10), 1);
    assert_int_equal(orr_store_get(s, "other", 5, "a", 1, &v, NULL), 0);
    orr_store_close(s);
}

static void clearing_everything_leaves_no_bytes(void **state)
{
    struct orr_store *s = open_store(state), *other = open_store(state);
    static char big[50000];
    struct orr_digest d;
    struct orr_store_stats st;
    uint64_t removed;
    put(other, "x", "held by another writer");
    fill(s, 10);
    assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
    assert_int_equal(orr_store_put_blob(s, big, 10, &d, NULL), 0);
    assert_int_equal(orr_store_clear(s, NULL, 0, &removed, NULL), 0);
    assert_int_equal(removed, 13);
    orr_store_stats(s, &st);
    assert_int_equal(st.records + st.blobs + st.bytes, 0);
    assert_none(s, "x");
    assert_int_equal(orr_store_refresh(other, NULL), 0);
    assert_none(other, "x");
    orr_store_close(s);
    orr_store_close(other);
    unlink(in_folder(state, "cache/index"));
    s = open_store(state);
    orr_store_stats(s, &st);
    assert_int_equal(st.records + st.blobs + st.bytes, 0);
    orr_store_close(s);
}

static void stats_tell_spaces_apart(void **state)
{
    struct orr_store *s = open_store(state);
    struct orr_store_stats st;
    struct orr_store_space sp;
    fill(s, 10);
    assert_int_equal(orr_store_put(s, "b", 1, "a", 1, "v", 1, 0, NULL), 0);
    assert_value(s, "k1", "value number 1");
    assert_none(s, "nope");
    orr_store_stats(s, &st);
    assert_int_equal(st.records, 11);
    assert_int_equal(st.spaces, 2);
    orr_store_space_stats(s, 0, &sp);
    assert_memory_equal(sp.name, "sp", 2);
    assert_int_equal(sp.records, 10);
    assert_int_equal(sp.hits, 1);
    assert_int_equal(sp.misses, 1);
    orr_store_space_stats(s, 1, &sp);
    assert_int_equal(sp.records, 1);
    assert_true(sp.bytes > 0 && sp.bytes < st.bytes);
    orr_store_close(s);
}

static void closing_spares_what_a_sparing_handle_used(void **state)
{
    struct orr_store_opts o = {
        .wall = fake_wall, .max_bytes = 20000, .spare = true};
    struct orr_store_stats st;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 1000);
    orr_store_close(s);
    s = open_with(state, &o); /* all of it was the first handle's own */
    assert_int_equal(count_right(s, 1000), 1000);
    orr_store_close(s);
    s = open_with(state, &o);
    assert_value(s, "k3", "value number 3");
    put(s, "mine", "v");
    orr_store_close(s);
    s = open_with(state, &o);
    orr_store_stats(s, &st);
    assert_true(st.bytes <= 20000);
    assert_value(s, "k3", "value number 3");
    assert_value(s, "mine", "v");
    assert_none(s, "k4");
    orr_store_close(s);
}

static void tidying_removes_what_expired_and_only_that(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall};
    struct orr_store_stats st;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 10);
    assert_int_equal(
        orr_store_put(s, "sp", 2, "short", 5, "v", 1, 5 * SECOND, NULL), 0);
    orr_store_tidy(s); /* nothing expired: nothing begins */
    orr_store_stats(s, &st);
    assert_int_equal(st.records, 11);
    assert_int_equal(st.newest / DAY, 20000);
    assert_true(st.oldest <= st.newest);
    fake_now += 6 * SECOND;
    orr_store_tidy(s);
    assert_int_equal(count_right(s, 10), 10);
    orr_store_close(s);
    s = open_with(state, &o);
    orr_store_stats(s, &st);
    assert_int_equal(st.records, 10);
    orr_store_close(s);
}

static void looking_through_all_of_it_is_no_use(void **state)
{
    struct orr_store_opts o = {.wall = fake_wall};
    struct orr_store_limits l = {UINT64_MAX, 30 * DAY, false};
    struct orr_store_item it;
    size_t cursor = 0, n = 0;
    uint64_t removed, bytes;
    fake_now = 20000 * DAY;
    struct orr_store *s = open_with(state, &o);
    fill(s, 20);
    fake_now += 31 * DAY;
    while (orr_store_next(s, &cursor, &it, NULL) == 1) {
        assert_int_equal(it.used_day, 20000);
        assert_memory_equal(it.bytes, "value number ", 13);
        n++;
    }
    assert_int_equal(n, 20);
    assert_int_equal(orr_store_prune(s, &l, &removed, &bytes, NULL), 0);
    assert_int_equal(removed, 20);
    orr_store_close(s);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(prune_by_size_takes_the_least_recently_used),
        IN_FOLDER(prune_by_age_takes_what_was_not_used),
        IN_FOLDER(closing_keeps_the_bounds),
        IN_FOLDER(closing_spares_what_a_sparing_handle_used),
        IN_FOLDER(tidying_removes_what_expired_and_only_that),
        IN_FOLDER(looking_through_all_of_it_is_no_use),
        IN_FOLDER(compaction_gives_the_bytes_back),
        IN_FOLDER(a_reader_survives_a_compaction_by_another),
        IN_FOLDER(clearing_a_space_leaves_the_others),
        IN_FOLDER(clearing_everything_leaves_no_bytes),
        IN_FOLDER(stats_tell_spaces_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
