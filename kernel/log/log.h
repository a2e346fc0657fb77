// SPDX-License-Identifier: MIT
// The kernel's log: a lock-free ring of records with level, time, CPU and thread, written from any
// context including NMI, drained by the console, shown by `dmesg`.
#pragma once

#include "kdebug/text.h"
#include "kernel/lib/base.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

// One line without a newline; longer than LOG_LINE_MAX is cut. Any context.
#define LOG_LINE_MAX 200
void log_at(enum log_level level, const char *format, ...) __printf(2, 3);
#define log_error(...) log_at(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_at(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_at(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_DEBUG, __VA_ARGS__)

struct log_record {
    uint64_t sequence; // 1, 2, 3 ...
    uint64_t time_ns;
    int64_t thread;
    uint8_t cpu;
    uint8_t level;
    uint16_t length;
    char text[LOG_LINE_MAX + 1];
};
// The record with the given sequence number or, if it has been overwritten, the oldest there is.
// False: not written (or not finished) yet. Any context.
bool log_read(uint64_t sequence, struct log_record *out);
uint64_t log_next_sequence(void); // the number the next record will get

// "[    1.234567] cpu0 text"
void log_format(struct kd_text *text, const struct log_record *record);
// The last `lines` records, or all (0).
void log_tail(struct kd_text *text, unsigned lines);
// Prints every record up to the console's level (loglevel=) that it has not shown yet; called after
// each log_at() outside NMI, and by the console thread.
void log_drain(void);
