/* l_yaml: orrery.core.yaml. A document's nodes as Lua tables, with the places
 * beside them. */
#include <string.h>

#include "bind/bind.h"
#include "bind/box.h"
#include "bind/openers.h"
#include "engine/yaml.h"

struct push { /* where things are on the stack */
    lua_State *L;
    const struct orr_yaml *y;
    int lines, texts; /* info.lines, info.texts */
};

static void fini_yaml(void *p)
{
    orr_yaml_fini(p);
}

static void push_scalar(struct push *p, const struct orr_yaml_node *n)
{
    lua_State *L = p->L;
    switch ((enum orr_yaml_kind)n->kind) {
    case ORR_YAML_NULL:
        lua_pushlightuserdata(L, ORR_LUA_NULL);
        return;
    case ORR_YAML_BOOL:
        lua_pushboolean(L, n->value.b);
        return;
    case ORR_YAML_INT:
        lua_pushinteger(L, n->value.i);
        return;
    case ORR_YAML_FLOAT:
        lua_pushnumber(L, n->value.d);
        return;
    case ORR_YAML_STRING:
    case ORR_YAML_LIST:
    case ORR_YAML_MAP:
    case ORR_YAML_ALIAS:
    case ORR_YAML_SKIP:
        break;
    }
    lua_pushlstring(L, orr_yaml_text(p->y, n), n->len);
}

static lua_Integer place(const struct orr_yaml_node *n)
{
    return (lua_Integer)n->line * 65536 + n->column;
}

static const struct orr_yaml_node *target(const struct orr_yaml *y, uint32_t i)
{
    while (y->nodes[i].kind == ORR_YAML_ALIAS)
        i = y->nodes[i].value.target;
    return &y->nodes[i];
}

/* Does a plain scalar among the collection's values mean something else than
 * its text? */
static bool has_texts(const struct orr_yaml *y, const struct orr_yaml_node *c)
{
    uint32_t i = (uint32_t)(c - y->nodes) + 1;
    for (; i < c->end; i = y->nodes[i].end) {
        i += c->kind == ORR_YAML_MAP;
        const struct orr_yaml_node *v = target(y, i);
        if (v->plain && v->kind < ORR_YAML_STRING)
            return true;
    }
    return false;
}

static void push_value(struct push *p, uint32_t i);

/* Stores the value at node 'v' under the key on the stack's top, with its place
 * and text; pops the key. table at 't', lines at t + 1, texts (or nil) at
 * t + 2. */
static void store(struct push *p, int t, uint32_t v)
{
    lua_State *L = p->L;
    const struct orr_yaml_node *n = target(p->y, v); // … key
    if (n->plain && n->kind < ORR_YAML_STRING) {
        lua_pushvalue(L, -1);
        lua_pushlstring(L, orr_yaml_text(p->y, n), n->len);
        lua_rawset(L, t + 2);
    }
    lua_pushvalue(L, -1);
    lua_pushinteger(L, place(&p->y->nodes[v]));
    lua_rawset(L, t + 1);
    push_value(p, v); // … key value
    lua_rawset(L, t);
}

/* Pushes the tables of a collection: itself, lines, texts or nil; the latter
 * two are already registered. */
static int open_collection(struct push *p, const struct orr_yaml_node *c)
{
    lua_State *L = p->L;
    int n = (int)c->len, list = c->kind == ORR_YAML_LIST;
    luaL_checkstack(L, 12, "document");
    lua_createtable(L, list ? n : 0, list ? 0 : n); // t
    int t = lua_gettop(L);
    if (list)
        orr_mark_array(L, t);
    lua_createtable(L, list ? n : 0, list ? 1 : n + 1); // t lines
    lua_pushinteger(L, place(c));
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, t);
    lua_pushvalue(L, -2);
    lua_rawset(L, p->lines);
    if (!has_texts(p->y, c)) {
        lua_pushnil(L); // t lines nil
        return t;
    }
    lua_newtable(L); // t lines texts
    lua_pushvalue(L, t);
    lua_pushvalue(L, -2);
    lua_rawset(L, p->texts);
    return t;
}

static void push_value(struct push *p, uint32_t at)
{
    lua_State *L = p->L;
    const struct orr_yaml_node *c = target(p->y, at);
    if (c->kind != ORR_YAML_LIST && c->kind != ORR_YAML_MAP) {
        push_scalar(p, c);
        return;
    }
    int t = open_collection(p, c); // t lines texts
    uint32_t i = (uint32_t)(c - p->y->nodes) + 1;
    for (lua_Integer k = 1; i < c->end; i = p->y->nodes[i].end) {
        const struct orr_yaml_node *key = &p->y->nodes[i];
        if (c->kind == ORR_YAML_LIST) {
            lua_pushinteger(L, k++);
        } else if (key->kind == ORR_YAML_SKIP) {
            i++;
            continue;
        } else {
            lua_pushlstring(L, orr_yaml_text(p->y, key), key->len);
            i++;
        }
        store(p, t, i);
    }
    lua_settop(L, t);
}

/* How many tables the document makes, aliases aside. */
static int count_collections(const struct orr_yaml *y)
{
    int n = 0;
    for (uint32_t i = 0; i < y->count; i++)
        n += y->nodes[i].kind == ORR_YAML_LIST ||
             y->nodes[i].kind == ORR_YAML_MAP;
    return n;
}

/* Pushes value and info. A scalar root's place and text are under info. */
static void push_document(lua_State *L, const struct orr_yaml *y)
{
    const struct orr_yaml_node *root = &y->nodes[0];
    lua_createtable(L, 0, 2); // info
    int info = lua_gettop(L);
    lua_createtable(L, 0, count_collections(y)); // info lines
    lua_newtable(L);                             // info lines texts
    struct push p = {L, y, info + 1, info + 2};
    if (root->kind != ORR_YAML_LIST && root->kind != ORR_YAML_MAP) {
        lua_pushvalue(L, info);
        lua_newtable(L);
        lua_pushinteger(L, place(root));
        lua_rawseti(L, -2, 1);
        lua_rawset(L, p.lines);
        if (root->plain && root->kind < ORR_YAML_STRING) {
            lua_pushvalue(L, info);
            lua_newtable(L);
            lua_pushlstring(L, orr_yaml_text(y, root), root->len);
            lua_rawseti(L, -2, 1);
            lua_rawset(L, p.texts);
        }
    }
    push_value(&p, 0); // info lines texts value
    lua_insert(L, info);
    lua_setfield(L, info + 1, "texts");
    lua_setfield(L, info + 1, "lines"); // value info
}

static int l_decode(lua_State *L)
{
    size_t n;
    const char *text = luaL_checklstring(L, 1, &n), *name = NULL;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        orr_check_options(L, 2, (const char *[]){"name", NULL});
        lua_getfield(L, 2, "name");
        name = luaL_optstring(L, -1, NULL); // stays on the stack
    }
    struct orr_yaml *y = orr_box_new(L, sizeof *y, fini_yaml); // box
    int box = lua_gettop(L);
    struct orr_err e;
    if (orr_yaml_parse(text, n, name, y, &e) < 0) {
        orr_box_close(L, box);
        return orr_fail(L, &e);
    }
    push_document(L, y); // … box value info
    orr_box_close(L, box);
    return 2;
}

int orr_open_yaml(lua_State *L)
{
    static const luaL_Reg functions[] = {{"decode", l_decode}, {NULL, NULL}};
    luaL_newlib(L, functions);
    return 1;
}
