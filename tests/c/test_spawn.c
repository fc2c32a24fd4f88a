/* spawn: starting children, what they are given, and what comes of them. */
#include <errno.h>
#include <fcntl.h>
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

/* --- results --------------------------------------------------------------*/

static void a_child_s_output_and_status_come_with_its_end(void **state)
{
    const struct orr_exit *x = sh(*state, "echo out; echo err >&2; exit 3");
    assert_int_equal(x->code, 3);
    assert_int_equal(x->signal, 0);
    says(&x->out[0], "out\n");
    says(&x->out[1], "err\n");
    assert_false(x->timed_out || x->killed || x->truncated);
    assert_int_equal(x->left, 0);
    assert_true(x->wall > 0 && x->cpu >= 0 && x->rss > 0);
}

static void
a_child_ended_by_a_signal_fails_with_128_and_its_number(void **state)
{
    const struct orr_exit *x = sh(*state, "kill -KILL $$");
    assert_int_equal(x->signal, SIGKILL);
    assert_int_equal(x->code, 128 + SIGKILL);
    assert_false(x->killed);
}

static void merged_output_keeps_its_order(void **state)
{
    const char *argv[] = {
        "sh", "-c", "for i in 1 2 3; do echo o$i; echo e$i >&2; done", NULL};
    struct orr_spec spec = words(argv);
    spec.output = ORR_OUTPUT_MERGE;
    const struct orr_exit *x = run(*state, &spec);
    says(&x->out[0], "o1\ne1\no2\ne2\no3\ne3\n");
    says(&x->out[1], "");
}

static void much_output_on_both_streams_arrives_whole(void **state)
{
    const struct orr_exit *x =
        sh(*state,
           "head -c 3000000 /dev/zero & head -c 2000001 /dev/zero >&2; wait");
    assert_int_equal(x->out[0].len, 3000000);
    assert_int_equal(x->out[1].len, 2000001);
}

static void output_beyond_the_limit_is_dropped_and_said(void **state)
{
    const char *argv[] = {"sh", "-c", "head -c 200000 /dev/zero; echo x >&2",
                          NULL};
    struct orr_spec spec = words(argv);
    spec.limit = 1000;
    const struct orr_exit *x = run(*state, &spec);
    assert_int_equal(x->code, 0);
    assert_int_equal(x->out[0].len, 1000);
    assert_true(x->truncated);
    spec.limit = 200000;
    assert_false(run(*state, &spec)->truncated);
}

static void live_output_comes_before_the_end_and_is_kept_too(void **state)
{
    struct orr_loop *loop = *state;
    const char *argv[] = {"sh", "-c", "echo one; read x; echo $x >&2", NULL};
    struct orr_spec spec = words(argv);
    spec.live = true;
    spec.bytes = "two\n";
    spec.size = 4;
    spec.input = ORR_STDIN_BYTES;
    int64_t id = start(loop, &spec);
    const struct orr_event *ev = await(loop, ORR_EVENT_OUTPUT);
    assert_int_equal(ev->id, id);
    assert_int_equal(ev->stream, 1);
    says(&ev->text, "one\n");
    const struct orr_exit *x = await(loop, ORR_EVENT_EXIT)->exit;
    says(&x->out[0], "one\n");
    says(&x->out[1], "two\n");
}

static void inherited_output_is_not_captured(void **state)
{
    const char *argv[] = {"sh", "-c", "echo seen >&2", NULL};
    struct orr_spec spec = words(argv);
    int fds[2], saved = dup(2);
    char got[16];
    assert_int_equal(pipe(fds), 0);
    dup2(fds[1], 2);
    spec.output = ORR_OUTPUT_INHERIT;
    const struct orr_exit *x = run(*state, &spec);
    dup2(saved, 2);
    close(fds[1]);
    says(&x->out[1], "");
    assert_int_equal(read(fds[0], got, sizeof got), 5);
    assert_memory_equal(got, "seen\n", 5);
    close(fds[0]);
    close(saved);
}

