// SPDX-License-Identifier: MIT
// The shell thread, and running a command line: splitting it, finding the command, suggesting one.
// command_execute() also serves gdb's `monitor` and so runs in the debugger: no locks, no memory.
#include "kernel/shell/shell.h"

#include <errno.h>
#include <string.h>

#include "kernel/log/console.h"
#include "kernel/log/log.h"
#include "kernel/sched/thread.h"
#include "kernel/shell/command.h"
#include "kernel/shell/line.h"

#define WORDS_MAX 16

static const struct command *command_find(const char *name)
{
    TABLE_FOR_EACH (command, struct command, command)
        if (strcmp(command->name, name) == 0)
            return command;
    return NULL;
}

// How many characters of the shorter name the two share from the start; for suggestions.
static size_t common_prefix(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

static const struct command *command_suggest(const char *name)
{
    const struct command *best = NULL;
    size_t best_length = 0;
    TABLE_FOR_EACH (command, struct command, command) {
        size_t length = common_prefix(name, command->name);
        if (length > best_length) {
            best = command;
            best_length = length;
        }
    }
    return best;
}

static int split(char *line, char *words[WORDS_MAX])
{
    int count = 0;
    for (char *at = line; *at;) {
        while (*at == ' ')
            *at++ = '\0';
        if (!*at)
            break;
        if (count == WORDS_MAX)
            return -E2BIG;
        words[count++] = at;
        while (*at && *at != ' ')
            at++;
    }
    return count;
}

int command_execute(struct kd_text *out, const char *line, bool stopped)
{
    char copy[LINE_MAX + 1];
    char *words[WORDS_MAX];
    if (strlcpy(copy, line, sizeof(copy)) >= sizeof(copy)) {
        kd_text_printf(out, "the line is longer than %d characters\n", LINE_MAX);
        return -E2BIG;
    }
    int count = split(copy, words);
    if (count < 0) {
        kd_text_printf(out, "more than %d words\n", WORDS_MAX);
        return count;
    }
    if (count == 0)
        return 0;
    const struct command *command = command_find(words[0]);
    if (!command) {
        const struct command *near = command_suggest(words[0]);
        kd_text_printf(out, "no command \"%s\"", words[0]);
        if (near)
            kd_text_printf(out, "; did you mean \"%s\"?", near->name);
        kd_text_string(out, " (try \"help\")\n");
        return -ENOENT;
    }
    if (stopped && command->running_only) {
        kd_text_printf(out, "%s needs a running kernel\n", command->name);
        return -EBUSY;
    }
    struct command_call call = {.out = out, .argc = count, .argv = words, .stopped = stopped};
    return command->run(&call);
}

// -- help -------------------------------------------------------------------------------------

// The link order means nothing to a reader: rows are shown by name. Each step looks for the least
// name above the last one shown, since there is nowhere to sort.
static const struct command *command_after(const char *name)
{
    const struct command *next = NULL;
    TABLE_FOR_EACH (command, struct command, command)
        if (strcmp(command->name, name) > 0 && (!next || strcmp(command->name, next->name) < 0))
            next = command;
    return next;
}

static int help_run(struct command_call *call)
{
    if (call->argc > 1) {
        const struct command *command = command_find(call->argv[1]);
        if (!command) {
            kd_text_printf(call->out, "no command \"%s\"\n", call->argv[1]);
            return -ENOENT;
        }
        kd_text_printf(call->out, "%s - %s\n", command->usage, command->summary);
        if (command->help)
            kd_text_printf(call->out, "%s\n", command->help);
        return 0;
    }
    const struct command *command = command_after("");
    for (; command; command = command_after(command->name))
        kd_text_printf(call->out, "  %-16s %s\n", command->usage, command->summary);
    return 0;
}

COMMAND(help, "help", "help [COMMAND]", "this list, or more about one command", help_run, NULL);

// -- the thread -------------------------------------------------------------------------------

static void console_sink(struct kd_text *text, const char *characters, size_t length)
{
    (void)text;
    console_write(characters, length);
}

static void shell_run(void *unused)
{
    (void)unused;
    static struct line_editor editor;
    char buffer[128];
    struct kd_text screen;
    kd_text_init_sink(&screen, buffer, sizeof(buffer), console_sink, NULL);
    line_init(&editor, "fathom> ", &screen);
    for (;;) {
        line_prompt(&editor);
        while (!line_byte(&editor, console_read()))
            ;
        command_execute(&screen, editor.text, false);
        kd_text_flush(&screen);
    }
}

void shell_start(void)
{
    struct thread *thread;
    if (thread_create("shell", PRIORITY_NORMAL, 0, shell_run, NULL, &thread) < 0) {
        log_error("shell: no memory for its thread");
        return;
    }
    thread_detach(thread);
}
