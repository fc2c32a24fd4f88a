/* yaml: the core schema, places, merges, and documents that mean harm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/yaml.h"

/* Parses from memory of exactly the text's size. */
static int parse(const char *text, size_t n, struct orr_yaml *y,
                 struct orr_err *e)
{
    char *exact = malloc(n ? n : 1);
    assert_non_null(exact);
    memcpy(exact, text, n);
    int rc = orr_yaml_parse(exact, n, "t", y, e);
    free(exact);
    return rc;
}

static void refuse(const char *text, size_t n, int rc, const char *message)
{
    struct orr_yaml y;
    struct orr_err e = {0};
    assert_int_equal(parse(text, n, &y, &e), rc);
    if (strncmp(e.msg, message, strlen(message)))
        assert_string_equal(e.msg, message);
    orr_yaml_fini(&y);
}

#define REFUSE(text, message)                                                  \
    refuse(text, sizeof(text) - 1, ORR_EINVAL, message)

static struct orr_yaml_node scalar(const char *text)
{
    struct orr_yaml y;
    struct orr_err e;
    assert_int_equal(parse(text, strlen(text), &y, &e), 0);
    struct orr_yaml_node n = y.nodes[0];
    orr_yaml_fini(&y);
    return n;
}

static void test_schema(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int kind;
    } cases[] = {
        {"~", ORR_YAML_NULL},
        {"Null", ORR_YAML_NULL},
        {"", ORR_YAML_NULL},
        {"nULL", ORR_YAML_STRING},
        {"TRUE", ORR_YAML_BOOL},
        {"no", ORR_YAML_STRING},
        {"on", ORR_YAML_STRING},
        {"2024-01-01", ORR_YAML_STRING},
        {"12", ORR_YAML_INT},
        {"0123", ORR_YAML_INT},
        {"0o17", ORR_YAML_INT},
        {"0x1F", ORR_YAML_INT},
        {"0x", ORR_YAML_STRING},
        {"1_000", ORR_YAML_STRING},
        {"1:30", ORR_YAML_STRING},
        {"0.10", ORR_YAML_FLOAT},
        {"1.", ORR_YAML_FLOAT},
        {".5", ORR_YAML_FLOAT},
        {".", ORR_YAML_STRING},
        {"1e3", ORR_YAML_FLOAT},
        {"1e", ORR_YAML_STRING},
        {"-.inf", ORR_YAML_FLOAT},
        {".NaN", ORR_YAML_FLOAT},
        {"1e999", ORR_YAML_STRING},
        {"'1'", ORR_YAML_STRING},
        {"\"true\"", ORR_YAML_STRING},
        {"!!str 1", ORR_YAML_STRING},
        {"!!float 1", ORR_YAML_FLOAT},
        {"9223372036854775807", ORR_YAML_INT},
        {"9223372036854775808", ORR_YAML_FLOAT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (scalar(cases[i].text).kind != cases[i].kind)
            fail_msg("'%s' is of another kind", cases[i].text);
    assert_int_equal(scalar("0123").value.i, 123);
    assert_int_equal(scalar("0o17").value.i, 15);
    assert_int_equal(scalar("-0x").kind, ORR_YAML_STRING);
    assert_true(scalar("-1.5e1").value.d == -15.0);
}

/* Index of the value under a key of the mapping at 'map'; 0 when absent. */
static uint32_t find(const struct orr_yaml *y, uint32_t map, const char *key)
{
    const struct orr_yaml_node *n = y->nodes;
    for (uint32_t i = map + 1; i < n[map].end; i = n[i + 1].end)
        if (n[i].kind == ORR_YAML_STRING && n[i].len == strlen(key) &&
            !memcmp(orr_yaml_text(y, &n[i]), key, n[i].len))
            return i + 1;
    return 0;
}

static void test_merge(void **state)
{
    (void)state;
    static const char text[] = "a: &a {x: 1, y: 2}\n"
                               "b: &b {<<: *a, y: 3}\n"
                               "c: {<<: [{z: 9, y: 8}, *b]}\n";
    struct orr_yaml y;
    struct orr_err e;
    assert_int_equal(parse(text, strlen(text), &y, &e), 0);
    uint32_t b = find(&y, 0, "b"), c = find(&y, 0, "c");
    assert_int_equal(y.nodes[b].len, 2);
    assert_int_equal(y.nodes[find(&y, b, "y")].value.i, 3);
    assert_int_equal(y.nodes[c].len, 3);
    uint32_t target = y.nodes[find(&y, c, "y")].value.target;
    assert_int_equal(y.nodes[target].value.i, 8);
    target = y.nodes[find(&y, c, "x")].value.target;
    assert_int_equal(y.nodes[target].value.i, 1);
    orr_yaml_fini(&y);
}

static void test_places(void **state)
{
    (void)state;
    static const char text[] = "a: 1\r\n\xc3\xa9: {b: [x, 22]}\r\n";
    struct orr_yaml y;
    struct orr_err e;
    assert_int_equal(parse(text, strlen(text), &y, &e), 0);
    uint32_t map = find(&y, 0, "\xc3\xa9"), list = find(&y, map, "b");
    assert_int_equal(y.nodes[list].line, 2);
    assert_int_equal(y.nodes[list].column, 8);
    assert_int_equal(y.nodes[list + 2].column, 12);
    assert_int_equal(y.nodes[list].end, list + 3);
    orr_yaml_fini(&y);
}

static void test_mistakes(void **state)
{
    (void)state;
    REFUSE("run: {{params.x}}",
           "t:1:6: a value that starts with {{ must be quoted: "
           "\"{{params.x}}\"");
    REFUSE("a: 1\nrun: [{{x}}, y]", "t:2:7: a value that starts with {{");
    REFUSE("{{x}}: y", "t:1:1: a key that starts with {{");
    REFUSE("a: 1\nb: 2\na: 3", "t:3:1: the key 'a' is already there, on line "
                               "1, column 1");
    REFUSE("{a: 1, b: 1, c: 1, d: 1, e: 1, f: 1, g: 1, h: 1, i: 1, b: 2}",
           "t:1:56: the key 'b' is already there, on line 1, column 8");
    REFUSE("a: 1\n---\nb: 2", "t:2:1: a second document");
    REFUSE("a:\n\tb: 1", "t:2:1: a tab cannot indent");
    REFUSE("a: @x", "t:1:4: a value cannot start with @");
    REFUSE("a: b: c", "t:1:5: a ': ' is not allowed here");
    REFUSE("a:\n - b\n c: d", "t:3:2: this fits nothing above it");
    REFUSE("a: >40 h", "t:1:6: what follows > or | stands on the lines below");
    REFUSE("a: *.c", "t:1:5: a value that starts with * or & must be quoted");
    REFUSE("a: !x!y z", "t:1:4: a value cannot start with !");
    REFUSE("a: - x", "t:1:4: a list starts on a line of its own");
    REFUSE("x: y\n\tv: 1", "t:2:1: a tab cannot indent");
    REFUSE("x: 'abc", "t:1:4: the quote that opens here is never closed");
    REFUSE("? [a]\n: b", "t:1:3: a key must be text");
    REFUSE("a: *b", "t:1:4: no anchor &b");
    REFUSE("a: &a [*a]", "t:1:8: the alias *a is inside");
    REFUSE("a: !!binary x", "t:1:4: the tag !!binary is not supported");
    REFUSE("a: !x [b]", "t:1:4: the tag !x is not supported");
    REFUSE("a: !!int x", "t:1:4: 'x' is not what its tag !!int says");
    REFUSE("a: {<<: 1}", "t:1:9: << takes a mapping");
}

static void test_bytes(void **state)
{
    (void)state;
    REFUSE("a: \0", "t:1:4: control characters");
    REFUSE("a\n\xc3\xa9: \xff", "t:2:4: not UTF-8 text");
    REFUSE("\xff\xfe"
           "a",
           "t:1:1: UTF-16");
    assert_int_equal(scalar("\xef\xbb\xbf"
                            "12")
                         .value.i,
                     12);
}

static void test_depth(void **state)
{
    (void)state;
    enum { N = 100000 };
    char *text = malloc(N);
    assert_non_null(text);
    memset(text, '[', N);
    refuse(text, N, ORR_ELIMIT, "t:1:129: nested over 128 levels");
    for (size_t i = 0; i < N; i += 2)
        memcpy(text + i, "- ", 2);
    refuse(text, N, ORR_ELIMIT, "t:1:257: nested over 128 levels");
    free(text);
}

static void test_deep_aliases(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    for (int i = 0; i < 130; i++)
        assert_int_equal(
            orr_buf_printf(&b, i ? "a%d: &a%d [*a%d]\n" : "a%d: &a%d []\n", i,
                           i, i - 1),
            0);
    refuse((char *)b.data, b.len, ORR_ELIMIT, "t:128:");
    orr_buf_fini(&b);
}

static void test_alias_bomb(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    orr_buf_puts(&b, "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
    for (int i = 1; i < 30; i++) {
        orr_buf_printf(&b, "a%d: &a%d [", i, i);
        for (int k = 0; k < 10; k++)
            orr_buf_printf(&b, "*a%d,", i - 1);
        orr_buf_puts(&b, "]\n");
    }
    refuse((char *)b.data, b.len, ORR_ELIMIT, "t:6:");
    orr_buf_clear(&b);
    orr_buf_puts(&b, "a: &a ");
    for (int i = 0; i < 100000; i++)
        orr_buf_putc(&b, 'x');
    orr_buf_puts(&b, "\nb: [");
    for (int i = 0; i < 1000; i++)
        orr_buf_puts(&b, "*a,");
    orr_buf_puts(&b, "]\n");
    refuse((char *)b.data, b.len, ORR_ELIMIT, "t:2:");
    orr_buf_fini(&b);
}

static void test_size(void **state)
{
    (void)state;
    size_t n = (size_t)ORR_YAML_MAX_BYTES + 1;
    char *text = calloc(1, n);
    assert_non_null(text);
    struct orr_yaml y;
    struct orr_err e;
    assert_int_equal(orr_yaml_parse(text, n, "t", &y, &e), ORR_ELIMIT);
    orr_yaml_fini(&y);
    free(text);
}

/* Any prefix of a document is a document or an error, never a crash. */
static void test_truncated(void **state)
{
    (void)state;
    static const char text[] =
        "a: &x {b: [1, 'two', \"th\\u00e9\"], <<: {c: |\n  d\n}}\n? e\n: *x\n"
        "f: >-\n  g\n  h\n--- # i\n";
    for (size_t n = 0; n < sizeof text; n++) {
        struct orr_yaml y;
        struct orr_err e = {0};
        if (parse(text, n, &y, &e) < 0)
            assert_true(e.line > 0 && e.msg[0]);
        else
            assert_true(y.count > 0);
        orr_yaml_fini(&y);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        {"plain scalars follow the core schema", test_schema, NULL, NULL, NULL},
        {"merge keys give way to a mapping's own", test_merge, NULL, NULL,
         NULL},
        {"places count lines and characters", test_places, NULL, NULL, NULL},
        {"a mistake is named with its place", test_mistakes, NULL, NULL, NULL},
        {"bytes that are no text are refused", test_bytes, NULL, NULL, NULL},
        {"deep nesting is refused at once", test_depth, NULL, NULL, NULL},
        {"aliases count for depth", test_deep_aliases, NULL, NULL, NULL},
        {"a bomb of aliases is refused", test_alias_bomb, NULL, NULL, NULL},
        {"a document over the limit is refused", test_size, NULL, NULL, NULL},
        {"a truncated document never crashes", test_truncated, NULL, NULL,
         NULL},
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
