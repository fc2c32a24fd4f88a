/* segment: frames survive, damage does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>

#include "base/crc.h"
#include "engine/segment.h"
#include "folder.h"

enum { ID = 0x1234 };

static struct orr_frame sample(const char *key, const char *payload)
{
    return (struct orr_frame){.type = ORR_FRAME_RECORD,
                              .stamp = 7,
                              .created = 8,
                              .expires = 9,
                              .space = "space",
                              .space_len = 5,
                              .key = key,
                              .key_len = strlen(key),
                              .payload = payload,
                              .payload_len = strlen(payload)};
}

static void both_checksums_agree_with_the_published_value(void **state)
{
    (void)state;
    assert_int_equal(orr_crc32c(0, "123456789", 9), 0xE3069283);
    assert_int_equal(orr_crc32c_portable(0, "123456789", 9), 0xE3069283);
    unsigned char bytes[100];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 37);
    for (size_t n = 0; n <= sizeof bytes; n++) {
        uint32_t whole = orr_crc32c_portable(0, bytes, n);
        assert_int_equal(orr_crc32c(0, bytes, n), whole);
        uint32_t part = orr_crc32c(0, bytes, n / 3);
        assert_int_equal(orr_crc32c(part, bytes + n / 3, n - n / 3), whole);
    }
}

static void a_frame_comes_back_as_it_was(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    struct orr_frame f = sample("key", "payload"), g;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 64), 0);
    assert_int_equal(b.len, f.size);
    assert_int_equal(b.len % 8, 0);
    assert_int_equal(orr_frame_decode(b.data, b.len, ID, 64, &g), 0);
    assert_int_equal(g.type, ORR_FRAME_RECORD);
    assert_int_equal(g.stamp, 7);
    assert_int_equal(g.created, 8);
    assert_int_equal(g.expires, 9);
    assert_int_equal(g.key_len, 3);
    assert_memory_equal(g.key, "key", 3);
    assert_int_equal(g.payload_len, 7);
    assert_memory_equal(g.payload, "payload", 7);
    assert_memory_equal(g.space, "space", 5);
    orr_buf_fini(&b);
}

static void a_frame_is_valid_only_where_it_was_written(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    struct orr_frame f = sample("key", "payload"), g;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 64), 0);
    assert_int_equal(orr_frame_decode(b.data, b.len, ID, 72, &g), ORR_ECORRUPT);
    assert_int_equal(orr_frame_decode(b.data, b.len, ID + 1, 64, &g),
                     ORR_ECORRUPT);
    orr_buf_fini(&b);
}

static void no_flipped_bit_goes_unnoticed(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    struct orr_frame f = sample("key", "some payload"), g;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 0), 0);
    for (size_t bit = 0; bit < b.len * 8; bit++) {
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
        assert_int_not_equal(orr_frame_decode(b.data, b.len, ID, 0, &g), 0);
        b.data[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    assert_int_equal(orr_frame_decode(b.data, b.len, ID, 0, &g), 0);
    orr_buf_fini(&b);
}

static void a_cut_frame_asks_for_more(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    struct orr_frame f = sample("key", "payload"), g;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 0), 0);
    for (size_t n = 0; n < b.len; n++)
        assert_int_equal(orr_frame_decode(b.data, n, ID, 0, &g), 1);
    orr_buf_fini(&b);
}

static void lengths_over_the_maximum_are_refused(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    char *big = calloc(1, ORR_FRAME_MAX_PAYLOAD + 1);
    struct orr_frame f = sample("key", "");
    f.payload = big;
    f.payload_len = ORR_FRAME_MAX_PAYLOAD + 1;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 0), ORR_ELIMIT);
    f.payload_len = ORR_FRAME_MAX_PAYLOAD;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 0), 0);
    f.key = big;
    f.key_len = ORR_FRAME_MAX_KEY + 1;
    assert_int_equal(orr_frame_encode(&b, &f, ID, 0), ORR_ELIMIT);
    free(big);
    orr_buf_fini(&b);
}

/* --- files -----------------------------------------------------------------
 */

struct seen {
    char keys[64]; /* first letter of each key, in order */
    size_t n;
};

static int see(void *ctx, const struct orr_frame *f, uint64_t off)
{
    struct seen *s = ctx;
    (void)off;
    s->keys[s->n++] = *(const char *)f->key;
    s->keys[s->n] = '\0';
    return 0;
}

static int open_dir(void **state)
{
    int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(fd >= 0);
    return fd;
}

