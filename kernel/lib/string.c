// SPDX-License-Identifier: MIT
// The string functions, for the kernel, the debugger and what the compiler calls on its own. They
// lie in the debugger's text and are compiled plain, so a breakpoint or a sanitizer can never
// stand between the debugger and its memory. They touch nothing but their arguments.
#include "kernel/lib/include/string.h"
#include "kernel/lib/base.h"

// Words are accessed through this type: it may alias anything.
typedef uintptr_t __attribute__((may_alias)) word_t;
#define WORD_BYTES sizeof(word_t)

// Stops the compiler from recognising a loop as the very function that it implements.
#define KEEP_LOOP() __asm__ volatile("" ::: "memory")

static inline bool word_aligned(const void *a)
{
    return (uintptr_t)a % WORD_BYTES == 0;
}

// Two addresses that become word-aligned after the same number of bytes.
static inline bool same_alignment(const void *a, const void *b)
{
    return (((uintptr_t)a ^ (uintptr_t)b) % WORD_BYTES) == 0;
}

static inline void copy_forward(uint8_t *to, const uint8_t *from, size_t n)
{
    if (same_alignment(to, from)) {
        for (; n > 0 && !word_aligned(to); n--) {
            *to++ = *from++;
            KEEP_LOOP();
        }
        for (; n >= 4 * WORD_BYTES; n -= 4 * WORD_BYTES) {
            const word_t *source = (const word_t *)from;
            word_t *target = (word_t *)to;
            word_t a = source[0], b = source[1], c = source[2], d = source[3];
            target[0] = a;
            target[1] = b;
            target[2] = c;
            target[3] = d;
            from += 4 * WORD_BYTES;
            to += 4 * WORD_BYTES;
            KEEP_LOOP();
        }
        for (; n >= WORD_BYTES; n -= WORD_BYTES) {
            *(word_t *)to = *(const word_t *)from;
            from += WORD_BYTES;
            to += WORD_BYTES;
            KEEP_LOOP();
        }
    }
    for (; n > 0; n--) {
        *to++ = *from++;
        KEEP_LOOP();
    }
}

static inline void copy_backward(uint8_t *to, const uint8_t *from, size_t n)
{
    to += n;
    from += n;
    if (same_alignment(to, from)) {
        for (; n > 0 && !word_aligned(to); n--) {
            *--to = *--from;
            KEEP_LOOP();
        }
        for (; n >= WORD_BYTES; n -= WORD_BYTES) {
            to -= WORD_BYTES;
            from -= WORD_BYTES;
            *(word_t *)to = *(const word_t *)from;
            KEEP_LOOP();
        }
    }
    for (; n > 0; n--) {
        *--to = *--from;
        KEEP_LOOP();
    }
}

__debugger_text void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    copy_forward(to, from, n);
    return to;
}

__debugger_text void *memmove(void *to, const void *from, size_t n)
{
    if ((uintptr_t)to - (uintptr_t)from >= n)
        copy_forward(to, from, n);
    else
        copy_backward(to, from, n);
    return to;
}

__debugger_text void *memset(void *to, int byte, size_t n)
{
    uint8_t *p = to;
    word_t word = (uint8_t)byte * (UINTPTR_MAX / 0xff);
    for (; n > 0 && !word_aligned(p); n--) {
        *p++ = (uint8_t)byte;
        KEEP_LOOP();
    }
    for (; n >= 4 * WORD_BYTES; n -= 4 * WORD_BYTES) {
        word_t *target = (word_t *)p;
        target[0] = target[1] = target[2] = target[3] = word;
        p += 4 * WORD_BYTES;
        KEEP_LOOP();
    }
    for (; n >= WORD_BYTES; n -= WORD_BYTES) {
        *(word_t *)p = word;
        p += WORD_BYTES;
        KEEP_LOOP();
    }
    for (; n > 0; n--) {
        *p++ = (uint8_t)byte;
        KEEP_LOOP();
    }
    return to;
}

__debugger_text int memcmp(const void *a, const void *b, size_t n)
{
    const uint8_t *x = a, *y = b;
    for (; n > 0; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

__debugger_text void *memchr(const void *s, int byte, size_t n)
{
    for (const uint8_t *p = s; n > 0; n--, p++)
        if (*p == (uint8_t)byte)
            return (void *)p;
    return NULL;
}

__debugger_text size_t strnlen(const char *s, size_t max)
{
    size_t length = 0;
    while (length < max && s[length] != '\0') {
        length++;
        KEEP_LOOP();
    }
    return length;
}

__debugger_text size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

__debugger_text int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++)
        if (*a != *b || *a == '\0')
            return (uint8_t)*a - (uint8_t)*b;
    return 0;
}

__debugger_text int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

__debugger_text char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++)
        if (*s == '\0')
            return NULL;
    return (char *)s;
}

__debugger_text char *strrchr(const char *s, int c)
{
    const char *last = NULL;
    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (*s == '\0')
            return (char *)last;
    }
}

__debugger_text char *strstr(const char *haystack, const char *needle)
{
    size_t length = strlen(needle);
    for (;; haystack++) {
        if (strncmp(haystack, needle, length) == 0)
            return (char *)haystack;
        if (*haystack == '\0')
            return NULL;
    }
}

__debugger_text size_t strlcpy(char *to, const char *from, size_t size)
{
    size_t length = strlen(from);
    if (size > 0) {
        size_t kept = MIN(length, size - 1);
        memcpy(to, from, kept);
        to[kept] = '\0';
    }
    return length;
}
