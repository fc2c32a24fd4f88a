/*
 * sock: as much of TCP as asking a server "are you there?" takes: a free port,
 * a connection that never blocks, bytes out and in. Addresses are numeric, or
 * "localhost"; no name is ever looked up, for that could block.
 *
 * A descriptor is the caller's to close. Reentrant; no state.
 */
#ifndef ORR_ENGINE_SOCK_H
#define ORR_ENGINE_SOCK_H

#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

/* A TCP port that nobody on this machine listens on now, of any address.
 * Nothing keeps it free: whoever wants it should take it soon. */
int orr_sock_free_port(uint16_t *port, struct orr_err *e);

/* Begins to connect; '*fd' is owned. Wait until it is writable, then ask
 * orr_sock_connected. ORR_EINVAL for a host that is no address. */
int orr_sock_dial(const char *host, uint16_t port, int *fd, struct orr_err *e);

/* What became of the connection: 0, or ORR_ESYS ("ECONNREFUSED" …). */
int orr_sock_connected(int fd, struct orr_err *e);

/* Sends what fits now, '*sent' bytes. ORR_EBUSY: nothing does. */
int orr_sock_send(int fd, const void *bytes, size_t n, size_t *sent,
                  struct orr_err *e);

/* Receives what is there, '*got' bytes; 0 of them at the end. ORR_EBUSY:
 * nothing yet. */
int orr_sock_recv(int fd, void *bytes, size_t n, size_t *got,
                  struct orr_err *e);

#endif
