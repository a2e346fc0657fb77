// SPDX-License-Identifier: MIT
// `fathom run`: starts the OS in QEMU with its serial line on the terminal and, taken apart by the
// splitter, on a TCP port for gdb. QEMU is a child that gets one end of two socket pairs: the
// serial line and its own monitor (for ^A b and ^A c). One poll loop moves all bytes; whatever
// cannot be written at once waits in a queue, so that no side can block another.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fathom/commands.h"
#include "fathom/machine.h"
#include "fathom/splitter.h"
#include "fathom/terminal.h"
#include "fathom/verdict.h"

// A packet's bytes follow one another faster than this, even where the host has much else to do.
#define IDLE_MS 2000
// An emulated UART hands over one byte at a time, and being woken for each costs both sides more
// than the byte: inside a packet this long is slept before the next look.
#define PACKET_NAP_NS 60000

// -- options --------------------------------------------------------------------------------------

struct run_options {
    const char *arch, *memory, *append, *kernel, *gdb, *line;
    unsigned cpus, timeout_s;
    bool wait, print;
};

static const char *const lines[] = {"uart0", "uart1", NULL};

#define AT(member) offsetof(struct run_options, member)
static const struct option_row rows[] = {
    {"arch", 'a', OPTION_STRING, AT(arch), "ARCH",
     "the machine: x86_64, aarch64 or riscv64 (default: $FATHOM_ARCH, else the host's kind)", 0, 0,
     machine_arches},
    {"cpus", 'c', OPTION_NUMBER, AT(cpus), "N", "how many CPUs, 1 to 8 (default 4)", 1, 8, NULL},
    {"memory", 'm', OPTION_STRING, AT(memory), "M", "its memory in QEMU's notation (default 512)",
     0, 0, NULL},
    {"append", 0, OPTION_STRING, AT(append), "S", "more words for the kernel command line", 0, 0,
     NULL},
    {"kernel", 'k', OPTION_STRING, AT(kernel), "FILE", "the kernel (default build/ARCH/kernel.elf)",
     0, 0, NULL},
    {"wait", 'w', OPTION_FLAG, AT(wait), NULL, "stop in the debugger as early as possible", 0, 0,
     NULL},
    {"gdb", 'g', OPTION_STRING, AT(gdb), "PORT",
     "where gdb is served on 127.0.0.1 (default 1234; 0: any free port), or none for a kernel "
     "without a debugger",
     0, 0, NULL},
    {"line", 0, OPTION_STRING, AT(line), "UART",
     "the serial line gdb talks over: uart0, shared with the console (default), or uart1", 0, 0,
     lines},
    {"timeout", 't', OPTION_NUMBER, AT(timeout_s), "S",
     "end the machine after S seconds with exit status 124", 1, 86400, NULL},
    {"print", 0, OPTION_FLAG, AT(print), NULL,
     "print QEMU's command line without the wiring of its ports, and exit", 0, 0, NULL},
    {0},
};
#undef AT

// Takes --gdb apart: is there to be a debugger, and on which port? Port 0 is any free one.
static struct error *gdb_port(const struct run_options *options, bool *debugger, unsigned *port)
{
    const char *text = options->gdb ? options->gdb : "1234";
    *debugger = strcmp(text, "none");
    *port = 0;
    if (!*debugger)
        return NULL;
    char *end;
    unsigned long number = strtoul(text, &end, 10);
    if (!*text || *end || *text == '-' || number > 65535)
        return error_make(EXIT_USAGE, "--gdb must be a port from 0 to 65535 or none, not '%s'",
                          text);
    *port = (unsigned)number;
    return NULL;
}

// -- the command line -----------------------------------------------------------------------------

static void add_append(const struct run_options *options, bool debugger, struct words *words)
{
    const char *more = options->append ? options->append : "";
    const char *mode = "";
    if (options->wait)
        mode = "kdebug=wait";
    else if (debugger)
        mode = "kdebug=on";
    else if (!strstr(more, "panic="))
        mode = "panic=poweroff"; // nobody could look at it: end, and let the status tell
    const char *line = debugger && !strcmp(options->line, "uart1") ? " kdebug.port=uart1" : "";
    words_add(words, "-append");
    words_add(words, "%s%s%s%s", mode, line, *mode && *more ? " " : "", more);
}

