/*
 * cmdline: one pass over the bytes. Whatever is not plainly simple is the
 * shell's: a wrong "no" costs half a millisecond, a wrong "yes" a wrong result.
 */
#include "engine/cmdline.h"

#include <stdbool.h>
#include <string.h>

#include "base/err.h"

/* Sorted; reserved words, special built-ins, and built-ins that have no program
 * or whose program means something else. */
static const char *const shell_words[] = {
    ".",       ":",        "alias",   "bg",       "break",    "builtin",
    "case",    "cd",       "command", "continue", "coproc",   "declare",
    "dirs",    "disown",   "do",      "done",     "elif",     "else",
    "enable",  "esac",     "eval",    "exec",     "exit",     "export",
    "fc",      "fg",       "fi",      "for",      "function", "getopts",
    "hash",    "help",     "history", "if",       "in",       "jobs",
    "let",     "local",    "login",   "logout",   "popd",     "pushd",
    "read",    "readonly", "return",  "select",   "set",      "shift",
    "shopt",   "source",   "suspend", "test",     "then",     "time",
    "times",   "trap",     "type",    "typeset",  "ulimit",   "umask",
    "unalias", "unset",    "until",   "wait",     "while"};

static bool is_shell_word(const char *word)
{
    size_t lo = 0, hi = sizeof shell_words / sizeof *shell_words;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        int c = strcmp(word, shell_words[mid]);
        if (c == 0)
            return true;
        if (c < 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    return false;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* Bytes that end the simple life outside quotes. */
static bool is_special(char c)
{
    return c == '\0' || strchr("#;*?[]&|<>(){}$`^~!\\\n\r", c);
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '_';
}

/* NAME=… at the start of a command is an assignment. */
static bool is_assignment(const char *word, size_t n)
{
    size_t i = 0;
    while (i < n && is_name_byte(word[i]))
        i++;
    return i > 0 && i < n && word[i] == '=' && (*word < '0' || *word > '9');
}

/* A quoted part that begins at cmd[at]; appends it, returns where it goes on,
 * 0 when only a shell can tell what it means. */
static size_t take_quoted(const char *cmd, size_t n, size_t at,
                          struct orr_buf *out, int *rc)
{
    char quote = cmd[at];
    const char *close = memchr(cmd + at + 1, quote, n - at - 1);
    if (!close)
        return 0;
    size_t from = at + 1, len = (size_t)(close - cmd) - from;
    for (size_t i = from; i < from + len; i++)
        if (cmd[i] == '\0' || (quote == '"' && strchr("$`\\!", cmd[i])))
            return 0;
    *rc = orr_buf_put(out, cmd + from, len);
    return from + len + 1;
}

/* One word from cmd[at], which is no blank; as take_quoted. */
static size_t take_word(const char *cmd, size_t n, size_t at,
                        struct orr_buf *out, int *rc)
{
    while (at < n && *rc == 0 && !is_blank(cmd[at])) {
        char c = cmd[at];
        if (is_special(c))
            return SIZE_MAX;
        if (c == '\'' || c == '"') {
            size_t next = take_quoted(cmd, n, at, out, rc);
            if (!next)
                return SIZE_MAX;
            at = next;
        } else {
            *rc = orr_buf_putc(out, (unsigned char)c);
            at++;
        }
    }
    if (*rc == 0)
        *rc = orr_buf_putc(out, '\0');
    return at;
}

static bool is_simple_program(const char *word)
{
    return *word && !is_assignment(word, strlen(word)) && !is_shell_word(word);
}

int orr_cmdline_split(const char *cmd, size_t n, struct orr_buf *out,
                      size_t *argc)
{
    size_t start = out->len, words = 0, at = 0;
    int rc = 0;
    for (;;) {
        while (at < n && is_blank(cmd[at]))
            at++;
        if (at == n || rc < 0)
            break;
        at = take_word(cmd, n, at, out, &rc);
        if (rc == 0 && at == SIZE_MAX)
            break;
        words++;
    }
    bool simple = rc == 0 && at == n && words &&
                  is_simple_program((const char *)out->data + start);
    if (!simple)
        out->len = start;
    else
        *argc = words;
    return rc < 0 ? rc : simple;
}

static bool is_safe(const char *word, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_name_byte(word[i]) &&
            !(word[i] && strchr("@%+=:,./-", word[i])))
            return false;
    return n && !is_assignment(word, n);
}

int orr_cmdline_quote(const char *word, size_t n, struct orr_buf *out)
{
    if (is_safe(word, n))
        return orr_buf_put(out, word, n);
    int rc = orr_buf_putc(out, '\'');
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = word[i] == '\'' ? orr_buf_puts(out, "'\\''")
                             : orr_buf_putc(out, (unsigned char)word[i]);
    return rc ? rc : orr_buf_putc(out, '\'');
}
