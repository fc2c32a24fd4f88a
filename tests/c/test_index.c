/* index: keyed bytes that survive, and that never lie after damage. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/index.h"
#include "folder.h"

static struct orr_index *open_index(void **state)
{
    struct orr_index *ix = NULL;
    struct orr_err e = {0};
    if (orr_index_open(in_folder(state, "index"), &ix, &e) < 0)
        fail_msg("%s", e.msg);
    return ix;
}

static void put(struct orr_index *ix, const char *key, const char *value)
{
    assert_int_equal(
        orr_index_put(ix, key, strlen(key), value, strlen(value), NULL, NULL),
        0);
}

static void flush(struct orr_index *ix)
{
    struct orr_err e = {0};
    if (orr_index_flush(ix, &e) < 0)
        fail_msg("%s", e.msg);
}

/* The value as a string in a static place, or NULL. */
static const char *get(struct orr_index *ix, const char *key)
{
    static char text[4][256];
    static int next;
    const void *v;
    size_t n;
    if (!orr_index_get(ix, key, strlen(key), &v, &n))
        return NULL;
    assert_int_equal((uintptr_t)v % 8, 0);
    char *out = text[next++ % 4];
    assert_true(n < 256);
    memcpy(out, v, n);
    out[n] = '\0';
    return out;
}

static void values_outlive_a_flush_and_nothing_else_does(void **state)
{
    struct orr_index *ix = open_index(state);
    assert_null(get(ix, "a"));
    put(ix, "a", "one");
    put(ix, "", "empty key");
    put(ix, "empty value", "");
    put(ix, "gone", "x");
    assert_int_equal(orr_index_del(ix, "gone", 4), 0);
    assert_int_equal(orr_index_del(ix, "never", 5), 0);
    flush(ix);
    put(ix, "late", "not flushed");
    assert_string_equal(get(ix, "late"), "not flushed");
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "a"), "one");
    assert_string_equal(get(ix, ""), "empty key");
    assert_string_equal(get(ix, "empty value"), "");
    assert_null(get(ix, "gone"));
    assert_null(get(ix, "late"));
    assert_int_equal(orr_index_count(ix), 3);
    orr_index_close(ix);
}

static void a_delete_is_flushed_too(void **state)
{
    struct orr_index *ix = open_index(state);
    put(ix, "a", "one");
    put(ix, "b", "two");
    flush(ix);
    assert_int_equal(orr_index_del(ix, "a", 1), 0);
    flush(ix);
    orr_index_close(ix);
    ix = open_index(state);
    assert_null(get(ix, "a"));
    assert_string_equal(get(ix, "b"), "two");
    assert_int_equal(orr_index_count(ix), 1);
    put(ix, "a", "again");
    flush(ix);
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "a"), "again");
    orr_index_close(ix);
}

static void pointers_stay_valid_until_the_index_is_closed(void **state)
{
    struct orr_index *ix = open_index(state);
    const void *first, *again;
    size_t n;
    put(ix, "a", "the first value");
    assert_true(orr_index_get(ix, "a", 1, &first, &n));
    for (int i = 0; i < 5000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        put(ix, key, "some other value");
        if (i % 1000 == 0)
            flush(ix);
    }
    assert_true(orr_index_get(ix, "a", 1, &again, &n));
    assert_ptr_equal(first, again);
    put(ix, "a", "the second value");
    assert_memory_equal(first, "the first value", 15);
    orr_index_close(ix);
}

static void the_same_bytes_are_no_change(void **state)
{
    struct stat before, after;
    struct orr_index *ix = open_index(state);
    put(ix, "a", "one");
    flush(ix);
    orr_index_close(ix);
    assert_int_equal(stat(in_folder(state, "index"), &before), 0);
    ix = open_index(state);
    put(ix, "a", "one");
    flush(ix);
    orr_index_close(ix);
    assert_int_equal(stat(in_folder(state, "index"), &after), 0);
    assert_int_equal(before.st_size, after.st_size);
}

static void a_leaf_appends_and_an_outgrown_tail_is_compacted(void **state)
{
    struct stat st;
    struct orr_index *ix = open_index(state);
    char value[200];
    for (int i = 0; i < 1000; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        memset(value, 'a' + i % 26, sizeof value - 1);
        value[sizeof value - 1] = '\0';
        put(ix, key, value);
    }
    flush(ix);
    assert_int_equal(stat(in_folder(state, "index"), &st), 0);
    off_t snapshot = st.st_size;
    put(ix, "k1", "short");
    flush(ix);
    assert_int_equal(stat(in_folder(state, "index"), &st), 0);
    assert_in_range(st.st_size, snapshot + 1, snapshot + 100);
    for (int i = 0; i < 5000; i++) {
        snprintf(value, sizeof value, "%d %0180d", i, i);
        put(ix, "k2", value);
        if (i % 3 == 0)
            flush(ix);
    }
    flush(ix);
    assert_int_equal(stat(in_folder(state, "index"), &st), 0);
    assert_in_range(st.st_size, 1, 2 * snapshot + 70000);
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "k2"), value);
    assert_string_equal(get(ix, "k1"), "short");
    assert_int_equal(orr_index_count(ix), 1000);
    orr_index_close(ix);
}

