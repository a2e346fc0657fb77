// SPDX-License-Identifier: MIT
// What an exception on x86-64 was for the debugger: breakpoint, step, debug register, or a fault in
// the copy that survives faults. Called first in the exception path; touches the frame and DR6.
#include <string.h>

#include "kdebug/arch/x86_64/debug_registers.h"
#include "kdebug/machine.h"

enum { VECTOR_DB = 1, VECTOR_BP = 3, VECTOR_SS = 12, VECTOR_GP = 13, VECTOR_PF = 14 };

bool kd_is_memory_fault(const struct kd_frame *frame)
{
    return frame->vector == VECTOR_PF || frame->vector == VECTOR_GP || frame->vector == VECTOR_SS;
}

// push %rbp and mov %rsp, %rbp, as gcc writes them; an endbr64 may stand before.
static const uint8_t frame_made[] = {0x55, 0x48, 0x89, 0xe5};

// Where the function's frame has been made below pc: the address of the push, or 0.
static uintptr_t prologue_before(uintptr_t start, uintptr_t pc)
{
    enum { LONGEST = 4096 }; // a function without a frame is shorter
    uint8_t bytes[sizeof(frame_made)];
    for (uintptr_t at = start; start != 0 && at < pc && at < start + LONGEST; at++) {
        size_t read = kd_mem_copy(bytes, (const void *)at, sizeof(bytes));
        if (read == sizeof(bytes) && memcmp(bytes, frame_made, sizeof(bytes)) == 0)
            return at;
    }
    return 0;
}

uintptr_t kd_frame_link(const struct kd_frame *frame, uintptr_t start)
{
    enum { OP_RET = 0xc3 };
    uintptr_t push = prologue_before(start, frame->rip), at = frame->rsp, link = 0;
    uint8_t opcode = 0;
    kd_mem_copy(&opcode, (const void *)frame->rip, sizeof(opcode));
    if (push != 0 && frame->rip == push + 1)
        at += sizeof(uint64_t);
    else if (push != 0 && opcode != OP_RET)
        return 0;
    return kd_mem_copy(&link, (const void *)at, sizeof(link)) == sizeof(link) ? link : 0;
}

enum kd_trap_kind kd_trap_classify(struct kd_frame *frame, uint64_t code, uint64_t fault_address,
                                   unsigned *slot, uint64_t *address)
{
    (void)fault_address;
    switch (code >> 32) {
    case VECTOR_BP:
        frame->rip -= 1;
        return KD_TRAP_BREAKPOINT;
    case VECTOR_DB:
        return kd_debug_status(slot, address);
    default:
        return KD_TRAP_OTHER;
    }
}

// Instruction fetch is coherent with stores on one CPU; another CPU needs a serialising instruction
// before it runs code that was changed (Intel SDM volume 3, 8.1.3).
void kd_icache_sync(uintptr_t address, size_t length)
{
    (void)address;
    (void)length;
    kd_context_sync();
}

void kd_context_sync(void)
{
    uint32_t a = 0, b, c = 0, d;
    __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d)::"memory");
}

uintptr_t kd_interrupts_off(void)
{
    uintptr_t flags;
    __asm__ volatile("pushfq; popq %0; cli" : "=r"(flags)::"memory");
    return flags;
}

void kd_interrupts_restore(uintptr_t before)
{
    if ((before & 0x200) != 0)
        __asm__ volatile("sti" ::: "memory");
}
