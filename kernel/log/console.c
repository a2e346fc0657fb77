// SPDX-License-Identifier: MIT
// The console's two directions. Output is polled and taken in turns by a flag rather than a lock,
// since the lock checker itself logs: whoever finds the console busy leaves its log record to the
// one who is printing, who looks again before it goes. Input is a ring with one writer (the UART's
// handler, perhaps in NMI context) and one reader (the shell).
#include "kernel/log/console.h"

#include <string.h>

#include "kdebug/kdebug.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/boot/param.h"
#include "kernel/cpu/cpu.h"
#include "kernel/irq/irq.h"
#include "kernel/log/log.h"
#include "kernel/sched/thread.h"
#include "kernel/sync/lock.h"

#define OUTPUT_BATCH 64
#define INPUT_BYTES  4096 // a power of two; a pasted page

static const char *const level_choices[] = {"error", "warn", "info", "debug", NULL};
static unsigned console_level = LOG_INFO;
PARAM_CHOICE(loglevel, "loglevel", &console_level, level_choices,
             "the least important log records the console shows: error, warn, info or debug");

static struct debug_port *output_port;
static bool output_shared;
static bool output_busy;
static uint64_t log_shown; // the last record printed; owned by who holds output_busy

static uint8_t input[INPUT_BYTES];
static uint32_t input_head, input_tail; // free-running: bytes in, bytes out
static uint32_t input_lost;
static SPINLOCK(RANK_CONSOLE_INPUT) input_lock = LOCK_INIT("console input");
static struct condition input_arrived = CONDITION_INIT("console input");

// -- output -----------------------------------------------------------------------------------

// The holder prints with interrupts as they were, so a slow line does not stop the machine.
static bool output_try_claim(void)
{
    return !__atomic_test_and_set(&output_busy, __ATOMIC_ACQUIRE);
}

static void output_release(void)
{
    __atomic_clear(&output_busy, __ATOMIC_RELEASE);
}

static void raw_write(const char *text, size_t length)
{
    if (output_port) {
        output_port->write(output_port, (const uint8_t *)text, length);
        return;
    }
    for (size_t i = 0; i < length; i++)
        arch_early_putc(text[i]);
}

// A terminal wants a carriage return before each line feed; gdb, in O packets, does not.
static void output_write(const char *text, size_t length)
{
    if (output_shared && kd_console_write(text, length))
        return;
    while (length > 0) {
        const char *newline = memchr(text, '\n', length);
        size_t part = newline ? (size_t)(newline - text) : length;
        raw_write(text, part);
        if (!newline)
            return;
        raw_write("\r\n", 2);
        text += part + 1;
        length -= part + 1;
    }
}

static bool output_forbidden(void)
{
    return kd_active() || this_cpu()->nmi_depth > 0;
}

static void record_print(const struct log_record *record)
{
    char line[LOG_LINE_MAX + 64];
    struct kd_text text;
    kd_text_init(&text, line, sizeof(line));
    log_format(&text, record);
    kd_text_char(&text, '\n');
    output_write(line, text.length);
}

void log_drain(void)
{
    struct log_record record;
    while (!output_forbidden() && log_read(log_shown + 1, &record) && output_try_claim()) {
        while (log_read(log_shown + 1, &record)) {
            if (record.level <= console_level)
                record_print(&record);
            log_shown = record.sequence;
        }
        output_release();
    }
}

void console_write(const char *text, size_t length)
{
    if (output_forbidden())
        return;
    while (!output_try_claim())
        thread_yield();
    output_write(text, length);
    output_release();
    log_drain();
}

void console_port_set(struct debug_port *port)
{
    output_port = port;
}

void console_shared_set(bool shared)
{
    output_shared = shared;
}

// -- input ------------------------------------------------------------------------------------

void console_receive(const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        uint32_t head = input_head;
        if (head - __atomic_load_n(&input_tail, __ATOMIC_ACQUIRE) == INPUT_BYTES) {
            input_lost++;
            continue;
        }
        input[head % INPUT_BYTES] = bytes[i];
        __atomic_store_n(&input_head, head + 1, __ATOMIC_RELEASE);
    }
    if (length == 0)
        return;
    if (this_cpu()->nmi_depth > 0)
        arch_ipi_send(1ull << this_cpu()->index, IPI_CONSOLE);
    else
        console_kick();
}

// The reader tests the ring under the lock, so taking it here means that the reader either sees the
// new bytes or already waits for the signal.
void console_kick(void)
{
    WITH (&input_lock)
        condition_signal(&input_arrived);
}

static void lost_tell(void)
{
    static uint32_t told;
    uint32_t lost = READ_ONCE(input_lost);
    if (lost != told)
        log_warn("console: %u typed characters came too fast and were lost", lost - told);
    told = lost;
}

uint8_t console_read(void)
{
    lost_tell();
    WITH (&input_lock)
        while (__atomic_load_n(&input_head, __ATOMIC_ACQUIRE) == input_tail)
            condition_wait(&input_arrived, &input_lock);
    uint8_t byte = input[input_tail % INPUT_BYTES];
    __atomic_store_n(&input_tail, input_tail + 1, __ATOMIC_RELEASE);
    return byte;
}