static void two_handles_merge_and_the_last_writer_wins(void **state)
{
    struct orr_index *a = open_index(state), *b = open_index(state);
    put(a, "a", "from a");
    put(a, "both", "from a");
    put(b, "b", "from b");
    put(b, "both", "from b");
    flush(a);
    flush(b);
    assert_string_equal(get(b, "a"), "from a");
    assert_string_equal(get(b, "both"), "from b");
    put(a, "more", "x");
    flush(a);
    assert_string_equal(get(a, "b"), "from b");
    assert_string_equal(get(a, "both"), "from b");
    orr_index_close(a);
    orr_index_close(b);
    a = open_index(state);
    assert_string_equal(get(a, "both"), "from b");
    assert_int_equal(orr_index_count(a), 4);
    orr_index_close(a);
}

static void a_handle_follows_a_replaced_file(void **state)
{
    struct orr_index *a = open_index(state), *b = open_index(state);
    char big[256];
    put(a, "a", "1");
    put(a, "dead", "1");
    flush(a);
    put(b, "b", "1");
    flush(b);
    memset(big, 'x', 255);
    big[255] = '\0';
    assert_int_equal(orr_index_del(b, "dead", 4), 0);
    for (int i = 0; i < 2000; i++) { /* until b has compacted */
        big[i % 255] ^= 1;
        put(b, "grow", big);
        flush(b);
    }
    put(a, "a2", "1");
    flush(a);
    assert_string_equal(get(a, "b"), "1");
    assert_string_equal(get(a, "a"), "1");
    assert_null(get(a, "dead"));
    orr_index_close(a);
    orr_index_close(b);
    a = open_index(state);
    assert_string_equal(get(a, "a2"), "1");
    assert_null(get(a, "dead"));
    assert_int_equal(orr_index_count(a), 4);
    orr_index_close(a);
}

static void a_file_is_not_known_by_its_inode(void **state)
{
    struct orr_index *a = open_index(state), *b;
    size_t n;
    put(a, "old", "1");
    flush(a);
    assert_int_equal(orr_index_open(in_folder(state, "other"), &b, NULL), 0);
    put(b, "new", "a value that makes this file the longer one");
    flush(b);
    orr_index_close(b);
    unsigned char *bytes = read_file(in_folder(state, "other"), &n);
    write_file(in_folder(state, "index"), bytes, n); /* the same inode */
    free(bytes);
    put(a, "mine", "1");
    flush(a);
    assert_non_null(get(a, "new"));
    assert_null(get(a, "old"));
    orr_index_close(a);
    a = open_index(state);
    assert_non_null(get(a, "new"));
    assert_non_null(get(a, "mine"));
    orr_index_close(a);
}

/* --- damage ----------------------------------------------------------------
 */

/* A file of a snapshot and two batches; key "k" went 0, 1, 2. */
static unsigned char *three_generations(void **state, size_t *n)
{
    struct orr_index *ix = open_index(state);
    put(ix, "k", "0");
    put(ix, "still", "here");
    flush(ix);
    put(ix, "k", "1");
    flush(ix);
    put(ix, "k", "2");
    put(ix, "new", "too");
    flush(ix);
    orr_index_close(ix);
    return read_file(in_folder(state, "index"), n);
}

/* What a damaged file may say, and that it can be written again. */
static void assert_honest(void **state)
{
    struct orr_index *ix = open_index(state);
    const char *k = get(ix, "k"), *still = get(ix, "still");
    if (k)
        assert_true(!strcmp(k, "0") || !strcmp(k, "1") || !strcmp(k, "2"));
    if (still)
        assert_string_equal(still, "here");
    assert_true(!k == !still);
    if (get(ix, "new"))
        assert_string_equal(k, "2");
    put(ix, "after", "repair");
    flush(ix);
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "after"), "repair");
    orr_index_close(ix);
}

static void a_file_cut_anywhere_is_a_valid_prefix(void **state)
{
    size_t n;
    unsigned char *whole = three_generations(state, &n);
    for (size_t cut = 0; cut <= n; cut++) {
        write_file(in_folder(state, "index"), whole, cut);
        assert_honest(state);
    }
    free(whole);
}

static void a_byte_flipped_anywhere_is_never_believed(void **state)
{
    size_t n;
    unsigned char *whole = three_generations(state, &n);
    for (size_t at = 0; at < n; at++) {
        whole[at] ^= 0x21;
        write_file(in_folder(state, "index"), whole, n);
        assert_honest(state);
        whole[at] ^= 0x21;
    }
    free(whole);
}

