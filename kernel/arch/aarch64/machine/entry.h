// SPDX-License-Identifier: MIT
// What entry.S tells trap.c: which of the sixteen vectors was taken, and whether the stack pointer
// was usable. And where in struct kd_frame the assembly puts things (trap.c checks it).
#pragma once

// Vector number: 4 * source + kind (Arm ARM D1.3.1.5).
#define VECTOR_SYNC      0
#define VECTOR_IRQ       1
#define VECTOR_FIQ       2
#define VECTOR_SERROR    3
#define VECTOR_FROM_EL1H 4
#define VECTOR_BAD_STACK 0x10 // or-ed in: the frame lies on the CPU's emergency stack

#define FRAME_X30    240
#define FRAME_SP     248
#define FRAME_PC     256
#define FRAME_PSTATE 264
#define FRAME_PMR    272
#define FRAME_ESR    280
#define FRAME_FAR    288
#define FRAME_RECORD 296

#define EMERGENCY_STACK_BYTES 8192
