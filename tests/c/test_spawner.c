/* spawn, apart: children that a thread starts. What is promised of a child that
 * was waited for holds for these, too. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "spawn_help.h"

enum { MANY = 60 };

static int64_t apart(struct orr_loop *loop, const struct orr_spec *spec)
{
    int64_t id = 0;
    struct orr_err e;
    if (orr_spawn_apart(loop, spec, &id, &e) < 0)
        fail_msg("%s", e.msg);
    return id;
}

static void its_words_are_copied_and_its_end_is_one_event(void **state)
{
    char script[] = "echo $A; echo err >&2; pwd; cat; exit 3", a[] = "A=1";
    char cwd[] = "/usr", in[] = "in", tag[] = "test/apart/1";
    const char *argv[] = {"sh", "-c", script, NULL};
    const char *env[] = {a, "PATH=/usr/bin:/bin", NULL};
    struct orr_spec spec = words(argv);
    spec.env = env;
    spec.cwd = cwd;
    spec.input = ORR_STDIN_BYTES;
    spec.bytes = in;
    spec.size = 2;
    spec.tag = tag;
    int64_t id = apart(*state, &spec);
    memset(script, 'x', sizeof script - 1);
    memset(a, 'x', sizeof a - 1);
    memset(cwd, 'x', sizeof cwd - 1);
    memset(in, 'x', sizeof in - 1);
    memset(tag, 'x', sizeof tag - 1);
    argv[0] = env[0] = NULL;
    const struct orr_event *ev = await(*state, ORR_EVENT_EXIT);
    assert_int_equal(ev->id, id);
    assert_null(ev->exit->error);
    assert_int_equal(ev->exit->code, 3);
    says(&ev->exit->out[0], "1\n/usr\nin");
    says(&ev->exit->out[1], "err\n");
    assert_true(ev->exit->wall > 0);
}

/* None of them is taken for an orphan, however soon it ends. */
static void many_at_once_keep_their_ids_and_exit_codes(void **state)
{
    int64_t ids[MANY];
    bool over[MANY] = {false};
    char script[64];
    const char *argv[] = {"sh", "-c", script, NULL};
    struct orr_spec spec = words(argv);
    spec.env = (const char *const[]){"PATH=/usr/bin:/bin", NULL};
    for (int i = 0; i < MANY; i++) {
        snprintf(script, sizeof script, "(true &) ; exit %d", i + 1);
        ids[i] = apart(*state, &spec);
    }
    for (int n = 0; n < MANY; n++) {
        const struct orr_event *ev = await(*state, ORR_EVENT_EXIT);
        int i = ev->exit->code - 1;
        assert_true(i >= 0 && i < MANY && !over[i]);
        assert_int_equal(ev->id, ids[i]);
        over[i] = true;
    }
}

static void fails(struct orr_loop *loop, const struct orr_spec *spec,
                  const char *code, const char *message)
{
    int64_t id = apart(loop, spec);
    const struct orr_event *ev = await(loop, ORR_EVENT_EXIT);
    assert_int_equal(ev->id, id);
    assert_non_null(ev->exit->error);
    assert_string_equal(ev->exit->error->msg, message);
    assert_string_equal(orr_err_code(ev->exit->error), code);
}

static void a_start_that_fails_is_an_event_in_the_same_words(void **state)
{
    char dir[] = "/tmp/orr_apart_XXXXXX", file[64], message[256];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/script", dir);
    FILE *f = fopen(file, "w");
    fputs("#!/no/such/interpreter\n", f);
    fclose(f);
    chmod(file, 0755);
    const char *argv[] = {file, NULL};
    struct orr_spec spec = words(argv);
    snprintf(message, sizeof message,
             "cannot run '%s': the interpreter of %s is missing: No such file "
             "or directory",
             file, file);
    fails(*state, &spec, "ENOENT", message);
    argv[0] = "/bin/true";
    spec.cwd = "/no/such/dir";
    fails(*state, &spec, "ENOENT",
          "working directory /no/such/dir: No such file or directory");
    remove(file);
    rmdir(dir);
}

