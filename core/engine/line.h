/*
 * line: one edited line from the terminal, by libedit, which is known to this
 * file alone and touched on first use only.
 *
 * Ctrl-C and Ctrl-Z are keys while a line is edited (the terminal sends no
 * signal for them), so that no handler is needed. One thread; one line reader
 * at a time.
 */
#ifndef ORR_ENGINE_LINE_H
#define ORR_ENGINE_LINE_H

#include <stddef.h>

#include "base/buf.h"
#include "base/err.h"

struct orr_line;

/* Candidates for the word that ends at 'pos' of the line, each NUL-terminated,
 * appended to 'words'; returns where that word begins, 0 to pos. Must not
 * jump out. */
typedef size_t orr_line_complete(void *ctx, const char *text, size_t len,
                                 size_t pos, struct orr_buf *words);

/* A reader on stdin and stdout. 'complete' may be NULL. Returns owned. */
int orr_line_new(struct orr_line **out, orr_line_complete *complete, void *ctx,
                 struct orr_err *e);

enum orr_line_end {
    ORR_LINE_TEXT,      /* a line; 'out' has it, without its newline */
    ORR_LINE_END,       /* end of input: Ctrl-D on an empty line */
    ORR_LINE_INTERRUPT, /* Ctrl-C; what was typed is gone */
};

/* Blocks for a line. Ctrl-Z stops the process group; when it is continued, the
 * editing goes on. */
enum orr_line_end orr_line_read(struct orr_line *l, const char *prompt,
                                struct orr_buf *out);

/* Adds a line to what the up key brings back. Borrows. */
void orr_line_remember(struct orr_line *l, const char *text);

/* Gives the terminal back. NULL is fine. */
void orr_line_free(struct orr_line *l);

#endif
