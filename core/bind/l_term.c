/* l_term: orrery.core.term. The terminal, and writing that knows of closed
 * pipes. */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <stdbool.h>
#include <sys/ioctl.h>
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

static int l_write(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    size_t n;
    const char *s = luaL_checklstring(L, 2, &n);
    bool ok = write_all(fd, s, n);
    int why = errno;
    lua_pushboolean(L, ok);
    if (ok || why == EPIPE)
        return 1;
    lua_pushstring(L, strerror(why)); // … ok why
    return 2;
}

/* Only when it is stdout that nobody reads any more. */
static void end_with_stdout(int sig)
{
    struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};
    int saved = errno;
    if (poll(&p, 1, 0) == 1 && (p.revents & POLLERR)) {
        signal(sig, SIG_DFL);
        raise(sig);
    }
    errno = saved;
}

static int l_end_with_stdout(lua_State *L)
{
    (void)L;
    struct sigaction sa = {.sa_handler = end_with_stdout,
                           .sa_flags = SA_RESTART};
    sigemptyset(&sa.sa_mask);
    sigaction(SIGPIPE, &sa, NULL);
    return 0;
}

int orr_open_term(lua_State *L)
{
    static const luaL_Reg functions[] = {{"is_tty", l_is_tty},
                                         {"size", l_size},
                                         {"write", l_write},
                                         {"end_with_stdout", l_end_with_stdout},
                                         {"line_new", orr_term_line_new},
                                         {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
