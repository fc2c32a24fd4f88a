/* l_sock: orrery.core.sock. Questions to servers, for the readiness of
 * services. */
#include <unistd.h>

#include "bind/bind.h"
#include "bind/openers.h"
#include "engine/sock.h"

#define SOCK_TYPE "orrery.sock"

static int check_sock(lua_State *L)
{
    int *ud = luaL_checkudata(L, 1, SOCK_TYPE);
    luaL_argcheck(L, *ud >= 0, 1, "the socket is closed");
    return *ud;
}

static int l_free_port(lua_State *L)
{
    struct orr_err e;
    uint16_t port = 0;
    if (orr_sock_free_port(&port, &e) < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, port);
    return 1;
}

static int l_dial(lua_State *L)
{
    const char *host = luaL_checkstring(L, 1);
    lua_Integer port = luaL_checkinteger(L, 2);
    luaL_argcheck(L, port > 0 && port < 65536, 2, "not a port");
    int *ud = lua_newuserdatauv(L, sizeof *ud, 0);
    *ud = -1;
    luaL_setmetatable(L, SOCK_TYPE);
    struct orr_err e;
    if (orr_sock_dial(host, (uint16_t)port, ud, &e) < 0)
        return orr_fail(L, &e);
    return 1;
}

static int l_fd(lua_State *L)
{
    lua_pushinteger(L, check_sock(L));
    return 1;
}

static int l_connected(lua_State *L)
{
    struct orr_err e;
    if (orr_sock_connected(check_sock(L), &e) < 0)
        return orr_fail(L, &e);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_send(lua_State *L)
{
    int fd = check_sock(L);
    size_t n, sent = 0;
    const char *bytes = luaL_checklstring(L, 2, &n);
    struct orr_err e;
    if (orr_sock_send(fd, bytes, n, &sent, &e) < 0)
        return orr_fail(L, &e);
    lua_pushinteger(L, (lua_Integer)sent);
    return 1;
}

static int l_recv(lua_State *L)
{
    int fd = check_sock(L);
    char chunk[4096];
    size_t got = 0;
    struct orr_err e;
    if (orr_sock_recv(fd, chunk, sizeof chunk, &got, &e) < 0)
        return orr_fail(L, &e);
    lua_pushlstring(L, chunk, got);
    return 1;
}

static int l_close(lua_State *L)
{
    int *ud = luaL_checkudata(L, 1, SOCK_TYPE);
    if (*ud >= 0)
        close(*ud);
    *ud = -1;
    return 0;
}

int orr_open_sock(lua_State *L)
{
    static const luaL_Reg lib[] = {
        {"free_port", l_free_port}, {"dial", l_dial}, {NULL, NULL}};
    static const luaL_Reg methods[] = {
        {"fd", l_fd},     {"connected", l_connected}, {"send", l_send},
        {"recv", l_recv}, {"close", l_close},         {NULL, NULL}};
    orr_handle_type(L, SOCK_TYPE, methods, l_close);
    luaL_newlib(L, lib);
    return 1;
}
