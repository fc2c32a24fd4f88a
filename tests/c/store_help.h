/* store_help: what the tests of store share. Include after cmocka.h. */
#ifndef ORR_TEST_STORE_HELP_H
#define ORR_TEST_STORE_HELP_H

#include <dirent.h>

#include "engine/store.h"
#include "folder.h"

#define SECOND ((uint64_t)1000000000)
#define DAY (86400 * SECOND)

/* The clock of stores opened with fake_wall. */
static uint64_t fake_now __attribute__((unused));

static inline uint64_t fake_wall(void)
{
    return fake_now;
}

static inline struct orr_store *open_with(void **state,
                                          const struct orr_store_opts *o)
{
    struct orr_store *s = NULL;
    struct orr_err e = {0};
    if (orr_store_open(in_folder(state, "cache"), o, &s, &e) < 0)
        fail_msg("%s", e.msg);
    return s;
}

static inline struct orr_store *open_store(void **state)
{
    return open_with(state, NULL);
}

static inline void put(struct orr_store *s, const char *key, const char *value)
{
    struct orr_err e = {0};
    if (orr_store_put(s, "sp", 2, key, strlen(key), value, strlen(value), 0,
                      &e) < 0)
        fail_msg("%s", e.msg);
}

static inline int get(struct orr_store *s, const char *key,
                      struct orr_store_value *v)
{
    return orr_store_get(s, "sp", 2, key, strlen(key), v, NULL);
}

static inline void assert_value(struct orr_store *s, const char *key,
                                const char *value)
{
    struct orr_store_value v;
    assert_int_equal(get(s, key, &v), 0);
    assert_int_equal(v.n, strlen(value));
    assert_memory_equal(v.bytes, value, v.n);
}

static inline void assert_none(struct orr_store *s, const char *key)
{
    struct orr_store_value v;
    assert_int_equal(get(s, key, &v), ORR_ENOENT);
}

/* Calls 'each' with the path of every file in seg/. */
static inline int each_segment(void **state, void (*each)(const char *path))
{
    int n = 0;
    DIR *d = opendir(in_folder(state, "cache/seg"));
    assert_non_null(d);
    struct dirent *de;
    while ((de = readdir(d))) {
        char name[300];
        if (de->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "cache/seg/%s", de->d_name);
        n++;
        if (each)
            each(in_folder(state, name));
    }
    closedir(d);
    return n;
}

static inline void flip_middle(const char *path)
{
    size_t n;
    unsigned char *p = read_file(path, &n);
    p[n / 2] ^= 0x55;
    write_file(path, p, n);
    free(p);
}

static inline void cut_half(const char *path)
{
    size_t n;
    free(read_file(path, &n));
    assert_int_equal(truncate(path, (off_t)(n / 2)), 0);
}

static inline void blob_path(void **state, const struct orr_digest *d,
                             char out[512])
{
    char hex[65];
    orr_digest_hex(d, hex);
    snprintf(out, 512, "%s/cache/cas/%.2s/%s", (char *)*state, hex, hex);
}

static inline void fill(struct orr_store *s, int n)
{
    for (int i = 0; i < n; i++) {
        char key[16], value[40];
        snprintf(key, sizeof key, "k%d", i);
        snprintf(value, sizeof value, "value number %d", i);
        put(s, key, value);
    }
}

/* Every record is right or missing; returns how many are there. */
static inline int count_right(struct orr_store *s, int n)
{
    int right = 0;
    for (int i = 0; i < n; i++) {
        struct orr_store_value v;
        char key[16], value[40];
        snprintf(key, sizeof key, "k%d", i);
        snprintf(value, sizeof value, "value number %d", i);
        int rc = get(s, key, &v);
        if (rc == ORR_ENOENT)
            continue;
        assert_int_equal(rc, 0);
        assert_int_equal(v.n, strlen(value));
        assert_memory_equal(v.bytes, value, v.n);
        right++;
    }
    return right;
}

#endif
