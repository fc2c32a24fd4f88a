/* l_term_line: core.Line, edited lines. The completer is called from inside
 * libedit, so whatever it raises ends there. */
#include <stdlib.h>

#include "base/xalloc.h"
#include "bind/bind.h"
#include "bind/l_term.h"
#include "engine/line.h"

#define LINE_TYPE "orrery.line"

struct box {
    struct orr_line *line;
    lua_State *L; /* who reads now */
    int complete; /* reference to the completer, or LUA_NOREF */
    struct orr_buf text;
};

static struct box *check_line(lua_State *L)
{
    struct box *b = luaL_checkudata(L, 1, LINE_TYPE);
    luaL_argcheck(L, b->line, 1, "the line reader is closed");
    return b;
}

struct completion {
    struct box *b;
    const char *text;
    size_t len, pos, begin;
    struct orr_buf *words;
};

/* complete(text, pos) → words, begin; pos and begin count from 1. */
static int protected_complete(lua_State *L)
{
    struct completion *c = lua_touserdata(L, 1);
    lua_rawgeti(L, LUA_REGISTRYINDEX, c->b->complete);
    lua_pushlstring(L, c->text, c->len);
    lua_pushinteger(L, (lua_Integer)c->pos);
    lua_call(L, 2, 2); // c words begin
    if (!lua_istable(L, 2))
        return 0;
    lua_Integer begin = luaL_checkinteger(L, 3);
    if (begin < 1 || (size_t)begin > c->pos + 1)
        return 0;
    lua_Integer n = luaL_len(L, 2);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_geti(L, 2, i);
        size_t len;
        const char *word = luaL_checklstring(L, -1, &len);
        if (orr_buf_put(c->words, word, len + 1) < 0)
            return 0;
        lua_pop(L, 1);
    }
    c->begin = (size_t)begin - 1;
    return 0;
}

static size_t complete(void *ctx, const char *text, size_t len, size_t pos,
                       struct orr_buf *words)
{
    struct box *b = ctx;
    struct completion c = {b, text, len, pos, pos, words};
    int top = lua_gettop(b->L);
    lua_pushcfunction(b->L, protected_complete);
    lua_pushlightuserdata(b->L, &c);
    if (lua_pcall(b->L, 1, 0, 0) != LUA_OK)
        orr_buf_clear(words);
    lua_settop(b->L, top);
    return c.begin;
}

/* nil: end of input; nil, "interrupt": Ctrl-C. */
static int line_read(lua_State *L)
{
    struct box *b = check_line(L);
    const char *prompt = luaL_optstring(L, 2, "> ");
    luaL_checkstack(L, 8, "completion");
    b->L = L;
    enum orr_line_end end = orr_line_read(b->line, prompt, &b->text);
    b->L = NULL;
    switch (end) {
    case ORR_LINE_TEXT:
        lua_pushlstring(L, (const char *)b->text.data, b->text.len);
        return 1;
    case ORR_LINE_END:
        lua_pushnil(L);
        return 1;
    case ORR_LINE_INTERRUPT:
        break;
    }
    lua_pushnil(L);
    lua_pushliteral(L, "interrupt");
    return 2;
}

static int line_remember(lua_State *L)
{
    struct box *b = check_line(L);
    orr_line_remember(b->line, luaL_checkstring(L, 2));
    return 0;
}

static int line_close(lua_State *L)
{
    struct box *b = luaL_checkudata(L, 1, LINE_TYPE);
    orr_line_free(b->line);
    b->line = NULL;
    orr_buf_fini(&b->text);
    luaL_unref(L, LUA_REGISTRYINDEX, b->complete);
    b->complete = LUA_NOREF;
    return 0;
}

int orr_term_line_new(lua_State *L)
{
    static const char *const known[] = {"complete", NULL};
    static const luaL_Reg methods[] = {{"read", line_read},
                                       {"remember", line_remember},
                                       {"close", line_close},
                                       {NULL, NULL}};
    if (!lua_isnoneornil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        orr_check_options(L, 1, known);
    }
    lua_settop(L, 1);
    orr_handle_type(L, LINE_TYPE, methods, line_close);
    if (lua_istable(L, 1)) {
        int type = lua_getfield(L, 1, "complete"); // opts complete
        luaL_argcheck(L, type == LUA_TFUNCTION || type == LUA_TNIL, 1,
                      "complete must be a function");
    } else {
        lua_pushnil(L);
    }
    struct box *b = lua_newuserdatauv(L, sizeof *b, 0); // opts complete line
    *b = (struct box){.complete = LUA_NOREF};
    luaL_setmetatable(L, LINE_TYPE);
    lua_pushvalue(L, 2);
    b->complete = luaL_ref(L, LUA_REGISTRYINDEX);
    struct orr_err e;
    if (orr_line_new(&b->line, complete, b, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}
