// SPDX-License-Identifier: MIT
// Errors of host code: NULL is success, anything else says what went wrong, where, and what to do,
// in one line for standard error, together with the exit status it deserves. Whoever gets one
// handles it, passes it on, or reports it with error_report(), which also frees it.
#pragma once

// The exit statuses of every subcommand.
enum exit_status {
    EXIT_DONE = 0,
    EXIT_FAILED = 1, // the work failed
    EXIT_USAGE = 2,
    EXIT_TIMEOUT = 124,
    EXIT_INTERRUPTED = 130,
    EXIT_PANICKED = 134, // the target panicked
};

struct error;

struct error *error_make(enum exit_status status, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
// As error_make(EXIT_FAILED, ...) with ": " and the meaning of the present errno appended.
struct error *error_errno(const char *format, ...) __attribute__((format(printf, 1, 2)));

const char *error_text(const struct error *error);
void error_free(struct error *error);
// Prints "WHO: text" on standard error, frees the error and returns its exit status.
enum exit_status error_report(struct error *error, const char *who);
