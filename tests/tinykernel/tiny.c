// SPDX-License-Identifier: MIT
// A second kernel, as small as can be, that fills in struct kdebug_kernel: it keeps kdebug/ and
// gdbstub/ honest about needing nothing else, and shows how little a port is. One hart, two
// threads of which one never runs, a polled 16550, a timer that looks at the line. Used by
// tests/system/test_tinykernel.py; includes nothing of kernel/.
#include <errno.h>
#include <string.h>

#include "gdbstub/gdbstub.h"
#include "kdebug/kdebug.h"
#include "kdebug/machine.h"

#define UART_BASE   0x10000000UL
#define RAM_END     0x88000000UL
#define TIMER_HZ    10000000
#define TICK        (TIMER_HZ / 100)
#define SCAUSE_TICK (UINT64_C(1) << 63 | 5)

extern const char text_start[], text_end[], debugger_text_start[], debugger_text_end[];

void tiny_main(void);
void tiny_trap(struct kd_frame *frame);
void atomic_increment(uint64_t *value);

// What gdb looks at.
volatile uint64_t counter;
uint64_t atomic_counter;
static char message[] = "tiny kernel";
char *volatile message_pointer = message;
static volatile int *volatile nowhere = (volatile int *)8;

// -- SBI (RISC-V SBI specification 1.0, chapters 3, 6 and 10) ---------------------------------

static void sbi_call(uint64_t extension, uint64_t function, uint64_t argument)
{
    register uint64_t a0 __asm__("a0") = argument;
    register uint64_t a1 __asm__("a1") = 0;
    register uint64_t a6 __asm__("a6") = function;
    register uint64_t a7 __asm__("a7") = extension;
    __asm__ volatile("ecall" : "+r"(a0), "+r"(a1) : "r"(a6), "r"(a7) : "memory");
}

static uint64_t time_now(void)
{
    uint64_t time;
    __asm__ volatile("csrr %0, time" : "=r"(time));
    return time;
}

static void timer_next(void)
{
    sbi_call(0x54494d45, 0, time_now() + TICK);
}

// -- the line ---------------------------------------------------------------------------------

enum { REGISTER_DATA = 0, REGISTER_STATUS = 5, STATUS_RECEIVED = 0x01, STATUS_ROOM = 0x20 };

static volatile uint8_t *uart_register(unsigned number)
{
    return (volatile uint8_t *)(UART_BASE + number);
}

static void port_nothing(struct debug_port *port)
{
    (void)port;
}

static size_t port_read(struct debug_port *port, uint8_t *to, size_t size)
{
    (void)port;
    size_t length = 0;
    while (length < size && (*uart_register(REGISTER_STATUS) & STATUS_RECEIVED) != 0)
        to[length++] = *uart_register(REGISTER_DATA);
    return length;
}

static void port_write(struct debug_port *port, const uint8_t *from, size_t length)
{
    (void)port;
    for (size_t i = 0; i < length; i++) {
        unsigned patience = 1000000;
        while ((*uart_register(REGISTER_STATUS) & STATUS_ROOM) == 0 && patience-- > 0) {
        }
        *uart_register(REGISTER_DATA) = from[i];
    }
}

static struct debug_port uart = {
    .name = "uart0",
    .claim = port_nothing,
    .release = port_nothing,
    .read = port_read,
    .write = port_write,
};

static void print(const char *text)
{
    if (!kd_console_write(text, strlen(text)))
        port_write(&uart, (const uint8_t *)text, strlen(text));
}

// -- struct kdebug_kernel ---------------------------------------------------------------------

static unsigned one_cpu(void)
{
    return 1;
}

static unsigned cpu_zero(void)
{
    return 0;
}

static void nobody(uint64_t mask)
{
    (void)mask;
}

static void park(void)
{
}

static uint64_t clock_ns(void)
{
    return time_now() * (1000000000 / TIMER_HZ);
}

static int thread_next(uintptr_t *cursor, struct kd_thread *out)
{
    static const struct kd_thread threads[] = {
        {.id = 1, .name = "main", .state = KD_THREAD_RUNNING},
        {.id = 2, .name = "sleeper", .wait = "nothing", .state = KD_THREAD_BLOCKED},
    };
    if (*cursor >= sizeof(threads) / sizeof(threads[0]))
        return -ENOENT;
    *out = threads[(*cursor)++];
    return 0;
}

static int thread_frame(const struct kd_thread *thread, struct kd_frame *out, uint64_t *valid)
{
    *out = (struct kd_frame){.pc = (uintptr_t)atomic_increment};
    out->x[2] = 0x80201000;
    *valid = UINT64_C(1) << 32 | UINT64_C(1) << 2;
    return thread->id == 2 ? 0 : -ENOENT;
}

static int64_t thread_current(unsigned cpu)
{
    return cpu + 1;
}

