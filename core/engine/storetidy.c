/*
 * storetidy: expired records go while a run works. The thread opens the store
 * anew, so nothing is shared but the directory, as between processes.
 */
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/xalloc.h"
#include "engine/store_priv.h"

struct orr_keeper {
    pthread_t thread;
    char *dir; /* owned */
    struct orr_store_opts opts;
};

static void *tidy(void *arg)
{
    const struct orr_keeper *k = arg;
    const struct orr_store_limits expired = {
        .max_bytes = UINT64_MAX, .max_age = UINT64_MAX, .expired = true};
    struct orr_store *s;
    uint64_t removed, bytes;
    if (orr_store_open(k->dir, &k->opts, &s, NULL) < 0)
        return NULL;
    orr_store_prune(s, &expired, &removed, &bytes, NULL);
    s->wrote = false; /* the bounds are kept by the handle that knows what is
                         in use */
    orr_store_close(s);
    return NULL;
}

void orr_store_tidy(struct orr_store *s)
{
    sigset_t all, before;
    if (s->keeper || s->cat.next_expiry > s->wall())
        return;
    struct orr_keeper *k = orr_xalloc(sizeof *k);
    *k = (struct orr_keeper){
        .dir = orr_xstrdup(s->dir),
        .opts = {s->max_bytes, s->max_age, s->wall, s->spare}};
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(&k->thread, NULL, tidy, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (failed) {
        free(k->dir);
        free(k);
        return;
    }
    s->keeper = k;
}

void orr_keeper_join(struct orr_keeper *k)
{
    if (!k)
        return;
    pthread_join(k->thread, NULL);
    free(k->dir);
    free(k);
}
