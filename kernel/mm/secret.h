// SPDX-License-Identifier: MIT
// Memory that must never leave the machine in a panic's capsule: keys, passwords, tokens. What is
// marked is marked physically, so that no alias of it goes out either. Marking does not keep gdb
// from it, nor does it follow copies: whoever handles a secret wipes registers and temporaries.
#pragma once

#include "kernel/lib/base.h"

// For static objects: static uint8_t key[32] __secret;
#define __secret __attribute__((section(".data.secret")))

#define SECRETS_MAX 128

// Marks memory that has an address already (a buffer on a stack, a part of a structure). 0, or
// -ENOSPC: the table is full, the memory is not marked. Any context but NMI.
int secret_mark(const void *address, size_t bytes);
// With the same arguments, after the secret has been overwritten.
void secret_unmark(const void *address, size_t bytes);

// kmalloc() and kfree() for secrets: NULL, too, when it cannot be marked; wiped when it is freed.
void *secret_alloc(size_t bytes);
void secret_free(void *object, size_t bytes);

// struct kdebug_kernel.memory_secret.
bool secret_at(uintptr_t address, size_t *length);
