// SPDX-License-Identifier: MIT
// What a panic's text says, and what the ELF files add to it: a report has stacks, a stack has
// frames. The formats fill in what is printed (format.h), images.h finds what it stands for, and
// the writers (writers.h) show it. Everything lives in the reader's arena until it was written.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "symbolizer/report/line.h"
#include "symbolizer/symbolizer.h"

struct report_image;
struct report_format;

// Which instruction an address means. A return address is the one behind the call, which may be on
// another line, in another inlined function, or the first of the next function: callers are looked
// up one byte before it.
enum report_role {
    REPORT_EXACT,  // where an exception or an interrupt came, or where somebody was stopped
    REPORT_RETURN, // a return address
};

struct report_frame {
    struct report_frame *next_on_line, *next_in_stack;
    // As printed:
    enum report_role role;
    bool unreliable; // Linux's "?": was on the stack, need not be a caller
    bool aside;      // shown on its line, but no part of a stack
    bool has_address, has_offset;
    uint64_t address, offset;
    uint64_t size;        // of the function; 0: not printed
    const char *name;     // NULL: none
    const char *module;   // NULL: the kernel
    const char *build_id; // of the module in hex, or NULL
    // As found; image NULL: nothing was found:
    const struct report_image *image;
    struct sym_place place; // of the address itself, also where a byte before it was looked up
    struct sym_symbol symbol;
    const struct sym_frame *calls; // innermost first
    size_t call_count;
    unsigned others;  // more symbols of that name that fit as well
    bool contradicts; // name and address mean different places
};

struct report_stack {
    struct report_stack *next;
    const char *title; // "NMI backtrace for cpu 1"; NULL: the one the report is about
    struct report_frame *first, *last;
    size_t count;
};

struct report_register {
    struct report_register *next;
    const char *name;
    uint64_t value;
};

// The instructions a report prints around the one that faulted.
#define REPORT_CODE_MAX 128
struct report_code {
    uint8_t bytes[REPORT_CODE_MAX];
    size_t length;
    size_t fault; // where the faulting instruction begins in them
};

enum report_clock {
    REPORT_CLOCK_NONE,
    REPORT_CLOCK_BOOT,
    REPORT_CLOCK_WALL,
};

struct report {
    struct report *next; // of the open ones
    const struct report_format *format;
    const char *kind;   // a word for programs: "null-deref"; NULL: not yet known
    const char *words;  // the title's, without the function
    const char *reason; // the text behind the kind, as printed
    const char *os, *version, *git, *task, *host, *caller, *build_id, *boot_id;
    uint16_t machine; // e_machine; 0: not known
    int cpu;          // -1: not known
    enum report_clock clock;
    double time_s;
    bool has_slide;
    uint64_t slide; // added to the kernel's link addresses
    struct report_stack first_stack, *stack;
    struct report_register *registers, **registers_end;
    struct report_code code;
    struct report_line *first_line, *last_line;
    // The reader's and the formats' state:
    bool expects_end; // without its last line it was cut off
    bool ended;       // its last line has been seen, the aftermath may follow
    bool complete;
    bool user;               // the registers that follow are a process's
    bool in_trace;           // lines of a call trace follow
    bool exact_next;         // the next frame of the trace is where an exception came
    bool corrupted;          // lines are damaged or contradict each other
    bool trapped;            // an exception brought it here: its first frame is where that came
    bool placeless;          // its title names no function
    unsigned contradictions; // frames whose address and name differ
    unsigned idle_lines;     // since the last one that belongs to it
    const char *wrong_build; // the file of that name has this other build-id
    // Made when it is complete (title.h):
    const char *title, *alt_titles[2], *signature, *loose_signature;
    const struct report_frame *subject; // the one the title names; NULL: none
};
