/*
 * child: a small state machine, driven by its pipes, its pidfd and one alarm.
 *
 *     RUNS --leader gone, pipes open--> LINGER --grace--+
 *      |                                   |            v
 *      +--deadline, kill----------------------------> ENDS --grace--> DIES
 *      |                                   |            |              |
 *      +-- leader gone, pipes at end ------+-- and nobody of the tree is left
 *                                          v
 *                                         over
 *
 * /proc is only read in ENDS and DIES.
 */
#include "engine/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/job.h"
#include "engine/spawner.h"

enum { PART_EXIT = 0, PART_OUT = 1 /* and 2 */ };
enum { PIPE_MOST = 1 << 20 /* bytes a pipe can hold */ };
#define NS UINT64_C(1000000000)
#define GIVE_UP (2 * NS) /* after KILL, for processes the kernel keeps */

static void look(struct orr_child *c);

/* --- output ---------------------------------------------------------------*/

static void keep(struct orr_child *c, int i, const unsigned char *bytes,
                 size_t n)
{
    struct orr_buf *b = &c->exit->out[i];
    size_t room = b->len < c->limit ? c->limit - b->len : 0;
    size_t take = n < room ? n : room;
    if (orr_buf_put(b, bytes, take) < 0 || take < n)
        c->exit->truncated = true;
    if (c->live) {
        struct orr_event *ev =
            orr_loop_push(c->src.loop, ORR_EVENT_OUTPUT, c->src.id);
        ev->stream = i + 1;
        if (orr_buf_put(&ev->text, bytes, n) < 0)
            c->exit->truncated = true;
    }
}

static void shut(struct orr_child *c, int i)
{
    if (c->out[i] < 0)
        return;
    orr_source_unwatch(&c->src, c->out[i]);
    close(c->out[i]);
    c->out[i] = -1;
}

/* One read. A short one with nobody left to write was the last. */
static ssize_t pull(struct orr_child *c, int i, bool hung_up)
{
    unsigned char *to = orr_loop_scratch(c->src.loop);
    ssize_t n;
    do
        n = read(c->out[i], to, ORR_LOOP_SCRATCH);
    while (n < 0 && errno == EINTR);
    if (n > 0)
        keep(c, i, to, (size_t)n);
    bool empty = n < 0 && errno == EAGAIN;
    if ((n <= 0 && !empty) || (hung_up && n < ORR_LOOP_SCRATCH))
        shut(c, i);
    return n;
}

/* Everything that is in the pipe now, and no more: a program left running may
 * write faster than we read. */
static void drain(struct orr_child *c, int i)
{
    for (size_t n = 0; n < PIPE_MOST && c->out[i] >= 0; n += ORR_LOOP_SCRATCH)
        if (pull(c, i, false) <= 0)
            return;
}

static bool pipes_open(const struct orr_child *c)
{
    return c->out[0] >= 0 || c->out[1] >= 0;
}

/* --- the end --------------------------------------------------------------*/

static void reap(struct orr_child *c)
{
    struct orr_exit *x = c->exit;
    struct rusage use = {0};
    int status = 0;
    pid_t rc;
    do
        rc = wait4(c->pid, &status, c->exited ? 0 : WNOHANG, &use);
    while (rc < 0 && errno == EINTR);
    x->signal = rc == c->pid && WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    x->code = x->signal ? 128 + x->signal : WEXITSTATUS(status);
    if (rc != c->pid)
        x->code = 128 + (x->signal = SIGKILL); // it would not die
    x->cpu = (double)(use.ru_utime.tv_sec + use.ru_stime.tv_sec) +
             (double)(use.ru_utime.tv_usec + use.ru_stime.tv_usec) / 1e6;
    x->rss = (int64_t)use.ru_maxrss * 1024;
    x->wall = (double)(orr_clock_mono() - c->started) / 1e9;
}

static void child_free(struct orr_child *c)
{
    shut(c, 0);
    shut(c, 1);
    if (!c->exited)
        orr_source_unwatch(&c->src, c->pidfd);
    close(c->pidfd);
    orr_alarm_free(c->alarm);
    orr_tree_fini(&c->tree);
    orr_source_drop(&c->src);
    free(c->tag);
    free(c);
}

static void over(struct orr_child *c)
{
    drain(c, 0);
    drain(c, 1);
    if (c->phase >= ORR_CHILD_ENDS && !c->exit->timed_out && !c->exit->killed)
        c->exit->left = c->tree.ended;
    reap(c);
    orr_job_leave(c);
    struct orr_event *ev =
        orr_loop_push(c->src.loop, ORR_EVENT_EXIT, c->src.id);
    ev->exit = c->exit;
    child_free(c);
}

/* --- ending a tree --------------------------------------------------------*/

static void rang(void *arg)
{
    look(arg);
}

static void wake_at(struct orr_child *c, uint64_t when)
{
    uint64_t now = orr_clock_mono();
    if (!c->alarm)
        c->alarm = orr_alarm_new(c->src.loop, rang, c);
    orr_alarm_set(c->alarm, when > now ? (double)(when - now) / 1e9 : 0);
}

static uint64_t after(double seconds)
{
    if (!(seconds > 0))
        seconds = 0;
    return orr_clock_mono() + (uint64_t)((seconds > 1e9 ? 1e9 : seconds) * 1e9);
}

/* Who holds these is of the step, whatever else it hides. */
static void note_pipes(struct orr_child *c)
{
    for (int i = 0; i < 2; i++) {
        struct stat st;
        bool open = c->out[i] >= 0 && fstat(c->out[i], &st) == 0;
        c->tree.pipes[i] = open ? st.st_ino : 0;
    }
}

