/*
 * job: orphans, the terminal, ^Z. One per loop, made with its first child.
 */
#include "engine/job.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/xalloc.h"
#include "engine/spawner.h"

/* Orphans that ended are reaped with each step; this is for a long silence. */
#define REAP_EVERY 5.0

struct orr_job {
    struct orr_loop *loop;
    struct orr_alarm *reaper;
    bool reaping;      /* the alarm is set */
    unsigned children; /* running */
    uv_signal_t stop;  /* TSTP; only when there is a terminal */
    uv_signal_t child; /* CHLD; only once there was a tty step */
    bool has_stop, has_child, freed;
    int open; /* handles libuv has not closed yet */
};

/* --- orphans --------------------------------------------------------------*/

static bool is_leader(struct orr_loop *loop, pid_t pid)
{
    size_t at = 0;
    for (struct orr_source *s; (s = orr_source_walk(loop, &at));) {
        struct orr_child *c = orr_child_of(s);
        if (c && c->pid == pid)
            return true;
    }
    return false;
}

/* Children that others started here (io.popen) are in our own group and are
 * left to them; a leader's turn comes with its exit event. Either may hide an
 * orphan behind it until then; so may a leader whose start is not known yet. */
static void reap_orphans(struct orr_loop *loop)
{
    siginfo_t si = {0};
    orr_spawner_collect(loop);
    if (orr_spawner_away(loop))
        return;
    while (waitid(P_ALL, 0, &si, WEXITED | WNOHANG | WNOWAIT) == 0 &&
           si.si_pid) {
        pid_t pid = si.si_pid;
        if (getpgid(pid) == getpgrp() || is_leader(loop, pid))
            return;
        waitid(P_PID, (id_t)pid, &si, WEXITED | WNOHANG);
        si.si_pid = 0;
    }
}

static void reaper_rang(void *arg)
{
    struct orr_job *job = arg;
    reap_orphans(job->loop);
    job->reaping = job->children > 0;
    if (job->reaping)
        orr_alarm_set(job->reaper, REAP_EVERY);
}

/* --- the terminal ---------------------------------------------------------*/

