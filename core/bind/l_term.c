/* l_term: orrery.core.term. The terminal, and writing that knows of closed
 * pipes. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "bind/bind.h"
#include "bind/l_term.h"
#include "bind/openers.h"

static int l_is_tty(lua_State *L)
{
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

static int l_size(lua_State *L)
{
    int fd = (int)luaL_optinteger(L, 1, 1);
    struct winsize w;
    if (ioctl(fd, TIOCGWINSZ, &w) < 0 || !w.ws_col)
        return 0;
    lua_pushinteger(L, w.ws_col);
    lua_pushinteger(L, w.ws_row);
    return 2;
}

/* A terminal shared with a program that made it non-blocking answers EAGAIN. */
static void wait_writable(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    poll(&p, 1, -1);
}

static bool write_all(int fd, const char *s, size_t n)
{
    while (n) {
        ssize_t k = write(fd, s, n);
        if (k < 0 && errno == EAGAIN) {
            wait_writable(fd);
        } else if (k < 0 && errno != EINTR) {
            return false;
        } else if (k > 0) {
            s += k;
            n -= (size_t)k;
        }
    }
    return true;
}

/* A closed pipe is an answer here, not a signal; the process's disposition is
 * left alone, for scripts that print count on it. */
static bool write_unsignalled(int fd, const char *s, size_t n)
{
    sigset_t pipe_only, before, pending;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGPIPE);
    sigpending(&pending);
    pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
    bool ok = write_all(fd, s, n);
    if (!ok && !sigismember(&pending, SIGPIPE))
        sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return ok;
}

static int l_write(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t n;
    const char *s = luaL_checklstring(L, 2, &n);
    lua_pushboolean(L, write_unsignalled(fd, s, n));
    return 1;
}

int orr_open_term(lua_State *L)
{
    static const luaL_Reg functions[] = {{"is_tty", l_is_tty},
                                         {"size", l_size},
                                         {"write", l_write},
                                         {"line_new", orr_term_line_new},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
