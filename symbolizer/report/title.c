// SPDX-License-Identifier: MIT
// See title.h. The signature is "fsig1:" and the first 16 hex digits of the SHA-256 of the kind, a
// line feed, and the plain names of the five innermost functions each with a line feed behind it.
// Inlined functions do not count: they depend on the compiler, and without ELF files nobody knows
// them. The loose signature has the innermost one only.
#include "symbolizer/report/title.h"

#include <ctype.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/format.h"

#define SIGNATURE_FRAMES 5
#define SIGNATURE_BYTES  8

#define RUST_HASH_CHARACTERS 19 // "::h" and 16 digits

static bool is_rust_hash(const char *text)
{
    if (memcmp(text, "::h", 3) != 0)
        return false;
    for (size_t i = 3; i < RUST_HASH_CHARACTERS; i++)
        if (!isxdigit((unsigned char)text[i]))
            return false;
    return true;
}

const char *report_plain_name(struct report_arena *arena, const char *name)
{
    static const char *const suffixes[] = {".cold",  ".constprop.", ".isra.",     ".part.",
                                           ".llvm.", ".lto_priv.",  ".localalias"};
    size_t length = strlen(name);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(*suffixes); i++) {
        const char *found = memmem(name, length, suffixes[i], strlen(suffixes[i]));
        if (found && found != name)
            length = (size_t)(found - name);
    }
    if (length > RUST_HASH_CHARACTERS && is_rust_hash(name + length - RUST_HASH_CHARACTERS))
        length -= RUST_HASH_CHARACTERS;
    return report_strndup(arena, name, length);
}

static bool is_skipped(const struct report *report, const char *name)
{
    for (const char *const *skip = report->format->skips; skip && *skip; skip++) {
        size_t length = strlen(*skip);
        bool prefix = (*skip)[length - 1] == '_';
        if (prefix ? !strncmp(name, *skip, length) : !strcmp(name, *skip))
            return true;
    }
    return false;
}

// The function a frame is in, as the symbol table or else the log names it.
static const char *frame_name(struct report_arena *arena, const struct report_frame *frame)
{
    const char *name = frame->image && frame->symbol.name ? frame->symbol.name : frame->name;
    if (!name)
        return NULL;
    char *readable = sym_demangle(name);
    const char *shown = readable ? report_printable(arena, readable, strlen(readable), NULL) : name;
    free(readable);
    return report_plain_name(arena, shown);
}

static const char *hash(struct report_arena *arena, const char *kind, const char *const *names,
                        size_t count)
{
    struct sha256_ctx context;
    sha256_init(&context);
    sha256_update(&context, strlen(kind), (const uint8_t *)kind);
    sha256_update(&context, 1, (const uint8_t *)"\n");
    for (size_t i = 0; i < count; i++) {
        sha256_update(&context, strlen(names[i]), (const uint8_t *)names[i]);
        sha256_update(&context, 1, (const uint8_t *)"\n");
    }
    uint8_t digest[SHA256_DIGEST_SIZE];
    sha256_digest(&context, sizeof(digest), digest);
    char text[2 * SIGNATURE_BYTES + 1];
    for (size_t i = 0; i < SIGNATURE_BYTES; i++)
        sprintf(text + 2 * i, "%02x", digest[i]);
    return report_printf(arena, "fsig1:%s", text);
}

static const char *title_in(struct report_arena *arena, const struct report *report,
                            const char *function)
{
    const char *words = report->words ? report->words : report->kind;
    return function ? report_printf(arena, "%s in %s", words, function) : words;
}

// Behind a call that does not come back stands the next function, whose name that of the caller is
// not. Nobody returns to a function's first byte.
static bool is_behind_its_function(const struct report_frame *frame)
{
    return frame->role == REPORT_RETURN && frame->has_offset && !frame->offset;
}

// The plain names of the innermost functions that count, and the frame of the first.
static size_t collect(struct report_arena *arena, const struct report *report, bool unreliable,
                      const char **names, const struct report_frame **innermost)
{
    size_t count = 0;
    const struct report_frame *frame = report->first_stack.first;
    for (; frame && count < SIGNATURE_FRAMES; frame = frame->next_in_stack) {
        const char *name = frame->unreliable && !unreliable ? NULL : frame_name(arena, frame);
        if (!name || !*name || is_skipped(report, name) || is_behind_its_function(frame))
            continue;
        if (!count)
            *innermost = frame;
        names[count++] = name;
    }
    return count;
}

void report_note_subject(struct report_arena *arena, struct report *report)
{
    const char *names[SIGNATURE_FRAMES];
    if (!report->subject)
        collect(arena, report, false, names, &report->subject);
}

static bool has_certain_function(const struct report *report)
{
    for (const struct report_frame *f = report->first_stack.first; f; f = f->next_in_stack)
        if (!f->unreliable && f->name)
            return true;
    return false;
}

void report_make_title(struct report_arena *arena, struct report *report)
{
    const char *names[SIGNATURE_FRAMES] = {0};
    const struct report_frame *innermost = NULL;
    size_t count = collect(arena, report, false, names, &innermost);
    // After a jump into nowhere nothing on the stack is certain, but it is all that there is.
    if (!count && !has_certain_function(report))
        count = collect(arena, report, true, names, &innermost);
    report->title = title_in(arena, report, report->placeless ? NULL : names[0]);
    report->subject = innermost;
    if (innermost && !report->placeless && innermost->call_count > 1 &&
        innermost->calls[0].function)
        report->alt_titles[0] = title_in(arena, report, innermost->calls[0].function);
    report->signature = hash(arena, report->kind, names, count);
    report->loose_signature = hash(arena, report->kind, names, count ? 1 : 0);
}
