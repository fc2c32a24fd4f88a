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
#include "folder.h"

static const int64_t second = 1000000000;
static int64_t fake_now;

static int64_t fake_clock(void)
{
    return fake_now;
}

struct memo {
    struct orr_index *ix;
    struct orr_filememo *m;
};

static struct memo open_memo(void **state)
{
    struct memo o = {0};
    assert_int_equal(orr_index_open(in_folder(state, "index"), &o.ix, NULL), 0);
    o.m = orr_filememo_new(o.ix);
    orr_filememo_set_clock(o.m, fake_clock);
    return o;
}

static void close_memo(struct memo *o)
{
    orr_filememo_free(o->m);
    orr_index_close(o->ix);
}

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
    int rc = orr_plan_encode(o.m, root, &dirs, out, NULL);
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

/* 1, 0 with the end of the path that differs, or an error. */
static int holds(void **state, const struct orr_buf *blob, const char *differs)
{
    struct memo o = open_memo(state);
    struct orr_buf why = {0};
    int rc = orr_plan_check(blob->data, blob->len, o.m, &why, NULL);
    if (rc == 0) {
        size_t n = strlen(differs);
        assert_true(why.len >= n);
        assert_memory_equal(why.data + why.len - n, differs, n);
    }
    orr_buf_fini(&why);
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

static void test_fresh_directory(void **state)
{
    struct orr_buf blob = {0};
    struct stat st;
    populate(state, &blob);
    orr_buf_clear(&blob);
    assert_int_equal(stat(in_folder(state, "d"), &st), 0);
    fake_now = st.st_mtim.tv_sec * second + st.st_mtim.tv_nsec;
    assert_int_equal(make(state, &blob), ORR_EBUSY);
    assert_int_equal(blob.len, 0);
    orr_buf_fini(&blob);
}

static void test_clock_back(void **state)
{
    struct orr_buf blob = {0};
    populate(state, &blob);
    fake_now -= 3600 * second;
    assert_int_equal(holds(state, &blob, "/d"), 0);
    orr_buf_fini(&blob);
}

static void test_wavering(void **state)
{
    struct memo o = open_memo(state);
    struct orr_buf out = {0};
    struct orr_strs dirs = {0};
    put_file(state, "a", "one");
    ask(state, &o, "a");
    assert_false(orr_filememo_wavered(o.m));
    put_file(state, "a", "two");
    ask(state, &o, "a");
    assert_true(orr_filememo_wavered(o.m));
    assert_int_equal(orr_plan_encode(o.m, "/", &dirs, &out, NULL), ORR_EBUSY);
    close_memo(&o);
    orr_buf_fini(&out);
}

static void test_no_file(void **state)
{
    struct memo o = open_memo(state);
    struct orr_buf out = {0};
    struct orr_strs dirs = {0};
    assert_int_equal(mkdir(in_folder(state, "d"), 0777), 0);
    ask(state, &o, "d");
    assert_int_equal(orr_plan_encode(o.m, "/", &dirs, &out, NULL), ORR_EINVAL);
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
        TEST(test_fresh_directory, "a directory of this very tick makes none"),
        TEST(test_clock_back, "a clock set back ends it"),
        TEST(test_wavering, "what changed between two looks makes none"),
        TEST(test_no_file, "a directory asked for as a file makes none"),
        TEST(test_damage, "a damaged or torn plan says so"),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