/* A segment with records "a", "b", "c" …; returns where each ends. */
static void fill(struct orr_segment *s, const char *keys, uint64_t *ends)
{
    for (; *keys; keys++) {
        char key[2] = {*keys, 0};
        struct orr_buf b = {0};
        struct orr_frame f = sample(key, "a payload of some length");
        assert_int_equal(orr_frame_encode(&b, &f, s->id, s->size), 0);
        assert_int_equal(orr_segment_append(s, b.data, b.len, NULL), 0);
        orr_buf_fini(&b);
        if (ends)
            *ends++ = s->size;
    }
}

static struct seen scan(int fd, uint64_t id, uint64_t *covered, uint64_t *bad)
{
    struct seen got = {.n = 0};
    struct orr_err e;
    *bad = 0;
    assert_int_equal(orr_segment_scan(fd, id, 0, see, &got, covered, bad, &e),
                     0);
    return got;
}

static void a_scan_finds_what_was_appended_in_order(void **state)
{
    int dir = open_dir(state);
    struct orr_segment s = ORR_SEGMENT_INIT;
    uint64_t covered, bad;
    assert_int_equal(orr_segment_create(&s, dir, NULL), 0);
    fill(&s, "abcdef", NULL);
    struct seen got = scan(s.fd, s.id, &covered, &bad);
    assert_string_equal(got.keys, "abcdef");
    assert_int_equal(covered, s.size);
    assert_int_equal(bad, 0);
    orr_segment_fini(&s);
    close(dir);
}

static void a_torn_end_loses_only_the_torn_record(void **state)
{
    int dir = open_dir(state);
    struct orr_segment s = ORR_SEGMENT_INIT;
    uint64_t covered, bad, ends[3];
    assert_int_equal(orr_segment_create(&s, dir, NULL), 0);
    fill(&s, "abc", ends);
    for (uint64_t n = ends[2] - 1; n > ends[1]; n--) {
        assert_int_equal(ftruncate(s.fd, (off_t)n), 0);
        struct seen got = scan(s.fd, s.id, &covered, &bad);
        assert_string_equal(got.keys, "ab");
        assert_int_equal(covered, ends[1]);
        assert_int_equal(bad, 0);
    }
    orr_segment_fini(&s);
    close(dir);
}

static void a_flipped_byte_loses_only_its_record(void **state)
{
    int dir = open_dir(state);
    struct orr_segment s = ORR_SEGMENT_INIT;
    uint64_t covered, bad, ends[5];
    assert_int_equal(orr_segment_create(&s, dir, NULL), 0);
    fill(&s, "abcde", ends);
    for (uint64_t at = ends[1]; at < ends[2]; at++) {
        unsigned char was, is;
        assert_int_equal(pread(s.fd, &was, 1, (off_t)at), 1);
        is = was ^ 0x41;
        assert_int_equal(pwrite(s.fd, &is, 1, (off_t)at), 1);
        struct seen got = scan(s.fd, s.id, &covered, &bad);
        assert_string_equal(got.keys, "abde");
        assert_int_equal(bad, 1);
        assert_int_equal(covered, s.size);
        assert_int_equal(pwrite(s.fd, &was, 1, (off_t)at), 1);
    }
    orr_segment_fini(&s);
    close(dir);
}

static void junk_is_no_record(void **state)
{
    uint64_t covered, bad;
    unsigned char junk[5000];
    for (size_t i = 0; i < sizeof junk; i++)
        junk[i] = (unsigned char)(i * 2654435761u >> 13);
    memcpy(junk + 800, "ORRF\1\1", 6);
    write_file(in_folder(state, "junk"), junk, sizeof junk);
    int fd = open(in_folder(state, "junk"), O_RDONLY | O_CLOEXEC);
    struct seen got = scan(fd, ID, &covered, &bad);
    assert_int_equal(got.n, 0);
    assert_int_equal(bad, 1);
    close(fd);
}

static void a_segment_in_a_payload_stays_a_payload(void **state)
{
    int dir = open_dir(state);
    struct orr_segment s = ORR_SEGMENT_INIT, copy = ORR_SEGMENT_INIT;
    uint64_t covered, bad;
    assert_int_equal(orr_segment_create(&s, dir, NULL), 0);
    fill(&s, "xyz", NULL);
    unsigned char inner[4096];
    ssize_t n = pread(s.fd, inner, sizeof inner, 0);
    assert_true(n > 0);
    assert_int_equal(orr_segment_create(&copy, dir, NULL), 0);
    struct orr_buf b = {0};
    struct orr_frame f = sample("o", "");
    f.payload = inner;
    f.payload_len = (size_t)n;
    assert_int_equal(orr_frame_encode(&b, &f, copy.id, 0), 0);
    b.data[45] ^= 1; /* its header is damaged, so the scan looks inside */
    assert_int_equal(orr_segment_append(&copy, b.data, b.len, NULL), 0);
    struct seen got = scan(copy.fd, copy.id, &covered, &bad);
    assert_int_equal(got.n, 0);
    orr_buf_fini(&b);
    orr_segment_fini(&s);
    orr_segment_fini(&copy);
    close(dir);
}