static struct error *command_line(const struct run_options *options, bool debugger, char **extra,
                                  const struct machine **machine, struct words *words)
{
    struct error *error = machine_find(options->arch, machine);
    if (error)
        return error;
    char *kernel = NULL;
    if (!options->kernel) {
        error = machine_kernel(*machine, &kernel);
        if (error)
            return error;
    }
    words_add(words, "%s", (*machine)->qemu);
    for (const char *const *word = (*machine)->options; *word; word++)
        words_add(words, "%s", *word);
    words_add(words, "-accel");
    words_add(words, "tcg");
    words_add(words, "-m");
    words_add(words, "%s", options->memory);
    words_add(words, "-smp");
    words_add(words, "%u", options->cpus);
    words_add(words, "-kernel");
    words_add(words, "%s", kernel ? kernel : options->kernel);
    add_append(options, debugger, words);
    words_add(words, "-display");
    words_add(words, "none");
    for (; *extra; extra++)
        words_add(words, "%s", *extra);
    free(kernel);
    return NULL;
}

// Words for a shell, in single quotes where they need it.
static void print_words(const struct words *words)
{
    for (size_t i = 0; i < words->count; i++) {
        const char *word = words->at[i];
        bool plain = *word && !word[strcspn(word, " \t\n'\"\\$&|;<>()*?[]#~`")];
        printf("%s%s", i ? " " : "", plain ? "" : "'");
        for (; *word; word++)
            printf(*word == '\'' ? "'\\''" : "%c", *word);
        printf("%s", plain ? "" : "'");
    }
    putchar('\n');
}

// uart1_port: where QEMU itself serves the second serial line; 0: there is none.
static void add_wiring(const struct machine *machine, unsigned uart1_port, int line_fd,
                       int monitor_fd, struct words *words)
{
    words_add(words, "-chardev");
    words_add(words, "socket,id=uart0,fd=%d", line_fd);
    words_add(words, "-serial");
    words_add(words, "chardev:uart0");
    words_add(words, "-chardev");
    words_add(words, "socket,id=monitor,fd=%d", monitor_fd);
    words_add(words, "-mon");
    words_add(words, "chardev=monitor,mode=readline");
    if (!uart1_port)
        return;
    words_add(words, "-chardev");
    words_add(words, "socket,id=uart1,host=127.0.0.1,port=%u,server=on,wait=off,nodelay=on",
              uart1_port);
    const char *space = strchr(machine->uart1, ' ');
    words_add(words, "%.*s", (int)(space - machine->uart1), machine->uart1);
    words_add(words, space + 1, "uart1");
}

// -- the loop -------------------------------------------------------------------------------------

// A descriptor with what could not be written to it yet. fd -1: closed, what is written is lost.
struct queue {
    int fd;
    uint8_t *bytes;
    size_t length, room;
};

struct run {
    struct queue line, monitor, gdb, terminal;
    int gdb_listener; // -1: none
    int signals;
    bool input_open; // standard input
    bool to_monitor; // what is typed goes to QEMU's monitor
    struct terminal_keys keys;
    struct splitter splitter;
    struct verdict verdict;
    pid_t qemu;
    int qemu_status;
    bool ended;
    enum exit_status forced;  // EXIT_TIMEOUT or EXIT_INTERRUPTED, else EXIT_DONE
    struct timespec deadline; // of --timeout; tv_sec 0: none
};

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

static void to_line(void *context, const uint8_t *bytes, size_t length)
{
    queue_write(&((struct run *)context)->line, bytes, length);
}

static void to_gdb(void *context, const uint8_t *bytes, size_t length)
{
    queue_write(&((struct run *)context)->gdb, bytes, length);
}

static void to_terminal(void *context, const uint8_t *bytes, size_t length)
{
    struct run *run = context;
    verdict_console(&run->verdict, bytes, length);
    queue_write(&run->terminal, bytes, length);
}

