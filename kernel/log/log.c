// SPDX-License-Identifier: MIT
// The log ring. Theory: a writer takes the next sequence number with one atomic add; the record of
// number n lies in slot n % LOG_RECORDS. The slot's `state` is 2n while n is being written and
// 2n + 1 once it is whole, so a reader that finds 2n + 1 before and after its copy has a whole
// record of number n, and never waits. A writer never waits either: when the ring is lapped during
// a write, the later number wins and the reader of the earlier one moves on to the oldest record.
// So any context may write, an NMI in the middle of a write included.
#include "kernel/log/log.h"

#include <errno.h>
#include <string.h>

#include "kernel/arch/cpu.h"
#include "kernel/cpu/cpu.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"
#include "kernel/time/time.h"

#define LOG_RECORDS 512

struct slot {
    uint64_t state;
    struct log_record record;
};

static struct slot ring[LOG_RECORDS];
static uint64_t next_sequence = 1;

static void record_fill(struct log_record *record, uint64_t sequence, enum log_level level,
                        const char *format, va_list arguments)
{
    record->sequence = sequence;
    record->time_ns = clock_ns();
    record->thread = thread_current()->id;
    record->cpu = (uint8_t)this_cpu()->index;
    record->level = (uint8_t)level;
    int length = kd_vsnprintf(record->text, sizeof(record->text), format, arguments);
    record->length = (uint16_t)MIN((size_t)length, sizeof(record->text) - 1);
}

__debugger_text void log_at(enum log_level level, const char *format, ...)
{
    uint64_t sequence = __atomic_fetch_add(&next_sequence, 1, __ATOMIC_RELAXED);
    struct slot *slot = &ring[sequence % LOG_RECORDS];
    __atomic_store_n(&slot->state, 2 * sequence, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    va_list arguments;
    va_start(arguments, format);
    record_fill(&slot->record, sequence, level, format, arguments);
    va_end(arguments);
    __atomic_store_n(&slot->state, 2 * sequence + 1, __ATOMIC_RELEASE);
    log_drain();
}

// Copies the record of exactly this number; false when the slot holds another or an unfinished one.
static bool slot_copy(uint64_t sequence, struct log_record *out)
{
    const struct slot *slot = &ring[sequence % LOG_RECORDS];
    if (__atomic_load_n(&slot->state, __ATOMIC_ACQUIRE) != 2 * sequence + 1)
        return false;
    memcpy(out, &slot->record, sizeof(*out));
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return __atomic_load_n(&slot->state, __ATOMIC_RELAXED) == 2 * sequence + 1;
}

uint64_t log_next_sequence(void)
{
    return __atomic_load_n(&next_sequence, __ATOMIC_RELAXED);
}

bool log_read(uint64_t sequence, struct log_record *out)
{
    uint64_t end = log_next_sequence();
    uint64_t oldest = end > LOG_RECORDS ? end - LOG_RECORDS : 1;
    if (sequence < oldest)
        sequence = oldest;
    // A record under the ring's oldest edge may be overwritten while it is copied: the next will
    // do.
    for (; sequence < end; sequence++) {
        if (slot_copy(sequence, out))
            return true;
        if (__atomic_load_n(&ring[sequence % LOG_RECORDS].state, __ATOMIC_RELAXED) <= 2 * sequence)
            return false;
    }
    return false;
}

void log_format(struct kd_text *text, const struct log_record *record)
{
    static const char *const tone[] = {"error: ", "warning: ", "", "debug: "};
    unsigned long long us = record->time_ns / NSEC_PER_USEC;
    kd_text_printf(text, "[%5llu.%06llu] cpu%u %s%s", us / 1000000, us % 1000000, record->cpu,
                   tone[record->level & 3], record->text);
}

void log_tail(struct kd_text *text, unsigned lines)
{
    uint64_t end = log_next_sequence();
    uint64_t sequence = lines && lines < end ? end - lines : 1;
    struct log_record record;
    while (sequence < end) {
        // A record that is not finished may never be: its writer has been stopped, or has crashed.
        if (!log_read(sequence, &record)) {
            sequence++;
            continue;
        }
        if (record.sequence >= end)
            break;
        log_format(text, &record);
        kd_text_char(text, '\n');
        sequence = record.sequence + 1;
    }
}

static int dmesg_run(struct command_call *call)
{
    log_tail(call->out, 0);
    return 0;
}

COMMAND(dmesg, "dmesg", "dmesg", "the kernel's log", dmesg_run,
        "Each line has the time since boot in seconds, the CPU and the message.");

static int log_run(struct command_call *call)
{
    if (call->argc < 2)
        return -EINVAL;
    char line[LOG_LINE_MAX + 1];
    struct kd_text text;
    kd_text_init(&text, line, sizeof(line));
    for (int i = 1; i < call->argc; i++)
        kd_text_printf(&text, "%s%s", i > 1 ? " " : "", call->argv[i]);
    log_info("%s", line);
    return 0;
}

COMMAND(log, "log", "log TEXT", "write a line to the kernel's log", log_run,
        "From gdb, `monitor log TEXT` marks the place where the kernel stood.\n");
