/* pack: the writer's bytes, and a reader that takes nothing else. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/pack.h"

/* A small generator of its own, so that a failure can be repeated. */
static uint64_t next_random(uint64_t *state)
{
    *state += UINT64_C(0x9e3779b97f4a7c15);
    uint64_t z = *state;
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static void integers_keep_every_bit_and_are_short_near_zero(void **state)
{
    (void)state;
    static const int64_t ints[] = {0,         1,         -1,  63,
                                   -64,       64,        -65, INT32_MAX,
                                   INT64_MAX, INT64_MIN, 127, INT32_MIN};
    for (size_t i = 0; i < sizeof ints / sizeof *ints; i++) {
        struct orr_buf b = {0};
        struct orr_unpack r;
        struct orr_pack_item it;
        assert_int_equal(orr_pack_open(&b), 0);
        assert_int_equal(orr_pack_int(&b, ints[i]), 0);
        assert_true(b.len <= 12 &&
                    (ints[i] < -64 || ints[i] > 63 || b.len == 3));
        assert_int_equal(orr_unpack_open(&r, b.data, b.len, NULL), 0);
        assert_int_equal(orr_unpack_next(&r, &it, NULL), 0);
        assert_int_equal(it.kind, ORR_PACK_INT);
        assert_true(it.i == ints[i]);
        assert_int_equal(orr_unpack_close(&r, NULL), 0);
        orr_buf_fini(&b);
    }
}

static void a_map_is_the_same_bytes_in_any_order_of_writing(void **state)
{
    (void)state;
    enum { N = 200 };
    struct orr_buf first = {0}, other = {0};
    struct orr_entries es = {0};
    struct orr_pack_map m;
    for (int round = 0; round < 2; round++) {
        struct orr_buf *b = round ? &other : &first;
        assert_int_equal(orr_pack_open(b), 0);
        assert_int_equal(orr_pack_map_begin(b, &es, &m), 0);
        for (int k = 0; k < N; k++) {
            int i = round ? N - 1 - k : k;
            char key[40];
            int n = snprintf(key, sizeof key, "a-long-common-prefix-%d", i);
            if (i % 3 == 0)
                orr_pack_key_int(b, &es, i - 100);
            else
                orr_pack_key_str(b, &es, key, (size_t)n);
            orr_pack_int(b, i);
        }
        assert_int_equal(orr_pack_map_end(b, &es, &m), 0);
        assert_int_equal(orr_pack_check(b->data, b->len, NULL), 0);
    }
    assert_int_equal(first.len, other.len);
    assert_memory_equal(first.data, other.data, first.len);
    assert_int_equal(es.count, 0);
    orr_buf_fini(&first);
    orr_buf_fini(&other);
    orr_entries_fini(&es);
}

static void equal_keys_and_sequences_in_disguise_are_refused(void **state)
{
    (void)state;
    struct orr_buf b = {0};
    struct orr_entries es = {0};
    struct orr_pack_map m;
    orr_pack_open(&b);
    orr_pack_map_begin(&b, &es, &m);
    for (int i = 0; i < 2; i++) {
        orr_pack_key_str(&b, &es, "k", 1);
        orr_pack_word(&b, ORR_PACK_TRUE);
    }
    assert_int_equal(orr_pack_map_end(&b, &es, &m), ORR_EINVAL);
    orr_pack_map_begin(&b, &es, &m);
    for (int i = 2; i >= 1; i--) {
        orr_pack_key_int(&b, &es, i);
        orr_pack_word(&b, ORR_PACK_TRUE);
    }
    assert_int_equal(orr_pack_map_end(&b, &es, &m), ORR_EINVAL);
    orr_buf_fini(&b);
    orr_entries_fini(&es);
}

/* Appends a random value. */
static void put_random(struct orr_buf *b, struct orr_entries *es, uint64_t *rnd,
                       int depth)
{
    unsigned char text[32];
    struct orr_pack_map m;
    uint64_t x = next_random(rnd);
    size_t n = next_random(rnd) % 8;
    memset(text, (int)(x >> 8 & 255), sizeof text);
    switch (x % (depth < 5 ? 8 : 5)) {
    case 0:
        orr_pack_word(b, (enum orr_pack_kind)(ORR_PACK_FALSE + x / 8 % 3));
        return;
    case 1:
    case 2:
        orr_pack_int(b, (int64_t)(next_random(rnd) >> x / 8 % 64));
        return;
    case 3:
        orr_pack_double(b, (double)(int64_t)x / 3);
        return;
    case 4:
        orr_pack_str(b, text, n * 4);
        return;
    case 5:
    case 6:
        orr_pack_seq(b, n);
        for (size_t i = 0; i < n; i++)
            put_random(b, es, rnd, depth + 1);
        return;
    default:
        orr_pack_map_begin(b, es, &m);
        for (size_t i = 0; i < n; i++) {
            text[0] = (unsigned char)i;
            if (i % 2)
                orr_pack_key_int(b, es, -(int64_t)i);
            else
                orr_pack_key_str(b, es, text, 1 + x / 8 % 20);
            put_random(b, es, rnd, depth + 1);
        }
        assert_int_equal(orr_pack_map_end(b, es, &m), 0);
        return;
    }
}

/* Copies a text item by item; 0 when the reader refuses it. */
static int copy_text(const unsigned char *p, size_t n, struct orr_buf *out)
{
    struct orr_unpack r;
    struct orr_pack_item it;
    struct orr_err e;
    if (orr_unpack_open(&r, p, n, &e) < 0)
        return 0;
    orr_pack_open(out);
    while (!orr_unpack_done(&r)) {
        if (orr_unpack_next(&r, &it, &e) < 0)
            return 0;
        if (it.kind == ORR_PACK_INT)
            orr_pack_int(out, it.i);
        else if (it.kind == ORR_PACK_DOUBLE)
            orr_pack_double(out, it.d);
        else if (it.kind == ORR_PACK_STR)
            orr_pack_str(out, it.s, it.n);
        else if (it.kind == ORR_PACK_SEQ)
            orr_pack_seq(out, it.n);
        else
            orr_pack_word(out, it.kind);
        if (it.kind == ORR_PACK_MAP) { // its count, as a length is written
            struct orr_buf len = {0};
            orr_pack_seq(&len, it.n);
            if (it.n)
                orr_buf_put(out, len.data + 1, len.len - 1);
            else
                orr_buf_putc(out, 0);
            orr_buf_fini(&len);
        }
    }
    return orr_unpack_close(&r, &e) == 0;
}

/* Damages the text and reads it from memory of exactly its size, so that the
 * sanitizer sees a byte too far. What is accepted must be canonical. */
static void damage(const struct orr_buf *b, uint64_t *rnd)
{
    size_t n = b->len - (next_random(rnd) % 4 ? 0 : next_random(rnd) % b->len);
    unsigned char *p = malloc(n);
    struct orr_buf copy = {0};
    assert_non_null(p);
    memcpy(p, b->data, n);
    for (uint64_t flips = next_random(rnd) % 4; flips; flips--)
        p[next_random(rnd) % n] ^= (unsigned char)(1 << next_random(rnd) % 8);
    int taken = copy_text(p, n, &copy);
    if (taken) {
        assert_int_equal(copy.len, n);
        assert_memory_equal(copy.data, p, n);
    }
    assert_int_equal(orr_pack_check(p, n, NULL) == 0, taken);
    free(p);
    orr_buf_fini(&copy);
}

static void random_values_round_trip_and_damage_does_no_harm(void **state)
{
    (void)state;
    uint64_t seed = 20240607, rnd = seed;
    struct orr_buf b = {0}, copy = {0};
    struct orr_entries es = {0};
    print_message("seed %llu\n", (unsigned long long)seed);
    for (int i = 0; i < 2000; i++) {
        orr_buf_clear(&b);
        orr_buf_clear(&copy);
        orr_pack_open(&b);
        put_random(&b, &es, &rnd, 0);
        assert_int_equal(orr_pack_check(b.data, b.len, NULL), 0);
        assert_true(copy_text(b.data, b.len, &copy));
        assert_int_equal(copy.len, b.len);
        assert_memory_equal(copy.data, b.data, b.len);
        for (int k = 0; k < 20; k++)
            damage(&b, &rnd);
    }
    orr_buf_fini(&b);
    orr_buf_fini(&copy);
    orr_entries_fini(&es);
}

static void every_strict_prefix_is_refused(void **state)
{
    (void)state;
    uint64_t rnd = 7;
    struct orr_buf b = {0};
    struct orr_entries es = {0};
    struct orr_err e;
    for (int i = 0; i < 200; i++) {
        orr_buf_clear(&b);
        orr_pack_open(&b);
        put_random(&b, &es, &rnd, 0);
        for (size_t n = 0; n < b.len; n++)
            assert_int_equal(orr_pack_check(b.data, n, &e), ORR_ECORRUPT);
        orr_buf_putc(&b, 0);
        assert_int_equal(orr_pack_check(b.data, b.len, &e), ORR_ECORRUPT);
    }
    orr_buf_fini(&b);
    orr_entries_fini(&es);
}

static void nesting_ends_at_one_hundred(void **state)
{
    (void)state;
    for (int depth = ORR_PACK_DEPTH; depth <= ORR_PACK_DEPTH + 1; depth++) {
        struct orr_buf b = {0};
        struct orr_err e;
        orr_pack_open(&b);
        for (int i = 0; i < depth; i++)
            orr_pack_seq(&b, 1);
        orr_pack_int(&b, 1);
        int rc = orr_pack_check(b.data, b.len, &e);
        assert_int_equal(rc, depth > ORR_PACK_DEPTH ? ORR_ECORRUPT : 0);
        orr_buf_fini(&b);
    }
}

static void another_format_is_named(void **state)
{
    (void)state;
    struct orr_err e;
    assert_int_equal(orr_pack_check("\x07\x00", 2, &e), ORR_ECORRUPT);
    assert_non_null(strstr(e.msg, "format 7"));
    assert_int_equal(orr_pack_check(NULL, 0, &e), ORR_ECORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(integers_keep_every_bit_and_are_short_near_zero),
        cmocka_unit_test(a_map_is_the_same_bytes_in_any_order_of_writing),
        cmocka_unit_test(equal_keys_and_sequences_in_disguise_are_refused),
        cmocka_unit_test(random_values_round_trip_and_damage_does_no_harm),
        cmocka_unit_test(every_strict_prefix_is_refused),
        cmocka_unit_test(nesting_ends_at_one_hundred),
        cmocka_unit_test(another_format_is_named),
    };
    return cmocka_run_group_tests_name("pack", tests, NULL, NULL);
}
