/* store: what damage and unusable places cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "store_help.h"

static void a_flipped_byte_costs_one_record(void **state)
{
    struct orr_store *s = open_store(state);
    fill(s, 100);
    each_segment(state, flip_middle);
    assert_int_equal(count_right(s, 100), 99);
    orr_store_close(s);
    s = open_store(state);
    assert_int_equal(count_right(s, 100), 99);
    orr_store_close(s);
}

static void a_flipped_byte_is_found_with_a_saved_index_too(void **state)
{
    struct orr_store *s = open_store(state);
    fill(s, 2000);
    orr_store_close(s);
    assert_int_equal(access(in_folder(state, "cache/index"), F_OK), 0);
    each_segment(state, flip_middle);
    s = open_store(state);
    assert_int_equal(count_right(s, 2000), 1999);
    orr_store_close(s);
}

static void a_cut_segment_costs_what_was_cut(void **state)
{
    for (int indexed = 0; indexed < 2; indexed++) {
        struct orr_store *s = open_store(state);
        fill(s, 2000);
        orr_store_close(s);
        if (!indexed)
            unlink(in_folder(state, "cache/index"));
        each_segment(state, cut_half);
        s = open_store(state);
        int right = count_right(s, 2000);
        assert_true(right > 900 && right < 1100);
        fill(s, 2000);
        assert_int_equal(count_right(s, 2000), 2000);
        assert_int_equal(orr_store_clear(s, NULL, 0, &(uint64_t){0}, NULL), 0);
        orr_store_close(s);
    }
}

static void no_damage_of_the_index_shows(void **state)
{
    struct orr_store *s = open_store(state);
    fill(s, 600);
    orr_store_close(s);
    char index[512];
    snprintf(index, sizeof index, "%s/cache/index", (char *)*state);
    size_t n;
    unsigned char *sound = read_file(index, &n);
    for (size_t i = 0; i < 60; i++) {
        size_t at = i * (n / 60);
        if (i % 2) {
            sound[at] ^= 0x11;
            write_file(index, sound, n);
            sound[at] ^= 0x11;
        } else {
            write_file(index, sound, at);
        }
        s = open_store(state);
        assert_int_equal(count_right(s, 600), 600);
        orr_store_close(s);
    }
    free(sound);
}

static void directories_and_junk_in_the_way_are_misses(void **state)
{
    assert_int_equal(mkdir(in_folder(state, "cache"), 0755), 0);
    assert_int_equal(mkdir(in_folder(state, "cache/seg"), 0755), 0);
    assert_int_equal(mkdir(in_folder(state, "cache/index"), 0755), 0);
    assert_int_equal(
        mkdir(in_folder(state, "cache/seg/0123456789abcdef"), 0755), 0);
    write_file(in_folder(state, "cache/seg/0123456789abcde0"), "junk", 4);
    write_file(in_folder(state, "cache/seg/README"), "junk", 4);
    assert_int_equal(
        symlink("/dev/zero", in_folder(state, "cache/seg/0000000000000000")),
        0);
    struct orr_store *s = open_store(state);
    assert_none(s, "a");
    fill(s, 1000);
    assert_int_equal(count_right(s, 1000), 1000);
    orr_store_close(s);
    s = open_store(state);
    assert_int_equal(count_right(s, 1000), 1000);
    orr_store_close(s);
}

static void verify_counts_damage_once_and_repairs_it(void **state)
{
    struct orr_store *s = open_store(state);
    static char big[40000];
    struct orr_digest d;
    char path[512];
    struct orr_store_report r;
    fill(s, 100);
    assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
    assert_int_equal(orr_store_verify(s, &r, NULL), 0);
    assert_true(r.checked >= 101);
    assert_int_equal(r.corrupt, 0);
    orr_store_close(s);
    each_segment(state, flip_middle);
    blob_path(state, &d, path);
    flip_middle(path);
    s = open_store(state);
    assert_int_equal(orr_store_verify(s, &r, NULL), 0);
    assert_int_equal(r.corrupt, 2);
    assert_int_equal(count_right(s, 100), 99);
    assert_false(orr_store_has_blob(s, &d));
    orr_store_close(s);
    s = open_store(state);
    assert_int_equal(orr_store_verify(s, &r, NULL), 0);
    assert_int_equal(r.corrupt, 0);
    assert_int_equal(r.missing, 0);
    assert_int_equal(count_right(s, 100), 99);
    assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(orr_store_verify(s, &r, NULL), 0);
    assert_int_equal(r.corrupt, 0);
    assert_int_equal(r.missing, 1);
    orr_store_close(s);
}

static void a_cas_file_nobody_noted_is_taken_in(void **state)
{
    struct orr_store *s = open_store(state);
    static char big[40000];
    struct orr_digest d;
    assert_int_equal(orr_store_put_blob(s, big, sizeof big, &d, NULL), 0);
    orr_store_close(s);
    each_segment(state, (void (*)(const char *))(void *)unlink);
    s = open_store(state);
    struct orr_store_stats st;
    orr_store_stats(s, &st);
    assert_int_equal(st.blobs, 0);
    assert_true(orr_store_has_blob(s, &d));
    orr_store_stats(s, &st);
    assert_int_equal(st.blobs, 1);
    orr_store_close(s);
}

/* --- places that cannot be used --------------------------------------------
 */

