/* memo_help: a filememo over an index in the test's folder, with a clock that
 * stands still. Include after cmocka.h. */
#ifndef ORR_TEST_MEMO_HELP_H
#define ORR_TEST_MEMO_HELP_H

#include "engine/filememo.h"
#include "folder.h"

static const int64_t second = 1000000000;
static int64_t fake_now;

static inline int64_t fake_clock(void)
{
    return fake_now;
}

struct memo {
    struct orr_index *ix;
    struct orr_filememo *m;
};

static inline struct memo open_memo(void **state)
{
    struct memo o = {0};
    assert_int_equal(orr_index_open(in_folder(state, "index"), &o.ix, NULL), 0);
    o.m = orr_filememo_new(o.ix);
    orr_filememo_set_clock(o.m, fake_clock);
    return o;
}

/* What was not flushed is forgotten. */
static inline void close_memo(struct memo *o)
{
    orr_filememo_free(o->m);
    orr_index_close(o->ix);
}

#endif
