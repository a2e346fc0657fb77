// SPDX-License-Identifier: MIT
// See error.h. Running out of memory while making an error ends the program: there is nothing
// better to say by then.
#include "base/error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct error {
    enum exit_status status;
    char *text;
};

static struct error *make(enum exit_status status, const char *format, va_list arguments)
{
    struct error *error = malloc(sizeof(*error));
    if (!error || vasprintf(&error->text, format, arguments) < 0)
        abort();
    error->status = status;
    return error;
}

struct error *error_make(enum exit_status status, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    struct error *error = make(status, format, arguments);
    va_end(arguments);
    return error;
}

struct error *error_errno(const char *format, ...)
{
    int number = errno;
    va_list arguments;
    va_start(arguments, format);
    struct error *error = make(EXIT_FAILED, format, arguments);
    va_end(arguments);

    char *whole;
    if (asprintf(&whole, "%s: %s", error->text, strerror(number)) < 0)
        abort();
    free(error->text);
    error->text = whole;
    return error;
}

const char *error_text(const struct error *error)
{
    return error->text;
}

void error_free(struct error *error)
{
    if (!error)
        return;
    free(error->text);
    free(error);
}

enum exit_status error_report(struct error *error, const char *who)
{
    enum exit_status status = error->status;
    fprintf(stderr, "%s: %s\n", who, error->text);
    error_free(error);
    return status;
}
