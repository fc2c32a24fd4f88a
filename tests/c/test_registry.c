/* Tests of core/engine/registry: lookups, order, versions, many writers. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "engine/registry.h"

static struct orr_span span(const char *s)
{
    return (struct orr_span){s, s ? strlen(s) : 0};
}

static void assert_span(struct orr_span s, const char *want)
{
    assert_int_equal(s.n, strlen(want));
    assert_memory_equal(s.p, want, s.n);
}

static struct orr_artifact add(struct orr_registry *r, const char *name,
                               const char *type, const char *step)
{
    struct orr_artifact a = {.name = span(name), .size = -1};
    struct orr_err e;
    a.type = span(type);
    a.step = span(step);
    assert_int_equal(orr_registry_add(r, &a, &a, &e), 0);
    return a;
}

static void finds_what_was_added_by_every_key(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    struct orr_artifact in = {.id = span("x1"),
                              .name = span("report"),
                              .type = span("json"),
                              .step = span("test"),
                              .path = span("out/r.json"),
                              .digest = span("abc"),
                              .meta = {"\0m", 2},
                              .size = 7};
    struct orr_artifact out;
    struct orr_err e;
    assert_int_equal(orr_registry_add(r, &in, NULL, &e), 0);
    assert_true(orr_registry_get(r, "x1", 2, &out));
    assert_span(out.id, "x1");
    assert_span(out.name, "report");
    assert_span(out.type, "json");
    assert_span(out.step, "test");
    assert_span(out.path, "out/r.json");
    assert_span(out.digest, "abc");
    assert_int_equal(out.meta.n, 2);
    assert_memory_equal(out.meta.p, "\0m", 2);
    assert_int_equal(out.size, 7);
    assert_int_equal(out.version, 1);
    assert_true(orr_registry_by_name(r, "report", 6, 0, &out));
    assert_true(orr_registry_at(r, 0, &out));
    assert_false(orr_registry_at(r, 1, &out));
    assert_false(orr_registry_has(r, "x", 1, NULL));
    assert_false(orr_registry_has(r, "", 0, NULL));
    assert_false(orr_registry_by_name(r, "repor", 5, 0, &out));
    orr_registry_free(r);
}

static void a_name_registered_again_becomes_the_next_version(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    struct orr_artifact a;
    assert_span(add(r, "log", NULL, "a").id, "log@v1");
    assert_span(add(r, "log", NULL, "b").id, "log@v2");
    assert_span(add(r, "log", NULL, "c").id, "log@v3");
    assert_true(orr_registry_by_name(r, "log", 3, 0, &a));
    assert_int_equal(a.version, 3);
    assert_true(orr_registry_by_name(r, "log", 3, 2, &a));
    assert_span(a.step, "b");
    assert_false(orr_registry_by_name(r, "log", 3, 4, &a));
    orr_registry_free(r);
}

static void a_default_id_never_takes_one_that_was_given(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    struct orr_artifact a = {
        .id = span("log@v1"), .name = span("other"), .size = -1};
    struct orr_err e;
    assert_int_equal(orr_registry_add(r, &a, NULL, &e), 0);
    assert_span(add(r, "log", NULL, NULL).id, "log@v2");
    orr_registry_free(r);
}

static void an_id_given_twice_and_a_missing_name_are_refused(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    struct orr_artifact a = {.id = span("x"), .name = span("n"), .size = -1};
    struct orr_err e;
    assert_int_equal(orr_registry_add(r, &a, NULL, &e), 0);
    assert_int_equal(orr_registry_add(r, &a, NULL, &e), ORR_EINVAL);
    assert_non_null(strstr(e.msg, "'x'"));
    a = (struct orr_artifact){.id = span("y")};
    assert_int_equal(orr_registry_add(r, &a, NULL, &e), ORR_EINVAL);
    assert_int_equal(orr_registry_count(r), 1);
    orr_registry_free(r);
}

static void walks_a_type_and_a_step_in_insertion_order(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    enum { N = 1000 };
    char name[16];
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "n%d", i);
        add(r, name, i % 2 ? "odd" : "even", i % 10 ? "some" : "tenth");
    }
    struct orr_artifact a;
    size_t it = 0;
    int seen = 0;
    for (; orr_registry_walk(r, ORR_REGISTRY_TYPE, "odd", 3, &it, &a); seen++) {
        snprintf(name, sizeof name, "n%d", 2 * seen + 1);
        assert_span(a.name, name);
    }
    assert_int_equal(seen, N / 2);
    for (it = 0, seen = 0;
         orr_registry_walk(r, ORR_REGISTRY_STEP, "tenth", 5, &it, &a); seen++) {
        snprintf(name, sizeof name, "n%d", 10 * seen);
        assert_span(a.name, name);
    }
    assert_int_equal(seen, N / 10);
    it = 0;
    assert_false(orr_registry_walk(r, ORR_REGISTRY_TYPE, "", 0, &it, &a));
    orr_registry_free(r);
}

static void views_stay_valid_while_the_registry_grows(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    struct orr_artifact first = add(r, "first", "t", "s");
    char name[16];
    for (int i = 0; i < 50000; i++) {
        snprintf(name, sizeof name, "n%d", i);
        add(r, name, name, name);
    }
    assert_span(first.id, "first@v1");
    assert_span(first.type, "t");
    orr_registry_free(r);
}

static void long_and_binary_fields_come_back_whole(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    static char big[1 << 20];
    struct orr_err e;
    memset(big, 'x', sizeof big);
    big[5] = 0;
    struct orr_artifact a = {.name = {big, sizeof big}, .size = -1};
    assert_int_equal(orr_registry_add(r, &a, &a, &e), 0);
    assert_int_equal(a.id.n, sizeof big + 3);
    assert_memory_equal(a.name.p, big, sizeof big);
    assert_true(orr_registry_has(r, a.id.p, a.id.n, NULL));
    orr_registry_free(r);
}

static void an_artifact_costs_at_most_250_bytes_beyond_its_text(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    size_t text = 0;
    char name[16];
    for (size_t i = 1; i <= 200000; i++) {
        snprintf(name, sizeof name, "n%zu", i);
        struct orr_artifact a = add(r, name, "t", name);
        text += a.id.n + a.name.n + a.step.n;
        if (i >= 1000 && i % 997 == 0)
            assert_true(orr_registry_bytes(r) <= text + 250 * i);
    }
    orr_registry_free(r);
}

enum { WRITERS = 64, EACH = 500 };

static void *write_many(void *arg)
{
    struct orr_registry *r = arg;
    for (int i = 0; i < EACH; i++) {
        struct orr_artifact a = {
            .name = span("same"), .type = span("t"), .size = i};
        struct orr_artifact out;
        if (orr_registry_add(r, &a, &a, NULL) < 0 ||
            !orr_registry_get(r, a.id.p, a.id.n, &out) || out.size != i)
            return r;
    }
    return NULL;
}

static void registration_from_64_threads_loses_nothing(void **state)
{
    (void)state;
    struct orr_registry *r = orr_registry_new();
    pthread_t threads[WRITERS];
    void *failed = NULL;
    for (int i = 0; i < WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, r), 0);
    for (int i = 0; i < WRITERS; i++) {
        pthread_join(threads[i], &failed);
        assert_null(failed);
    }
    assert_int_equal(orr_registry_count(r), WRITERS * EACH);
    struct orr_artifact a;
    size_t it = 0;
    uint32_t version = 0;
    while (orr_registry_walk(r, ORR_REGISTRY_NAME, "same", 4, &it, &a))
        assert_int_equal(a.version, ++version);
    assert_int_equal(version, WRITERS * EACH);
    orr_registry_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_by_every_key),
        cmocka_unit_test(a_name_registered_again_becomes_the_next_version),
        cmocka_unit_test(a_default_id_never_takes_one_that_was_given),
        cmocka_unit_test(an_id_given_twice_and_a_missing_name_are_refused),
        cmocka_unit_test(walks_a_type_and_a_step_in_insertion_order),
        cmocka_unit_test(views_stay_valid_while_the_registry_grows),
        cmocka_unit_test(long_and_binary_fields_come_back_whole),
        cmocka_unit_test(an_artifact_costs_at_most_250_bytes_beyond_its_text),
        cmocka_unit_test(registration_from_64_threads_loses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