static void what_is_known_to_be_wrong_is_said_at_once(void **state)
{
    const char *argv[] = {"no-such-program", NULL};
    struct orr_spec spec = words(argv);
    int64_t id;
    struct orr_err e;
    assert_int_equal(orr_spawn_apart(*state, &spec, &id, &e), ORR_ENOENT);
    assert_string_equal(
        e.msg, "cannot run 'no-such-program': no such program on PATH");
}

static void a_script_without_a_first_line_is_the_shell_s(void **state)
{
    char dir[] = "/tmp/orr_apart_XXXXXX", file[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/script", dir);
    FILE *f = fopen(file, "w");
    fputs("echo it $1\n", f);
    fclose(f);
    chmod(file, 0755);
    const char *argv[] = {file, "runs", NULL};
    struct orr_spec spec = words(argv);
    apart(*state, &spec);
    says(&await(*state, ORR_EVENT_EXIT)->exit->out[0], "it runs\n");
    remove(file);
    rmdir(dir);
}

static void killed_before_it_is_known_to_run_it_ends(void **state)
{
    struct leash leash = leash_make();
    const char *argv[] = {"sh", "-c", "sleep 1000 & exec sleep 1000", NULL};
    struct orr_spec spec = words(argv);
    int64_t ids[8];
    for (int i = 0; i < 8; i++)
        ids[i] = apart(*state, &spec);
    for (int i = 0; i < 8; i++)
        orr_child_kill(*state, ids[i], SIGKILL, 0);
    for (int i = 0; i < 8; i++) {
        const struct orr_exit *x = await(*state, ORR_EVENT_EXIT)->exit;
        assert_true(x->killed);
        assert_int_equal(x->code, 128 + SIGKILL);
    }
    leash_let_go(&leash);
    leash_all_gone(&leash);
}

static void a_deadline_counts_from_its_start(void **state)
{
    const char *argv[] = {"sleep", "1000", NULL};
    struct orr_spec spec = words(argv);
    spec.timeout = 0.02;
    apart(*state, &spec);
    const struct orr_exit *x = await(*state, ORR_EVENT_EXIT)->exit;
    assert_true(x->timed_out);
    assert_true(x->wall >= 0.02);
}

static void a_loop_that_closes_leaves_none_of_them(void **state)
{
    (void)state;
    struct orr_loop *loop = NULL;
    struct leash leash = leash_make();
    const char *argv[] = {"sleep", "1000", NULL};
    struct orr_spec spec = words(argv);
    assert_int_equal(orr_loop_open(&loop, NULL), 0);
    for (int i = 0; i < MANY; i++)
        apart(loop, &spec);
    orr_loop_close(loop); // some run, some are begun, some are not
    leash_let_go(&leash);
    leash_all_gone(&leash);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); // all are reaped
}

static void a_loop_with_nothing_to_wait_for_still_returns(void **state)
{
    const struct orr_event *ev;
    size_t n;
    const char *argv[] = {"true", NULL};
    struct orr_spec spec = words(argv);
    apart(*state, &spec);
    await(*state, ORR_EVENT_EXIT);
    assert_int_equal(orr_loop_wait(*state, -1, &ev, &n, NULL), 0);
    assert_int_equal(n, 0);
}

#define T(f) cmocka_unit_test_setup_teardown(f, open_loop, close_loop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(its_words_are_copied_and_its_end_is_one_event),
        T(many_at_once_keep_their_ids_and_exit_codes),
        T(a_start_that_fails_is_an_event_in_the_same_words),
        T(what_is_known_to_be_wrong_is_said_at_once),
        T(a_script_without_a_first_line_is_the_shell_s),
        T(killed_before_it_is_known_to_run_it_ends),
        T(a_deadline_counts_from_its_start),
        T(a_loop_that_closes_leaves_none_of_them),
        T(a_loop_with_nothing_to_wait_for_still_returns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
