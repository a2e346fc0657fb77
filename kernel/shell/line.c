// SPDX-License-Identifier: MIT
// Line editing with history. Control sequences as in ECMA-48 (8.3.20 CUF, 8.3.41 EL) and as
// xterm-like terminals send for keys. Bytes that mean nothing here are ignored, so noise on the
// line can at worst spell a wrong command.
#include "kernel/shell/line.h"

#include <string.h>

#define CONTROL(letter) ((letter)&0x1f)
#define KEY_ESCAPE      0x1b
#define KEY_DELETE      0x7f

enum { ESCAPE_NONE, ESCAPE_STARTED, ESCAPE_BRACKET };

void line_init(struct line_editor *editor, const char *prompt, struct kd_text *screen)
{
    *editor = (struct line_editor){.prompt = prompt, .screen = screen};
}

// Everything from the start of the row, then the cursor back to its place: few enough bytes for
// a line of this length, and right whatever was printed in between.
static void redraw(struct line_editor *editor)
{
    kd_text_printf(editor->screen, "\r%s%s\x1b[K", editor->prompt, editor->text);
    if (editor->cursor < editor->length)
        kd_text_printf(editor->screen, "\x1b[%uD", (unsigned)(editor->length - editor->cursor));
    kd_text_flush(editor->screen);
}

void line_prompt(struct line_editor *editor)
{
    editor->text[0] = '\0';
    editor->length = editor->cursor = 0;
    editor->history_at = editor->history_count;
    kd_text_string(editor->screen, editor->prompt);
    kd_text_flush(editor->screen);
}

static void insert(struct line_editor *editor, char c)
{
    if (editor->length == LINE_MAX)
        return;
    memmove(editor->text + editor->cursor + 1, editor->text + editor->cursor,
            editor->length - editor->cursor + 1);
    editor->text[editor->cursor++] = c;
    editor->length++;
    if (editor->cursor == editor->length) {
        kd_text_char(editor->screen, c);
        kd_text_flush(editor->screen);
    } else {
        redraw(editor);
    }
}

static void delete_range(struct line_editor *editor, size_t from, size_t to)
{
    if (from >= to)
        return;
    memmove(editor->text + from, editor->text + to, editor->length - to + 1);
    editor->length -= to - from;
    editor->cursor = from;
    redraw(editor);
}

static void move_to(struct line_editor *editor, size_t cursor)
{
    editor->cursor = cursor;
    redraw(editor);
}

static void replace(struct line_editor *editor, const char *text)
{
    strlcpy(editor->text, text, sizeof(editor->text));
    editor->length = editor->cursor = strlen(editor->text);
    redraw(editor);
}

// -- history ----------------------------------------------------------------------------------

static char *history_line(struct line_editor *editor, unsigned number)
{
    return editor->history[number % LINE_HISTORY];
}

static void history_add(struct line_editor *editor)
{
    if (editor->length == 0)
        return;
    unsigned count = editor->history_count;
    if (count > 0 && strcmp(history_line(editor, count - 1), editor->text) == 0)
        return;
    strlcpy(history_line(editor, count), editor->text, LINE_MAX + 1);
    editor->history_count++;
}

static void history_show(struct line_editor *editor, unsigned number)
{
    unsigned count = editor->history_count;
    unsigned oldest = count > LINE_HISTORY ? count - LINE_HISTORY : 0;
    if (number > count || number < oldest || number == editor->history_at)
        return;
    if (editor->history_at == count)
        strlcpy(editor->draft, editor->text, sizeof(editor->draft));
    editor->history_at = number;
    replace(editor, number == count ? editor->draft : history_line(editor, number));
}

static void history_older(struct line_editor *editor)
{
    if (editor->history_at > 0)
        history_show(editor, editor->history_at - 1);
}

static void history_newer(struct line_editor *editor)
{
    history_show(editor, editor->history_at + 1);
}

// -- keys -------------------------------------------------------------------------------------

static void left(struct line_editor *editor)
{
    if (editor->cursor > 0)
        move_to(editor, editor->cursor - 1);
}

static void right(struct line_editor *editor)
{
    if (editor->cursor < editor->length)
        move_to(editor, editor->cursor + 1);
}

static void home(struct line_editor *editor)
{
    move_to(editor, 0);
}

static void end(struct line_editor *editor)
{
    move_to(editor, editor->length);
}