static void end_tree(struct orr_child *c, int sig, double grace)
{
    note_pipes(c);
    c->phase = ORR_CHILD_ENDS;
    c->looks = 0;
    c->kill_by = after(grace);
    orr_tree_signal(&c->tree, sig);
}

/* What to do while the tree is being ended: over when nothing of it lives, and
 * otherwise look again, soon at first and then less often. */
static void press(struct orr_child *c)
{
    uint64_t now = orr_clock_mono();
    if (c->phase == ORR_CHILD_ENDS && now >= c->kill_by) {
        c->phase = ORR_CHILD_DIES;
        c->looks = 0;
        c->give_up = now + GIVE_UP;
    }
    bool dies = c->phase == ORR_CHILD_DIES;
    int alive = 1;
    if (c->exited || dies)
        alive = orr_tree_signal(&c->tree, dies ? SIGKILL : c->tree.sent);
    bool done = c->exited && alive <= 0 && !pipes_open(c);
    if (done || (dies && now >= c->give_up)) {
        over(c);
        return;
    }
    uint64_t next = now + (NS / 1000 << (c->looks < 6 ? c->looks : 6));
    c->looks++;
    if (!c->exited && !dies)
        next = c->kill_by;
    wake_at(c, !dies && next > c->kill_by ? c->kill_by : next);
}

/* Something changed: the leader, a pipe, the time. May free c. */
static void look(struct orr_child *c)
{
    uint64_t now = orr_clock_mono();
    if (c->phase == ORR_CHILD_RUNS && c->exited) {
        c->phase = ORR_CHILD_LINGER;
        c->end_by = after(c->grace);
    }
    if (c->phase == ORR_CHILD_LINGER && !pipes_open(c)) {
        over(c);
        return;
    }
    if (c->phase < ORR_CHILD_ENDS && c->end_by && now >= c->end_by) {
        c->exit->timed_out = c->phase == ORR_CHILD_RUNS;
        end_tree(c, SIGTERM, c->grace);
    } else if (c->phase < ORR_CHILD_ENDS && c->end_by) {
        wake_at(c, c->end_by); // woken too early, or for something else
    }
    if (c->phase >= ORR_CHILD_ENDS)
        press(c);
}

static struct orr_child *find(struct orr_loop *loop, int64_t id)
{
    struct orr_source *s = orr_source_find(loop, id);
    return s ? orr_child_of(s) : NULL;
}

void orr_child_kill(struct orr_loop *loop, int64_t id, int sig, double grace)
{
    struct orr_child *c = find(loop, id);
    if (c && !c->pid) {
        orr_spawner_settle(loop);
        c = find(loop, id); // it may not have started
    }
    if (!c || c->phase == ORR_CHILD_DIES)
        return;
    c->exit->killed = true;
    end_tree(c, sig, grace < 0 ? c->grace : grace);
    wake_at(c, 0); // not here: the caller holds the id
}

/* --- the source -----------------------------------------------------------*/

/* It may act before its start is told; then that is awaited. */
static bool is_told(struct orr_loop *loop, struct orr_child *c)
{
    int64_t id = c->src.id;
    while (c && !c->pid) {
        orr_spawner_await(loop);
        c = find(loop, id);
    }
    return c != NULL;
}

static void child_ready(struct orr_source *s, unsigned part, uint32_t events)
{
    struct orr_child *c = (struct orr_child *)s;
    if (!is_told(s->loop, c))
        return;
    if (part == PART_EXIT) {
        c->exited = true;
        orr_source_unwatch(s, c->pidfd); // it would stay ready
        drain(c, 0);
        drain(c, 1);
    } else if (c->out[part - PART_OUT] >= 0) {
        int i = (int)part - PART_OUT;
        if (events & EPOLLIN)
            pull(c, i, events & EPOLLHUP);
        else
            shut(c, i);
    }
    if (c->exited)
        look(c);
}

/* The loop closes under a running child: no time for manners. */
static void child_end(struct orr_source *s)
{
    struct orr_child *c = (struct orr_child *)s;
    uint64_t until = orr_clock_mono() + GIVE_UP;
    note_pipes(c);
    while (orr_tree_signal(&c->tree, SIGKILL) > 0 && orr_clock_mono() < until) {
    }
    reap(c);
    orr_job_leave(c);
    orr_buf_fini(&c->exit->out[0]);
    orr_buf_fini(&c->exit->out[1]);
    free(c->exit);
    child_free(c);
}

static const struct orr_source_ops child_ops = {child_ready, child_end, false};

struct orr_child *orr_child_of(struct orr_source *s)
{
    return s->ops == &child_ops ? (struct orr_child *)s : NULL;
}

void orr_child_announce(struct orr_loop *loop, struct orr_child *c)
{
    orr_source_add(loop, &c->src, &child_ops);
}

int orr_child_watch(struct orr_child *c, int pidfd)
{
    int sys = orr_source_watch(&c->src, PART_EXIT, pidfd, EPOLLIN);
    for (unsigned i = 0; i < 2 && !sys; i++)
        if (c->out[i] >= 0)
            sys = orr_source_watch(&c->src, PART_OUT + i, c->out[i], EPOLLIN);
    return sys;
}

void orr_child_adopt(struct orr_child *c)
{
    c->tree.leader = c->pid;
    c->tree.tag = c->tag;
    if (c->end_by)
        wake_at(c, c->end_by);
}

void orr_child_postpone(struct orr_child *c, uint64_t ns)
{
    if (c->end_by)
        c->end_by += ns;
    if (c->phase >= ORR_CHILD_ENDS) {
        c->kill_by += ns;
        c->give_up += ns;
    } else if (c->end_by) {
        wake_at(c, c->end_by);
    }
}
