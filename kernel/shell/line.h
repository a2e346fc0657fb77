// SPDX-License-Identifier: MIT
// The line editor: a state machine over the bytes a terminal sends. It knows no console: what it
// shows goes through a writer, so it can be tested on any machine.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kdebug/text.h"

#define LINE_MAX     120
#define LINE_HISTORY 16

struct line_editor {
    const char *prompt;
    struct kd_text *screen;
    char text[LINE_MAX + 1];
    size_t length, cursor;
    char history[LINE_HISTORY][LINE_MAX + 1]; // a ring; history_count lines ever entered
    unsigned history_count, history_at;       // at == count: the new line
    char draft[LINE_MAX + 1];                 // the new line, while an old one is shown
    uint8_t escape;                           // 0, or how far into an escape sequence
    uint8_t parameter;                        // the number in it
    uint8_t last;                             // the byte before: CR LF is one line end
};

void line_init(struct line_editor *editor, const char *prompt, struct kd_text *screen);
void line_prompt(struct line_editor *editor);
// Takes one byte. True: a line has been entered; it is in editor->text, trimmed, until
// line_prompt(). Keys: arrows, Home, End, Delete, Backspace, ^A ^E ^B ^F ^K ^U ^W ^L ^P ^N ^C ^D.
bool line_byte(struct line_editor *editor, uint8_t byte);
