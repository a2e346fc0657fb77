// SPDX-License-Identifier: MIT
// Who has which of the 256 vectors; for C and assembly.
#pragma once

#define VECTOR_DEBUG          1
#define VECTOR_NMI            2
#define VECTOR_INVALID_OPCODE 6
#define VECTOR_DOUBLE_FAULT   8
#define VECTOR_PAGE_FAULT     14
#define VECTOR_MACHINE        18
#define VECTOR_EXCEPTIONS     32 /* below: exceptions, from here on: interrupts */
// The two legacy controllers are mapped out of the way; they are masked, but may still raise their
// spurious interrupts 7 and 15.
#define VECTOR_LEGACY     0x20
#define VECTOR_IRQ_FIRST  0x30
#define VECTOR_IRQ_LAST   0xef
#define VECTOR_RESCHEDULE 0xf0
#define VECTOR_CALL       0xf1
#define VECTOR_TIMER      0xf2
#define VECTOR_CONSOLE    0xf3
#define VECTOR_SPURIOUS   0xff /* the low four bits must be ones on old parts */
