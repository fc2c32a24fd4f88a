/* sock: non-blocking TCP for probes. Knows no protocol above it. */
#include "engine/sock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static socklen_t size_of(const union address *a)
{
    return a->any.sa_family == AF_INET6 ? sizeof a->v6 : sizeof a->v4;
}

/* Binding every address of both families asks for a port that none has. */
static int open_everywhere(union address *a)
{
    memset(a, 0, sizeof *a);
    a->v6.sin6_family = AF_INET6;
    int off = 0;
    int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
        bind(fd, &a->any, size_of(a)) == 0)
        return fd;
    if (fd >= 0)
        close(fd); // no IPv6 here
    memset(a, 0, sizeof *a);
    a->v4.sin_family = AF_INET;
    fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && bind(fd, &a->any, size_of(a)) < 0) {
        int sys = errno;
        close(fd);
        errno = sys;
        fd = -1;
    }
    return fd;
}

int orr_sock_free_port(uint16_t *port, struct orr_err *e)
{
    union address a;
    int rc = 0;
    int fd = open_everywhere(&a);
    socklen_t n = sizeof a;
    if (fd < 0 || getsockname(fd, &a.any, &n) < 0) {
        rc = orr_err_errno(e, errno, "a free port");
        goto out;
    }
    *port = ntohs(a.any.sa_family == AF_INET6 ? a.v6.sin6_port : a.v4.sin_port);
out:
    if (fd >= 0)
        close(fd);
    return rc;
}

static bool parse(const char *host, uint16_t port, union address *a)
{
    if (strcmp(host, "localhost") == 0)
        host = "127.0.0.1";
    memset(a, 0, sizeof *a);
    if (inet_pton(AF_INET, host, &a->v4.sin_addr) == 1) {
        a->v4.sin_family = AF_INET;
        a->v4.sin_port = htons(port);
        return true;
    }
    if (inet_pton(AF_INET6, host, &a->v6.sin6_addr) == 1) {
        a->v6.sin6_family = AF_INET6;
        a->v6.sin6_port = htons(port);
        return true;
    }
    return false;
}

int orr_sock_dial(const char *host, uint16_t port, int *fd, struct orr_err *e)
{
    union address a;
    if (!parse(host, port, &a))
        return orr_err_set(e, ORR_EINVAL,
                           "'%s' is no address; write localhost, or an address "
                           "such as 127.0.0.1 or ::1",
                           host);
    int s =
        socket(a.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return orr_err_errno(e, errno, "a socket for %s", host);
    if (connect(s, &a.any, size_of(&a)) < 0 && errno != EINPROGRESS) {
        int sys = errno;
        close(s);
        return orr_err_errno(e, sys, "connect to %s:%u", host, port);
    }
    *fd = s;
    return 0;
}

int orr_sock_connected(int fd, struct orr_err *e)
{
    int sys = 0;
    socklen_t n = sizeof sys;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &sys, &n) < 0)
        sys = errno;
    return sys ? orr_err_errno(e, sys, "connect") : 0;
}

static int moved(ssize_t k, size_t *n, const char *what, struct orr_err *e)
{
    if (k >= 0) {
        *n = (size_t)k;
        return 0;
    }
    if (errno == EAGAIN || errno == EWOULDBLOCK)
        return orr_err_set(e, ORR_EBUSY, "%s: not now", what);
    return orr_err_errno(e, errno, "%s", what);
}

int orr_sock_send(int fd, const void *bytes, size_t n, size_t *sent,
                  struct orr_err *e)
{
    ssize_t k;
    do
        k = send(fd, bytes, n, MSG_NOSIGNAL);
    while (k < 0 && errno == EINTR);
    return moved(k, sent, "send", e);
}

int orr_sock_recv(int fd, void *bytes, size_t n, size_t *got, struct orr_err *e)
{
    ssize_t k;
    do
        k = recv(fd, bytes, n, 0);
    while (k < 0 && errno == EINTR);
    return moved(k, got, "receive", e);
}