static enum kd_memory memory_probe(uintptr_t address, size_t *length)
{
    struct {
        uintptr_t start, end;
        enum kd_memory memory;
    } const map[] = {
        {UART_BASE, UART_BASE + 0x100, KD_MEMORY_DEVICE},
        {(uintptr_t)text_start, (uintptr_t)text_end, KD_MEMORY_READ_ONLY},
        {(uintptr_t)text_end, RAM_END, KD_MEMORY_READ_WRITE},
        // Said to be memory and is not: what page tables get wrong must be caught, too.
        {0x1000000000, 0x1000001000, KD_MEMORY_READ_WRITE},
    };
    for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++) {
        if (address >= map[i].start && address < map[i].end) {
            if (*length > map[i].end - address)
                *length = map[i].end - address;
            return map[i].memory;
        }
    }
    *length = 1;
    return KD_MEMORY_NONE;
}

static int text_write(uintptr_t address, const void *bytes, size_t length)
{
    memcpy((void *)address, bytes, length);
    return 0;
}

static bool is_text(uintptr_t address)
{
    return address >= (uintptr_t)text_start && address < (uintptr_t)text_end;
}

static bool symbol(uintptr_t address, struct kd_symbol *out)
{
    (void)address;
    (void)out;
    return false;
}

static void log_tail(struct kd_text *out, unsigned lines)
{
    kd_text_printf(out, "(no log of %u lines here)\n", lines);
}

static int command(struct kd_text *out, const char *line)
{
    if (strcmp(line, "hello") == 0) {
        kd_text_printf(out, "hello from the tiny kernel, counter %llu\n",
                       (unsigned long long)counter);
        return 0;
    }
    if (strcmp(line, "fault") == 0)
        return *nowhere;
    return -ENOENT;
}

static void after(enum kd_after how)
{
    if (how != KD_AFTER_HALT)
        sbi_call(0x53525354, 0, how == KD_AFTER_REBOOT ? 1 : 0);
}

static struct kd_range untouchable[2] = {{.reason = "the debugger's own code"}};

static const struct kdebug_kernel kernel = {
    .name = "Tiny",
    .version = "1",
    .cpu_count = one_cpu,
    .cpu_current = cpu_zero,
    .cpus_stop = nobody,
    .cpus_wake = nobody,
    .cpu_park = park,
    .clock_ns = clock_ns,
    .thread_next = thread_next,
    .thread_frame = thread_frame,
    .thread_current = thread_current,
    .memory_probe = memory_probe,
    .text_write = text_write,
    .untouchable = untouchable,
    .is_text = is_text,
    .symbol = symbol,
    .log_tail = log_tail,
    .command = command,
    .after = after,
};

// -- traps ------------------------------------------------------------------------------------

static void tick(struct kd_frame *frame)
{
    static uint8_t bytes[64 + GDB_SNIFF_BYTES];
    size_t length = port_read(&uart, bytes, 64);
    timer_next();
    length = kd_receive(frame, bytes, length, sizeof(bytes));
    for (size_t i = 0; i < length; i++)
        if (bytes[i] == 'p')
            kd_panic(frame, NULL, "a person typed %c", bytes[i]);
}

void tiny_trap(struct kd_frame *frame)
{
    if (frame->scause == SCAUSE_TICK) {
        tick(frame);
        return;
    }
    struct kd_trap trap = {
        .name = frame->scause == 3 ? "breakpoint" : "exception",
        .code = frame->scause,
        .fault_address = frame->stval,
        .has_address = true,
        .signal = frame->scause == 2 ? KD_SIGNAL_ILL : KD_SIGNAL_SEGV,
    };
    if (!kd_trap(frame, &trap))
        kd_panic(frame, &trap, "exception %llu", (unsigned long long)frame->scause);
}

// -- something to debug -----------------------------------------------------------------------

__attribute__((noinline)) static uint64_t leaf(uint64_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value * 3 + 1;
}

__attribute__((noinline)) static uint64_t work(uint64_t value)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < 4; i++)
        sum += leaf(value + i);
    return sum;
}

__attribute__((noinline)) static void mask_and_unmask(void)
{
    uint64_t status;
    __asm__ volatile("csrrci %0, sstatus, 2" : "=r"(status)::"memory");
    counter++;
    __asm__ volatile("csrs sstatus, %0" ::"r"(status & 2) : "memory");
}

__attribute__((noinline)) static void say(uint64_t number)
{
    char line[64];
    kd_snprintf(line, sizeof(line), "tick %llu\n", (unsigned long long)number);
    print(line);
}

void tiny_main(void)
{
    untouchable[0].start = (uintptr_t)debugger_text_start;
    untouchable[0].end = (uintptr_t)debugger_text_end;
    struct kd_config config = {
        .mode = KD_WAIT, .panic_action = KD_PANIC_DEBUG, .port = &uart, .console = &uart};
    kd_init(&kernel, &config);
    timer_next();
    __asm__ volatile("csrs sie, %0; csrsi sstatus, 2" ::"r"(1UL << 5));
    print("tiny kernel\n");
    kdebug_break("tiny kernel is up");
    for (uint64_t sum = 0;;) {
        sum += work(counter);
        atomic_increment(&atomic_counter);
        mask_and_unmask();
        if (counter % 100000 == 0)
            say(sum);
    }
}
