/* hash: digests of bytes, files and many files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/hash.h"

#define EMPTY_HEX                                                              \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_HEX                                                                \
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

static int folder_make(void **state)
{
    char *dir = strdup("/tmp/orr_hash_XXXXXX");
    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static int folder_remove(void **state)
{
    char cmd[128];
    for (int i = 0; i < 300; i++) {
        snprintf(cmd, sizeof cmd, "%s/f%d", (char *)*state, i);
        unlink(cmd);
    }
    int rc = rmdir(*state);
    free(*state);
    return rc;
}

static void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void bytes_give_the_published_digests(void **state)
{
    (void)state;
    struct orr_digest d;
    char hex[65];
    orr_hash_bytes(NULL, 0, &d);
    orr_digest_hex(&d, hex);
    assert_string_equal(hex, EMPTY_HEX);
    orr_hash_bytes("abc", 3, &d);
    orr_digest_hex(&d, hex);
    assert_string_equal(hex, ABC_HEX);
}

static void a_hasher_may_be_asked_midway_and_go_on(void **state)
{
    (void)state;
    struct orr_hasher h;
    struct orr_digest midway, end, whole;
    orr_hasher_init(&h);
    orr_hasher_put(&h, "a", 1);
    orr_hasher_get(&h, &midway);
    orr_hasher_put(&h, "bc", 2);
    orr_hasher_get(&h, &end);
    orr_hash_bytes("a", 1, &whole);
    assert_memory_equal(&midway, &whole, sizeof whole);
    orr_hash_bytes("abc", 3, &whole);
    assert_memory_equal(&end, &whole, sizeof whole);
}

static void hex_is_read_back_and_anything_else_refused(void **state)
{
    (void)state;
    struct orr_digest d, back;
    char hex[65];
    orr_hash_bytes("x", 1, &d);
    orr_digest_hex(&d, hex);
    assert_int_equal(orr_digest_parse(hex, 64, &back), 0);
    assert_memory_equal(&d, &back, sizeof d);
    assert_int_equal(orr_digest_parse(hex, 63, &back), ORR_EINVAL);
    hex[63] = 'g';
    assert_int_equal(orr_digest_parse(hex, 64, &back), ORR_EINVAL);
    assert_memory_equal(&d, &back, sizeof d);
}

static void a_file_hashes_like_its_bytes_at_every_chunk_edge(void **state)
{
    static const size_t sizes[] = {0,      1,      16383,  16384,  16385,
                                   262143, 262144, 262145, 1000001};
    char path[128];
    snprintf(path, sizeof path, "%s/f0", (char *)*state);
    unsigned char *bytes = malloc(1000001);
    assert_non_null(bytes);
    for (size_t i = 0; i < 1000001; i++)
        bytes[i] = (unsigned char)(i * 31 + (i >> 8));
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct orr_digest of_file, of_bytes;
        uint64_t size = 7;
        write_file(path, bytes, sizes[i]);
        assert_int_equal(orr_hash_file(path, &of_file, &size, NULL), 0);
        orr_hash_bytes(bytes, sizes[i], &of_bytes);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(&of_file, &of_bytes, sizeof of_file);
    }
    free(bytes);
}

static void a_missing_file_and_a_directory_are_named(void **state)
{
    struct orr_digest d;
    struct orr_err e;
    char path[128];
    snprintf(path, sizeof path, "%s/f9", (char *)*state);
    assert_int_equal(orr_hash_file(path, &d, NULL, &e), ORR_ENOENT);
    assert_string_equal(orr_err_code(&e), "ENOENT");
    assert_non_null(strstr(e.msg, path));
    assert_int_equal(orr_hash_file(*state, &d, NULL, &e), ORR_EINVAL);
    assert_non_null(strstr(e.msg, "directory"));
}

static void a_pipe_without_a_writer_is_refused_at_once(void **state)
{
    struct orr_digest d;
    struct orr_err e;
    char path[128];
    snprintf(path, sizeof path, "%s/f1", (char *)*state);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(orr_hash_file(path, &d, NULL, &e), ORR_EINVAL);
    assert_non_null(strstr(e.msg, "named pipe"));
}

static void many_files_keep_their_order_and_their_own_errors(void **state)
{
    enum { N = 300 };
    static struct orr_hash_job jobs[N];
    static char paths[N][128];
    char text[16];
    for (int i = 0; i < N; i++) {
        snprintf(paths[i], sizeof paths[i], "%s/f%d", (char *)*state, i);
        snprintf(text, sizeof text, "file %d", i);
        if (i % 50 != 7)
            write_file(paths[i], text, strlen(text));
    }
    for (unsigned threads = 0; threads <= 8; threads += 4) {
        memset(jobs, 0, sizeof jobs);
        for (int i = 0; i < N; i++)
            jobs[i].path = paths[i];
        orr_hash_files(jobs, N, threads);
        for (int i = 0; i < N; i++) {
            struct orr_digest want;
            snprintf(text, sizeof text, "file %d", i);
            orr_hash_bytes(text, strlen(text), &want);
            if (i % 50 == 7) {
                assert_int_equal(jobs[i].rc, ORR_ENOENT);
                struct orr_err e;
                orr_hash_job_error(&jobs[i], &e);
                assert_string_equal(orr_err_code(&e), "ENOENT");
                assert_non_null(strstr(e.msg, paths[i]));
                continue;
            }
            assert_int_equal(jobs[i].rc, 0);
            assert_int_equal(jobs[i].size, strlen(text));
            assert_memory_equal(&jobs[i].digest, &want, sizeof want);
        }
    }
    orr_hash_files(NULL, 0, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_give_the_published_digests),
        cmocka_unit_test(a_hasher_may_be_asked_midway_and_go_on),
        cmocka_unit_test(hex_is_read_back_and_anything_else_refused),
        cmocka_unit_test_setup_teardown(
            a_file_hashes_like_its_bytes_at_every_chunk_edge, folder_make,
            folder_remove),
        cmocka_unit_test_setup_teardown(
            a_missing_file_and_a_directory_are_named, folder_make,
            folder_remove),
        cmocka_unit_test_setup_teardown(
            a_pipe_without_a_writer_is_refused_at_once, folder_make,
            folder_remove),
        cmocka_unit_test_setup_teardown(
            many_files_keep_their_order_and_their_own_errors, folder_make,
            folder_remove),
    };
    return cmocka_run_group_tests_name("hash", tests, NULL, NULL);
}
