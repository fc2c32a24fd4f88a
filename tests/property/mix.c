/*
 * mix: what the steps of the property test execute. It folds what it reads into
 * one number and writes that number out, so that a model in Lua can tell what
 * each file must hold (tests/property/model.lua does the same sums).
 *
 *   mix name=ID WORD...     words are done in order:
 *     tag=T   in=FILE   tree=DIR:SUFFIX   pre=PREFIX   inc=FILE   env=NAME
 *     rl=LINK   out=FILE  xout=FILE  mout=FILE  cut=FILE  big=FILE  link=FILE
 *     dirout=DIR   gout=PREFIX   upper=FILE   dep=FILE   say   json   lines
 *     fail=N
 *
 * MIX_DO="ID|PHASE|VERB|A|B" makes the step ID disturb the run while it is at
 * PHASE (start, read, end): write A with B, remove A, rename A to B, or kill
 * the engine, the warden, or both. A disturbance happens once: A.done tells.
 *
 * As `mix set VERB A B` it does the same from outside, also what a shell
 * cannot: 'sneak' replaces text without a trace in size and mtime.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX = 256, ROOM = 4096, BIG = 1500 };

struct mix {
    uint64_t sum;
    const char *name;
    char *deps[MAX];
    int ndeps;
    int written; /* has an output been begun? */
};

static void die(const char *what)
{
    fprintf(stderr, "mix: %s: %s\n", what, strerror(errno));
    exit(99);
}

/* FNV-1a over a kind, the bytes, and a zero. */
static uint64_t fold(uint64_t sum, char kind, const char *s, size_t n)
{
    const uint64_t prime = 1099511628211u;
    sum = (sum ^ (unsigned char)kind) * prime;
    for (size_t i = 0; i < n; i++)
        sum = (sum ^ (unsigned char)s[i]) * prime;
    return sum * prime;
}

static void text(struct mix *m, char kind, const char *s)
{
    m->sum = fold(m->sum, kind, s, strlen(s));
}

/* A whole file, owned; NULL when it is not there. */
static char *slurp(const char *path, size_t *n)
{
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
        close(fd);
        return NULL;
    }
    char *bytes = malloc((size_t)st.st_size + 1);
    ssize_t got = bytes ? read(fd, bytes, (size_t)st.st_size) : -1;
    close(fd);
    if (got < 0)
        die(path);
    bytes[got] = '\0';
    *n = (size_t)got;
    return bytes;
}

static void spit(const char *path, const char *s, size_t n, mode_t mode)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd < 0 || write(fd, s, n) != (ssize_t)n)
        die(path);
    if (mode && fchmod(fd, mode) < 0)
        die(path);
    close(fd);
}

/* --- reading ----------------------------------------------------------------
 */

static char *read_in(struct mix *m, const char *path)
{
    size_t n;
    struct stat st;
    char *bytes = slurp(path, &n);
    if (!bytes) {
        text(m, 'a', "");
        return NULL;
    }
    int runs = !stat(path, &st) && st.st_mode & S_IXUSR;
    m->sum = fold(m->sum, runs ? 'x' : 'f', bytes, n);
    return bytes;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static int names_in(const char *dir, char **names)
{
    int n = 0;
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.' && n < MAX)
            names[n++] = strdup(e->d_name);
    if (d)
        closedir(d);
    qsort(names, (size_t)n, sizeof *names, by_name);
    return n;
}

static int ends(const char *s, const char *tail)
{
    size_t a = strlen(s), b = strlen(tail);
    return a >= b && !strcmp(s + a - b, tail);
}

static void read_tree(struct mix *m, const char *dir, const char *below,
                      const char *tail)
{
    char *names[MAX], path[ROOM], rel[ROOM];
    int n = names_in(dir, names);
    for (int i = 0; i < n; i++) {
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        snprintf(rel, sizeof rel, "%s%s", below, names[i]);
        if (!lstat(path, &st) && S_ISDIR(st.st_mode)) {
            strcat(rel, "/");
            read_tree(m, path, rel, tail);
        } else if (ends(names[i], tail)) {
            text(m, 'p', rel);
            free(read_in(m, path));
        }
        free(names[i]);
    }
}

/* The files of a directory whose names begin so. */
static void read_prefix(struct mix *m, const char *prefix)
{
    char *names[MAX], path[ROOM];
    const char *base = strrchr(prefix, '/') + 1;
    int len = (int)(base - prefix);
    snprintf(path, sizeof path, "%.*s", len, prefix);
    int n = names_in(path, names);
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%.*s%s", len, prefix, names[i]);
        if (!strncmp(names[i], base, strlen(base))) {
            text(m, 'p', names[i]);
            free(read_in(m, path));
        }
        free(names[i]);
    }
}