static const struct splitter_ends ends = {to_line, to_gdb, to_terminal};

// Our own words, apart from what the machine says.
static void note(const char *text)
{
    fprintf(stderr, "\r--- %s\n", text);
}

static void stop_qemu(struct run *run, enum exit_status why)
{
    if (run->forced == EXIT_DONE)
        run->forced = why;
    kill(run->qemu, SIGTERM);
}

static void typed(struct run *run, uint8_t byte)
{
    static const char send_break[] = "chardev-send-break uart0\n";
    bool interactive = isatty(STDIN_FILENO);
    switch (interactive ? terminal_key(&run->keys, byte) : TERMINAL_BYTE) {
    case TERMINAL_BYTE:
        if (run->to_monitor)
            queue_write(&run->monitor, &byte, 1);
        else
            splitter_from_terminal(&run->splitter, &byte, 1);
        break;
    case TERMINAL_NOTHING:
        break;
    case TERMINAL_QUIT:
        stop_qemu(run, EXIT_DONE);
        break;
    case TERMINAL_BREAK:
        queue_write(&run->monitor, (const uint8_t *)send_break, sizeof(send_break) - 1);
        break;
    case TERMINAL_MONITOR:
        run->to_monitor = !run->to_monitor;
        note(run->to_monitor ? "QEMU's monitor; ^A c returns to the console" : "the console");
        if (run->to_monitor)
            queue_write(&run->monitor, (const uint8_t *)"\n", 1);
        break;
    case TERMINAL_HELP:
        fputs(terminal_key_help, stderr);
        break;
    }
}

