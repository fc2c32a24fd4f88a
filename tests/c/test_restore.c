/* restore: files appear whole, and never outside their root. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "engine/filecopy.h"
#include "engine/restore.h"
#include "folder.h"

static struct orr_restore_root open_root(void **state)
{
    struct orr_restore_root root = ORR_RESTORE_ROOT_INIT;
    assert_int_equal(orr_restore_root_open(&root, *state, NULL), 0);
    return root;
}

/* Writes 'text' to rel under the test's folder. */
static int put(void **state, const char *rel, const char *text, mode_t mode,
               struct orr_err *e)
{
    struct orr_restore_root root = open_root(state);
    struct orr_restore r = ORR_RESTORE_INIT;
    int rc = orr_restore_begin(&r, &root, rel, e);
    if (!rc)
        rc = orr_write_all(r.fd, text, strlen(text), rel, e);
    if (!rc)
        rc = orr_restore_commit(&r, mode, e);
    orr_restore_fini(&r);
    orr_restore_root_close(&root);
    return rc;
}

static int entries(const char *path)
{
    int n = 0;
    DIR *d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n - 2;
}

static void a_file_has_exactly_its_bytes_and_mode(void **state)
{
    struct stat st;
    mode_t modes[] = {0644, 0755, 0600, 0444, 0777, 0};
    mode_t mask = umask(077);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(put(state, "f", "text", modes[i], NULL), 0);
        assert_int_equal(stat(in_folder(state, "f"), &st), 0);
        assert_int_equal(st.st_mode & 07777, modes[i]);
        assert_int_equal(st.st_nlink, 1);
    }
    umask(mask);
    assert_int_equal(entries(*state), 1);
}

static void missing_parents_are_made(void **state)
{
    assert_int_equal(put(state, "a/b//./c/f", "deep", 0644, NULL), 0);
    assert_file(in_folder(state, "a/b/c/f"), "deep", 4);
    assert_int_equal(put(state, "a/b/g", "more", 0644, NULL), 0);
    assert_file(in_folder(state, "a/b/g"), "more", 4);
}

static void a_path_that_leaves_the_root_is_refused(void **state)
{
    const char *bad[] = {"/etc/x", "../x", "a/../../x", "a/..",   "..",
                         "",       ".",    "a/.",       "a/../b", "/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct orr_err e = {0};
        assert_int_equal(put(state, bad[i], "no", 0644, &e), ORR_EUNSAFE);
        assert_string_equal(orr_err_code(&e), "EUNSAFE");
    }
    assert_int_equal(entries(*state), 0);
}

static void a_symlink_on_the_way_is_refused(void **state)
{
    assert_int_equal(mkdir(in_folder(state, "real"), 0755), 0);
    assert_int_equal(symlink("/tmp", in_folder(state, "out")), 0);
    assert_int_equal(symlink("real", in_folder(state, "in")), 0);
    assert_int_equal(put(state, "out/f", "no", 0644, NULL), ORR_EUNSAFE);
    assert_int_equal(put(state, "in/f", "no", 0644, NULL), ORR_EUNSAFE);
    assert_int_equal(put(state, "out/new/f", "no", 0644, NULL), ORR_EUNSAFE);
    assert_int_equal(entries(in_folder(state, "real")), 0);
}

static void the_slow_walk_refuses_the_same(void **state)
{
    struct orr_restore_root root = open_root(state);
    assert_int_equal(mkdir(in_folder(state, "real"), 0755), 0);
    assert_int_equal(symlink("/tmp", in_folder(state, "out")), 0);
    assert_int_equal(symlink("real", in_folder(state, "in")), 0);
    const char *bad[] = {"out", "in", "in/x", "..", "real/../..", "/tmp"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t n = strlen(bad[i]);
        assert_int_equal(
            orr_open_beneath_slowly(root.fd, bad[i], n, true, NULL),
            ORR_EUNSAFE);
        assert_int_equal(orr_open_beneath(root.fd, bad[i], n, true, NULL),
                         ORR_EUNSAFE);
    }
    int fd = orr_open_beneath_slowly(root.fd, "real/a/b", 8, true, NULL);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(orr_open_beneath(root.fd, "real/none", 9, false, NULL),
                     ORR_ENOENT);
    orr_restore_root_close(&root);
}