/* Files name others in lines "@NAME": src/NAME is read, too. */
static void read_includes(struct mix *m, const char *path)
{
    for (int i = 0; i < m->ndeps; i++)
        if (!strcmp(m->deps[i], path))
            return;
    if (m->ndeps < MAX)
        m->deps[m->ndeps++] = strdup(path);
    char *bytes = read_in(m, path), *rest = bytes, *line;
    const char *slash = strrchr(path, '/');
    while (rest && (line = strsep(&rest, "\n"))) {
        char other[ROOM];
        if (line[0] != '@')
            continue;
        snprintf(other, sizeof other, "%.*s%s", (int)(slash + 1 - path), path,
                 line + 1);
        read_includes(m, other);
    }
    free(bytes);
}

static void read_env(struct mix *m, const char *name)
{
    const char *v = getenv(name);
    text(m, 'e', name);
    text(m, v ? 'v' : 'u', v ? v : "");
}

static void read_link(struct mix *m, const char *path)
{
    char to[ROOM];
    ssize_t n = readlink(path, to, sizeof to);
    m->sum = fold(m->sum, n < 0 ? 'a' : 'l', to, n < 0 ? 0 : (size_t)n);
}

/* --- writing ----------------------------------------------------------------
 */

static void number(const struct mix *m, const char *path, mode_t mode,
                   int turns)
{
    char line[32], *all = malloc(sizeof line * (size_t)turns);
    size_t n = 0;
    const char *base = strrchr(path, '/');
    uint64_t v = fold(m->sum, 'o', base + 1, strlen(base + 1));
    int len = snprintf(line, sizeof line, "%016llx\n", (unsigned long long)v);
    for (int i = 0; i < turns; i++, n += (size_t)len)
        memcpy(all + n, line, (size_t)len);
    spit(path, all, n, mode);
    free(all);
}

static void write_cut(const struct mix *m, const char *path)
{
    char line[8];
    int n = snprintf(line, sizeof line, "%d\n", (int)(m->sum % 3));
    spit(path, line, (size_t)n, 0);
}

static void write_link(const struct mix *m, const char *path)
{
    char to[32];
    snprintf(to, sizeof to, "to-%d", (int)(m->sum % 4));
    unlink(path);
    if (symlink(to, path) < 0)
        die(path);
}

static void write_dir(const struct mix *m, const char *dir)
{
    char path[ROOM];
    mkdir(dir, 0777);
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/n%u", dir, i);
        if (m->sum >> (7 + i) & 1)
            number(m, path, 0, 1);
    }
    snprintf(path, sizeof path, "%s/sub", dir);
    mkdir(path, 0777);
    strcat(path, "/all");
    number(m, path, 0, 1);
}

static void write_group(const struct mix *m, const char *prefix)
{
    char path[ROOM];
    for (unsigned i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%sn%u", prefix, i);
        if (i == 3 || m->sum >> (7 + i) & 1)
            number(m, path, 0, 1);
    }
}

static void write_upper(const char *path)
{
    size_t n;
    char *bytes = slurp(path, &n);
    if (!bytes)
        return;
    for (size_t i = 0; i < n; i++)
        if (bytes[i] >= 'a' && bytes[i] <= 'z')
            bytes[i] = (char)(bytes[i] - 32);
    spit(path, bytes, n, 0);
    free(bytes);
}

static void write_deps(const struct mix *m, const char *path)
{
    char all[ROOM * 4] = "x:";
    for (int i = 0; i < m->ndeps; i++) {
        strcat(all, i % 2 ? " \\\n  " : " ");
        strcat(all, m->deps[i]);
    }
    strcat(all, "\n");
    spit(path, all, strlen(all), 0);
}

static void say_lines(const struct mix *m)
{
    for (unsigned i = 0; i < m->sum % 3 + 1; i++)
        printf("v%u\n", (unsigned)(m->sum >> (8 + 2 * i) & 3) + 4 * i);
}

/* --- disturbing -------------------------------------------------------------
 */

/* The same number of bytes in place, as if nothing had been written. */
static void sneak(const char *path, const char *s)
{
    struct stat st;
    int fd = open(path, O_RDWR);
    if (fd < 0 || fstat(fd, &st) < 0)
        return;
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    char bytes[ROOM];
    ssize_t n = read(fd, bytes, sizeof bytes);
    for (ssize_t i = 0; i < n; i++)
        if (bytes[i] != '\n' && bytes[i] != '@')
            bytes[i] = s[(size_t)i % strlen(s)];
    if (n > 0 && pwrite(fd, bytes, (size_t)n, 0) == n)
        futimens(fd, times);
    close(fd);
}

/* Another file of this name, which looks as old as the one before it. */
static void swap(const char *path, const char *s)
{
    struct stat st;
    char other[ROOM];
    if (stat(path, &st) < 0)
        return;
    snprintf(other, sizeof other, "%s~", path);
    spit(other, s, strlen(s), st.st_mode & 0777);
    struct timespec times[2] = {st.st_atim, st.st_mtim};
    utimensat(AT_FDCWD, other, times, 0);
    if (rename(other, path) < 0)
        die(path);
}

static void stamp(const char *path, const char *offset)
{
    struct timespec t[2];
    clock_gettime(CLOCK_REALTIME, &t[0]);
    t[0].tv_sec += atol(offset);
    t[1] = t[0];
    utimensat(AT_FDCWD, path, t, 0);
}