static void outputs_of_children_side_by_side_do_not_mix(void **state)
{
    enum { N = 20 };
    struct orr_loop *loop = *state;
    int64_t ids[N];
    char script[N][96];
    for (int i = 0; i < N; i++) {
        snprintf(script[i], sizeof script[i],
                 "for k in 1 2 3 4 5 6 7 8; do printf '%c%c%c%c'; done",
                 'a' + i, 'a' + i, 'a' + i, 'a' + i);
        const char *argv[] = {"sh", "-c", script[i], NULL};
        struct orr_spec spec = words(argv);
        ids[i] = start(loop, &spec);
    }
    for (int done = 0; done < N; done++) {
        const struct orr_event *ev = next(loop);
        int i = 0;
        while (ids[i] != ev->id)
            i++;
        assert_int_equal(ev->exit->out[0].len, 32);
        for (int c = 0; c < 32; c++)
            assert_int_equal(ev->exit->out[0].data[c], 'a' + i);
    }
}

/* --- input, environment, directory ----------------------------------------*/

static void standard_input_is_empty_unless_fed(void **state)
{
    const char *argv[] = {"cat", NULL};
    struct orr_spec spec = words(argv);
    says(&run(*state, &spec)->out[0], "");
    spec.input = ORR_STDIN_BYTES;
    spec.bytes = "a\0b";
    spec.size = 3;
    const struct orr_exit *x = run(*state, &spec);
    assert_int_equal(x->out[0].len, 3);
    assert_memory_equal(x->out[0].data, "a\0b", 3);
}

static void much_input_does_no_harm_to_those_who_do_not_read_it(void **state)
{
    enum { SIZE = 5000000 };
    const char *argv[] = {"true", NULL}, *count[] = {"wc", "-c", NULL};
    struct orr_spec spec = words(argv);
    char *bytes = calloc(1, SIZE);
    spec.input = ORR_STDIN_BYTES;
    spec.bytes = bytes;
    spec.size = SIZE;
    assert_int_equal(run(*state, &spec)->code, 0);
    spec.argv = count;
    says(&run(*state, &spec)->out[0], "5000000\n");
    free(bytes);
}

static void a_given_environment_is_all_there_is_but_the_tag(void **state)
{
    const char *argv[] = {"env", NULL};
    const char *env[] = {"B=2", "ORRERY_STEP=other", "PATH=/usr/bin:/bin",
                         NULL};
    struct orr_spec spec = words(argv);
    spec.env = env;
    spec.tag = "run/x/1";
    says(&run(*state, &spec)->out[0],
         "ORRERY_STEP=run/x/1\nB=2\nPATH=/usr/bin:/bin\n");
}

static void the_working_directory_is_the_child_s_alone(void **state)
{
    const char *argv[] = {"pwd", NULL};
    struct orr_spec spec = words(argv);
    spec.cwd = "/usr";
    says(&run(*state, &spec)->out[0], "/usr\n");
}