static void a_symlink_at_the_target_is_replaced_not_followed(void **state)
{
    write_file(in_folder(state, "victim"), "precious", 8);
    assert_int_equal(symlink("victim", in_folder(state, "f")), 0);
    assert_int_equal(put(state, "f", "text", 0644, NULL), 0);
    assert_file(in_folder(state, "victim"), "precious", 8);
    struct stat st;
    assert_int_equal(lstat(in_folder(state, "f"), &st), 0);
    assert_true(S_ISREG(st.st_mode));
}

static void a_directory_at_the_target_is_an_error_without_a_trace(void **state)
{
    struct orr_err e = {0};
    assert_int_equal(mkdir(in_folder(state, "f"), 0755), 0);
    assert_true(put(state, "f", "text", 0644, &e) < 0);
    assert_string_equal(orr_err_code(&e), "EISDIR");
    assert_int_equal(entries(*state), 1);
}

static void a_file_as_a_parent_is_an_error(void **state)
{
    struct orr_err e = {0};
    write_file(in_folder(state, "f"), "x", 1);
    assert_int_equal(put(state, "f/g", "text", 0644, &e), ORR_ENOENT);
    assert_string_equal(orr_err_code(&e), "ENOTDIR");
}

static void what_is_not_committed_never_was(void **state)
{
    struct orr_restore_root root = open_root(state);
    struct orr_restore r = ORR_RESTORE_INIT;
    write_file(in_folder(state, "f"), "old", 3);
    assert_int_equal(orr_restore_begin(&r, &root, "f", NULL), 0);
    assert_int_equal(orr_write_all(r.fd, "new", 3, "f", NULL), 0);
    orr_restore_fini(&r);
    orr_restore_fini(&r);
    assert_file(in_folder(state, "f"), "old", 3);
    assert_int_equal(entries(*state), 1);
    orr_restore_root_close(&root);
}

