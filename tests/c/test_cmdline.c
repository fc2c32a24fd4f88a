/* Tests of core/engine/cmdline: what needs a shell, words, quoting. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/cmdline.h"

/* The words joined by '|', or NULL when a shell is needed. Owned. */
static char *split(const char *cmd, size_t n)
{
    struct orr_buf b = {0};
    size_t argc = 0;
    int rc = orr_cmdline_split(cmd, n, &b, &argc);
    assert_true(rc == 0 || rc == 1);
    assert_true(rc == 1 || b.len == 0);
    char *joined = NULL;
    for (size_t i = 0; rc && i < b.len; i++)
        if (b.data[i] == '\0' && --argc > 0)
            b.data[i] = '|';
    if (rc) {
        assert_int_equal(argc, 0);
        joined = strdup((const char *)b.data);
    }
    orr_buf_fini(&b);
    return joined;
}

static void splits(const char *cmd, const char *want)
{
    char *is = split(cmd, strlen(cmd));
    if (!is || strcmp(is, want) != 0)
        fail_msg("%s: wanted %s, got %s", cmd, want, is ? is : "a shell");
    free(is);
}

static void needs_shell(const char *cmd)
{
    char *is = split(cmd, strlen(cmd));
    if (is)
        fail_msg("%s: wanted a shell, got %s", cmd, is);
}

static void simple_commands_are_split_at_blanks(void **state)
{
    (void)state;
    splits("true", "true");
    splits("  cc  -c\ta.c -o a.o ", "cc|-c|a.c|-o|a.o");
    splits("cp in/a.b out/a,b@c%d+e:f", "cp|in/a.b|out/a,b@c%d+e:f");
    splits("tool --opt=v x=y", "tool|--opt=v|x=y");
    splits("echo gr\xc3\xbc\xc3\x9f", "echo|gr\xc3\xbc\xc3\x9f");
}

static void plain_quotes_are_taken_off(void **state)
{
    (void)state;
    splits("echo 'a b' \"c d\"", "echo|a b|c d");
    splits("echo a'b'\"c\"d", "echo|abcd");
    splits("echo '' x", "echo||x");
    splits("echo \"it's\" 'say \"hi\"'", "echo|it's|say \"hi\"");
    splits("grep '$x*|`;\\' f", "grep|$x*|`;\\|f");
    splits("echo 'a\nb'", "echo|a\nb");
}

static void anything_a_shell_would_read_otherwise_is_left_to_it(void **state)
{
    (void)state;
    const char *specials = "#;*?[]&|<>(){}$`^~!\\\n\r";
    for (const char *c = specials; *c; c++) {
        char cmd[] = "echo a_b";
        cmd[6] = *c;
        needs_shell(cmd);
    }
    needs_shell("echo \"$HOME\"");
    needs_shell("echo \"a\\n\"");
    needs_shell("echo \"`id`\"");
    needs_shell("echo \"hey!\"");
    needs_shell("echo 'open");
    needs_shell("echo \"open");
    needs_shell("echo '");
    needs_shell("VAR=1 cmd");
    needs_shell("_v2=");
}

static void built_ins_and_reserved_words_are_the_shell_s(void **state)
{
    (void)state;
    const char *words[] = {
        "cd x",   ". env",   ":",       "export A", "exit 3",  "exec x",
        "test 1", "if true", "while x", "source x", "time ls", "wait",
        "'cd' x", "type x",  "while",   "set -x",   "umask",   "unalias x"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        needs_shell(words[i]);
    splits("cdx", "cdx");
    splits("./cd x", "./cd|x");
    splits("echo if", "echo|if");
    splits("env A=1 cmd", "env|A=1|cmd");
}

static void nothing_to_run_is_no_simple_command(void **state)
{
    (void)state;
    needs_shell("");
    needs_shell(" \t ");
    needs_shell("''");
    needs_shell("'' x");
    assert_null(split("a\0b", 3));
    assert_null(split("a '\0'", 5));
}

static char *quote(const char *word, size_t n)
{
    struct orr_buf b = {0};
    assert_int_equal(orr_cmdline_quote(word, n, &b), 0);
    assert_int_equal(orr_buf_putc(&b, '\0'), 0);
    return (char *)b.data;
}

static void quoted(const char *word, const char *want)
{
    char *is = quote(word, strlen(word));
    assert_string_equal(is, want);
    free(is);
}

static void safe_words_are_not_quoted(void **state)
{
    (void)state;
    quoted("src/a-b_c.d", "src/a-b_c.d");
    quoted("--opt=v", "--opt=v");
    quoted("user@host:p,q+r%s", "user@host:p,q+r%s");
}

static void other_words_are_quoted_whole(void **state)
{
    (void)state;
    quoted("", "''");
    quoted("a b", "'a b'");
    quoted("it's", "'it'\\''s'");
    quoted("A=1", "'A=1'");
    quoted("~", "'~'");
    quoted("$(rm)", "'$(rm)'");
    quoted("a\nb", "'a\nb'");
}

static void what_was_quoted_splits_into_the_same_word(void **state)
{
    (void)state;
    for (int c = 1; c < 256; c++) {
        char word[] = {'x', (char)c, 'y', '\0'}, cmd[64];
        char *q = quote(word, 3);
        snprintf(cmd, sizeof cmd, "echo %s", q);
        if (c != '\'') {
            char *is = split(cmd, strlen(cmd));
            assert_non_null(is);
            assert_string_equal(is + 5, word);
            free(is);
        }
        free(q);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_commands_are_split_at_blanks),
        cmocka_unit_test(plain_quotes_are_taken_off),
        cmocka_unit_test(anything_a_shell_would_read_otherwise_is_left_to_it),
        cmocka_unit_test(built_ins_and_reserved_words_are_the_shell_s),
        cmocka_unit_test(nothing_to_run_is_no_simple_command),
        cmocka_unit_test(safe_words_are_not_quoted),
        cmocka_unit_test(other_words_are_quoted_whole),
        cmocka_unit_test(what_was_quoted_splits_into_the_same_word),
    };
    return cmocka_run_group_tests_name("cmdline", tests, NULL, NULL);
}
