// SPDX-License-Identifier: MIT
// The only program of the machines whose logs capture.py collects: it takes the steps that its
// arguments name, one after the other, and says on the console where the log begins and ends.
//
//   insmod:HOW    loads fault.ko with how=HOW       lkdtm:NAME   has LKDTM do NAME
//   sysrq:C       writes C to /proc/sysrq-trigger   sleep:N      waits for N seconds
//
// Each step has a process of its own, since it may not come back; a step that begins with & is not
// waited for, and is left to CPU 1. All else stays on CPU 0, which keeps the time.
#include "nolibc.h"

#define BEGIN "=== begin ===\n"
#define END   "=== end ===\n"

static void say(const char *text)
{
    write(1, text, strlen(text));
}

static void put(const char *path, const char *text)
{
    int file = open(path, O_WRONLY, 0);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        say("init: cannot write\n");
    close(file);
}

// "ffffffff81234567 t name": the address of a function that is no module's business.
static void find_function(const char *name, char *digits)
{
    static char piece[65536], line[1024];
    int file = open("/proc/kallsyms", O_RDONLY, 0);
    size_t length = 0;
    ssize_t got;
    while ((got = read(file, piece, sizeof(piece))) > 0) {
        for (ssize_t i = 0; i < got; i++) {
            if (piece[i] != '\n' && length < sizeof(line) - 1) {
                line[length++] = piece[i];
                continue;
            }
            line[length] = 0;
            if (length > 19 && !strcmp(line + 19, name))
                memcpy(digits, line, 16);
            length = 0;
        }
    }
    close(file);
}

static void insmod(const char *how)
{
    static char words[128] = "overflow=0x0000000000000000 how=";
    int hard = !strcmp(how, "hard");
    if (hard)
        find_function("watchdog_overflow_callback", words + strlen("overflow=0x"));
    strlcat(words, how, sizeof(words));
    int file = open("/fault.ko", O_RDONLY, 0);
    my_syscall3(__NR_finit_module, file, hard ? words : strchr(words, ' ') + 1, 0);
}

static void take(const char *step)
{
    const char *word = strchr(step, ':');
    if (!word)
        return;
    word++;
    if (!strncmp(step, "insmod:", 7))
        insmod(word);
    else if (!strncmp(step, "lkdtm:", 6))
        put("/sys/kernel/debug/provoke-crash/DIRECT", word);
    else if (!strncmp(step, "sysrq:", 6))
        put("/proc/sysrq-trigger", word);
    else if (!strncmp(step, "sleep:", 6))
        sleep((unsigned int)atoi(word));
}

static void stay_on(unsigned int cpu)
{
    unsigned long cpus = 1ul << cpu;
    my_syscall3(__NR_sched_setaffinity, 0, sizeof(cpus), &cpus);
}

int main(int argc, char **argv)
{
    stay_on(0);
    mkdir("/proc", 0755);
    mkdir("/sys", 0755);
    mount("proc", "/proc", "proc", 0, 0);
    mount("sys", "/sys", "sysfs", 0, 0);
    mount("debug", "/sys/kernel/debug", "debugfs", 0, 0);
    sleep(1); // the kernel's own words come first
    say(BEGIN);
    for (int i = 1; i < argc; i++) {
        int waits = argv[i][0] != '&';
        pid_t child = fork();
        if (!child) {
            if (!waits)
                stay_on(1);
            take(argv[i] + !waits);
            exit(0);
        }
        if (waits)
            waitpid(child, NULL, 0);
    }
    sleep(1);
    say(END);
    for (;;)
        sleep(1000);
}
