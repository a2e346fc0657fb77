// SPDX-License-Identifier: MIT
// The command line's contract: words are split, unknown commands are named with a suggestion, what
// is too long is refused, and commands that need a running kernel are refused in the debugger.
#include <errno.h>
#include <string.h>

#include "kernel/shell/command.h"
#include "kernel/shell/line.h"
#include "kernel/test/ktest.h"

static char printed[2048];

static int execute(const char *line, bool stopped)
{
    struct kd_text text;
    kd_text_init(&text, printed, sizeof(printed));
    return command_execute(&text, line, stopped);
}

KTEST(shell, unknown, "an unknown command is named, with the nearest one")
{
    EXPECT_EQ(execute("dmesh", false), -ENOENT);
    EXPECT(strstr(printed, "\"dmesh\""));
    EXPECT(strstr(printed, "\"dmesg\""));
}

KTEST(shell, help, "help lists every command in the order of names")
{
    EXPECT_EQ(execute("help", false), 0);
    const char *last = printed;
    static const char *const names[] = {"  cpu", "  dmesg", "  help", "  mem", "  ps"};
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        const char *at = strstr(printed, names[i]);
        EXPECT(at && at >= last);
        last = at;
    }
}

KTEST(shell, bounds, "lines and words beyond the limits are refused")
{
    char line[LINE_MAX + 10];
    memset(line, 'a', sizeof(line) - 1);
    line[sizeof(line) - 1] = '\0';
    EXPECT_EQ(execute(line, false), -E2BIG);
    EXPECT_EQ(execute("help a b c d e f g h i j k l m n o p", false), -E2BIG);
    EXPECT_EQ(execute("   ", false), 0);
}

KTEST(shell, stopped, "a command that needs a running kernel says so in the debugger")
{
    EXPECT_EQ(execute("crash null", true), -EBUSY);
    EXPECT(strstr(printed, "running kernel"));
}

// -- the line editor, whose screen goes to a buffer ----------------------------------------------

static struct line_editor editor;
static struct kd_text screen;
static char screen_buffer[4096];

static void editor_start(void)
{
    kd_text_init(&screen, screen_buffer, sizeof(screen_buffer));
    line_init(&editor, "> ", &screen);
    line_prompt(&editor);
}

// Types the text; true when it ended in an entered line.
static bool type(const char *text)
{
    bool entered = false;
    for (; *text; text++)
        entered = line_byte(&editor, (uint8_t)*text);
    return entered;
}

KTEST(shell, edit, "the line editor moves, inserts and deletes")
{
    editor_start();
    EXPECT(type("hxlp\x1b[D\x1b[D\x1b[D\x1b[3~e\x05 cpu\r"));
    EXPECT(strcmp(editor.text, "help cpu") == 0);
    line_prompt(&editor);
    EXPECT(type("one two\x17three\x01zero \n"));
    EXPECT(strcmp(editor.text, "zero one three") == 0);
    line_prompt(&editor);
    EXPECT(type("  abc\x7f\x7f\x7f  \r"));
    EXPECT(strcmp(editor.text, "") == 0);
}

KTEST(shell, history, "the line editor remembers lines and gives the draft back")
{
    editor_start();
    type("first\r");
    line_prompt(&editor);
    type("second\r");
    line_prompt(&editor);
    EXPECT(type("dra\x1b[A\x1b[A\x1b[B\x1b[Bft\r"));
    EXPECT(strcmp(editor.text, "draft") == 0);
    line_prompt(&editor);
    EXPECT(type("\x1b[A\x1b[A\x1b[A\r"));
    EXPECT(strcmp(editor.text, "first") == 0);
    line_prompt(&editor);
    EXPECT(!type("x\x03")); // abandoned
    EXPECT_EQ(editor.length, 0);
}

KTEST(shell, noise, "the line editor survives any bytes")
{
    editor_start();
    uint32_t state = 1;
    for (unsigned i = 0; i < 20000; i++) {
        state = state * 1664525 + 1013904223; // a full-period generator: every run is the same
        if (line_byte(&editor, (uint8_t)(state >> 24)))
            line_prompt(&editor);
        screen.length = 0;
        EXPECT(editor.length <= LINE_MAX && editor.cursor <= editor.length);
        EXPECT_EQ(strlen(editor.text), editor.length);
    }
}
