// SPDX-License-Identifier: MIT
// The log's contract: records come out in order, whole, with a growing time, also when every CPU
// writes at once; a reader that fell behind is moved to the oldest record there is.
#include <string.h>

#include "kernel/cpu/cpu.h"
#include "kernel/log/log.h"
#include "kernel/test/ktest.h"

#define STORM_LINES 40 // per CPU: all of them fit the ring at once

static void storm(void *unused)
{
    (void)unused;
    for (unsigned i = 0; i < STORM_LINES; i++)
        log_debug("storm %u %u storm", this_cpu()->index, i);
}

// Checks "storm C I storm" for C in order of I; returns false for other text.
static bool storm_line(const char *text, unsigned next[CPU_MAX])
{
    if (strncmp(text, "storm ", 6) != 0)
        return false;
    unsigned cpu = (unsigned)(text[6] - '0');
    EXPECT(cpu < CPU_MAX);
    char expected[32];
    kd_snprintf(expected, sizeof(expected), "storm %u %u storm", cpu, next[cpu]++);
    EXPECT(strcmp(text, expected) == 0);
    return true;
}

KTEST(log, storm, "all CPUs may write at once and every record stays whole")
{
    uint64_t first = log_next_sequence();
    smp_call(cpu_online_mask(), storm, NULL, true);
    unsigned next[CPU_MAX] = {0};
    struct log_record record;
    unsigned seen = 0;
    for (uint64_t sequence = first; log_read(sequence, &record); sequence = record.sequence + 1)
        seen += storm_line(record.text, next);
    EXPECT_EQ(seen, STORM_LINES * __builtin_popcountll(cpu_online_mask()));
}

KTEST(log, behind, "a reader that fell behind gets the oldest record")
{
    log_info("a record with a known number");
    struct log_record record;
    EXPECT(log_read(0, &record));
    EXPECT(record.sequence >= 1);
    uint64_t oldest = record.sequence;
    EXPECT(log_read(oldest, &record));
    EXPECT_EQ(record.sequence, oldest);
    EXPECT(!log_read(log_next_sequence(), &record));
}

KTEST(log, cut, "a line that is too long is cut, not lost")
{
    char line[LOG_LINE_MAX + 50];
    memset(line, 'x', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    uint64_t sequence = log_next_sequence();
    log_debug("%s", line);
    struct log_record record;
    EXPECT(log_read(sequence, &record));
    EXPECT_EQ(strlen(record.text), LOG_LINE_MAX);
    EXPECT_EQ(record.length, LOG_LINE_MAX);
}