static void a_copy_says_what_it_holds(void **state)
{
    static char bytes[300000];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (char)(i * 31 >> 3);
    write_file(in_folder(state, "a"), bytes, sizeof bytes);
    int from = open(in_folder(state, "a"), O_RDONLY | O_CLOEXEC);
    for (int hashed = 0; hashed < 2; hashed++) {
        struct orr_digest want, got;
        uint64_t size = 0;
        int to = open(in_folder(state, "b"),
                      O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        assert_int_equal(
            orr_filecopy(from, to, "a", hashed ? &got : NULL, &size, NULL), 0);
        close(to);
        assert_int_equal(size, sizeof bytes);
        assert_file(in_folder(state, "b"), bytes, sizeof bytes);
        orr_hash_bytes(bytes, sizeof bytes, &want);
        if (hashed)
            assert_memory_equal(&got, &want, sizeof got);
    }
    close(from);
}

static void
files_are_written_in_the_state_directory_where_there_is_one(void **state)
{
    struct stat st;
    mkdir(in_folder(state, ".orrery"), 0777);
    mkdir(in_folder(state, "d"), 0777);
    struct orr_restore_root root = open_root(state);
    struct orr_restore r = ORR_RESTORE_INIT;
    assert_int_equal(orr_restore_begin(&r, &root, "d/f", NULL), 0);
    assert_int_equal(entries(in_folder(state, "d")), 0);
    assert_int_equal(entries(in_folder(state, ".orrery/tmp")), 1);
    assert_int_equal(orr_write_all(r.fd, "text", 4, "", NULL), 0);
    assert_int_equal(orr_restore_commit(&r, 0755, NULL), 0);
    orr_restore_fini(&r);
    assert_int_equal(stat(in_folder(state, "d/f"), &st), 0);
    assert_int_equal(st.st_size, 4);
    assert_int_equal(st.st_mode & 0777, 0755);
    orr_restore_root_close(&root);
    assert_int_equal(entries(in_folder(state, ".orrery/tmp")), 0);
}

static void what_a_killed_process_left_is_removed_a_day_later(void **state)
{
    struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    mkdir(in_folder(state, ".orrery"), 0777);
    mkdir(in_folder(state, ".orrery/tmp"), 0777);
    mkdir(in_folder(state, ".orrery/tmp/restore-old"), 0777);
    mkdir(in_folder(state, ".orrery/tmp/restore-new"), 0777);
    close(open(in_folder(state, ".orrery/tmp/restore-old/f"), O_CREAT | O_RDWR,
               0600));
    utimensat(AT_FDCWD, in_folder(state, ".orrery/tmp/restore-old"), old, 0);
    struct orr_restore_root root = open_root(state);
    orr_restore_root_close(&root);
    assert_int_equal(access(in_folder(state, ".orrery/tmp/restore-old"), F_OK),
                     -1);
    assert_int_equal(access(in_folder(state, ".orrery/tmp/restore-new"), F_OK),
                     0);
}

static void a_stage_that_is_a_link_is_not_used(void **state)
{
    mkdir(in_folder(state, ".orrery"), 0777);
    mkdir(in_folder(state, "elsewhere"), 0777);
    assert_int_equal(symlink("../elsewhere", in_folder(state, ".orrery/tmp")),
                     0);
    struct orr_restore_root root = open_root(state);
    assert_int_equal(root.stage, -1);
    orr_restore_root_close(&root);
    assert_int_equal(put(state, "f", "text", 0644, NULL), 0);
    assert_int_equal(entries(in_folder(state, "elsewhere")), 0);
}

/* A folder on another file system than the test's; empty: there is none. Memory
 * is the one that machines have beside their disk and let anyone write to. */
static char elsewhere[64];

static int folders_make(void **state)
{
    struct stat here, there;
    if (folder_make(state) < 0 || stat(*state, &here) < 0)
        return -1;
    snprintf(elsewhere, sizeof elsewhere, "/dev/shm/orr_test_XXXXXX");
    if (!mkdtemp(elsewhere)) {
        print_message("no folder in /dev/shm: %s\n", strerror(errno));
        elsewhere[0] = '\0';
    } else if (stat(elsewhere, &there) < 0 || here.st_dev == there.st_dev) {
        print_message("/dev/shm and /tmp are one file system\n");
        rmdir(elsewhere);
        elsewhere[0] = '\0';
    }
    return 0;
}

static int folders_remove(void **state)
{
    int rc = elsewhere[0] ? orr_files_remove_tree(elsewhere, NULL) : 0;
    return folder_remove(state) < 0 ? -1 : rc;
}

static void
a_target_on_another_file_system_is_written_beside_its_place(void **state)
{
    struct stat made;
    if (!elsewhere[0])
        skip();
    struct orr_restore_root root = open_root(state);
    assert_int_equal(root.stage, -1); /* no .orrery here */
    root.stage = open(elsewhere, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct orr_restore r = ORR_RESTORE_INIT;
    assert_int_equal(orr_restore_begin(&r, &root, "f", NULL), 0);
    assert_int_equal(orr_write_all(r.fd, "text", 4, "", NULL), 0);
    assert_int_equal(entries(elsewhere), 1);
    assert_int_equal(orr_restore_commit(&r, 0751, NULL), 0);
    orr_restore_fini(&r);
    assert_int_equal(entries(elsewhere), 0);
    assert_int_equal(stat(in_folder(state, "f"), &made), 0);
    assert_int_equal(made.st_size, 4);
    assert_int_equal(made.st_mode & 0777, 0751);
    assert_int_equal(entries(*state), 1);
    orr_restore_root_close(&root);
}

int main(void)
{
#define IN_FOLDER(f)                                                           \
    cmocka_unit_test_setup_teardown(f, folder_make, folder_remove)
    const struct CMUnitTest tests[] = {
        IN_FOLDER(a_file_has_exactly_its_bytes_and_mode),
        IN_FOLDER(missing_parents_are_made),
        IN_FOLDER(a_path_that_leaves_the_root_is_refused),
        IN_FOLDER(a_symlink_on_the_way_is_refused),
        IN_FOLDER(the_slow_walk_refuses_the_same),
        IN_FOLDER(a_symlink_at_the_target_is_replaced_not_followed),
        IN_FOLDER(a_directory_at_the_target_is_an_error_without_a_trace),
        IN_FOLDER(a_file_as_a_parent_is_an_error),
        IN_FOLDER(what_is_not_committed_never_was),
        IN_FOLDER(files_are_written_in_the_state_directory_where_there_is_one),
        IN_FOLDER(what_a_killed_process_left_is_removed_a_day_later),
        IN_FOLDER(a_stage_that_is_a_link_is_not_used),
        cmocka_unit_test_setup_teardown(
            a_target_on_another_file_system_is_written_beside_its_place,
            folders_make, folders_remove),
        IN_FOLDER(a_copy_says_what_it_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