static void a_child_starts_with_plain_signals_and_no_stray_files(void **state)
{
    sigset_t usr;
    sigemptyset(&usr);
    sigaddset(&usr, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    sigprocmask(SIG_BLOCK, &usr, NULL);
    // The C library ignores 32 and 33, its own, in what posix_spawn starts.
    // sed and ls look at themselves: the shell blocks signals while it forks,
    // and holds pipes. The 3 is the directory that ls reads.
    const struct orr_exit *x =
        sh(*state, "sed -nE 's/^(Sig(Blk|Ign)):.*(.{7})$/\\1 \\3/p' "
                   "/proc/self/status; ls /proc/self/fd");
    sigprocmask(SIG_UNBLOCK, &usr, NULL);
    signal(SIGPIPE, SIG_DFL);
    says(&x->out[0], "SigBlk 0000000\nSigIgn 0000000\n0\n1\n2\n3\n");
}

/* --- programs -------------------------------------------------------------*/

static void refused(struct orr_loop *loop, const struct orr_spec *spec,
                    const char *code, const char *message)
{
    int64_t id;
    pid_t pid;
    struct orr_err e;
    assert_true(orr_spawn(loop, spec, &id, &pid, &e) < 0);
    assert_string_equal(e.msg, message);
    assert_string_equal(orr_err_code(&e), code);
}

static void what_cannot_be_run_is_said_in_words(void **state)
{
    const char *argv[] = {"no-such-program", NULL};
    struct orr_spec spec = words(argv);
    refused(*state, &spec, "ENOENT",
            "cannot run 'no-such-program': no such program on PATH");
    argv[0] = "./no-such-program";
    refused(*state, &spec, "ENOENT",
            "cannot run './no-such-program': no such file");
    argv[0] = "/etc/passwd";
    refused(*state, &spec, "EACCES",
            "cannot run '/etc/passwd': not executable");
    argv[0] = "";
    refused(*state, &spec, "ENOENT", "cannot run '': no such program on PATH");
    argv[0] = "/tmp";
    refused(*state, &spec, "ENOENT", "cannot run '/tmp': no such file");
    argv[0] = "true";
    spec.cwd = "/no/such/dir";
    refused(*state, &spec, "ENOENT",
            "working directory /no/such/dir: No such file or directory");
    spec.cwd = "/etc/passwd";
    refused(*state, &spec, "ENOTDIR",
            "working directory /etc/passwd: Not a directory");
}

static void write_script(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    fputs(text, f);
    fclose(f);
    chmod(path, 0755);
}

static void programs_are_looked_up_on_the_child_s_path(void **state)
{
    char dir[] = "/tmp/orr_spawn_XXXXXX", file[64], path[64];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/ours", dir);
    snprintf(path, sizeof path, "PATH=/nowhere:%s", dir);
    write_script(file, "#!/bin/sh\necho \"$0 $1\"\n");
    const char *argv[] = {"ours", "x", NULL}, *env[] = {path, NULL};
    struct orr_spec spec = words(argv);
    refused(*state, &spec, "ENOENT",
            "cannot run 'ours': no such program on PATH");
    spec.env = env;
    assert_int_equal(run(*state, &spec)->code, 0);
    env[0] = "PATH=.:/bin"; // entries of PATH and names are seen from cwd
    spec.cwd = dir;
    says(&run(*state, &spec)->out[0], "./ours x\n");
    argv[0] = "./ours";
    says(&run(*state, &spec)->out[0], "./ours x\n");
    unlink(file);
    rmdir(dir);
}

static void a_program_that_was_found_before_is_not_looked_up(void **state)
{
    const char *argv[] = {"no-such-program", "-c", "echo $0", NULL};
    struct orr_spec spec = words(argv);
    spec.file = "/bin/sh";
    says(&run(*state, &spec)->out[0], "no-such-program\n");
    spec.file = "/no/such/file";
    refused(*state, &spec, "ENOENT",
            "cannot run 'no-such-program': /no/such/file: No such file or "
            "directory");
}

static void a_script_without_interpreter_is_the_shell_s(void **state)
{
    char dir[] = "/tmp/orr_spawn_XXXXXX", file[64], want[300];
    assert_non_null(mkdtemp(dir));
    snprintf(file, sizeof file, "%s/script", dir);
    write_script(file, "echo \"$1,$2\"\n");
    const char *argv[] = {file, "a b", "c", NULL};
    struct orr_spec spec = words(argv);
    says(&run(*state, &spec)->out[0], "a b,c\n");
    write_script(file, "#!/no/such/interpreter\n");
    snprintf(want, sizeof want,
             "cannot run '%s': the interpreter of %s is missing: No such file "
             "or directory",
             file, file);
    refused(*state, &spec, "ENOENT", want);
    unlink(file);
    rmdir(dir);
}

int main(void)
{
    close_what_was_inherited();
    const struct CMUnitTest tests[] = {
        TEST(a_child_s_output_and_status_come_with_its_end),
        TEST(a_child_ended_by_a_signal_fails_with_128_and_its_number),
        TEST(merged_output_keeps_its_order),
        TEST(much_output_on_both_streams_arrives_whole),
        TEST(output_beyond_the_limit_is_dropped_and_said),
        TEST(live_output_comes_before_the_end_and_is_kept_too),
        TEST(inherited_output_is_not_captured),
        TEST(outputs_of_children_side_by_side_do_not_mix),
        TEST(standard_input_is_empty_unless_fed),
        TEST(much_input_does_no_harm_to_those_who_do_not_read_it),
        TEST(a_given_environment_is_all_there_is_but_the_tag),
        TEST(the_working_directory_is_the_child_s_alone),
        TEST(a_child_starts_with_plain_signals_and_no_stray_files),
        TEST(what_cannot_be_run_is_said_in_words),
        TEST(programs_are_looked_up_on_the_child_s_path),
        TEST(a_program_that_was_found_before_is_not_looked_up),
        TEST(a_script_without_interpreter_is_the_shell_s),
    };
    return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
