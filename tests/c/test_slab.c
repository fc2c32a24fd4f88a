/* slab: blocks that are taken, grow, shrink and are given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/slab.h"

static int open_slab(void **state)
{
    *state = orr_slab_new(4096);
    return *state ? 0 : -1;
}

static int close_slab(void **state)
{
    orr_slab_free(*state);
    return 0;
}

static void a_block_of_no_bytes_is_none(void **state)
{
    assert_null(orr_slab_alloc(*state, NULL, 0, 0));
}

static void blocks_of_all_sizes_lie_apart(void **state)
{
    enum { N = 3 * ORR_SLAB_SMALL };
    static unsigned char *at[N];
    for (size_t i = 0; i < N; i++) {
        at[i] = orr_slab_alloc(*state, NULL, 0, i + 1);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % 8, 0);
        memset(at[i], (int)(i % 251), i + 1);
    }
    for (size_t i = 0; i < N; i++)
        for (size_t k = 0; k <= i; k++)
            assert_int_equal(at[i][k], i % 251);
    for (size_t i = 0; i < N; i++)
        assert_null(orr_slab_alloc(*state, at[i], i + 1, 0));
}

static void what_was_given_back_serves_its_size_again(void **state)
{
    void *a = orr_slab_alloc(*state, NULL, 0, 41);
    void *b = orr_slab_alloc(*state, NULL, 0, 41);
    orr_slab_alloc(*state, a, 41, 0);
    assert_ptr_not_equal(orr_slab_alloc(*state, NULL, 0, 64), a);
    assert_ptr_equal(orr_slab_alloc(*state, NULL, 0, 48), a);
    orr_slab_alloc(*state, b, 41, 0);
}

static void a_block_that_changes_its_size_keeps_its_bytes(void **state)
{
    static const size_t sizes[] = {1,    8,    9,    500,  ORR_SLAB_SMALL,
                                   1025, 5000, 1025, 1024, 7};
    size_t was = 0;
    unsigned char *p = NULL;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        p = orr_slab_alloc(*state, p, was, sizes[i]);
        assert_non_null(p);
        for (size_t k = 0; k < was && k < sizes[i]; k++)
            assert_int_equal(p[k], k % 253);
        was = sizes[i];
        for (size_t k = 0; k < was; k++)
            p[k] = (unsigned char)(k % 253);
    }
    orr_slab_alloc(*state, p, was, 0);
}

static void a_size_within_its_class_stays_where_it_is(void **state)
{
    void *p = orr_slab_alloc(*state, NULL, 0, 17);
    assert_ptr_equal(orr_slab_alloc(*state, p, 17, 24), p);
    assert_ptr_equal(orr_slab_alloc(*state, p, 24, 18), p);
}

static void too_much_is_refused_and_the_block_is_as_it_was(void **state)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    skip(); // sanitizers end the process when asked for that much
#endif
    char *p = orr_slab_alloc(*state, NULL, 0, 16);
    memcpy(p, "as it was", 10);
    assert_null(orr_slab_alloc(*state, p, 16, SIZE_MAX / 2));
    assert_string_equal(p, "as it was");
}

enum { ROOM = 64 * 1024 };

static _Alignas(16) unsigned char room[ROOM];

static bool is_in_room(const void *p)
{
    return (const unsigned char *)p >= room &&
           (const unsigned char *)p < room + ROOM;
}

static struct orr_slab *slab_in_room(void)
{
    memset(room, 0, ROOM);
    struct orr_slab *s = orr_slab_within(room, ROOM, 4096);
    assert_non_null(s);
    return s;
}

static void a_slab_within_has_all_blocks_there_until_it_is_full(void **state)
{
    (void)state;
    struct orr_slab *s = slab_in_room();
    assert_true(is_in_room(orr_slab_alloc(s, NULL, 0, 8)));
    unsigned char *p = orr_slab_alloc(s, NULL, 0, 5000);
    assert_true(is_in_room(p));
    memset(p, 7, 5000);
    unsigned char *q = orr_slab_alloc(s, p, 5000, 9000);
    assert_true(is_in_room(q));
    for (int i = 0; i < 5000; i++)
        assert_int_equal(q[i], 7);
    assert_true(orr_slab_used(s) > 14000 && orr_slab_used(s) < ROOM);
    assert_null(orr_slab_alloc(s, NULL, 0, ROOM));
    assert_null(orr_slab_within(room, 16, 4096));
    orr_slab_free(s);
}

static void a_slab_within_zeroes_what_is_given_back(void **state)
{
    (void)state;
    struct orr_slab *s = slab_in_room();
    unsigned char *large = orr_slab_alloc(s, NULL, 0, 3000);
    unsigned char *small = orr_slab_alloc(s, NULL, 0, 32);
    memset(large, 7, 3000);
    memset(small, 7, 32);
    orr_slab_alloc(s, large, 3000, 0);
    orr_slab_alloc(s, small, 32, 0);
    for (int i = 0; i < 3000; i++)
        assert_int_equal(large[i], 0);
    for (int i = 8; i < 32; i++) // the first bytes link what is free
        assert_int_equal(small[i], 0);
    orr_slab_free(s);
}

static void a_released_slab_takes_new_blocks_elsewhere(void **state)
{
    (void)state;
    struct orr_slab *s = slab_in_room();
    char *old = orr_slab_alloc(s, NULL, 0, 24);
    char *large = orr_slab_alloc(s, NULL, 0, 4000);
    void *free_one = orr_slab_alloc(s, NULL, 0, 24);
    orr_slab_alloc(s, free_one, 24, 0);
    memcpy(old, "kept", 5);
    memcpy(large, "kept, too", 10);
    orr_slab_release(s);
    char *fresh = orr_slab_alloc(s, NULL, 0, 24);
    assert_false(is_in_room(fresh));
    orr_slab_alloc(s, old, 24, 0); // serves its size again
    assert_ptr_equal(orr_slab_alloc(s, NULL, 0, 24), old);
    char *grown = orr_slab_alloc(s, large, 4000, 8000);
    assert_false(is_in_room(grown));
    assert_string_equal(grown, "kept, too");
    orr_slab_alloc(s, grown, 8000, 0);
    orr_slab_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, open_slab, close_slab)
        T(a_block_of_no_bytes_is_none),
        T(blocks_of_all_sizes_lie_apart),
        T(what_was_given_back_serves_its_size_again),
        T(a_block_that_changes_its_size_keeps_its_bytes),
        T(a_size_within_its_class_stays_where_it_is),
        T(too_much_is_refused_and_the_block_is_as_it_was),
#undef T
        cmocka_unit_test(a_slab_within_has_all_blocks_there_until_it_is_full),
        cmocka_unit_test(a_slab_within_zeroes_what_is_given_back),
        cmocka_unit_test(a_released_slab_takes_new_blocks_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
