/* slab: blocks that are taken, grow, shrink and are given back. */
#include <setjmp.h>
#include <stdarg.h>
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
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
