/* json: tokens, places, numbers, and text that is damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <locale.h>

#include <cmocka.h>

#include "engine/json.h"

/* Reads all of a text from memory of exactly its size, so that the sanitizer
 * sees a byte too far. Writes one letter for each token. */
static int read_all(const char *text, size_t n, char *trace, size_t room,
                    struct orr_err *e)
{
    static const char letters[] = "nftidsk[]{}.";
    char *exact = malloc(n ? n : 1);
    struct orr_json j;
    struct orr_json_token t = {.kind = ORR_JSON_NULL};
    size_t len = 0;
    int rc = 0;
    assert_non_null(exact);
    memcpy(exact, text, n);
    orr_json_init(&j, exact, n, "t", 0);
    while (rc == 0 && t.kind != ORR_JSON_END) {
        rc = orr_json_next(&j, &t, e);
        if (rc == 0 && len + 1 < room)
            trace[len++] = letters[t.kind];
    }
    trace[len] = '\0';
    orr_json_fini(&j);
    free(exact);
    return rc;
}

static struct orr_json_token read_one(const char *text)
{
    struct orr_json j;
    struct orr_json_token t;
    orr_json_init(&j, text, strlen(text), NULL, 0);
    assert_int_equal(orr_json_next(&j, &t, NULL), 0);
    orr_json_fini(&j);
    return t;
}

static void tokens_come_in_the_order_of_the_text(void **state)
{
    (void)state;
    char trace[64];
    const char *text = " {\"a\": [1, 2.5, true], \"b\":{}, \"c\" : [ ] , "
                       "\"d\":[null,false,\"x\"]} ";
    assert_int_equal(read_all(text, strlen(text), trace, sizeof trace, NULL),
                     0);
    assert_string_equal(trace, "{k[idt]k{}k[]k[nfs]}.");
}

static void the_end_stays_the_end(void **state)
{
    (void)state;
    struct orr_json j;
    struct orr_json_token t;
    orr_json_init(&j, "1", 1, NULL, 0);
    assert_int_equal(orr_json_next(&j, &t, NULL), 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(orr_json_next(&j, &t, NULL), 0);
        assert_int_equal(t.kind, ORR_JSON_END);
    }
    orr_json_fini(&j);
}

static void places_count_lines_and_characters(void **state)
{
    (void)state;
    struct orr_err e;
    char trace[64];
    const char *text = "{\n  \"\xc3\xa9\": [1,\n\n \"\xc3\xa9\xc3\xa9\" 2";
    assert_int_equal(read_all(text, strlen(text), trace, sizeof trace, &e),
                     ORR_EINVAL);
    assert_int_equal(e.line, 4);
    assert_int_equal(e.column, 7);
    assert_string_equal(e.msg, "t:4:7: unexpected '2', expected ',' or ']'");
}

static void integers_are_exact_and_larger_ones_become_doubles(void **state)
{
    (void)state;
    assert_true(read_one("9223372036854775807").i == INT64_MAX);
    assert_true(read_one("-9223372036854775808").i == INT64_MIN);
    assert_int_equal(read_one("9223372036854775808").kind, ORR_JSON_DOUBLE);
    assert_true(read_one("9223372036854775808").d == 0x1p63);
    assert_int_equal(read_one("-0").kind, ORR_JSON_DOUBLE);
    assert_int_equal(read_one("1.0").kind, ORR_JSON_DOUBLE);
    assert_true(read_one("0.1").d == 0.1);
    assert_true(read_one("10000000000000000000000000e-25").d == 1.0);
    assert_true(read_one("0.00000000000000000000000000000001").d == 1e-32);
}

static void doubles_are_written_so_that_they_read_back(void **state)
{
    (void)state;
    uint64_t x = 88172645463325252u;
    for (int i = 0; i < 50000; i++) {
        struct orr_buf b = {0};
        double d;
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        if (i % 2)
            d = (double)(int64_t)(x >> x % 60) / (i % 4 == 1 ? 1000 : 4096);
        else
            memcpy(&d, &x, sizeof d);
        if (orr_json_put_double(&b, d) == 0) {
            assert_int_equal(orr_buf_putc(&b, 0), 0);
            struct orr_json_token t = read_one((const char *)b.data);
            assert_int_equal(t.kind, ORR_JSON_DOUBLE);
            assert_memory_equal(&t.d, &d, sizeof d);
        } else {
            assert_true(d - d != 0);
        }
        orr_buf_fini(&b);
    }
}

static void a_decimal_comma_of_the_locale_changes_nothing(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    // Where the machine has no such locale this still checks the plain way.
    setlocale(LC_ALL, "de_DE.UTF-8");
    assert_int_equal(orr_json_put_double(&b, 1.0 / 3), 0);
    assert_int_equal(orr_buf_putc(&b, 0), 0);
    assert_string_equal((char *)b.data, "0.3333333333333333");
    assert_true(read_one("0.33333333333333331483").d == 1.0 / 3);
    setlocale(LC_ALL, "C");
    orr_buf_fini(&b);
}

static void strings_that_are_not_utf8_are_refused_or_replaced(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    size_t bad = 0;
    assert_int_equal(orr_json_put_str(&b, "ab\xff", 3, ORR_JSON_EXACT, &bad),
                     ORR_EINVAL);
    assert_int_equal(bad, 2);
    orr_buf_clear(&b);
    assert_int_equal(orr_json_put_str(&b, "a\xff\n", 3, ORR_JSON_LOSSY, NULL),
                     0);
    assert_int_equal(b.len, 8);
    assert_memory_equal(b.data, "\"a\xef\xbf\xbd\\n\"", 8);
    orr_buf_fini(&b);
}

static void depth_is_capped(void **state)
{
    (void)state;
    static char text[100000];
    struct orr_err e;
    char trace[8];
    memset(text, '[', sizeof text);
    assert_int_equal(read_all(text, sizeof text, trace, sizeof trace, &e),
                     ORR_ELIMIT);
    assert_int_equal(e.column, ORR_JSON_DEPTH + 1);
}

static void damaged_text_does_no_harm(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":[1,-2.5e10,\"x\\u00e9\\ud83d\\ude00\\n\xc3\xa9\",true,null],"
        "\"\":{\"b\":123456789012345678901234567890,\"c\":[[],{}]}}";
    uint64_t x = 20240607;
    char copy[sizeof text], trace[128];
    struct orr_err e;
    size_t n = sizeof text - 1;
    assert_int_equal(read_all(text, n, trace, sizeof trace, &e), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(read_all(text, i, trace, sizeof trace, &e),
                         ORR_EINVAL);
    for (int i = 0; i < 50000; i++) {
        memcpy(copy, text, sizeof text);
        for (int k = 0; k <= i % 3; k++) {
            x ^= x << 13, x ^= x >> 7, x ^= x << 17;
            copy[x % n] ^= (char)(1 << (x >> 32) % 8);
        }
        int rc = read_all(copy, n, trace, sizeof trace, &e);
        assert_true(rc == 0 || (rc == ORR_EINVAL && e.line >= 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_come_in_the_order_of_the_text),
        cmocka_unit_test(the_end_stays_the_end),
        cmocka_unit_test(places_count_lines_and_characters),
        cmocka_unit_test(integers_are_exact_and_larger_ones_become_doubles),
        cmocka_unit_test(doubles_are_written_so_that_they_read_back),
        cmocka_unit_test(a_decimal_comma_of_the_locale_changes_nothing),
        cmocka_unit_test(strings_that_are_not_utf8_are_refused_or_replaced),
        cmocka_unit_test(depth_is_capped),
        cmocka_unit_test(damaged_text_does_no_harm),
    };
    return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
