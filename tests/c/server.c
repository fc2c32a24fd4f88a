/*
 * server: a small TCP server for the tests of services, and its client.
 *
 *   server PORT [--wait FILE] [--note FILE] [--say TEXT] [--status N] [--deaf]
 *   server --ask PORT TEXT
 *
 * It notes "start" and, when it is told to end, "stop" in a file; waits for a
 * file to exist before it listens; says a text once it does. It answers GET
 * with a status, "exit N" by exiting, and any other line with "heard LINE".
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static const char *note_path;

static void note(const char *what)
{
    int fd =
        note_path ? open(note_path, O_WRONLY | O_CREAT | O_APPEND, 0644) : -1;
    if (fd < 0)
        return;
    if (write(fd, what, strlen(what)) < 0)
        _exit(9);
    close(fd);
}

static void ended(int signum)
{
    (void)signum;
    note("stop\n");
    _exit(0);
}

static int die(const char *what)
{
    perror(what);
    return 9;
}

static struct sockaddr_in address(const char *port)
{
    struct sockaddr_in a = {.sin_family = AF_INET};
    a.sin_port = htons((uint16_t)atoi(port));
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return a;
}

static int ask(const char *port, const char *text)
{
    struct sockaddr_in a = address(port);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) < 0)
        return die("connect");
    dprintf(fd, "%s\n", text);
    char got[512];
    ssize_t n;
    while ((n = read(fd, got, sizeof got)) > 0)
        if (fwrite(got, 1, (size_t)n, stdout) == 0)
            return 9;
    return 0;
}

static void answer(int fd, const char *status)
{
    char line[512] = "";
    ssize_t n = read(fd, line, sizeof line - 1);
    line[n > 0 ? n : 0] = 0;
    line[strcspn(line, "\r\n")] = 0;
    if (strncmp(line, "exit ", 5) == 0)
        exit(atoi(line + 5));
    if (strncmp(line, "GET ", 4) == 0)
        dprintf(fd, "HTTP/1.0 %s said\r\n\r\n%s\n", status, line);
    else if (*line)
        dprintf(fd, "heard %s\n", line);
    close(fd);
}

static void await_file(const char *path)
{
    struct timespec pause = {.tv_nsec = 5000000};
    while (path && access(path, F_OK) != 0)
        nanosleep(&pause, NULL);
}

int main(int argc, char **argv)
{
    const char *wait = NULL, *say = NULL, *status = "200";
    if (argc == 4 && strcmp(argv[1], "--ask") == 0)
        return ask(argv[2], argv[3]);
    if (argc < 2)
        return 2;
    for (int i = 2; i < argc; i++) {
        const char *word = argv[i];
        const char *next = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(word, "--deaf") == 0) {
            signal(SIGTERM, SIG_IGN);
            continue;
        }
        if (strcmp(word, "--wait") == 0)
            wait = next;
        else if (strcmp(word, "--note") == 0)
            note_path = next;
        else if (strcmp(word, "--say") == 0)
            say = next;
        else if (strcmp(word, "--status") == 0)
            status = next;
        i++;
    }
    if (signal(SIGTERM, ended) == SIG_IGN)
        signal(SIGTERM, SIG_IGN);
    signal(SIGINT, ended);
    signal(SIGPIPE, SIG_IGN);
    note("start\n");
    await_file(wait);
    struct sockaddr_in a = address(argv[1]);
    int on = 1, s = socket(AF_INET, SOCK_STREAM, 0);
    if (s < 0 || setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        bind(s, (struct sockaddr *)&a, sizeof a) < 0 || listen(s, 16) < 0)
        return die("listen");
    if (say)
        printf("%s\n", say);
    fflush(stdout);
    for (;;) {
        int fd = accept(s, NULL, NULL);
        if (fd >= 0)
            answer(fd, status);
    }
}
