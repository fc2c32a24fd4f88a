/*
 * warden: waits, passes signals on, and cleans up. It holds no state but the
 * engine's pid, allocates nothing and cannot be surprised by what users do.
 */
#include "host/warden.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "engine/relay.h"
#include "engine/tree.h"

#define GRACE 2.0
#define SWEEP_NS UINT64_C(10000000000) /* for processes the kernel keeps */

static const int passed_on[] = {SIGINT, SIGTERM, SIGHUP};
enum { PASSED_ON = sizeof passed_on / sizeof *passed_on };

/* --- which commands -------------------------------------------------------*/

bool orr_warden_wanted(int argc, char **argv)
{
    static const char *const executing[] = {"run",  "resume", "exec", "repl",
                                            "eval", "lua",    "watch"};
    int i = 1;
    while (i < argc && argv[i][0] == '-')
        i += strcmp(argv[i], "-C") == 0 ? 2 : 1;
    for (size_t k = 0; i < argc && k < sizeof executing / sizeof *executing;
         k++)
        if (!strcmp(argv[i], executing[k]))
            return true;
    return false;
}

/* --- the warden -----------------------------------------------------------*/

/* Whether the engine has a handler for 'sig', by the mask in its status. */
static bool engine_catches(pid_t engine, int sig)
{
    char path[32] = "/proc/", text[4096], digits[16];
    size_t at = 6, n = 0;
    for (pid_t p = engine; p; p /= 10)
        digits[n++] = (char)('0' + p % 10);
    while (n)
        path[at++] = digits[--n];
    memcpy(path + at, "/status", 8);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (got < 0)
        return false;
    text[got] = '\0';
    const char *mask = strstr(text, "SigCgt:");
    return mask && strtoull(mask + 7, NULL, 16) >> (sig - 1) & 1;
}

/* An engine that counts gets every copy. One that does not listen yet gets
 * what only we got; what the terminal sent reached it, too. */
static void pass_on(pid_t engine, const siginfo_t *si)
{
    int relay = orr_relay_of(si->si_signo);
    if (relay && engine_catches(engine, relay))
        kill(engine, relay);
    else if (si->si_code != SI_KERNEL)
        kill(engine, si->si_signo);
}

/* Takes everything off the process table that has ended; true when the engine
 * was among it. */
static bool reap(pid_t engine, int *status)
{
    bool gone = false;
    int st;
    for (pid_t pid; (pid = waitpid(-1, &st, WNOHANG)) > 0;)
        if (pid == engine) {
            *status = st;
            gone = true;
        }
    return gone;
}

/* Every death may bring new orphans, so: sweep, wait for a death, again. */
static void kill_the_rest(void)
{
    static const struct timespec tick = {0, 100000000};
    uint64_t until = orr_clock_mono() + SWEEP_NS;
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    while (orr_clock_mono() < until) {
        if (waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD)
            return;
        orr_tree_sweep(getpid(), SIGKILL);
        while (waitpid(-1, NULL, WNOHANG) > 0) {
        }
        if (waitpid(-1, NULL, WNOHANG) == 0)
            sigtimedwait(&child, NULL, &tick);
    }
}

/* The caller's shell sees what it would have seen of the engine. */
static _Noreturn void end_like(int status)
{
    if (!WIFSIGNALED(status))
        _exit(WEXITSTATUS(status));
    int sig = WTERMSIG(status);
    for (int i = 0; i < PASSED_ON; i++)
        if (sig == orr_relay_of(passed_on[i]))
            sig = passed_on[i];
    static const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none); // the engine's core is the useful one
    signal(sig, SIG_DFL);
    sigset_t only;
    sigemptyset(&only);
    sigaddset(&only, sig);
    kill(getpid(), sig);
    sigprocmask(SIG_UNBLOCK, &only, NULL);
    _exit(128 + sig);
}

static _Noreturn void watch(pid_t engine, const sigset_t *wanted)
{
    int status = 0;
    siginfo_t si;
    while (!reap(engine, &status)) {
        if (sigwaitinfo(wanted, &si) < 0)
            continue;
        if (si.si_signo == SIGCONT)
            kill(engine, SIGCONT); // continued alone, we continue the job
        else if (si.si_signo != SIGCHLD)
            pass_on(engine, &si);
    }
    kill_the_rest();
    end_like(status);
}

/* --- the engine -----------------------------------------------------------*/

/* The warden died, so nobody will look after our children: end them, then us.
 * In the main thread, because only it starts processes, and it must not start
 * another one behind our back. */
static void orphaned(int sig)
{
    if (syscall(SYS_gettid) != getpid()) {
        syscall(SYS_tgkill, getpid(), getpid(), sig);
        return;
    }
    orr_tree_end_below(getpid(), GRACE);
    _exit(128 + SIGKILL);
}

static void become_engine(pid_t warden)
{
    struct sigaction sa = {.sa_handler = orphaned};
    sigfillset(&sa.sa_mask);
    sigaction(ORR_RELAY_ORPHANED, &sa, NULL);
    prctl(PR_SET_PDEATHSIG, ORR_RELAY_ORPHANED);
    if (getppid() != warden)
        _exit(128 + SIGKILL); // it died before the line above
}

/* --- the fork -------------------------------------------------------------*/

/* What we were started with as ignored stays ignored in both. */
static void choose_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGCHLD);
    sigaddset(set, SIGCONT);
    for (int i = 0; i < PASSED_ON; i++) {
        struct sigaction sa;
        if (sigaction(passed_on[i], NULL, &sa) == 0 && sa.sa_handler != SIG_IGN)
            sigaddset(set, passed_on[i]);
    }
}

void orr_warden_start(void)
{
    sigset_t wanted, before;
    choose_signals(&wanted);
    // Blocked before the fork: a signal in between waits for sigwaitinfo.
    sigprocmask(SIG_BLOCK, &wanted, &before);
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    pid_t self = getpid(), engine = fork();
    if (engine > 0)
        watch(engine, &wanted);
    prctl(PR_SET_CHILD_SUBREAPER, 1); // not inherited
    if (engine == 0)
        become_engine(self);
    sigprocmask(SIG_SETMASK, &before, NULL);
}
