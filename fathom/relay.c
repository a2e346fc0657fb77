// SPDX-License-Identifier: MIT
// See relay.h.
#include "fathom/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

// A packet's bytes follow one another faster than this, even where the host has much else to do.
#define IDLE_MS 2000
// An emulated UART hands over one byte at a time, and being woken for each costs both sides more
// than the byte: inside a packet this long is slept before the next look.
#define PACKET_NAP_NS 60000

// -- queues ---------------------------------------------------------------------------------------

static void queue_close(struct queue *queue)
{
    if (queue->fd > STDERR_FILENO)
        close(queue->fd);
    queue->fd = -1;
    queue->length = 0;
}

static void queue_flush(struct queue *queue)
{
    size_t done = 0;
    while (queue->fd >= 0 && done < queue->length) {
        ssize_t n = write(queue->fd, queue->bytes + done, queue->length - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            break;
        if (n < 0) {
            queue_close(queue);
            return;
        }
        done += (size_t)n;
    }
    queue->length -= done;
    memmove(queue->bytes, queue->bytes + done, queue->length);
}

static void queue_write(struct queue *queue, const uint8_t *bytes, size_t length)
{
    if (queue->fd < 0)
        return;
    if (queue->length + length > queue->room) {
        queue->room = 2 * (queue->length + length);
        queue->bytes = realloc(queue->bytes, queue->room);
        if (!queue->bytes)
            abort();
    }
    memcpy(queue->bytes + queue->length, bytes, length);
    queue->length += length;
    queue_flush(queue);
}

// -- the ends ------------------------------------------------------------------------------------

static void to_line(void *context, const uint8_t *bytes, size_t length)
{
    queue_write(&((struct relay *)context)->line, bytes, length);
}

static void to_gdb(void *context, const uint8_t *bytes, size_t length)
{
    queue_write(&((struct relay *)context)->gdb, bytes, length);
}

static void to_terminal(void *context, const uint8_t *bytes, size_t length)
{
    struct relay *relay = context;
    verdict_console(&relay->verdict, bytes, length);
    queue_write(&relay->terminal, bytes, length);
}

static const struct splitter_ends ends = {to_line, to_gdb, to_terminal};

void relay_note(const char *text)
{
    fprintf(stderr, "\r--- %s\n", text);
}

static void stop_qemu(struct relay *relay, enum exit_status why)
{
    if (relay->forced == EXIT_DONE)
        relay->forced = why;
    kill(relay->qemu, SIGTERM);
}

static void typed(struct relay *relay, uint8_t byte)
{
    static const char send_break[] = "chardev-send-break uart0\n";
    bool interactive = isatty(STDIN_FILENO);
    switch (interactive ? terminal_key(&relay->keys, byte) : TERMINAL_BYTE) {
    case TERMINAL_BYTE:
        if (relay->to_monitor)
            queue_write(&relay->monitor, &byte, 1);
        else
            splitter_from_terminal(&relay->splitter, &byte, 1);
        break;
    case TERMINAL_NOTHING:
        break;
    case TERMINAL_QUIT:
        stop_qemu(relay, EXIT_DONE);
        break;
    case TERMINAL_BREAK:
        queue_write(&relay->monitor, (const uint8_t *)send_break, sizeof(send_break) - 1);
        break;
    case TERMINAL_MONITOR:
        relay->to_monitor = !relay->to_monitor;
        relay_note(relay->to_monitor ? "QEMU's monitor; ^A c returns to the console"
                                     : "the console");
        if (relay->to_monitor)
            queue_write(&relay->monitor, (const uint8_t *)"\n", 1);
        break;
    case TERMINAL_HELP:
        fputs(terminal_key_help, stderr);
        break;
    }
}

static void take_gdb(struct relay *relay)
{
    int fd = accept4(relay->gdb_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (relay->gdb.fd >= 0) { // one gdb at a time
        close(fd);
        return;
    }
    int yes = 1; // an acknowledgement and the reply behind it must not wait for one another
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    relay->gdb.fd = fd;
    splitter_gdb_connected(&relay->splitter);
}

static void lose_gdb(struct relay *relay)
{
    queue_close(&relay->gdb);
    if (splitter_stopped(&relay->splitter))
        relay_note("gdb has gone; the machine is still stopped, a new gdb finds it as it is");
}

static void take_signal(struct relay *relay)
{
    struct signalfd_siginfo info;
    if (read(relay->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo != SIGCHLD)
        stop_qemu(relay, EXIT_INTERRUPTED);
    else if (waitpid(relay->qemu, &relay->qemu_status, WNOHANG) == relay->qemu)
        relay->ended = true;
}

// Reads once. Returns false at the end of the stream.
static bool take(int fd, uint8_t *bytes, size_t size, size_t *length)
{
    ssize_t n = read(fd, bytes, size);
    *length = n > 0 ? (size_t)n : 0;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void take_input(struct relay *relay)
{
    uint8_t bytes[4096];
    size_t length;
    relay->input_open = take(STDIN_FILENO, bytes, sizeof(bytes), &length);
    for (size_t i = 0; i < length; i++)
        typed(relay, bytes[i]);
}

static void take_line(struct relay *relay)
{
    uint8_t bytes[16384];
    size_t length;
    if (!take(relay->line.fd, bytes, sizeof(bytes), &length))
        queue_close(&relay->line);
    splitter_from_line(&relay->splitter, bytes, length);
}

static void take_monitor(struct relay *relay)
{
    uint8_t bytes[4096];
    size_t length;
    if (!take(relay->monitor.fd, bytes, sizeof(bytes), &length))
        queue_close(&relay->monitor);
    if (relay->to_monitor)
        queue_write(&relay->terminal, bytes, length);
}

static void take_gdb_bytes(struct relay *relay)
{
    uint8_t bytes[16384];
    size_t length;
    bool more = take(relay->gdb.fd, bytes, sizeof(bytes), &length);
    splitter_from_gdb(&relay->splitter, bytes, length);
    if (!more)
        lose_gdb(relay);
}

// -- the loop ------------------------------------------------------------------------------------

// Milliseconds until the next thing that happens by itself; -1: nothing does.
static int wait_ms(const struct relay *relay)
{
    int wait = splitter_holds(&relay->splitter) ? IDLE_MS : -1;
    if (relay->deadline.tv_sec) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = (relay->deadline.tv_sec - now.tv_sec) * 1000 +
                    (relay->deadline.tv_nsec - now.tv_nsec) / 1000000;
        left = left < 0 ? 0 : left + 1;
        if (wait < 0 || left < wait)
            wait = (int)left;
    }
    return wait;
}

static bool is_overdue(const struct relay *relay)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return relay->deadline.tv_sec && relay->forced == EXIT_DONE &&
           (now.tv_sec > relay->deadline.tv_sec ||
            (now.tv_sec == relay->deadline.tv_sec && now.tv_nsec >= relay->deadline.tv_nsec));
}

static struct pollfd watch(const struct queue *queue)
{
    short events = POLLIN | (queue->length ? POLLOUT : 0);
    return (struct pollfd){.fd = queue->fd, .events = events};
}

void relay_serve(struct relay *relay)
{
    enum { LINE, MONITOR, GDB, LISTENER, SIGNALS, INPUT, WATCHED };
    prctl(PR_SET_TIMERSLACK, 1000); // naps are not stretched
    while (!relay->ended || relay->line.fd >= 0) {
        if (splitter_in_reply(&relay->splitter))
            nanosleep(&(struct timespec){.tv_nsec = PACKET_NAP_NS}, NULL);
        struct pollfd fds[WATCHED] = {
            [LINE] = watch(&relay->line),
            [MONITOR] = watch(&relay->monitor),
            [GDB] = watch(&relay->gdb),
            [LISTENER] = {.fd = relay->gdb_listener, .events = POLLIN},
            [SIGNALS] = {.fd = relay->signals, .events = POLLIN},
            [INPUT] = {.fd = relay->input_open ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(fds, WATCHED, wait_ms(relay)) == 0)
            splitter_idle(&relay->splitter);
        if (is_overdue(relay))
            stop_qemu(relay, EXIT_TIMEOUT);

        queue_flush(&relay->line);
        queue_flush(&relay->monitor);
        queue_flush(&relay->gdb);
        if (fds[LINE].revents & (POLLIN | POLLHUP | POLLERR))
            take_line(relay);
        if (fds[MONITOR].revents & (POLLIN | POLLHUP | POLLERR))
            take_monitor(relay);
        if (fds[GDB].revents & (POLLIN | POLLHUP | POLLERR))
            take_gdb_bytes(relay);
        if (fds[LISTENER].revents)
            take_gdb(relay);
        if (fds[SIGNALS].revents)
            take_signal(relay);
        if (fds[INPUT].revents)
            take_input(relay);
    }
    splitter_idle(&relay->splitter);
}

void relay_init(struct relay *relay)
{
    memset(relay, 0, sizeof(*relay));
    relay->line.fd = relay->monitor.fd = relay->gdb.fd = relay->gdb_listener = -1;
    relay->terminal.fd = STDOUT_FILENO;
    relay->input_open = true;
    splitter_init(&relay->splitter, &ends, relay);
    verdict_init(&relay->verdict);
}
