// SPDX-License-Identifier: MIT
// The program that the fake machine of gdbstub_fake.c runs under a real gdb. Compiled to nothing
// but the instructions that machine knows: calls, returns, frames, a store, a jump, and nops.
// _start comes first, since the machine starts at the first byte.
void _start(void);
void outer(void) __attribute__((noinline));
void inner(void) __attribute__((noinline));

volatile unsigned char counter;

void _start(void)
{
    for (;;) {
        __asm__ volatile("nop");
        outer();
        __asm__ volatile("nop");
        __asm__ volatile("nop\n\tnop\n\tnop\n\tnop\n\tnop");
        __asm__ volatile("nop");
    }
}

void inner(void)
{
    __asm__ volatile("nop");
    counter = 7;
    __asm__ volatile("nop");
    counter = 9;
    __asm__ volatile("nop");
}

void outer(void)
{
    __asm__ volatile("nop");
    inner();
    __asm__ volatile("nop");
}
