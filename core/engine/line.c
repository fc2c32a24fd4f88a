/* line: libedit behind four functions. */
#include "engine/line.h"

#include <histedit.h>
#include <locale.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/xalloc.h"

enum { HISTORY = 2000, COLUMNS = 80 };

struct orr_line {
    EditLine *el;
    History *history;
    locale_t utf8; /* libedit reads multibyte characters by the locale */
    const char *prompt;
    orr_line_complete *complete;
    void *ctx;
    struct orr_buf words;
    bool interrupted, suspended;
};

static struct orr_line *of(EditLine *el)
{
    void *l = NULL;
    el_get(el, EL_CLIENTDATA, &l);
    return l;
}

static char *prompt_of(EditLine *el)
{
    return (char *)(uintptr_t)of(el)->prompt;
}

/* --- keys ----------------------------------------------------------------- */

static unsigned char on_interrupt(EditLine *el, int c)
{
    (void)c;
    of(el)->interrupted = true;
    return CC_EOF;
}

static unsigned char on_suspend(EditLine *el, int c)
{
    (void)c;
    of(el)->suspended = true;
    return CC_EOF;
}

/* Length of what all candidates begin with. */
static size_t common_prefix(const struct orr_buf *words)
{
    const char *first = (const char *)words->data;
    const char *end = first + words->len;
    size_t n = strlen(first);
    for (const char *w = first; w < end; w += strlen(w) + 1) {
        size_t k = 0;
        while (k < n && w[k] == first[k])
            k++;
        n = k;
    }
    return n;
}

static void print_candidates(const struct orr_buf *words)
{
    const char *w = (const char *)words->data, *end = w + words->len;
    size_t column = 0;
    putchar('\n');
    for (; w < end; w += strlen(w) + 1) {
        if (column && column + strlen(w) + 2 > COLUMNS) {
            putchar('\n');
            column = 0;
        }
        column += (size_t)printf("%s  ", w);
    }
    putchar('\n');
    fflush(stdout);
}

static unsigned char on_complete(EditLine *el, int c)
{
    (void)c;
    struct orr_line *l = of(el);
    const LineInfo *info = el_line(el);
    size_t len = (size_t)(info->lastchar - info->buffer);
    size_t pos = (size_t)(info->cursor - info->buffer);
    orr_buf_clear(&l->words);
    if (!l->complete)
        return CC_ERROR;
    size_t begin = l->complete(l->ctx, info->buffer, len, pos, &l->words);
    if (!l->words.len || begin > pos)
        return CC_ERROR;
    size_t typed = pos - begin, common = common_prefix(&l->words);
    if (common > typed) {
        char *rest =
            strndup((const char *)l->words.data + typed, common - typed);
        int rc = rest ? el_insertstr(el, rest) : -1;
        free(rest);
        return rc < 0 ? CC_ERROR : CC_REFRESH;
    }
    if (strlen((const char *)l->words.data) + 1 == l->words.len)
        return CC_NORM;
    print_candidates(&l->words);
    return CC_REDISPLAY;
}

/* --- opening and closing -------------------------------------------------- */

static void bind_keys(EditLine *el)
{
    static const char *const keys[][3] = {{"^C", "orr-interrupt", NULL},
                                          {"^Z", "orr-suspend", NULL},
                                          {"^I", "orr-complete", NULL},
                                          {"^R", "em-inc-search-prev", NULL}};
    el_set(el, EL_EDITOR, "emacs");
    // The narrow el_set would copy these names and never free them.
    el_wset(el, EL_ADDFN, L"orr-interrupt", L"Ends the line", on_interrupt);
    el_wset(el, EL_ADDFN, L"orr-suspend", L"Stops the program", on_suspend);
    el_wset(el, EL_ADDFN, L"orr-complete", L"Completes the word", on_complete);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        el_set(el, EL_BIND, keys[i][0], keys[i][1], NULL);
    el_set(el, EL_SETTY, "-d", "-isig", NULL);
}

static int open_all(struct orr_line *l, struct orr_err *e)
{
    HistEvent ev;
    l->utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    locale_t before = uselocale(l->utf8 ? l->utf8 : LC_GLOBAL_LOCALE);
    l->el = el_init("orrery", stdin, stdout, stderr);
    l->history = history_init();
    if (l->el && l->history) {
        history(l->history, &ev, H_SETSIZE, HISTORY);
        history(l->history, &ev, H_SETUNIQUE, 1);
        el_set(l->el, EL_CLIENTDATA, l);
        el_set(l->el, EL_PROMPT, prompt_of);
        el_set(l->el, EL_HIST, history, l->history);
        el_set(l->el, EL_SIGNAL, 0);
        bind_keys(l->el);
    }
    uselocale(before);
    if (l->el && l->history)
        return 0;
    return orr_err_set(e, ORR_ESYS, "the terminal cannot be edited on");
}

int orr_line_new(struct orr_line **out, orr_line_complete *complete, void *ctx,
                 struct orr_err *e)
{
    struct orr_line *l = orr_xalloc(sizeof *l);
    l->complete = complete;
    l->ctx = ctx;
    l->prompt = "> ";
    int rc = open_all(l, e);
    if (rc < 0)
        orr_line_free(l);
    else
        *out = l;
    return rc;
}

void orr_line_free(struct orr_line *l)
{
    if (!l)
        return;
    if (l->el)
        el_end(l->el);
    if (l->history)
        history_end(l->history);
    if (l->utf8)
        freelocale(l->utf8);
    orr_buf_fini(&l->words);
    free(l);
}

/* --- reading -------------------------------------------------------------- */

/* As the terminal would have done at Ctrl-Z; what was typed comes back. */
static void suspend(struct orr_line *l)
{
    const LineInfo *info = el_line(l->el);
    char *typed =
        strndup(info->buffer, (size_t)(info->lastchar - info->buffer));
    kill(0, SIGTSTP);
    if (typed && *typed)
        el_push(l->el, typed);
    free(typed);
}

static enum orr_line_end read_once(struct orr_line *l, struct orr_buf *out)
{
    int n = 0;
    l->interrupted = l->suspended = false;
    el_resize(l->el);
    const char *text = el_gets(l->el, &n);
    if (l->interrupted)
        return ORR_LINE_INTERRUPT;
    if (!text || n <= 0)
        return ORR_LINE_END;
    size_t len = (size_t)n;
    if (text[len - 1] == '\n')
        len--;
    orr_buf_clear(out);
    return orr_buf_put(out, text, len) < 0 ? ORR_LINE_END : ORR_LINE_TEXT;
}

enum orr_line_end orr_line_read(struct orr_line *l, const char *prompt,
                                struct orr_buf *out)
{
    enum orr_line_end end;
    locale_t before = uselocale(l->utf8 ? l->utf8 : LC_GLOBAL_LOCALE);
    l->prompt = prompt;
    for (;;) {
        end = read_once(l, out);
        if (!l->suspended)
            break;
        suspend(l);
    }
    l->prompt = "> ";
    uselocale(before);
    return end;
}

void orr_line_remember(struct orr_line *l, const char *text)
{
    HistEvent ev;
    locale_t before = uselocale(l->utf8 ? l->utf8 : LC_GLOBAL_LOCALE);
    history(l->history, &ev, H_ENTER, text);
    uselocale(before);
}
