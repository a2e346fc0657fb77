// SPDX-License-Identifier: MIT
// The fake machine behind a TCP socket, for a real gdb: tests/system/test_gdbstub_host.py starts
// it. Prints "port N" when it listens and, when gdb leaves, "requests N received N sent N". The
// image is a flat binary that is loaded at FAKE_BASE.
//
//     gdbstub_server x86_64|riscv64 IMAGE [THREADS [OSABI]]
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/gdbstub_fake.h"

static struct fake fake;
static struct gdb_machine machine; // a copy, so that osabi can be another

static int listen_anywhere(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&address, &size) < 0) {
        perror("gdbstub_server: cannot listen");
        exit(1);
    }
    printf("port %d\n", ntohs(address.sin_port));
    fflush(stdout);
    return listener;
}

static void image_load(const char *path)
{
    FILE *image = fopen(path, "rb");

    if (!image) {
        fprintf(stderr, "gdbstub_server: %s: %s\n", path, strerror(errno));
        exit(1);
    }
    if (fread(fake.memory, 1, sizeof fake.memory, image) == 0)
        fprintf(stderr, "gdbstub_server: %s is empty\n", path);
    fclose(image);
}

static void output_flush(int connection)
{
    size_t done = 0;

    while (done < fake.output_length) {
        ssize_t count = write(connection, fake.output + done, fake.output_length - done);
        if (count <= 0)
            break;
        done += (size_t)count;
    }
    fake.output_length = 0;
}

// Lets the machine run for a while if it is let go, and tells of a stop.
static void machine_turn(void)
{
    struct gdb_stop stop;

    if (gdb_state(&fake.stub) != GDB_RUNNING)
        return;
    if (gdb_interrupt_pending(&fake.stub)) {
        stop = (struct gdb_stop){.kind = GDB_STOP_SIGNAL, .signal = 2, .thread = 1};
        gdb_report_stop(&fake.stub, &stop);
    } else if (gdb_attached(&fake.stub) && fake_run(&fake, 1000, &stop)) {
        gdb_report_stop(&fake.stub, &stop);
    }
}

// One gdb, from its connection until it leaves.
static void serve(int connection)
{
    uint8_t bytes[4096];
    size_t received = 0, requests = 0;

    fake.sent_bytes = 0;
    for (;;) {
        bool running = gdb_state(&fake.stub) == GDB_RUNNING;
        struct pollfd ready = {.fd = connection, .events = POLLIN};
        if (poll(&ready, 1, running ? 0 : -1) > 0) {
            ssize_t count = read(connection, bytes, sizeof bytes);
            if (count <= 0)
                break;
            received += (size_t)count;
            for (ssize_t i = 0; i < count; i++)
                requests += bytes[i] == '$';
            gdb_receive(&fake.stub, bytes, (size_t)count);
        }
        machine_turn();
        output_flush(connection);
    }
    printf("requests %zu received %zu sent %zu\n", requests, received, fake.sent_bytes);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: gdbstub_server x86_64|riscv64 IMAGE [THREADS [OSABI]]\n");
        return 2;
    }
    const struct gdb_machine *base = strcmp(argv[1], "riscv64") == 0 ? &fake_riscv64 : &fake_x86_64;
    int threads = argc > 3 ? atoi(argv[3]) : 3;

    fake_init(&fake, base, threads > 0 && threads <= FAKE_THREADS_MAX ? (unsigned)threads : 3);
    machine = *base;
    if (argc > 4)
        machine.osabi = argv[4][0] != '\0' ? argv[4] : NULL;
    fake.stub.machine = &machine;
    image_load(argv[2]);
    int listener = listen_anywhere();
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection < 0)
            return 1;
        serve(connection);
        close(connection);
    }
}
