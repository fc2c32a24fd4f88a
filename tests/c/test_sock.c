/* sock: free ports, connections that do not block, and what becomes of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/loop.h"
#include "engine/sock.h"

static int listen_at(uint16_t port)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
    a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
    assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static uint16_t free_port(void)
{
    uint16_t port = 0;
    assert_int_equal(orr_sock_free_port(&port, NULL), 0);
    assert_true(port > 0);
    return port;
}

/* Waits until the descriptor is ready; the event is the one asked for. */
static void await(struct orr_loop *loop, int fd, bool write)
{
    int64_t id = 0;
    const struct orr_event *ev = NULL;
    size_t n = 0;
    int rc = write ? orr_loop_writable(loop, fd, &id, NULL)
                   : orr_loop_readable(loop, fd, &id, NULL);
    assert_int_equal(rc, 0);
    assert_int_equal(orr_loop_wait(loop, 10, &ev, &n, NULL), 0);
    assert_int_equal(n, 1);
    assert_int_equal(ev->id, id);
    assert_int_equal(ev->kind, ORR_EVENT_READABLE);
}

static void a_free_port_can_be_taken_and_reached(void **state)
{
    (void)state;
    struct orr_loop *loop = NULL;
    assert_int_equal(orr_loop_open(&loop, NULL), 0);
    uint16_t port = free_port();
    int server = listen_at(port), fd = -1;
    assert_int_equal(orr_sock_dial("localhost", port, &fd, NULL), 0);
    await(loop, fd, true);
    assert_int_equal(orr_sock_connected(fd, NULL), 0);
    char got[8];
    size_t n = 0;
    assert_int_equal(orr_sock_recv(fd, got, sizeof got, &n, NULL), ORR_EBUSY);
    int peer = accept(server, NULL, NULL);
    assert_int_equal(orr_sock_send(fd, "ping", 4, &n, NULL), 0);
    assert_int_equal(n, 4);
    assert_int_equal(read(peer, got, sizeof got), 4);
    assert_memory_equal(got, "ping", 4);
    close(peer);
    await(loop, fd, false);
    assert_int_equal(orr_sock_recv(fd, got, sizeof got, &n, NULL), 0);
    assert_int_equal(n, 0);
    close(fd);
    close(server);
    orr_loop_close(loop);
}

static void nobody_there_is_a_failure_when_it_is_known(void **state)
{
    (void)state;
    struct orr_loop *loop = NULL;
    struct orr_err e;
    int fd = -1;
    assert_int_equal(orr_loop_open(&loop, NULL), 0);
    int rc = orr_sock_dial("127.0.0.1", free_port(), &fd, &e);
    if (rc == 0) {
        await(loop, fd, true);
        rc = orr_sock_connected(fd, &e);
        close(fd);
    }
    assert_int_equal(rc, ORR_ESYS);
    assert_string_equal(orr_err_code(&e), "ECONNREFUSED");
    orr_loop_close(loop);
}

static void names_are_never_looked_up(void **state)
{
    (void)state;
    struct orr_err e;
    int fd = -1;
    assert_int_equal(orr_sock_dial("example.org", 80, &fd, &e), ORR_EINVAL);
    assert_non_null(strstr(e.msg, "'example.org' is no address"));
    assert_int_equal(fd, -1);
}

static void a_taken_port_is_not_free(void **state)
{
    (void)state;
    uint16_t port = free_port();
    int server = listen_at(port);
    for (int i = 0; i < 200; i++)
        assert_int_not_equal(free_port(), port);
    close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_free_port_can_be_taken_and_reached),
        cmocka_unit_test(nobody_there_is_a_failure_when_it_is_known),
        cmocka_unit_test(names_are_never_looked_up),
        cmocka_unit_test(a_taken_port_is_not_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
