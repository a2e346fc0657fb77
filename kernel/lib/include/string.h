// SPDX-License-Identifier: MIT
// The string functions target code may use, in the manner of C17 section 7.24. Implemented in
// kernel/lib/string.c, which lies in the debugger's text (.text.debugger) and is compiled without
// instrumentation: any context, any stack, including the debugger's.
#pragma once

#include <stddef.h>

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memmove(void *to, const void *from, size_t n);
void *memset(void *to, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
void *memchr(const void *s, int byte, size_t n);
size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
char *strstr(const char *haystack, const char *needle);
// Copies at most size - 1 characters and always terminates (when size > 0). Returns strlen(from).
size_t strlcpy(char *to, const char *from, size_t size);
