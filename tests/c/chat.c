/*
 * chat: a scripted HTTP server for the tests of agents.
 *
 *   chat DIR
 *
 * It listens on a free port of the loopback, which it writes to DIR/port, and
 * answers the N-th request with the bytes of the first of these that is there:
 * DIR/answers/N, DIR/answers/MODEL (the request's "model"),
 * DIR/answers/default. They are sent as they are, status line and all, and the
 * connection is closed.
 *
 * Two lines of an answer are orders. "PAUSE": go on when DIR/go is there.
 * "HOLD": send nothing more; wait for the client to hang up, and say so by
 * making DIR/gone. Each request is kept as DIR/requests/N. It ends by itself
 * after two minutes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LIFE 120
#define MOST (64u << 20)

static void die(const char *what)
{
    perror(what);
    exit(9);
}

static char *grown(char *text, size_t n)
{
    char *more = realloc(text, n + 1);
    if (!more)
        die("memory");
    return more;
}

/* All bytes until 'enough' says so or the end; NUL-terminated. */
static char *drain(int fd, size_t *n, int (*enough)(const char *, size_t))
{
    char *text = grown(NULL, 0);
    *n = 0;
    text[0] = 0;
    while (*n < MOST && !(enough && enough(text, *n))) {
        text = grown(text, *n + 65536);
        ssize_t got = read(fd, text + *n, 65536);
        if (got <= 0)
            break;
        *n += (size_t)got;
        text[*n] = 0;
    }
    return text;
}

static int whole(const char *text, size_t n)
{
    const char *end = strstr(text, "\r\n\r\n");
    if (!end)
        return 0;
    const char *field = strcasestr(text, "\r\ncontent-length:");
    size_t length = field && field < end ? strtoul(field + 17, NULL, 10) : 0;
    return n >= (size_t)(end + 4 - text) + length;
}

static void keep(const char *path, const char *bytes, size_t n)
{
    char temp[512];
    snprintf(temp, sizeof temp, "%s.part", path);
    int fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (fd < 0 || write(fd, bytes, n) != (ssize_t)n)
        die(temp);
    close(fd);
    if (rename(temp, path) != 0)
        die(path);
}

static char *answer_for(unsigned nth, const char *request, size_t *n)
{
    char names[3][128] = {"", "", "answers/default"};
    snprintf(names[0], sizeof names[0], "answers/%u", nth);
    const char *model = strstr(request, "\"model\":\"");
    if (model)
        snprintf(names[1], sizeof names[1], "answers/%.*s",
                 (int)strcspn(model + 9, "\"/"), model + 9);
    for (int i = 0; i < 3; i++) {
        int fd = *names[i] ? open(names[i], O_RDONLY) : -1;
        if (fd < 0)
            continue;
        char *text = drain(fd, n, NULL);
        close(fd);
        return text;
    }
    *n = 0;
    return grown(NULL, 0);
}

static void await_go(void)
{
    struct timespec pause = {.tv_nsec = 5000000};
    while (access("go", F_OK) != 0)
        nanosleep(&pause, NULL);
}

static void hold(int fd)
{
    char byte;
    while (read(fd, &byte, 1) > 0)
        ;
    keep("gone", "gone\n", 5);
}

static int send_all(int fd, const char *bytes, size_t n)
{
    while (n > 0) {
        ssize_t sent = write(fd, bytes, n);
        if (sent < 0)
            return -1;
        bytes += sent;
        n -= (size_t)sent;
    }
    return 0;
}

static void serve(int fd, unsigned nth)
{
    char path[64];
    size_t n, left;
    char *request = drain(fd, &n, whole);
    snprintf(path, sizeof path, "requests/%u", nth);
    keep(path, request, n);
    char *answer = answer_for(nth, request, &left);
    for (const char *at = answer; left > 0;) {
        size_t line = strcspn(at, "\n") + 1;
        line = line > left ? left : line;
        if (line == 6 && memcmp(at, "PAUSE\n", 6) == 0) {
            await_go();
        } else if (line == 5 && memcmp(at, "HOLD\n", 5) == 0) {
            hold(fd);
            break;
        } else if (send_all(fd, at, line) < 0) {
            break;
        }
        at += line;
        left -= line;
    }
    free(answer);
    free(request);
}

static int listening(void)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t n = sizeof a;
    char port[16];
    int s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0 || bind(s, (struct sockaddr *)&a, n) < 0 || listen(s, 64) < 0 ||
        getsockname(s, (struct sockaddr *)&a, &n) < 0)
        die("listen");
    snprintf(port, sizeof port, "%u\n", ntohs(a.sin_port));
    keep("port", port, strlen(port));
    return s;
}

int main(int argc, char **argv)
{
    if (argc != 2 || chdir(argv[1]) != 0)
        return 2;
    signal(SIGCHLD, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    alarm(LIFE);
    int s = listening();
    for (unsigned nth = 1;; nth++) {
        int fd;
        do
            fd = accept(s, NULL, NULL);
        while (fd < 0 && errno == EINTR);
        if (fd < 0)
            die("accept");
        if (fork() == 0) {
            close(s);
            alarm(LIFE);
            serve(fd, nth);
            _exit(0);
        }
        close(fd);
    }
}
