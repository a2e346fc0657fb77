// SPDX-License-Identifier: MIT
// See verdict.h. KTAP's nested levels are indented, so only lines that begin in the first column
// count here.
#include "fathom/verdict.h"

#include <stdlib.h>
#include <string.h>

void verdict_init(struct verdict *verdict)
{
    memset(verdict, 0, sizeof(*verdict));
}

static bool begins(const char *line, const char *words)
{
    return !strncmp(line, words, strlen(words));
}

static void end_line(struct verdict *verdict)
{
    verdict->line[verdict->length] = 0;
    if (begins(verdict->line, "PANIC: "))
        verdict->panicked = true;
    if (begins(verdict->line, "1..")) {
        verdict->tested = true;
        verdict->planned = (unsigned)strtoul(verdict->line + 3, NULL, 10);
    }
    if (begins(verdict->line, "ok "))
        verdict->passed++;
    if (begins(verdict->line, "not ok "))
        verdict->failed++;
    verdict->length = 0;
}

void verdict_console(struct verdict *verdict, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] == '\r')
            continue;
        if (bytes[i] == '\n')
            end_line(verdict);
        else if (verdict->length < sizeof(verdict->line) - 1)
            verdict->line[verdict->length++] = (char)bytes[i];
    }
}

enum exit_status verdict_status(const struct verdict *verdict)
{
    if (verdict->panicked)
        return EXIT_PANICKED;
    if (!verdict->tested)
        return EXIT_DONE;
    bool passed = verdict->planned && !verdict->failed && verdict->passed == verdict->planned;
    return passed ? EXIT_DONE : EXIT_FAILED;
}
