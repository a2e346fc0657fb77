// SPDX-License-Identifier: MIT
// See serve.h. One gdb at a time; what it sends is answered at once, so there is nothing to wait
// for but its next bytes.
#include "symbolizer/serve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include "symbolizer/session.h"

struct connection {
    int socket;
    bool broken;
};

static void send_all(void *context, const uint8_t *bytes, size_t length)
{
    struct connection *connection = context;
    while (length > 0 && !connection->broken) {
        ssize_t count = send(connection->socket, bytes, length, MSG_NOSIGNAL);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            connection->broken = true;
            return;
        }
        bytes += count;
        length -= (size_t)count;
    }
}

static struct error *listen_on(unsigned port, int *listener, unsigned *chosen)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof(address);
    int one = 1;
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (*listener < 0)
        return error_errno("a socket for gdb");
    setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (bind(*listener, (struct sockaddr *)&address, size) < 0 || listen(*listener, 1) < 0 ||
        getsockname(*listener, (struct sockaddr *)&address, &size) < 0) {
        struct error *error = error_errno("cannot listen on port %u for gdb", port);
        close(*listener);
        return error;
    }
    *chosen = ntohs(address.sin_port);
    return NULL;
}

// One gdb, from its connection until it leaves.
static void serve_one(struct connection *connection, struct sym_session *session)
{
    uint8_t bytes[4096];
    connection->broken = false;
    sym_session_restart(session);
    while (!connection->broken && sym_session_state(session) == SYM_SESSION_OPEN) {
        ssize_t count = recv(connection->socket, bytes, sizeof(bytes), 0);
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        sym_session_receive(session, bytes, (size_t)count);
    }
}

static struct error *serve_all(int listener, struct connection *connection,
                               struct sym_session *session, bool once)
{
    do {
        connection->socket = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (connection->socket < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (connection->socket < 0)
            return error_errno("waiting for gdb");
        // An answer goes out in several pieces; Nagle's algorithm would hold the last one back
        // until gdb's side acknowledges the others, which it does 40 ms later.
        int one = 1;
        setsockopt(connection->socket, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
        serve_one(connection, session);
        close(connection->socket);
    } while (!once && sym_session_state(session) != SYM_SESSION_KILLED);
    return NULL;
}

struct error *sym_serve(const struct sym_dead *dead, const struct sym_serve_options *options)
{
    struct connection connection = {.socket = -1};
    struct sym_session *session;
    struct error *error = sym_session_open(dead, send_all, &connection, &session);
    if (error)
        return error;
    int listener = -1;
    unsigned port = 0;
    error = listen_on(options->port, &listener, &port);
    if (!error) {
        fprintf(options->say, "gdb: target remote 127.0.0.1:%u\n", port);
        fflush(options->say);
        error = serve_all(listener, &connection, session, options->once);
        close(listener);
    }
    sym_session_close(session);
    return error;
}