static void what_is_no_file_is_empty_and_cannot_be_flushed(void **state)
{
    struct orr_err e = {0};
    assert_int_equal(mkdir(in_folder(state, "index"), 0755), 0);
    struct orr_index *ix = open_index(state);
    assert_int_equal(orr_index_count(ix), 0);
    put(ix, "a", "1");
    assert_int_equal(orr_index_flush(ix, &e), ORR_ESYS);
    assert_string_equal(orr_err_code(&e), "EISDIR");
    assert_string_equal(get(ix, "a"), "1");
    assert_int_equal(rmdir(in_folder(state, "index")), 0);
    flush(ix);
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "a"), "1");
    orr_index_close(ix);
}

static void junk_is_an_empty_index(void **state)
{
    unsigned char junk[4096];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (unsigned char)(i * 2654435761u >> 11);
    write_file(in_folder(state, "index"), junk, sizeof junk);
    struct orr_index *ix = open_index(state);
    assert_int_equal(orr_index_count(ix), 0);
    put(ix, "a", "1");
    flush(ix);
    orr_index_close(ix);
    ix = open_index(state);
    assert_string_equal(get(ix, "a"), "1");
    orr_index_close(ix);
}

/* --- several processes -----------------------------------------------------
 */

static void no_process_loses_what_it_flushed(void **state)
{
    enum { PROCESSES = 6, KEYS = 60 };
    pid_t pids[PROCESSES];
    for (int p = 0; p < PROCESSES; p++) {
        pids[p] = fork();
        if (pids[p])
            continue;
        struct orr_index *ix = open_index(state);
        char key[32], value[240];
        int rc = 0;
        for (int i = 0; i < KEYS && !rc; i++) {
            snprintf(key, sizeof key, "%d/%d", p, i);
            snprintf(value, sizeof value, "%0*d", 100 + i * 2, i);
            rc = orr_index_put(ix, key, strlen(key), value, strlen(value), NULL,
                               NULL);
            put(ix, "shared", value); /* makes the tail grow */
            while (!rc && (rc = orr_index_flush(ix, NULL)) == ORR_EBUSY)
                rc = 0;
        }
        orr_index_close(ix);
        _exit(rc != 0);
    }
    for (int p = 0; p < PROCESSES; p++) {
        int status;
        waitpid(pids[p], &status, 0);
        assert_int_equal(status, 0);
    }
    struct orr_index *ix = open_index(state);
    for (int p = 0; p < PROCESSES; p++)
        for (int i = 0; i < KEYS; i++) {
            char key[32];
            snprintf(key, sizeof key, "%d/%d", p, i);
            assert_non_null(get(ix, key));
            assert_int_equal(atoi(get(ix, key)), i);
        }
    assert_int_equal(orr_index_count(ix), PROCESSES * KEYS + 1);
    orr_index_close(ix);
}

static void a_killed_writer_leaves_what_it_reported(void **state)
{
    int next = 0;
    for (int round = 0; round < 15; round++) {
        int report[2], i = 0;
        assert_int_equal(pipe(report), 0);
        pid_t pid = fork();
        if (!pid) {
            struct orr_index *ix = open_index(state);
            for (i = next;; i++) {
                char key[16], value[200];
                snprintf(key, sizeof key, "%d", i);
                snprintf(value, sizeof value, "%0180d", i);
                put(ix, key, value);
                put(ix, "grow", value);
                if (orr_index_flush(ix, NULL) < 0 ||
                    write(report[1], &i, sizeof i) != sizeof i)
                    _exit(1);
            }
        }
        close(report[1]);
        for (int k = 0; k < 1 + round * 29; k++)
            assert_int_equal(read(report[0], &i, sizeof i), sizeof i);
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        while (read(report[0], &i, sizeof i) == sizeof i)
            ;
        close(report[0]);
        next = i + 1;
    }
    struct orr_index *ix = open_index(state);
    for (int i = 0; i < next; i++) {
        char key[16];
        snprintf(key, sizeof key, "%d", i);
        assert_non_null(get(ix, key));
        assert_int_equal(atoi(get(ix, key)), i);
    }
    orr_index_close(ix);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(values_outlive_a_flush_and_nothing_else_does),
        IN_FOLDER(a_delete_is_flushed_too),
        IN_FOLDER(pointers_stay_valid_until_the_index_is_closed),
        IN_FOLDER(the_same_bytes_are_no_change),
        IN_FOLDER(a_leaf_appends_and_an_outgrown_tail_is_compacted),
        IN_FOLDER(two_handles_merge_and_the_last_writer_wins),
        IN_FOLDER(a_handle_follows_a_replaced_file),
        IN_FOLDER(a_file_is_not_known_by_its_inode),
        IN_FOLDER(a_file_cut_anywhere_is_a_valid_prefix),
        IN_FOLDER(a_byte_flipped_anywhere_is_never_believed),
        IN_FOLDER(what_is_no_file_is_empty_and_cannot_be_flushed),
        IN_FOLDER(junk_is_an_empty_index),
        IN_FOLDER(no_process_loses_what_it_flushed),
        IN_FOLDER(a_killed_writer_leaves_what_it_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
