/* ignore and wild: what single rules say of single paths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/ignore.h"
#include "engine/wild.h"

enum {
    SILENT = ORR_IGNORE_SILENT,
    KEEP = ORR_IGNORE_KEEP,
    HIDE = ORR_IGNORE_HIDE
};

/* What 'rules' say of 'path'; a path that ends in "/" is a directory. The text
 * is read from memory of exactly its size. */
static int ask(const char *rules, const char *path)
{
    size_t n = strlen(rules), len = strlen(path);
    char *exact = malloc(n ? n : 1);
    bool dir = path[len - 1] == '/';
    assert_non_null(exact);
    memcpy(exact, rules, n);
    struct orr_ignore *ig = orr_ignore_new(exact, n);
    assert_non_null(ig);
    int answer = orr_ignore_match(ig, path, len - dir, dir);
    orr_ignore_free(ig);
    free(exact);
    return answer;
}

static void test_basename(void **state)
{
    (void)state;
    assert_int_equal(ask("*.o", "a/b/x.o"), HIDE);
    assert_int_equal(ask("x.o", "a/b/x.o"), HIDE);
    assert_int_equal(ask("x.o", "a/b/xx.o"), SILENT);
    assert_int_equal(ask("foo/", "a/foo/"), HIDE);
    assert_int_equal(ask("foo/", "a/foo"), SILENT);
}

static void test_anchored(void **state)
{
    (void)state;
    assert_int_equal(ask("/foo", "foo"), HIDE);
    assert_int_equal(ask("/foo", "a/foo"), SILENT);
    assert_int_equal(ask("a/foo", "b/a/foo"), SILENT);
    assert_int_equal(ask("a/*/c", "a/b/c"), HIDE);
    assert_int_equal(ask("a/*/c", "a/b/b/c"), SILENT);
}

static void test_stars(void **state)
{
    (void)state;
    assert_int_equal(ask("**/c", "c"), HIDE);
    assert_int_equal(ask("**/b/c", "a/a/b/c"), HIDE);
    assert_int_equal(ask("a/**/c", "a/c"), HIDE);
    assert_int_equal(ask("a/**/c", "a/x/y/c"), HIDE);
    assert_int_equal(ask("a/**", "a/x/y"), HIDE);
    assert_int_equal(ask("a/**", "a/"), SILENT);
    assert_int_equal(ask("a/x**y", "a/xzzy"), HIDE);
}

static void test_order(void **state)
{
    (void)state;
    assert_int_equal(ask("*.log\n!keep.log", "keep.log"), KEEP);
    assert_int_equal(ask("!keep.log\n*.log", "keep.log"), HIDE);
    assert_int_equal(ask("", "x"), SILENT);
}

static void test_text(void **state)
{
    (void)state;
    assert_int_equal(ask("# x\n\n", "# x"), SILENT);
    assert_int_equal(ask("\\#x", "#x"), HIDE);
    assert_int_equal(ask("\\!x", "!x"), HIDE);
    assert_int_equal(ask("x  \n", "x"), HIDE);
    assert_int_equal(ask("x\\ \n", "x "), HIDE);
    assert_int_equal(ask("x\t\n", "x\t"), HIDE);
    assert_int_equal(ask("x\r\ny\r\n", "y"), HIDE);
    assert_int_equal(ask("\xef\xbb\xbfx", "x"), HIDE);
}

static void test_brackets(void **state)
{
    (void)state;
    assert_int_equal(ask("[a-c]x", "bx"), HIDE);
    assert_int_equal(ask("[!a-c]x", "bx"), SILENT);
    assert_int_equal(ask("[^a]x", "bx"), HIDE);
    assert_int_equal(ask("[]a]x", "]x"), HIDE);
    assert_int_equal(ask("[[:digit:]]x", "7x"), HIDE);
    assert_int_equal(ask("[a-", "a"), SILENT);
    assert_int_equal(ask("x\\", "x"), SILENT);
    assert_int_equal(ask("a[/]b/c", "a/b/c"), SILENT);
}

static bool matches(const char *pattern, const char *path, unsigned flags)
{
    struct orr_wild w;
    assert_int_equal(orr_wild_init(&w, pattern, strlen(pattern), flags), 0);
    bool hit = orr_wild_match(&w, path, strlen(path));
    orr_wild_fini(&w);
    return hit;
}

static void test_characters(void **state)
{
    (void)state;
    assert_true(matches("?", "\xc3\xa9", 0));
    assert_false(matches("?", "\xc3\xa9", ORR_WILD_BYTES));
    assert_true(matches("[\xc3\xa9]x", "\xc3\xa9x", 0));
    assert_true(matches("?x", "\xffx", 0));
}

static void test_dots(void **state)
{
    (void)state;
    assert_true(matches("**/*", ".a/.b", 0));
    assert_false(matches("**/b", ".a/b", ORR_WILD_NO_DOT));
    assert_true(matches(".*", ".a", ORR_WILD_NO_DOT));
}

/* With naive backtracking this takes longer than the universe has. */
static void test_many_stars(void **state)
{
    (void)state;
    char pattern[4001], path[4001];
    for (size_t i = 0; i < 4000; i += 2)
        memcpy(pattern + i, "*a", 2);
    pattern[3999] = 'b';
    pattern[4000] = 0;
    memset(path, 'a', 4000);
    path[4000] = 0;
    assert_false(matches(pattern, path, 0));
    for (size_t i = 0; i + 5 <= 4000; i += 5)
        memcpy(pattern + i, "**/a/", 5);
    pattern[3999] = 'b';
    for (size_t i = 1; i < 4000; i += 2)
        path[i] = '/';
    path[3999] = 'a';
    assert_false(matches(pattern, path, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"a rule without a slash sees the last component", test_basename, NULL,
         NULL, NULL},
        {"a rule with a slash sees the whole path", test_anchored, NULL, NULL,
         NULL},
        {"two stars stand for any directories", test_stars, NULL, NULL, NULL},
        {"the last rule that matches decides", test_order, NULL, NULL, NULL},
        {"comments, escapes, blanks and line ends are git's", test_text, NULL,
         NULL, NULL},
        {"brackets hold ranges, classes and themselves", test_brackets, NULL,
         NULL, NULL},
        {"characters are UTF-8 unless bytes are asked for", test_characters,
         NULL, NULL, NULL},
        {"dot names need a dot in the pattern when asked", test_dots, NULL,
         NULL, NULL},
        {"many stars end soon", test_many_stars, NULL, NULL, NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
