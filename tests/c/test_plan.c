/* plan: a blob holds exactly as long as all it was made from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/plan.h"
#include "memo_help.h"

static const struct orr_strs none;

static void put_file(void **state, const char *name, const char *text)
{
    write_file(in_folder(state, name), text, strlen(text));
}

static void ask(void **state, struct memo *o, const char *name)
{
    const struct orr_filefact *f;
    const char *path = in_folder(state, name);
    orr_filememo_get(o->m, path, strlen(path), &f, NULL);
}

/* The blob over a, an absent b, the link l and the directory d. */
static int make(void **state, struct orr_buf *out)
{
    struct memo o = open_memo(state);
    struct orr_strs dirs = {0};
    char root[256];
    snprintf(root, sizeof root, "%s", in_folder(state, "x"));
    root[strlen(root) - 2] = 0;
    ask(state, &o, "a");
    ask(state, &o, "b");
    ask(state, &o, "l");
    const char *dir = in_folder(state, "d");
    assert_int_equal(orr_strs_put(&dirs, dir, strlen(dir)), 0);
    int rc = orr_plan_encode(o.m, root, &none, NULL, &dirs, out, NULL);
    orr_strs_fini(&dirs);
    close_memo(&o);
    return rc;
}

static void populate(void **state, struct orr_buf *out)
{
    struct stat st;
    put_file(state, "a", "one");
    assert_int_equal(symlink("a", in_folder(state, "l")), 0);
    assert_int_equal(mkdir(in_folder(state, "d"), 0777), 0);
    assert_int_equal(stat(in_folder(state, "d"), &st), 0);
    fake_now = (st.st_mtim.tv_sec + 10) * second;
    assert_int_equal(make(state, out), 0);
}

/* How many records are in doubt; an error is negative. */
static int doubtful(const struct orr_buf *blob, struct orr_buf *doubt)
{
    int rc = orr_plan_look(blob->data, blob->len, fake_now, second / 100, doubt,
                           NULL);
    return rc < 0 ? rc : (int)(doubt->len / sizeof(uint32_t));
}

/* 1, 0 with the end of the path that differs, or an error. */
static int holds(void **state, const struct orr_buf *blob, const char *differs)
{
    struct memo o = open_memo(state);
    struct orr_buf doubt = {0}, other = {0}, path = {0};
    int n = doubtful(blob, &doubt), rc = n < 0 ? n : 1;
    if (n > 0)
        assert_int_equal(orr_plan_check(blob->data, blob->len, o.m,
                                        (uint32_t *)doubt.data, (size_t)n,
                                        &other, NULL),
                         0);
    if (other.len) {
        rc = 0;
        assert_int_equal(orr_plan_path(blob->data, blob->len,
                                       *(uint32_t *)other.data, &path, NULL),
                         0);
        size_t len = strlen(differs);
        assert_true(path.len > len);
        assert_string_equal((char *)path.data + path.len - 1 - len, differs);
    }
    orr_buf_fini(&doubt);
    orr_buf_fini(&other);
    orr_buf_fini(&path);
    close_memo(&o);
    return rc;
}

static void test_holds(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    assert_int_equal(holds(state, &blob, ""), 1);
    put_file(state, "a", "one"); /* other times, the same bytes */
    assert_int_equal(holds(state, &blob, ""), 1);
    orr_buf_fini(&blob);
}

static void test_content(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    put_file(state, "a", "two");
    assert_int_equal(holds(state, &blob, "/a"), 0);
    put_file(state, "a", "one");
    assert_int_equal(chmod(in_folder(state, "a"), 0755), 0);
    assert_int_equal(holds(state, &blob, "/a"), 0);
    assert_int_equal(unlink(in_folder(state, "a")), 0);
    assert_int_equal(holds(state, &blob, "/a"), 0);
    orr_buf_fini(&blob);
}

static void test_appears(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    put_file(state, "b", "");
    assert_int_equal(holds(state, &blob, "/b"), 0);
    orr_buf_fini(&blob);
}

