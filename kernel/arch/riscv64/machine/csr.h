// SPDX-License-Identifier: MIT
// Control and status registers of RISC-V supervisor mode (privileged architecture 1.12, 4.1) as far
// as the kernel uses them: accessors for C, and their fields for C and assembly.
#pragma once

#define SSTATUS_SIE  (1 << 1)
#define SSTATUS_SPIE (1 << 5)
#define SSTATUS_SPP  (1 << 8)
#define SSTATUS_FS   (3 << 13)

// Interrupts: bits of sie and sip, and the codes in scause.
#define IRQ_SOFTWARE         1
#define IRQ_TIMER            5
#define IRQ_EXTERNAL         9
#define SIE_BIT(irq)         (1UL << (irq))
#define SCAUSE_IS_IRQ(cause) ((int64_t)(cause) < 0)

#define SATP_SV39 8 // the mode, bits 63:60

#ifndef __ASSEMBLER__
#define csr_read(name)                                                                             \
    ({                                                                                             \
        uint64_t csr_value_;                                                                       \
        __asm__ volatile("csrr %0, " #name : "=r"(csr_value_)::"memory");                          \
        csr_value_;                                                                                \
    })
#define csr_write(name, value)                                                                     \
    __asm__ volatile("csrw " #name ", %0" ::"rK"((uint64_t)(value)) : "memory")
#define csr_set(name, bits)                                                                        \
    __asm__ volatile("csrs " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
#define csr_clear(name, bits)                                                                      \
    __asm__ volatile("csrc " #name ", %0" ::"rK"((uint64_t)(bits)) : "memory")
// Clears the bits and returns what the register held.
#define csr_read_clear(name, bits)                                                                 \
    ({                                                                                             \
        uint64_t csr_value_;                                                                       \
        __asm__ volatile("csrrc %0, " #name ", %1"                                                 \
                         : "=r"(csr_value_)                                                        \
                         : "rK"((uint64_t)(bits))                                                  \
                         : "memory");                                                              \
        csr_value_;                                                                                \
    })
#endif
