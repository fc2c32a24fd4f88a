/* folder: a fresh directory for each test, and small files in it. Include
 * after cmocka.h. */
#ifndef ORR_TEST_FOLDER_H
#define ORR_TEST_FOLDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/files.h"

static inline int folder_make(void **state)
{
    char *dir = strdup("/tmp/orr_test_XXXXXX");
    *state = dir;
    return dir && mkdtemp(dir) ? 0 : -1;
}

static inline int folder_remove(void **state)
{
    int rc = orr_files_remove_tree(*state, NULL);
    free(*state);
    return rc;
}

/* "dir/name"; four results live at once. */
static inline const char *in_folder(void **state, const char *name)
{
    static char paths[4][512];
    static int next;
    char *p = paths[next++ % 4];
    int n = snprintf(p, 512, "%s/%s", (char *)*state, name);
    assert_in_range(n, 1, 511);
    return p;
}

static inline void write_file(const char *path, const void *bytes, size_t n)
{
    FILE *f = fopen(path, "wb");
    assert_non_null(f);
    assert_int_equal(fwrite(bytes, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* All of a small file, owned by the caller. */
static inline unsigned char *read_file(const char *path, size_t *n)
{
    struct orr_buf b = {0};
    struct orr_err e = {0};
    if (orr_files_read(path, SIZE_MAX / 4, &b, &e) < 0)
        fail_msg("%s", e.msg);
    *n = b.len;
    if (!b.data)
        b.data = calloc(1, 1);
    return b.data;
}

static inline void assert_file(const char *path, const void *bytes, size_t n)
{
    size_t got;
    unsigned char *p = read_file(path, &got);
    assert_int_equal(got, n);
    assert_memory_equal(p, bytes, n);
    free(p);
}

#endif