/* From a background group, touching the terminal raises SIGTTOU. */
static void tty_set(int fd, pid_t group, const struct termios *modes)
{
    sigset_t ttou, old;
    sigemptyset(&ttou);
    sigaddset(&ttou, SIGTTOU);
    pthread_sigmask(SIG_BLOCK, &ttou, &old);
    tcsetpgrp(fd, group);
    if (modes)
        tcsetattr(fd, TCSADRAIN, modes);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

static void signal_all(struct orr_loop *loop, int sig)
{
    size_t at = 0;
    for (struct orr_source *s; (s = orr_source_walk(loop, &at));) {
        struct orr_child *c = orr_child_of(s);
        if (c && c->pid > 0 && !c->exited)
            kill(-c->pid, sig);
    }
}

static void postpone_all(struct orr_loop *loop, uint64_t ns)
{
    size_t at = 0;
    for (struct orr_source *s; (s = orr_source_walk(loop, &at));) {
        struct orr_child *c = orr_child_of(s);
        if (c)
            orr_child_postpone(c, ns);
    }
}

/* Stops children and 'whom' (as for kill), us included; returns when someone
 * continued us. */
static void stop(struct orr_loop *loop, pid_t whom)
{
    struct sigaction plain = {.sa_handler = SIG_DFL}, old;
    uint64_t since = orr_clock_mono();
    orr_spawner_settle(loop); // those, too, are to stop
    signal_all(loop, SIGSTOP);
    sigaction(SIGTSTP, &plain, &old);
    kill(whom, SIGTSTP);
    sigaction(SIGTSTP, &old, NULL);
    postpone_all(loop, orr_clock_mono() - since);
}

void orr_loop_suspend(struct orr_loop *loop)
{
    stop(loop, getpid());
    signal_all(loop, SIGCONT);
}

static void stop_caught(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct orr_job *job = uv->data;
    if (!orr_signal_taken(job->loop, SIGTSTP))
        orr_loop_suspend(job->loop);
}

static void tty_child_stopped(struct orr_child *c)
{
    struct termios theirs;
    bool known = tcgetattr(c->tty, &theirs) == 0;
    if (tcgetpgrp(c->tty) == c->pid)
        tty_set(c->tty, getpgrp(), &c->modes);
    stop(c->src.loop, 0);
    if (tcgetpgrp(c->tty) == getpgrp())
        tty_set(c->tty, c->pid, known ? &theirs : NULL);
    signal_all(c->src.loop, SIGCONT);
}

static void child_caught(uv_signal_t *uv, int signum)
{
    (void)signum;
    struct orr_job *job = uv->data;
    size_t at = 0;
    for (struct orr_source *s; (s = orr_source_walk(job->loop, &at));) {
        struct orr_child *c = orr_child_of(s);
        siginfo_t si = {0};
        if (c && c->tty >= 0 && !c->exited &&
            waitid(P_PID, (id_t)c->pid, &si, WSTOPPED | WNOHANG) == 0 &&
            si.si_pid == c->pid)
            tty_child_stopped(c);
    }
}

/* --- life -----------------------------------------------------------------*/

static bool listen_to(struct orr_job *job, uv_signal_t *uv, uv_signal_cb cb,
                      int signum)
{
    if (uv_signal_init(orr_loop_uv(job->loop), uv) < 0)
        return false;
    uv->data = job;
    job->open++;
    return uv_signal_start(uv, cb, signum) == 0;
}

static struct orr_job *job_of(struct orr_loop *loop)
{
    struct orr_job **at = orr_loop_job(loop);
    if (*at)
        return *at;
    struct orr_job *job = orr_xalloc(sizeof *job);
    job->loop = loop;
    job->reaper = orr_alarm_new(loop, reaper_rang, job);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    struct sigaction sa;
    bool ours = sigaction(SIGTSTP, NULL, &sa) == 0 && sa.sa_handler != SIG_IGN;
    if (ours && (isatty(0) || isatty(1) || isatty(2)))
        job->has_stop = listen_to(job, &job->stop, stop_caught, SIGTSTP);
    return *at = job;
}

bool orr_job_prepare(struct orr_loop *loop, struct orr_child *c, bool tty)
{
    struct orr_job *job = job_of(loop);
    c->tty = tty ? open("/dev/tty", O_RDWR | O_CLOEXEC) : -1;
    if (c->tty < 0)
        return false;
    if (!job->has_child)
        job->has_child = listen_to(job, &job->child, child_caught, SIGCHLD);
    tcgetattr(c->tty, &c->modes);
    return tcgetpgrp(c->tty) == getpgrp();
}

void orr_job_enter(struct orr_child *c)
{
    struct orr_job *job = job_of(c->src.loop);
    job->children++;
    if (!job->reaping) {
        job->reaping = true;
        orr_alarm_set(job->reaper, REAP_EVERY);
    }
}

void orr_job_leave(struct orr_child *c)
{
    struct orr_job *job = job_of(c->src.loop);
    job->children--;
    reap_orphans(c->src.loop);
    if (c->tty < 0)
        return;
    // A program that was killed leaves the terminal as it had set it.
    pid_t now = tcgetpgrp(c->tty);
    if (now == c->pid || (now > 0 && kill(-now, 0) < 0))
        tty_set(c->tty, getpgrp(), c->exit->signal ? &c->modes : NULL);
    close(c->tty);
}

static void handle_closed(uv_handle_t *h)
{
    struct orr_job *job = h->data;
    if (--job->open == 0 && job->freed)
        free(job);
}

void orr_job_free(struct orr_job *job)
{
    if (!job)
        return;
    orr_alarm_free(job->reaper);
    job->freed = true;
    if (job->stop.data)
        uv_close((uv_handle_t *)&job->stop, handle_closed);
    if (job->child.data)
        uv_close((uv_handle_t *)&job->child, handle_closed);
    if (job->open == 0)
        free(job);
}
