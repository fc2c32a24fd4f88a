/* pool_task: jobs in singly linked lists; one allocation holds a job and its
 * inputs. */
#include "engine/pool_task.h"

#include <stdlib.h>
#include <string.h>

void orr_pool_task_put(struct orr_pool_jobs *l, struct orr_pool_task *j)
{
    j->next = NULL;
    if (l->last)
        l->last->next = j;
    else
        l->first = j;
    l->last = j;
    l->count++;
}

struct orr_pool_task *orr_pool_task_take(struct orr_pool_jobs *l)
{
    struct orr_pool_task *j = l->first;
    if (!j)
        return NULL;
    l->first = j->next;
    if (!l->first)
        l->last = NULL;
    l->count--;
    return j;
}

struct orr_pool_task *orr_pool_task_remove(struct orr_pool_jobs *l, int64_t id)
{
    struct orr_pool_task *before = NULL, *j = l->first;
    for (; j && j->pub.id != id; j = j->next)
        before = j;
    if (!j)
        return NULL;
    if (before)
        before->next = j->next;
    else
        l->first = j->next;
    if (l->last == j)
        l->last = before;
    l->count--;
    return j;
}

void orr_pool_config_drop(struct orr_pool_config *c)
{
    if (c && atomic_fetch_sub(&c->refs, 1) == 1)
        free(c);
}

struct orr_pool_config *orr_pool_config_new(const void *bytes, size_t n)
{
    struct orr_pool_config *c = malloc(sizeof *c + n);
    if (!c)
        return NULL;
    atomic_init(&c->refs, 1);
    c->generation = 0;
    c->len = n;
    if (n)
        memcpy(c->bytes, bytes, n);
    return c;
}

void orr_pool_task_free(struct orr_pool_task *j)
{
    if (!j)
        return;
    orr_buf_fini(&j->result.value);
    orr_buf_fini(&j->result.facts);
    orr_pool_config_drop(j->config);
    free(j);
}

void orr_pool_task_free_all(struct orr_pool_task *first)
{
    while (first) {
        struct orr_pool_task *next = first->next;
        orr_pool_task_free(first);
        first = next;
    }
}

struct orr_pool_task *orr_pool_task_new(size_t ncode, size_t nargs)
{
    struct orr_pool_task *j = malloc(sizeof *j + ncode + nargs);
    if (!j)
        return NULL;
    memset(j, 0, sizeof *j);
    atomic_init(&j->pub.cancelled, false);
    j->pub.code = j->bytes;
    j->pub.ncode = ncode;
    j->pub.args = j->bytes + ncode;
    j->pub.nargs = nargs;
    return j;
}

void orr_pool_task_set_cancelled(struct orr_pool_task *j)
{
    orr_buf_fini(&j->result.value);
    j->result.rc = ORR_ECANCELLED;
}