static pid_t parent_of(pid_t pid)
{
    char path[64], line[512];
    size_t n;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "r");
    n = f ? fread(line, 1, sizeof line - 1, f) : 0;
    if (f)
        fclose(f);
    line[n] = '\0';
    char *end = strrchr(line, ')');
    int up = 0;
    return end && sscanf(end, ") %*c %d", &up) == 1 ? up : 0;
}

static void end_run(const char *who)
{
    pid_t engine = getppid(), warden = parent_of(engine);
    if (strcmp(who, "engine") && warden > 1)
        kill(warden, SIGKILL);
    if (strcmp(who, "warden"))
        kill(engine, SIGKILL);
    if (strcmp(who, "both"))
        pause(); /* whoever is left ends this, too */
    exit(97);
}

static void disturb(const char *verb, const char *a, const char *b)
{
    if (!strcmp(verb, "write"))
        spit(a, b, strlen(b), 0);
    else if (!strcmp(verb, "remove"))
        unlink(a);
    else if (!strcmp(verb, "rename"))
        rename(a, b);
    else if (!strcmp(verb, "sneak"))
        sneak(a, b);
    else if (!strcmp(verb, "swap"))
        swap(a, b);
    else if (!strcmp(verb, "stamp"))
        stamp(a, b);
    else if (!strcmp(verb, "kill"))
        end_run(a);
}

/* Does what MIX_DO says when it means this step and this moment. */
static void moment(const struct mix *m, const char *phase)
{
    char said[ROOM], *rest = said, *word[5];
    const char *all = getenv("MIX_DO");
    if (!all || strlen(all) >= sizeof said)
        return;
    strcpy(said, all);
    for (int i = 0; i < 5; i++)
        if (!(word[i] = strsep(&rest, "|")))
            return;
    if (m->name && !strcmp(word[0], m->name) && !strcmp(word[1], phase))
        disturb(word[2], word[3], word[4]);
}

/* --- words ------------------------------------------------------------------
 */

static int word_reads(struct mix *m, const char *verb, char *arg)
{
    if (!strcmp(verb, "name")) {
        m->name = arg;
        moment(m, "start");
    } else if (!strcmp(verb, "tag")) {
        text(m, 't', arg);
    } else if (!strcmp(verb, "in")) {
        free(read_in(m, arg));
    } else if (!strcmp(verb, "inc")) {
        read_includes(m, arg);
    } else if (!strcmp(verb, "pre")) {
        read_prefix(m, arg);
    } else if (!strcmp(verb, "env")) {
        read_env(m, arg);
    } else if (!strcmp(verb, "rl")) {
        read_link(m, arg);
    } else if (!strcmp(verb, "tree")) {
        char *tail = strchr(arg, ':');
        *tail++ = '\0';
        read_tree(m, arg, "", tail);
    } else if (!strcmp(verb, "fail")) {
        if (m->sum % (uint64_t)atoi(arg) == 0)
            exit(3);
    } else {
        return 0;
    }
    return 1;
}

static int word_writes(struct mix *m, const char *verb, char *arg)
{
    if (!m->written++)
        moment(m, "read");
    if (!strcmp(verb, "out"))
        number(m, arg, 0, 1);
    else if (!strcmp(verb, "xout"))
        number(m, arg, 0755, 1);
    else if (!strcmp(verb, "mout"))
        spit(arg, "m\n", 2, m->sum & 1 ? 0755 : 0644);
    else if (!strcmp(verb, "big"))
        number(m, arg, 0, BIG);
    else if (!strcmp(verb, "cut"))
        write_cut(m, arg);
    else if (!strcmp(verb, "link"))
        write_link(m, arg);
    else if (!strcmp(verb, "dirout"))
        write_dir(m, arg);
    else if (!strcmp(verb, "gout"))
        write_group(m, arg);
    else if (!strcmp(verb, "upper"))
        write_upper(arg);
    else if (!strcmp(verb, "dep"))
        write_deps(m, arg);
    else if (!strcmp(verb, "say"))
        printf("%016llx\n", (unsigned long long)m->sum);
    else if (!strcmp(verb, "json"))
        printf("\"%016llx\"\n", (unsigned long long)m->sum);
    else if (!strcmp(verb, "lines"))
        say_lines(m);
    else
        return 0;
    return 1;
}

int main(int argc, char **argv)
{
    struct mix m = {.sum = 14695981039346656037u};
    if (argc == 5 && !strcmp(argv[1], "set")) {
        disturb(argv[2], argv[3], argv[4]);
        return 0;
    }
    for (int i = 1; i < argc; i++) {
        char *arg = strchr(argv[i], '=');
        if (arg)
            *arg++ = '\0';
        if (!word_reads(&m, argv[i], arg ? arg : "") &&
            !word_writes(&m, argv[i], arg ? arg : "")) {
            fprintf(stderr, "mix: unknown word %s\n", argv[i]);
            return 98;
        }
    }
    fflush(stdout);
    moment(&m, "end");
    return 0;
}
