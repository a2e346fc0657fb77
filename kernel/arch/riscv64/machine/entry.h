// SPDX-License-Identifier: MIT
// What entry.S and switch.S share with C: offsets into struct machine_cpu_data and the frames they
// build. C checks each of them.
#pragma once

// struct machine_cpu_data, which sscratch points to
#define DATA_SP  0
#define DATA_T0  8
#define DATA_TP  16
#define DATA_CPU 24

// struct kd_frame, and what entry.S puts above it: a frame record
#define FRAME_PC      256
#define FRAME_SSTATUS 264
#define FRAME_SCAUSE  272
#define FRAME_STVAL   280
#define FRAME_RECORD  288
#define ENTRY_BYTES   304

#define EMERGENCY_STACK_BYTES 8192

// struct switch_frame, what arch_switch() leaves on the stack
#define SWITCH_BYTES 112