static void backspace(struct line_editor *editor)
{
    if (editor->cursor > 0)
        delete_range(editor, editor->cursor - 1, editor->cursor);
}

static void delete_here(struct line_editor *editor)
{
    if (editor->cursor < editor->length)
        delete_range(editor, editor->cursor, editor->cursor + 1);
}

static void delete_before(struct line_editor *editor)
{
    delete_range(editor, 0, editor->cursor);
}

static void delete_behind(struct line_editor *editor)
{
    editor->text[editor->length = editor->cursor] = '\0';
    redraw(editor);
}

static void delete_word(struct line_editor *editor)
{
    size_t from = editor->cursor;
    while (from > 0 && editor->text[from - 1] == ' ')
        from--;
    while (from > 0 && editor->text[from - 1] != ' ')
        from--;
    delete_range(editor, from, editor->cursor);
}

static void abandon(struct line_editor *editor)
{
    kd_text_string(editor->screen, "^C\n");
    line_prompt(editor);
}

static void clear_screen(struct line_editor *editor)
{
    kd_text_string(editor->screen, "\x1b[H\x1b[2J");
    redraw(editor);
}

struct key {
    uint8_t byte;
    void (*act)(struct line_editor *editor);
};

static const struct key control_keys[] = {
    {CONTROL('a'), home},          {CONTROL('b'), left},          {CONTROL('c'), abandon},
    {CONTROL('d'), delete_here},   {CONTROL('e'), end},           {CONTROL('f'), right},
    {CONTROL('h'), backspace},     {CONTROL('k'), delete_behind}, {CONTROL('l'), clear_screen},
    {CONTROL('n'), history_newer}, {CONTROL('p'), history_older}, {CONTROL('u'), delete_before},
    {CONTROL('w'), delete_word},   {KEY_DELETE, backspace},       {0, NULL},
};

// The last byte of ESC [ X, and of ESC O X.
static const struct key cursor_keys[] = {
    {'A', history_older}, {'B', history_newer}, {'C', right}, {'D', left},
    {'F', end},           {'H', home},          {0, NULL},
};

// The number in ESC [ N ~.
static const struct key numbered_keys[] = {
    {1, home}, {3, delete_here}, {4, end}, {7, home}, {8, end}, {0, NULL},
};

static void key_run(const struct key *keys, uint8_t byte, struct line_editor *editor)
{
    for (; keys->act; keys++)
        if (keys->byte == byte) {
            keys->act(editor);
            return;
        }
}

static void escape_byte(struct line_editor *editor, uint8_t byte)
{
    if (editor->escape == ESCAPE_STARTED) {
        editor->parameter = 0;
        editor->escape = byte == '[' || byte == 'O' ? ESCAPE_BRACKET : ESCAPE_NONE;
        return;
    }
    if (byte >= '0' && byte <= '9') {
        editor->parameter = (uint8_t)(editor->parameter * 10 + (byte - '0'));
        return;
    }
    if (byte == ';') {
        editor->parameter = 0;
        return;
    }
    editor->escape = ESCAPE_NONE;
    if (byte == '~')
        key_run(numbered_keys, editor->parameter, editor);
    else
        key_run(cursor_keys, byte, editor);
}

static void trim(struct line_editor *editor)
{
    while (editor->length > 0 && editor->text[editor->length - 1] == ' ')
        editor->text[--editor->length] = '\0';
    size_t blanks = 0;
    while (editor->text[blanks] == ' ')
        blanks++;
    memmove(editor->text, editor->text + blanks, editor->length - blanks + 1);
    editor->length -= blanks;
}

bool line_byte(struct line_editor *editor, uint8_t byte)
{
    bool second_half = byte == '\n' && editor->last == '\r';
    editor->last = byte;
    if (second_half)
        return false;
    if (editor->escape != ESCAPE_NONE) {
        escape_byte(editor, byte);
    } else if (byte == KEY_ESCAPE) {
        editor->escape = ESCAPE_STARTED;
    } else if (byte == '\r' || byte == '\n') {
        kd_text_char(editor->screen, '\n');
        kd_text_flush(editor->screen);
        trim(editor);
        history_add(editor);
        return true;
    } else if (byte >= ' ' && byte < KEY_DELETE) {
        insert(editor, (char)byte);
    } else {
        key_run(control_keys, byte, editor);
    }
    return false;
}