static void test_link_target(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    assert_int_equal(unlink(in_folder(state, "l")), 0);
    assert_int_equal(symlink("d", in_folder(state, "l")), 0);
    assert_int_equal(holds(state, &blob, "/l"), 0);
    orr_buf_fini(&blob);
}

static void test_directory(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    put_file(state, "d/new", "");
    assert_int_equal(holds(state, &blob, "/d"), 0);
    orr_buf_fini(&blob);
}

static void test_same_listing(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    put_file(state, "d/new", "");
    assert_int_equal(unlink(in_folder(state, "d/new")), 0);
    assert_int_equal(holds(state, &blob, ""), 1);
    assert_int_equal(mkdir(in_folder(state, "d/new"), 0777), 0);
    assert_int_equal(holds(state, &blob, "/d"), 0);
    orr_buf_fini(&blob);
}

/* What is as new as the clock is looked at again, and then known better. */
static void test_fresh(void **state)
{
    struct orr_buf blob = {0}, doubt = {0}, better = {0};
    struct stat st;
    populate(state, &blob);
    orr_buf_clear(&blob);
    assert_int_equal(stat(in_folder(state, "d"), &st), 0);
    fake_now = st.st_mtim.tv_sec * second + st.st_mtim.tv_nsec;
    put_file(state, "a", "two"); /* in the same tick */
    assert_int_equal(make(state, &blob), 0);
    int n = doubtful(&blob, &doubt);
    assert_true(n > 0);
    put_file(state, "d/new", "");
    assert_int_equal(holds(state, &blob, "/d"), 0);
    assert_int_equal(unlink(in_folder(state, "d/new")), 0);
    fake_now += 10 * second;
    struct memo o = open_memo(state);
    assert_int_equal(orr_plan_patch(blob.data, blob.len, o.m,
                                    (uint32_t *)doubt.data, NULL, (size_t)n,
                                    &better, NULL),
                     0);
    close_memo(&o);
    orr_buf_clear(&doubt);
    assert_int_equal(doubtful(&better, &doubt), 0);
    orr_buf_fini(&blob);
    orr_buf_fini(&better);
    orr_buf_fini(&doubt);
}

static void test_clock_back(void **state)
{
    struct orr_buf blob = {0}, doubt = {0};
    populate(state, &blob);
    assert_int_equal(doubtful(&blob, &doubt), 0);
    fake_now -= 3600 * second;
    assert_true(doubtful(&blob, &doubt) > 0);
    orr_buf_fini(&blob);
    orr_buf_fini(&doubt);
}

/* The blob over 'a' as it is wanted, and whatever else was asked. */
static int encode_a(void **state, struct memo *o, const char *text,
                    unsigned char as_input, struct orr_buf *out)
{
    struct orr_plan_want want = {.there = text != NULL, .as_input = as_input};
    struct orr_strs paths = {0};
    const char *path = in_folder(state, "a");
    if (text)
        orr_hash_bytes(text, strlen(text), &want.digest);
    assert_int_equal(orr_strs_put(&paths, path, strlen(path)), 0);
    int rc = orr_plan_encode(o->m, "/", &paths, &want, &none, out, NULL);
    orr_strs_fini(&paths);
    return rc;
}

static void test_wanted(void **state)
{
    struct memo o = open_memo(state);
    struct orr_buf out = {0};
    put_file(state, "a", "one");
    assert_int_equal(encode_a(state, &o, "two", 0, &out), ORR_EBUSY);
    assert_int_equal(encode_a(state, &o, NULL, 0, &out), ORR_EBUSY);
    assert_int_equal(encode_a(state, &o, "one", ORR_PLAN_EXEC, &out),
                     ORR_EBUSY);
    assert_int_equal(out.len, 0);
    assert_int_equal(encode_a(state, &o, "one", ORR_PLAN_PLAIN, &out), 0);
    assert_int_equal(holds(state, &out, ""), 1);
    put_file(state, "a", "two");
    assert_int_equal(holds(state, &out, "/a"), 0);
    close_memo(&o);
    orr_buf_fini(&out);
}

