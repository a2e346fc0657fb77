// SPDX-License-Identifier: MIT
// See terminal.h.
#include "fathom/terminal.h"

#include <termios.h>
#include <unistd.h>

#define ESCAPE 0x01 // ^A

static struct termios saved;
static bool is_raw;

void terminal_raw(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || tcgetattr(STDIN_FILENO, &saved))
        return;
    struct termios raw = saved;
    cfmakeraw(&raw);
    raw.c_oflag |= OPOST; // our own lines end in \n only
    is_raw = !tcsetattr(STDIN_FILENO, TCSANOW, &raw);
}

void terminal_restore(void)
{
    if (is_raw)
        tcsetattr(STDIN_FILENO, TCSANOW, &saved);
    is_raw = false;
}

enum terminal_key terminal_key(struct terminal_keys *keys, uint8_t byte)
{
    if (!keys->escaped) {
        keys->escaped = byte == ESCAPE;
        return keys->escaped ? TERMINAL_NOTHING : TERMINAL_BYTE;
    }
    keys->escaped = false;
    switch (byte) {
    case 'x':
        return TERMINAL_QUIT;
    case 'b':
        return TERMINAL_BREAK;
    case 'c':
        return TERMINAL_MONITOR;
    case 'h':
    case '?':
        return TERMINAL_HELP;
    case ESCAPE:
        return TERMINAL_BYTE; // ^A ^A types one
    default:
        return TERMINAL_NOTHING;
    }
}

const char terminal_key_help[] = "^A h  this help\n"
                                 "^A x  end the machine\n"
                                 "^A b  send a BREAK on the serial line\n"
                                 "^A c  switch between the console and QEMU's monitor\n"
                                 "^A ^A type ^A\n";
