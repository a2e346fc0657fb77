// SPDX-License-Identifier: MIT
// `fathom run`: starts the OS in QEMU with its serial line on the terminal and, taken apart by the
// splitter, on a TCP port for gdb. QEMU is a child that gets one end of two socket pairs: the
// serial line and its own monitor (for ^A b and ^A c). The other ends are the relay's.
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
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
#include "fathom/relay.h"

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
    relay_note(line);
    return NULL;
}

static struct error *start_qemu(struct relay *relay, const struct words *words,
                                const int child_fds[2])
{
    pid_t parent = getpid();
    relay->qemu = fork();
    if (relay->qemu < 0)
        return error_errno("cannot start %s", words->at[0]);
    if (relay->qemu > 0)
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

static void set_deadline(struct relay *relay, unsigned timeout_s)
{
    if (!timeout_s)
        return;
    clock_gettime(CLOCK_MONOTONIC, &relay->deadline);
    relay->deadline.tv_sec += timeout_s;
}

static enum exit_status run_status(const struct relay *relay)
{
    enum exit_status told = verdict_status(&relay->verdict);
    if (told == EXIT_PANICKED)
        return told;
    if (relay->forced != EXIT_DONE)
        return relay->forced;
    bool clean = WIFEXITED(relay->qemu_status) && WEXITSTATUS(relay->qemu_status) == 0;
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

static struct error *run_machine(struct relay *relay, const struct run_options *options,
                                 bool debugger, unsigned port, const struct machine *machine,
                                 struct words *words)
{
    bool shared = !strcmp(options->line, "uart0");
    int line[2], monitor[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, line) < 0 ||
        socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, monitor) < 0)
        return error_errno("cannot make a socket pair");
    if (debugger && shared) {
        struct error *error = listen_for_gdb(port, options->gdb, &relay->gdb_listener);
        if (error)
            return error;
    }
    add_wiring(machine, debugger && !shared ? port : 0, line[1], monitor[1], words);
    relay->signals = watch_signals();
    const int child_fds[2] = {line[1], monitor[1]};
    struct error *error = start_qemu(relay, words, child_fds);
    if (error)
        return error;
    close(line[1]);
    close(monitor[1]);
    fcntl(line[0], F_SETFL, O_NONBLOCK);
    fcntl(monitor[0], F_SETFL, O_NONBLOCK);
    relay->line.fd = line[0];
    relay->monitor.fd = monitor[0];
    set_deadline(relay, options->timeout_s);
    terminal_raw();
    relay_serve(relay);
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
    static struct relay relay; // its packets are large
    relay_init(&relay);
    error = run_machine(&relay, &options, debugger, port, machine, &words);
    words_free(&words);
    if (!error)
        *status = run_status(&relay);
    return error;
}

const struct command command_run = {
    "run",
    "Starts the operating system in QEMU, its console on this terminal.",
    "[-- QEMU-ARGUMENT...]",
    rows,
    false,
    run_command};
