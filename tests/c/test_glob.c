/* glob and walk: sets of patterns, and one walk for all of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/files.h"
#include "engine/glob.h"
#include "engine/walk.h"

/* Fills a set from patterns separated by blanks. */
static int fill(struct orr_glob *g, const char *patterns, struct orr_err *e)
{
    int rc = 0;
    while (rc == 0 && *patterns) {
        size_t n = strcspn(patterns, " ");
        rc = orr_glob_add(g, patterns, n, e);
        patterns += n + (patterns[n] == ' ');
    }
    return rc;
}

static bool takes(const char *patterns, const char *path)
{
    struct orr_glob g = {0};
    struct orr_err e;
    assert_int_equal(fill(&g, patterns, &e), 0);
    bool hit = orr_glob_match(&g, path, strlen(path));
    orr_glob_fini(&g);
    return hit;
}

static void test_sets(void **state)
{
    (void)state;
    assert_true(takes("src/**", "src/a/b.c"));
    assert_false(takes("src/**", "src"));
    assert_false(takes("** !src/x", "src/x/y"));
    assert_true(takes("** !src/x src/x/keep", "src/x/keep"));
    assert_true(takes("src/", "src/a"));
    assert_true(takes("./a", "a"));
    assert_false(takes("**", ".git/config"));
    assert_false(takes("**", "a/.orrery/x"));
    assert_true(takes("**", ".github/x"));
    assert_false(takes("**", "../x"));
    assert_true(takes("../**", "../x"));
}

static void test_braces(void **state)
{
    (void)state;
    assert_true(takes("*.{c,h}", "a.h"));
    assert_true(takes("{a,b/{c,d}}/x", "b/d/x"));
    assert_true(takes("a{,b}", "a"));
    assert_true(takes("{**,x}/y", "p/q/y"));
    assert_true(takes("\\{a\\}", "{a}"));
    assert_true(takes("[{]", "{"));
    assert_true(takes("!{a,b} c", "c"));
}

static void refuse(const char *pattern, int rc, const char *why)
{
    struct orr_glob g = {0};
    struct orr_err e;
    assert_int_equal(orr_glob_add(&g, pattern, strlen(pattern), &e), rc);
    assert_non_null(strstr(e.msg, why));
    orr_glob_fini(&g);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse("", ORR_EINVAL, "empty");
    refuse("!", ORR_EINVAL, "empty");
    refuse("a/{b,c", ORR_EINVAL, "never closed");
    refuse("{", ORR_EINVAL, "never closed");
    refuse("a[b", ORR_EINVAL, "never closed");
    refuse("a/../b", ORR_EINVAL, "\"..\"");
    refuse("{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}{a,b}"
           "{a,b}{a,b}",
           ORR_ELIMIT, "patterns");
    char deep[401];
    memset(deep, '{', 200);
    memset(deep + 200, '}', 200);
    deep[400] = 0;
    refuse(deep, ORR_ELIMIT, "braces");
}

/* --- walking -------------------------------------------------------------- */

static char root[] = "/tmp/orr-test-glob-XXXXXX";

static void make(const char *rel, const char *text)
{
    char path[256];
    struct orr_err e;
    snprintf(path, sizeof path, "%s/%s", root, rel);
    assert_int_equal(orr_files_safe_parent(root, rel, &e), 0);
    assert_int_equal(orr_files_write(path, text, strlen(text), -1, false, &e),
                     0);
}

static int setup(void **state)
{
    (void)state;
    char link[64];
    if (!mkdtemp(root))
        return -1;
    make("src/a.c", "");
    make("src/b.h", "");
    make("src/deep/c.c", "");
    make("build/out.o", "");
    make("build/sub/x.o", "");
    make(".hidden/x", "");
    make(".gitignore", "build/\n*.log\n");
    make("src/.gitignore", "!keep.log\n");
    make("src/keep.log", "");
    make("src/drop.log", "");
    snprintf(link, sizeof link, "%s/src/loop", root);
    return symlink("..", link);
}

static int teardown(void **state)
{
    (void)state;
    return orr_files_remove_tree(root, NULL);
}

