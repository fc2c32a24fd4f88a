/*
 * tree: marks the members in a table of all processes, then signals them
 * through pidfds, so that a pid that changed hands in between is left alone.
 */
#include "engine/tree.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/proctab.h"

/* --- marking --------------------------------------------------------------*/

struct self {
    pid_t pid, group, session;
};

static bool related(const struct orr_proc *p, const struct orr_proc *m,
                    const struct self *me)
{
    return p->parent == m->pid ||
           (p->group == m->group && p->group > 1 && p->group != me->group) ||
           (p->session == m->session && p->session > 1 &&
            p->session != me->session);
}

/* Everything related to v[i], and so on. Recursion would follow the depth of
 * the process tree, so it sweeps until nothing is new. */
static void mark_closure(struct orr_proctab *tab, const struct self *me)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < tab->count; i++) {
            if (!tab->v[i].member)
                continue;
            for (size_t j = 0; j < tab->count; j++) {
                struct orr_proc *p = &tab->v[j];
                if (p->member || p->spared || !related(p, &tab->v[i], me))
                    continue;
                p->member = true;
                again = again || j < i;
            }
        }
    }
}

/* This process and those above it are nobody's prey, whatever they look like.
 */
static void spare_ancestors(struct orr_proctab *tab, pid_t pid)
{
    while (pid > 0) {
        pid_t up = 0;
        for (size_t i = 0; i < tab->count; i++)
            if (tab->v[i].pid == pid) {
                tab->v[i].spared = true;
                up = tab->v[i].parent;
            }
        pid = up;
    }
}

static bool seen_before(const struct orr_tree *t, const struct orr_proc *p)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->seen[i].pid == p->pid && t->seen[i].start == p->start)
            return true;
    return false;
}

static bool is_seed(const struct orr_tree *t, const struct orr_proc *p,
                    const char *entry, size_t n)
{
    if (p->pid == t->leader || p->group == t->leader || seen_before(t, p))
        return true;
    if (p->zombie)
        return false;
    if (n && orr_proc_has_env(p->pid, entry, n))
        return true;
    for (int i = 0; i < 2; i++)
        for (int fd = 1; t->pipes[i] && fd <= 2; fd++)
            if (orr_proc_has_pipe(p->pid, fd, t->pipes[i]))
                return true;
    return false;
}

static void mark_tree(struct orr_tree *t, struct orr_proctab *tab)
{
    struct self me = {getpid(), getpgrp(), getsid(0)};
    char entry[256] = "ORRERY_STEP=";
    size_t n = 0, head = strlen(entry), tag = t->tag ? strlen(t->tag) : 0;
    if (tag && head + tag <= sizeof entry) {
        memcpy(entry + head, t->tag, tag);
        n = head + tag;
    }
    spare_ancestors(tab, me.pid);
    for (size_t i = 0; i < tab->count; i++)
        tab->v[i].member =
            !tab->v[i].spared && is_seed(t, &tab->v[i], entry, n);
    mark_closure(tab, &me);
}

static void mark_below(pid_t root, struct orr_proctab *tab)
{
    for (bool again = true; again;) {
        again = false;
        for (size_t i = 0; i < tab->count; i++) {
            pid_t up = tab->v[i].pid;
            if (up != root && !tab->v[i].member)
                continue;
            for (size_t j = 0; j < tab->count; j++) {
                struct orr_proc *p = &tab->v[j];
                if (p->member || p->parent != up)
                    continue;
                p->member = true;
                again = again || j < i;
            }
        }
    }
}

/* --- signalling -----------------------------------------------------------*/

static void send_to(const struct orr_proc *p, int sig)
{
    struct orr_proc now;
    int fd = (int)syscall(SYS_pidfd_open, p->pid, 0);
    bool same = orr_proc_read(p->pid, &now) && now.start == p->start;
    if (same && fd >= 0)
        syscall(SYS_pidfd_send_signal, fd, sig, NULL, 0);
    else if (same)
        kill(p->pid, sig); // out of descriptors: the check above must do
    if (same && sig != SIGKILL)
        kill(p->pid, SIGCONT);
    if (fd >= 0)
        close(fd);
}

/* Remembers p; true when it is new. When memory is out it stays unknown, and
 * only the orphans among such processes could be missed later. */
static bool remember(struct orr_tree *t, const struct orr_proc *p)
{
    if (seen_before(t, p))
        return false;
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : 256;
        void *v = mmap(NULL, cap * sizeof *t->seen, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (v == MAP_FAILED)
            return true;
        if (t->seen) {
            memcpy(v, t->seen, t->count * sizeof *t->seen);
            munmap(t->seen, t->cap * sizeof *t->seen);
        }
        t->seen = v;
        t->cap = cap;
    }
    t->seen[t->count++] = (struct orr_seen){p->pid, p->start};
    return true;
}

/* One living member: signalled when this round reaches it, counted once. */
static void visit(struct orr_tree *t, const struct orr_proc *p, int sig,
                  bool round)
{
    bool fresh = remember(t, p);
    if (!sig)
        return;
    if (fresh && p->pid != t->leader)
        t->ended++;
    bool by_group = round && p->group == t->leader;
    if ((round || fresh) && !by_group)
        send_to(p, sig);
}

int orr_tree_signal(struct orr_tree *t, int sig)
{
    bool round = sig && (sig != t->sent || sig == SIGKILL);
    struct orr_proctab tab;
    int alive = orr_proctab_read(&tab) < 0 ? -1 : 0;
    if (alive == 0)
        mark_tree(t, &tab);
    // The group at once: a group that forks faster than a table can be read is
    // caught by this alone.
    if (round) {
        t->sent = sig;
        kill(-t->leader, sig);
        kill(-t->leader, SIGCONT);
    }
    for (size_t i = 0; alive >= 0 && i < tab.count; i++) {
        if (!tab.v[i].member || tab.v[i].zombie)
            continue;
        alive++;
        visit(t, &tab.v[i], sig, round);
    }
    orr_proctab_fini(&tab);
    return alive;
}

void orr_tree_fini(struct orr_tree *t)
{
    if (t->seen)
        munmap(t->seen, t->cap * sizeof *t->seen);
    t->seen = NULL;
    t->count = t->cap = 0;
}

int orr_tree_sweep(pid_t root, int sig)
{
    struct orr_proctab tab;
    int alive = orr_proctab_read(&tab) < 0 ? -1 : 0;
    if (alive == 0)
        mark_below(root, &tab);
    for (size_t i = 0; alive >= 0 && i < tab.count; i++) {
        if (!tab.v[i].member || tab.v[i].zombie)
            continue;
        alive++;
        if (sig)
            send_to(&tab.v[i], sig);
    }
    orr_proctab_fini(&tab);
    return alive;
}

void orr_tree_end_below(pid_t root, double grace)
{
    static const struct timespec pause = {0, 5000000};
    uint64_t start = orr_clock_mono();
    uint64_t kill_at = start + (uint64_t)(grace * 1e9);
    uint64_t end_at = kill_at + UINT64_C(2000000000);
    int alive = orr_tree_sweep(root, SIGTERM);
    for (uint64_t now = start; alive != 0 && now < end_at;) {
        nanosleep(&pause, NULL);
        now = orr_clock_mono();
        alive = orr_tree_sweep(root, now >= kill_at ? SIGKILL : 0);
    }
}
