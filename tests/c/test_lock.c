/* lock: many names in one file, tried, and gone with their process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "engine/lock.h"
#include "folder.h"

static int try(struct orr_locks *l, void **state, const char *name,
               uint64_t *place)
{
    return orr_locks_try(l, AT_FDCWD, in_folder(state, "lock"), name,
                         strlen(name), ORR_LOCK_OWN, place, NULL);
}

static int share(struct orr_locks *l, void **state, const char *name,
                 uint64_t *place)
{
    return orr_locks_try(l, AT_FDCWD, in_folder(state, "lock"), name,
                         strlen(name), ORR_LOCK_SHARE, place, NULL);
}

static bool others(struct orr_locks *l, void **state, const char *name)
{
    bool held;
    assert_int_equal(orr_locks_others(l, AT_FDCWD, in_folder(state, "lock"),
                                      name, strlen(name), &held, NULL),
                     0);
    return held;
}

static void two_handles_exclude_each_other(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t pa, pb;
    assert_int_equal(try(&a, state, "x", &pa), 0);
    assert_int_equal(try(&b, state, "x", &pb), ORR_EBUSY);
    assert_int_equal(try(&b, state, "y", &pb), 0);
    orr_locks_release(&a, pa);
    assert_int_equal(try(&b, state, "x", &pb), 0);
    orr_locks_fini(&a);
    orr_locks_fini(&b);
}

static void one_handle_does_not_take_a_name_twice(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT;
    uint64_t p, q;
    assert_int_equal(try(&a, state, "x", &p), 0);
    assert_int_equal(try(&a, state, "x", &q), ORR_EBUSY);
    orr_locks_release(&a, p);
    assert_int_equal(try(&a, state, "x", &q), 0);
    orr_locks_fini(&a);
}

static void many_share_what_nobody_owns(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t p, q;
    assert_int_equal(share(&a, state, "x", &p), 0);
    assert_int_equal(share(&b, state, "x", &q), 0);
    assert_int_equal(try(&a, state, "x", &p), ORR_EBUSY);
    assert_int_equal(try(&b, state, "x", &q), ORR_EBUSY);
    orr_locks_release(&b, q);
    assert_int_equal(try(&b, state, "x", &q), ORR_EBUSY);
    orr_locks_release(&a, p);
    assert_int_equal(try(&b, state, "x", &q), 0);
    assert_int_equal(share(&a, state, "x", &p), ORR_EBUSY);
    assert_int_equal(share(&b, state, "x", &p), ORR_EBUSY);
    orr_locks_fini(&a);
    orr_locks_fini(&b);
}

static void a_name_is_shared_until_the_last_of_a_handle_lets_go(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t p, q;
    assert_int_equal(share(&a, state, "x", &p), 0);
    assert_int_equal(share(&a, state, "x", &q), 0);
    orr_locks_release(&a, p);
    assert_int_equal(try(&b, state, "x", &p), ORR_EBUSY);
    orr_locks_release(&a, q);
    orr_locks_release(&a, q);
    assert_int_equal(try(&b, state, "x", &p), 0);
    orr_locks_fini(&a);
    orr_locks_fini(&b);
}

static void a_handle_sees_what_others_hold_and_not_its_own(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t p, q;
    assert_false(others(&a, state, "x"));
    assert_int_equal(share(&a, state, "x", &p), 0);
    assert_false(others(&a, state, "x"));
    assert_true(others(&b, state, "x"));
    assert_int_equal(share(&b, state, "x", &q), 0);
    assert_true(others(&a, state, "x"));
    orr_locks_release(&b, q);
    assert_int_equal(try(&b, state, "y", &q), 0);
    assert_true(others(&a, state, "y"));
    orr_locks_fini(&b);
    assert_false(others(&a, state, "y"));
    orr_locks_fini(&a);
}

static void closing_lets_go_of_everything(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t p;
    char name[16];
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "name %d", i);
        assert_int_equal(try(&a, state, name, &p), 0);
    }
    assert_int_equal(try(&b, state, "name 57", &p), ORR_EBUSY);
    orr_locks_fini(&a);
    orr_locks_fini(&a);
    for (int i = 0; i < 100; i++) {
        snprintf(name, sizeof name, "name %d", i);
        assert_int_equal(try(&b, state, name, &p), 0);
    }
    orr_locks_fini(&b);
}

static void thousands_of_names_leave_one_empty_file(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT;
    struct stat st;
    uint64_t p;
    char name[16];
    for (int i = 0; i < 2000; i++) {
        snprintf(name, sizeof name, "%d", i);
        assert_int_equal(try(&a, state, name, &p), 0);
        orr_locks_release(&a, p);
    }
    assert_int_equal(stat(in_folder(state, "lock"), &st), 0);
    assert_int_equal(st.st_size, 0);
    orr_locks_fini(&a);
}

static void a_lock_dies_with_its_process(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT;
    uint64_t p;
    int ready[2];
    char c;
    assert_int_equal(pipe(ready), 0);
    pid_t pid = fork();
    if (!pid) {
        struct orr_locks mine = ORR_LOCKS_INIT;
        if (!try(&mine, state, "x", &p))
            (void)!write(ready[1], "k", 1);
        pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &c, 1), 1);
    assert_int_equal(try(&a, state, "x", &p), ORR_EBUSY);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
    assert_int_equal(try(&a, state, "x", &p), 0);
    orr_locks_fini(&a);
    close(ready[0]);
    close(ready[1]);
}

static void a_copy_in_a_child_does_not_keep_a_closed_lock(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT, b = ORR_LOCKS_INIT;
    uint64_t p;
    assert_int_equal(try(&a, state, "x", &p), 0);
    pid_t pid = fork(); /* as between the fork and the exec of a spawn */
    if (!pid) {
        pause();
        _exit(0);
    }
    orr_locks_fini(&a);
    assert_int_equal(try(&b, state, "x", &p), 0);
    orr_locks_fini(&b);
    kill(pid, SIGKILL);
    waitpid(pid, NULL, 0);
}

static void a_lock_file_that_cannot_be_is_an_error(void **state)
{
    struct orr_locks a = ORR_LOCKS_INIT;
    struct orr_err e = {0};
    uint64_t p;
    assert_int_equal(
        orr_locks_try(&a, AT_FDCWD, *state, "x", 1, ORR_LOCK_OWN, &p, &e),
        ORR_ESYS);
    assert_string_equal(orr_err_code(&e), "EISDIR");
    orr_locks_fini(&a);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(two_handles_exclude_each_other),
        IN_FOLDER(one_handle_does_not_take_a_name_twice),
        IN_FOLDER(many_share_what_nobody_owns),
        IN_FOLDER(a_name_is_shared_until_the_last_of_a_handle_lets_go),
        IN_FOLDER(a_handle_sees_what_others_hold_and_not_its_own),
        IN_FOLDER(closing_lets_go_of_everything),
        IN_FOLDER(thousands_of_names_leave_one_empty_file),
        IN_FOLDER(a_lock_dies_with_its_process),
        IN_FOLDER(a_copy_in_a_child_does_not_keep_a_closed_lock),
        IN_FOLDER(a_lock_file_that_cannot_be_is_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