static void a_place_that_cannot_be_a_store_is_an_error(void **state)
{
    struct orr_store *s = NULL;
    struct orr_err e = {0};
    write_file(in_folder(state, "file"), "x", 1);
    assert_int_equal(orr_store_open(in_folder(state, "file"), NULL, &s, &e),
                     ORR_ENOENT);
    assert_string_equal(orr_err_code(&e), "ENOTDIR");
    assert_int_equal(
        orr_store_open(in_folder(state, "file/under"), NULL, &s, &e),
        ORR_ENOENT);
    assert_true(orr_store_open("/proc/no/such", NULL, &s, &e) < 0);
    assert_int_equal(mkdir(in_folder(state, "c"), 0755), 0);
    write_file(in_folder(state, "c/seg"), "x", 1);
    assert_true(orr_store_open(in_folder(state, "c"), NULL, &s, &e) < 0);
    assert_null(s);
}

static void a_full_disk_is_an_error_and_loses_nothing(void **state)
{
    struct orr_store *s = open_store(state);
    fill(s, 50);
    orr_store_close(s);
    pid_t pid = fork();
    if (!pid) { /* the file size limit is this test's full disk */
        struct orr_err e = {0};
        struct orr_digest d;
        static char big[200000];
        struct rlimit lim = {20000, 20000};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &lim);
        s = open_store(state);
        int rc = 0, i = 0;
        for (; i < 10000 && !rc; i++)
            rc = orr_store_put(s, "sp", 2, "fill", 4, big, 1000, 0, &e);
        int ok = rc == ORR_ESYS && e.sys == EFBIG && i < 100 &&
                 orr_store_put_blob(s, big, sizeof big, &d, &e) < 0 &&
                 count_right(s, 50) == 50;
        orr_store_close(s);
        _exit(!ok);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    s = open_store(state);
    assert_int_equal(count_right(s, 50), 50);
    orr_store_close(s);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_flipped_byte_costs_one_record),
        IN_FOLDER(a_flipped_byte_is_found_with_a_saved_index_too),
        IN_FOLDER(a_cut_segment_costs_what_was_cut),
        IN_FOLDER(no_damage_of_the_index_shows),
        IN_FOLDER(directories_and_junk_in_the_way_are_misses),
        IN_FOLDER(verify_counts_damage_once_and_repairs_it),
        IN_FOLDER(a_cas_file_nobody_noted_is_taken_in),
        IN_FOLDER(a_place_that_cannot_be_a_store_is_an_error),
        IN_FOLDER(a_full_disk_is_an_error_and_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