/* The found list, joined by blanks. */
static void join(const struct orr_strs *s, char *out, size_t size)
{
    size_t n = 0;
    out[0] = 0;
    for (size_t i = 0; i < s->count && n < size; i++)
        n += (size_t)snprintf(out + n, size - n, "%s%s", i ? " " : "",
                              orr_strs_at(s, i));
}

static void expect(const char *patterns, const char *files, const char *dirs)
{
    struct orr_glob g = {0};
    struct orr_walk_found f = {0};
    struct orr_err e;
    char text[512];
    assert_int_equal(fill(&g, patterns, &e), 0);
    assert_int_equal(orr_walk(root, &g, true, &f, &e), 0);
    join(&f.files, text, sizeof text);
    assert_string_equal(text, files);
    join(&f.dirs, text, sizeof text);
    if (dirs)
        assert_string_equal(text, dirs);
    orr_walk_found_fini(&f);
    orr_glob_fini(&g);
}

static void test_walk(void **state)
{
    (void)state;
    expect("**/*.c", "src/a.c src/deep/c.c", ". .hidden src src/deep");
    expect("src/*.{h,c}", "src/a.c src/b.h", ". src");
    expect("src/a.c", "src/a.c", "src");
    expect("src/a.c nope/x.c src", "src/a.c", ". nope src");
    expect("src/** !src/deep !**/*.log",
           "src/.gitignore src/a.c src/b.h "
           "src/loop",
           ". src");
}

static void test_ignored(void **state)
{
    (void)state;
    expect("**/*.o", "", NULL);
    expect("build/**/*.o", "build/out.o build/sub/x.o", ". build build/sub");
    expect("build/out.o", "build/out.o", NULL);
    expect("**/*.log", "src/keep.log", NULL);
    expect("src/*.log", "src/keep.log", NULL);
}

static void test_links(void **state)
{
    (void)state;
    expect("src/loop/**", "", NULL);
    expect("**/loop", "src/loop", NULL);
}

/* Deeper than PATH_MAX and than there are descriptors. */
static void test_deep(void **state)
{
    (void)state;
    enum { DEPTH = 3000 };
    int fd = open(root, O_RDONLY | O_DIRECTORY);
    assert_true(fd >= 0);
    assert_int_equal(mkdirat(fd, "d", 0777), 0);
    for (int i = 0; i < DEPTH; i++) {
        int next = openat(fd, "d", O_RDONLY | O_DIRECTORY);
        assert_true(next >= 0);
        close(fd);
        fd = next;
        assert_int_equal(mkdirat(fd, "d", 0777), 0);
        assert_int_equal(mkdirat(fd, "e", 0777), 0);
    }
    int leaf = openat(fd, "leaf.x", O_WRONLY | O_CREAT, 0666);
    assert_true(leaf >= 0);
    close(leaf);
    close(fd);
    struct orr_glob g = {0};
    struct orr_walk_found f = {0};
    struct orr_err e;
    assert_int_equal(fill(&g, "**/*.x", &e), 0);
    assert_int_equal(orr_walk(root, &g, false, &f, &e), 0);
    assert_int_equal(f.files.count, 1);
    assert_int_equal(f.files.items[0].len, 2 * DEPTH + 6);
    orr_walk_found_fini(&f);
    orr_glob_fini(&g);
}

static void test_absent_root(void **state)
{
    (void)state;
    struct orr_glob g = {0};
    struct orr_walk_found f = {0};
    struct orr_err e;
    assert_int_equal(fill(&g, "**", &e), 0);
    assert_int_equal(orr_walk("/nonexistent/x", &g, true, &f, &e), ORR_ENOENT);
    assert_non_null(strstr(e.msg, "/nonexistent/x"));
    orr_walk_found_fini(&f);
    orr_glob_fini(&g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"the last pattern that matches decides", test_sets, NULL, NULL, NULL},
        {"braces stand for several patterns", test_braces, NULL, NULL, NULL},
        {"what is no pattern is refused with a reason", test_refusals, NULL,
         NULL, NULL},
        {"a walk opens only where something can match", test_walk, NULL, NULL,
         NULL},
        {"ignored files are left out unless named", test_ignored, NULL, NULL,
         NULL},
        {"symlinks are found, not followed", test_links, NULL, NULL, NULL},
        {"no depth is too deep", test_deep, NULL, NULL, NULL},
        {"a root that is not there is an error", test_absent_root, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
