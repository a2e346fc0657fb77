// SPDX-License-Identifier: MIT
// Formatted text for code that must work when nothing else does: a writer that cannot overflow,
// over a buffer or over a sink that takes the text in pieces. The kernel's log and shell format
// with it too, so there is one formatter and it is one the debugger may rely on. Takes no lock,
// allocates nothing, uses about 200 bytes of stack: any context.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct kd_text;

// Takes `length` characters; called when the buffer is full and by kd_text_flush().
typedef void kd_text_sink(struct kd_text *text, const char *characters, size_t length);

struct kd_text {
    char *buffer;
    size_t size;        // of buffer
    size_t length;      // characters in buffer now
    size_t total;       // characters written in all, also those that did not fit
    kd_text_sink *sink; // NULL: a plain buffer, always terminated; what does not fit is dropped
    void *context;      // the sink's own
};

// A plain buffer: always NUL-terminated when size > 0.
void kd_text_init(struct kd_text *text, char *buffer, size_t size);
// A stream through a small buffer. The caller ends with kd_text_flush().
void kd_text_init_sink(struct kd_text *text, char *buffer, size_t size, kd_text_sink *sink,
                       void *context);
void kd_text_flush(struct kd_text *text);

void kd_text_char(struct kd_text *text, char c);
void kd_text_write(struct kd_text *text, const char *characters, size_t length);
void kd_text_string(struct kd_text *text, const char *string); // NULL prints "(null)"

// printf's d i u x X o c s p % with flags - 0 + space #, width and precision (also *), and the
// lengths hh h l ll z t j. %p prints 0x and 16 digits. An unknown conversion is printed as it
// stands. Returns the number of characters the whole text needs.
size_t kd_text_printf(struct kd_text *text, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t kd_text_vprintf(struct kd_text *text, const char *format, va_list arguments);

// As C17 7.21.6.5 with the conversions above.
int kd_snprintf(char *to, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
int kd_vsnprintf(char *to, size_t size, const char *format, va_list arguments);