static void a_segment_in_use_cannot_be_adopted(void **state)
{
    int dir = open_dir(state);
    struct orr_segment s = ORR_SEGMENT_INIT, t = ORR_SEGMENT_INIT;
    assert_int_equal(orr_segment_create(&s, dir, NULL), 0);
    fill(&s, "ab", NULL);
    uint64_t id = s.id, size = s.size;
    assert_int_equal(orr_segment_adopt(&t, dir, id, NULL), ORR_EBUSY);
    orr_segment_fini(&s);
    assert_int_equal(orr_segment_adopt(&t, dir, id, NULL), 0);
    assert_int_equal(t.size, size);
    orr_segment_fini(&t);
    close(dir);
}

static void a_segment_of_a_killed_process_can_be_adopted(void **state)
{
    int dir = open_dir(state), ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        struct orr_segment s = ORR_SEGMENT_INIT;
        if (!orr_segment_create(&s, dir, NULL))
            (void)!write(ready[1], &s.id, sizeof s.id);
        pause();
        _exit(0);
    }
    uint64_t id;
    struct orr_segment t = ORR_SEGMENT_INIT;
    assert_int_equal(read(ready[0], &id, sizeof id), sizeof id);
    assert_int_equal(orr_segment_adopt(&t, dir, id, NULL), ORR_EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(orr_segment_adopt(&t, dir, id, NULL), 0);
    orr_segment_fini(&t);
    close(dir);
    close(ready[0]);
    close(ready[1]);
}

static void a_write_that_does_not_fit_leaves_the_file_as_it_was(void **state)
{
    int dir = open_dir(state);
    pid_t pid = fork();
    if (!pid) { /* the file size limit is this test's full disk */
        struct orr_segment s = ORR_SEGMENT_INIT;
        struct orr_err e = {0};
        struct stat st;
        char bytes[4000] = {0};
        struct rlimit lim = {1000, 1000};
        signal(SIGXFSZ, SIG_IGN);
        int ok = !orr_segment_create(&s, dir, &e) &&
                 !orr_segment_append(&s, bytes, 800, &e) &&
                 !setrlimit(RLIMIT_FSIZE, &lim) &&
                 orr_segment_append(&s, bytes, sizeof bytes, &e) < 0 &&
                 e.msg[0] && !fstat(s.fd, &st) && st.st_size == 800 &&
                 s.size == 800;
        _exit(!ok);
    }
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    close(dir);
}

static void only_sixteen_hex_digits_name_a_segment(void **state)
{
    (void)state;
    uint64_t id;
    char name[17];
    orr_segment_name(0xABCDEF, name);
    assert_string_equal(name, "0000000000abcdef");
    assert_int_equal(orr_segment_parse(name, &id), 1);
    assert_int_equal(id, 0xABCDEF);
    assert_int_equal(orr_segment_parse("0000000000abcde", &id), 0);
    assert_int_equal(orr_segment_parse("0000000000abcdef0", &id), 0);
    assert_int_equal(orr_segment_parse("0000000000ABCDEF", &id), 0);
    assert_int_equal(orr_segment_parse("..", &id), 0);
    assert_int_equal(orr_segment_parse("", &id), 0);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(both_checksums_agree_with_the_published_value),
        cmocka_unit_test(a_frame_comes_back_as_it_was),
        cmocka_unit_test(a_frame_is_valid_only_where_it_was_written),
        cmocka_unit_test(no_flipped_bit_goes_unnoticed),
        cmocka_unit_test(a_cut_frame_asks_for_more),
        cmocka_unit_test(lengths_over_the_maximum_are_refused),
        IN_FOLDER(a_scan_finds_what_was_appended_in_order),
        IN_FOLDER(a_torn_end_loses_only_the_torn_record),
        IN_FOLDER(a_flipped_byte_loses_only_its_record),
        IN_FOLDER(junk_is_no_record),
        IN_FOLDER(a_segment_in_a_payload_stays_a_payload),
        IN_FOLDER(a_segment_in_use_cannot_be_adopted),
        IN_FOLDER(a_segment_of_a_killed_process_can_be_adopted),
        IN_FOLDER(a_write_that_does_not_fit_leaves_the_file_as_it_was),
        cmocka_unit_test(only_sixteen_hex_digits_name_a_segment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
