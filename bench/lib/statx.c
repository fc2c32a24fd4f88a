/* statx: the floor of a run in which nothing changed: one statx for each path
 * on stdin, relative to the directory given, by two threads. Prints
 * milliseconds, the median of nine rounds. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { MOST = 100000, ROUNDS = 9 };

static char *paths[MOST];
static size_t count;
static int root;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static void look(size_t from, size_t to)
{
    struct statx st;
    for (size_t i = from; i < to; i++)
        statx(root, paths[i], AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT,
              STATX_BASIC_STATS, &st);
}

static void *other_half(void *unused)
{
    look(count / 2, count);
    return unused;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

int main(int argc, char **argv)
{
    double times[ROUNDS];
    char line[4096];
    root = open(argc > 1 ? argv[1] : ".", O_PATH | O_DIRECTORY);
    while (count < MOST && fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        paths[count++] = strdup(line);
    }
    for (int i = 0; i < ROUNDS; i++) {
        pthread_t thread;
        double began = now();
        if (pthread_create(&thread, NULL, other_half, NULL) != 0)
            return 1;
        look(0, count / 2);
        pthread_join(thread, NULL);
        times[i] = now() - began;
    }
    qsort(times, ROUNDS, sizeof *times, by_value);
    printf("%.3f\n", times[ROUNDS / 2]);
    return 0;
}