/* A patch takes the new content only when it is what was wanted, and only while
 * all else that was asked is in the plan. */
static void test_patch(void **state)
{
    struct memo o = open_memo(state), later = {0};
    struct orr_buf blob = {0}, out = {0};
    struct orr_plan_want want = {.there = true};
    const uint32_t number = 0;
    put_file(state, "a", "one");
    assert_int_equal(encode_a(state, &o, "one", 0, &blob), 0);
    close_memo(&o);
    put_file(state, "a", "two");
    later = open_memo(state);
    assert_int_equal(orr_plan_patch(blob.data, blob.len, later.m, &number, NULL,
                                    1, &out, NULL),
                     ORR_EBUSY);
    orr_hash_bytes("two", 3, &want.digest);
    assert_int_equal(orr_plan_patch(blob.data, blob.len, later.m, &number,
                                    &want, 1, &out, NULL),
                     0);
    assert_int_equal(holds(state, &out, ""), 1);
    assert_int_equal(holds(state, &blob, "/a"), 0);
    orr_buf_clear(&out);
    ask(state, &later, "b");
    assert_int_equal(orr_plan_patch(blob.data, blob.len, later.m, &number,
                                    &want, 1, &out, NULL),
                     ORR_EBUSY);
    close_memo(&later);
    orr_buf_fini(&blob);
    orr_buf_fini(&out);
}

static void test_wavering(void **state)
{
    struct memo o = open_memo(state);
    struct orr_buf out = {0};
    put_file(state, "a", "one");
    ask(state, &o, "a");
    assert_false(orr_filememo_wavered(o.m, 0));
    put_file(state, "a", "two");
    ask(state, &o, "a");
    assert_true(orr_filememo_wavered(o.m, 0));
    assert_int_equal(orr_plan_encode(o.m, "/", &none, NULL, &none, &out, NULL),
                     ORR_EBUSY);
    close_memo(&o);
    orr_buf_fini(&out);
}

static void test_no_file(void **state)
{
    struct memo o = open_memo(state);
    struct orr_buf out = {0};
    assert_int_equal(mkdir(in_folder(state, "d"), 0777), 0);
    ask(state, &o, "d");
    assert_int_equal(orr_plan_encode(o.m, "/", &none, NULL, &none, &out, NULL),
                     ORR_EINVAL);
    close_memo(&o);
    orr_buf_fini(&out);
}

static void test_damage(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    for (size_t i = 0; i < blob.len; i++) {
        blob.data[i] ^= 0x40;
        assert_int_equal(holds(state, &blob, ""), ORR_ECORRUPT);
        blob.data[i] ^= 0x40;
    }
    size_t whole = blob.len;
    for (blob.len = 0; blob.len < whole; blob.len++)
        assert_int_equal(holds(state, &blob, ""), ORR_ECORRUPT);
    orr_buf_fini(&blob);
}

#define TEST(f, text)                                                          \
    {                                                                          \
        text, f, folder_make, folder_remove, NULL                              \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_holds, "a plan holds while everything is as it was"),
        TEST(test_content, "other bytes, another mode or no file end it"),
        TEST(test_appears, "a file that was absent ends it by appearing"),
        TEST(test_link_target, "a link that leads elsewhere ends it"),
        TEST(test_directory, "a new entry in a directory ends it"),
        TEST(test_same_listing, "a directory is its entries and their types"),
        TEST(test_fresh, "what is of this very tick is in doubt until then"),
        TEST(test_clock_back, "a clock set back puts all in doubt"),
        TEST(test_wanted, "a file must be what was used of it"),
        TEST(test_patch, "a patch takes what was wanted, and no surprise"),
        TEST(test_wavering, "what changed between two looks makes none"),
        TEST(test_no_file, "a directory asked for as a file makes none"),
        TEST(test_damage, "a damaged or torn plan says so"),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