static void take_gdb(struct run *run)
{
    int fd = accept4(run->gdb_listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;
    if (run->gdb.fd >= 0) { // one gdb at a time
        close(fd);
        return;
    }
    int yes = 1; // an acknowledgement and the reply behind it must not wait for one another
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
    run->gdb.fd = fd;
    splitter_gdb_connected(&run->splitter);
}

static void lose_gdb(struct run *run)
{
    queue_close(&run->gdb);
    if (splitter_stopped(&run->splitter))
        note("gdb has gone; the machine is still stopped, a new gdb finds it as it is");
}

static void take_signal(struct run *run)
{
    struct signalfd_siginfo info;
    if (read(run->signals, &info, sizeof(info)) != sizeof(info))
        return;
    if (info.ssi_signo != SIGCHLD)
        stop_qemu(run, EXIT_INTERRUPTED);
    else if (waitpid(run->qemu, &run->qemu_status, WNOHANG) == run->qemu)
        run->ended = true;
}

// Reads once. Returns false at the end of the stream.
static bool take(int fd, uint8_t *bytes, size_t size, size_t *length)
{
    ssize_t n = read(fd, bytes, size);
    *length = n > 0 ? (size_t)n : 0;
    return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

static void take_input(struct run *run)
{
    uint8_t bytes[4096];
    size_t length;
    run->input_open = take(STDIN_FILENO, bytes, sizeof(bytes), &length);
    for (size_t i = 0; i < length; i++)
        typed(run, bytes[i]);
}

static void take_line(struct run *run)
{
    uint8_t bytes[16384];
    size_t length;
    if (!take(run->line.fd, bytes, sizeof(bytes), &length))
        queue_close(&run->line);
    splitter_from_line(&run->splitter, bytes, length);
}

static void take_monitor(struct run *run)
{
    uint8_t bytes[4096];
    size_t length;
    if (!take(run->monitor.fd, bytes, sizeof(bytes), &length))
        queue_close(&run->monitor);
    if (run->to_monitor)
        queue_write(&run->terminal, bytes, length);
}

static void take_gdb_bytes(struct run *run)
{
    uint8_t bytes[16384];
    size_t length;
    bool more = take(run->gdb.fd, bytes, sizeof(bytes), &length);
    splitter_from_gdb(&run->splitter, bytes, length);
    if (!more)
        lose_gdb(run);
}

// Milliseconds until the next thing that happens by itself; -1: nothing does.
static int wait_ms(const struct run *run)
{
    int wait = splitter_holds(&run->splitter) ? IDLE_MS : -1;
    if (run->deadline.tv_sec) {
        struct timespec now;
        clock_gettime(CLOCK_MONOTONIC, &now);
        long left = (run->deadline.tv_sec - now.tv_sec) * 1000 +
                    (run->deadline.tv_nsec - now.tv_nsec) / 1000000;
        left = left < 0 ? 0 : left + 1;
        if (wait < 0 || left < wait)
            wait = (int)left;
    }
    return wait;
}

static bool is_overdue(const struct run *run)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return run->deadline.tv_sec && run->forced == EXIT_DONE &&
           (now.tv_sec > run->deadline.tv_sec ||
            (now.tv_sec == run->deadline.tv_sec && now.tv_nsec >= run->deadline.tv_nsec));
}

static struct pollfd watch(const struct queue *queue)
{
    short events = POLLIN | (queue->length ? POLLOUT : 0);
    return (struct pollfd){.fd = queue->fd, .events = events};
}

static void serve(struct run *run)
{
    enum { LINE, MONITOR, GDB, LISTENER, SIGNALS, INPUT, WATCHED };
    prctl(PR_SET_TIMERSLACK, 1000); // naps are not stretched
    while (!run->ended || run->line.fd >= 0) {
        if (splitter_in_reply(&run->splitter))
            nanosleep(&(struct timespec){.tv_nsec = PACKET_NAP_NS}, NULL);
        struct pollfd fds[WATCHED] = {
            [LINE] = watch(&run->line),
            [MONITOR] = watch(&run->monitor),
            [GDB] = watch(&run->gdb),
            [LISTENER] = {.fd = run->gdb_listener, .events = POLLIN},
            [SIGNALS] = {.fd = run->signals, .events = POLLIN},
            [INPUT] = {.fd = run->input_open ? STDIN_FILENO : -1, .events = POLLIN},
        };
        if (poll(fds, WATCHED, wait_ms(run)) == 0)
            splitter_idle(&run->splitter);
        if (is_overdue(run))
            stop_qemu(run, EXIT_TIMEOUT);

        queue_flush(&run->line);
        queue_flush(&run->monitor);
        queue_flush(&run->gdb);
        if (fds[LINE].revents & (POLLIN | POLLHUP | POLLERR))
            take_line(run);
        if (fds[MONITOR].revents & (POLLIN | POLLHUP | POLLERR))
            take_monitor(run);
        if (fds[GDB].revents & (POLLIN | POLLHUP | POLLERR))
            take_gdb_bytes(run);
        if (fds[LISTENER].revents)
            take_gdb(run);
        if (fds[SIGNALS].revents)
            take_signal(run);
        if (fds[INPUT].revents)
            take_input(run);
    }
    splitter_idle(&run->splitter);
}

// -- beginning and end ----------------------------------------------------------------------------

static struct error *listen_for_gdb(unsigned port, bool chosen, int *listener)
{
    *listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int yes = 1;
    setsockopt(*listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int bound = bind(*listener, (struct sockaddr *)&address, sizeof(address));
    if (bound < 0 && errno == EADDRINUSE && !chosen) {
        address.sin_port = 0; // nobody asked for this one: any free one will do, and is told
        bound = bind(*listener, (struct sockaddr *)&address, sizeof(address));
    }
    if (bound < 0 || listen(*listener, 1) < 0)
        return error_errno("cannot serve gdb on port %u (choose another with --gdb PORT)", port);
    socklen_t size = sizeof(address);
    getsockname(*listener, (struct sockaddr *)&address, &size);
    char line[96];
    snprintf(line, sizeof(line), "gdb: target remote 127.0.0.1:%u   keys: ^A h",
             ntohs(address.sin_port));
    note(line);
    return NULL;
}

static struct error *start_qemu(struct run *run, const struct words *words, const int child_fds[2])
{
    pid_t parent = getpid();
    run->qemu = fork();
    if (run->qemu < 0)
        return error_errno("cannot start %s", words->at[0]);
    if (run->qemu > 0)
        return NULL;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); // ^C on a terminal that is not raw is ours to handle
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(EXIT_FAILED);
    int null = open("/dev/null", O_RDONLY);
    dup2(null, STDIN_FILENO);
    for (int i = 0; i < 2; i++)
        fcntl(child_fds[i], F_SETFD, 0);
    execvp(words->at[0], words->at);
    fprintf(stderr, "fathom run: cannot start %s: %s; 'make deps' installs it\n", words->at[0],
            strerror(errno));
    _exit(127);
}

static void set_deadline(struct run *run, unsigned timeout_s)
{
    if (!timeout_s)
        return;
    clock_gettime(CLOCK_MONOTONIC, &run->deadline);
    run->deadline.tv_sec += timeout_s;
}

static enum exit_status run_status(const struct run *run)
{
    enum exit_status told = verdict_status(&run->verdict);
    if (told == EXIT_PANICKED)
        return told;
    if (run->forced != EXIT_DONE)
        return run->forced;
    bool clean = WIFEXITED(run->qemu_status) && WEXITSTATUS(run->qemu_status) == 0;
    return told == EXIT_DONE && !clean ? EXIT_FAILED : told;
}

static int watch_signals(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static struct error *run_machine(struct run *run, const struct run_options *options, bool debugger,
                                 unsigned port, const struct machine *machine, struct words *words)
{
    bool shared = !strcmp(options->line, "uart0");
    int line[2], monitor[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) < 0)
        return error_errno("cannot make a socket pair");
    if (debugger && shared) {
        struct error *error = listen_for_gdb(port, options->gdb, &run->gdb_listener);
        if (error)
            return error;
    }
    add_wiring(machine, debugger && !shared ? port : 0, line[1], monitor[1], words);
    run->signals = watch_signals();
    const int child_fds[2] = {line[1], monitor[1]};
    struct error *error = start_qemu(run, words, child_fds);
    if (error)
        return error;
    close(line[1]);
    close(monitor[1]);
    fcntl(line[0], F_SETFL, O_NONBLOCK);
    fcntl(monitor[0], F_SETFL, O_NONBLOCK);
    run->line.fd = line[0];
    run->monitor.fd = monitor[0];
    set_deadline(run, options->timeout_s);
    terminal_raw();
    serve(run);
    terminal_restore();
    return NULL;
}

static struct error *run_command(int argc, char **argv, enum exit_status *status)
{
    struct run_options options = {.cpus = 4, .memory = "512", .line = "uart0"};
    int operands;
    bool helped;
    struct error *error = options_parse(&command_run, argc, argv, &options, &operands, &helped);
    if (error || helped)
        return error;
    if (operands < argc && strcmp(argv[operands - 1], "--"))
        return error_make(EXIT_USAGE, "what is '%s'? QEMU's own arguments follow a --",
                          argv[operands]);
    bool debugger;
    unsigned port;
    error = gdb_port(&options, &debugger, &port);
    if (!error && debugger && !port && strcmp(options.line, "uart0"))
        error = error_make(EXIT_USAGE, "--line uart1 needs a port of its own: --gdb PORT");
    if (error)
        return error;

    struct words words = {0};
    const struct machine *machine;
    error = command_line(&options, debugger, argv + operands, &machine, &words);
    if (error || options.print) {
        if (!error)
            print_words(&words);
        words_free(&words);
        return error;
    }
    static struct run run = {.line.fd = -1, .monitor.fd = -1, .gdb.fd = -1, .gdb_listener = -1};
    run.terminal.fd = STDOUT_FILENO;
    run.input_open = true;
    splitter_init(&run.splitter, &ends, &run);
    verdict_init(&run.verdict);
    error = run_machine(&run, &options, debugger, port, machine, &words);
    words_free(&words);
    if (!error)
        *status = run_status(&run);
    return error;
}

const struct command command_run = {
    "run",
    "Starts the operating system in QEMU, its console on this terminal.",
    "[-- QEMU-ARGUMENT...]",
    rows,
    false,
    run_command};
