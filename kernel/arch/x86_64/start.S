/* SPDX-License-Identifier: MIT
 * From the boot loader to C: two ways in (a PVH note and a multiboot2 header, both in 32-bit
 * protected mode with EBX naming the hand-off), the page tables they run on, and the start of the
 * other CPUs. The tables are data, not code: nothing has to be filled in at run time.
 *
 * Boot tables map the first 16 MiB at address 0 and at KERNEL_BASE with every permission, the
 * first 4 GiB in the direct map without execute, and the fixmap. mapping_init() replaces them; the
 * other CPUs use them for the few instructions before they reach the high half. */
#include <offsets.h>
#include <machine/layout.h>
#include <machine/msr.h>
#include <machine/percpu.h>

#define PHYS(symbol) ((symbol) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS)
#define TABLE_FLAGS  0x23  /* present, writable, accessed */
#define BLOCK_FLAGS  0xe3  /* the same, dirty, 2 MiB */
#define NO_EXECUTE   (1 << 63)
#define CR0_FLAGS    0x80010033 /* paging, write protect, numeric error, ET, MP, protected */
#define CR4_FLAGS    0x20       /* physical address extension */
#define EFER_FLAGS   0x900      /* long mode, no-execute */

    .cfi_sections .debug_frame

/* To long mode on the boot tables, paging and protection switched on together. Changes eax, ecx,
 * edx. */
    .macro PAGING_ON
    movl $CR4_FLAGS, %eax
    movl %eax, %cr4
    movl $PHYS(boot_pml4), %eax
    movl %eax, %cr3
    movl $MSR_EFER, %ecx
    xorl %edx, %edx
    movl $EFER_FLAGS, %eax
    wrmsr
    movl $CR0_FLAGS, %eax
    movl %eax, %cr0
    .endm

/* This CPU's APIC id in eax: all 32 bits where leaf 0xb has them, else the 8 of leaf 1. Needs no
 * stack. Changes ebx, ecx, edx. */
    .macro APIC_ID
    xorl %eax, %eax
    cpuid
    cmpl $0xb, %eax
    jb .Lold_\@
    movl $0xb, %eax
    xorl %ecx, %ecx
    cpuid
    movl %edx, %eax
    testl %ebx, %ebx
    jnz .Lknown_\@
.Lold_\@:
    movl $1, %eax
    cpuid
    movl %ebx, %eax
    shrl $24, %eax
.Lknown_\@:
    .endm

/* Xen's PVH boot ABI: an ELF note with the 32-bit entry's physical address. */
    .section .note.Xen, "a", @note
    .balign 4
    .long 4, 4, 18
    .asciz "Xen"
    .long PHYS(start_pvh)

    .section .text.boot, "ax"
/* Multiboot2 (specification, 3.1): for GRUB. A plain multiboot1 header would break QEMU's -kernel. */
    .balign 8
multiboot2:
    .long 0xe85250d6, 0, multiboot2_end - multiboot2
    .long -(0xe85250d6 + 0 + (multiboot2_end - multiboot2))
    .word 3, 0              /* entry address */
    .long 12, PHYS(start_pvh)
    .balign 8
    .word 6, 0              /* modules on page boundaries */
    .long 8
    .word 0, 0
    .long 8
multiboot2_end:

    .code32
    .globl start_pvh
    .type start_pvh, @function
start_pvh:
    .cfi_startproc
    .cfi_undefined 16 /* rip, which has no name in 32-bit code */
    cld
    movl %ebx, %ebp
    movl $0x80000000, %eax
    cpuid
    cmpl $0x80000001, %eax
    jb no_long_mode
    movl $0x80000001, %eax
    cpuid
    andl $(1 << 29 | 1 << 20), %edx /* long mode, no-execute */
    cmpl $(1 << 29 | 1 << 20), %edx
    jne no_long_mode

    PAGING_ON
    lgdt PHYS(boot_gdt_pointer)
    ljmpl $GDT_KERNEL_CODE, $PHYS(start_long)

/* The console may be silent, but this is all that can be done without the rest. */
no_long_mode:
    movl $PHYS(no_long_mode_text), %esi
    movw $0x3f8, %dx
1:  lodsb
    testb %al, %al
    jz 2f
    outb %al, %dx
    jmp 1b
2:  hlt
    jmp 2b
no_long_mode_text:
    .asciz "Fathom needs a 64-bit CPU with no-execute pages.\r\n"
    .cfi_endproc
    .size start_pvh, . - start_pvh

    .code64
    .type start_long, @function
start_long:
    .cfi_startproc
    .cfi_undefined rip
    movabsq $1f, %rax
    jmp *%rax
1:  movl $GDT_KERNEL_DATA, %eax
    movl %eax, %ss
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    movq $boot_stack_high, %rsp
    /* The compiler reads the canary through gs from the first C function on. */
    movq $cpus, %rax
    movq %rax, CPU_SELF(%rax)
    movq $boot_stack_high, CPU_BOOT_STACK(%rax)
    movq %rax, %rdx
    shrq $32, %rdx
    movl $MSR_GS_BASE, %ecx
    wrmsr
    movl %ebp, %r12d
    APIC_ID
    movl %eax, %edi
    movq %r12, %rsi
    xorl %ebp, %ebp
    call kernel_main
    ud2
    .cfi_endproc
    .size start_long, . - start_long

/* Another CPU comes out of the trampoline, on the boot tables. Many may be here at once: nothing
 * is shared, and each finds its struct cpu by its APIC id. */
    .type start_other, @function
start_other:
    .cfi_startproc
    .cfi_undefined rip
    movabsq $1f, %rax
    jmp *%rax
    /* The descriptor table is at its physical address, which the final tables do not have. */
1:  movl $GDT_KERNEL_DATA, %eax
    movl %eax, %ss
    movl secondary_root, %eax
    movq %rax, %cr3
    xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %fs
    movl %eax, %gs
    APIC_ID
    movq $cpus, %rdi
    movl $CPU_COUNT_MAX, %ecx
4:  cmpq %rax, CPU_HW_ID(%rdi)
    jne 5f
    movq CPU_BOOT_STACK(%rdi), %rsp
    testq %rsp, %rsp
    jnz 6f
5:  addq $CPU_BYTES, %rdi
    decl %ecx
    jnz 4b
    /* Not a CPU anyone asked for. */
7:  cli
    hlt
    jmp 7b
6:  movq %rdi, CPU_SELF(%rdi)
    movq %rdi, %rax
    movq %rdi, %rdx
    shrq $32, %rdx
    movl $MSR_GS_BASE, %ecx
    wrmsr
    xorl %ebp, %ebp
    call secondary_start
    ud2
    .cfi_endproc
    .size start_other, . - start_other

/* Copied to trampoline_page, where a start-up interrupt makes a CPU begin in real mode with CS =
 * page >> 4. It goes straight to long mode. */
    .section .rodata.trampoline, "a"
    .balign 16
    .globl trampoline_start, trampoline_end
    .code16
trampoline_start:
    cli
    cld
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_pointer - trampoline_start
    PAGING_ON
    ljmpl $GDT_KERNEL_CODE, $PHYS(start_other)
    .balign 4
trampoline_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long PHYS(boot_gdt)
trampoline_end:
    .code64

    .data
    .balign 8
boot_gdt:
    .quad 0
    .quad 0x00af9b000000ffff /* 64-bit code, ring 0, accessed */
    .quad 0x00cf93000000ffff /* data */
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long PHYS(boot_gdt)
    .balign 4
    .globl secondary_root
secondary_root:
    .long 0

#define INDEX(address, level) (((address) >> (12 + 9 * (level))) & 511)
/* One table with up to three entries, in rising order of index. */
    .macro TABLE name, i0, t0, i1=512, t1=0, i2=512, t2=0
    .balign 4096
\name:
    .fill \i0, 8, 0
    .quad \t0
    .if \i1 < 512
    .fill \i1 - \i0 - 1, 8, 0
    .quad \t1
    .if \i2 < 512
    .fill \i2 - \i1 - 1, 8, 0
    .quad \t2
    .endif
    .endif
    .balign 4096
    .endm

    .balign 4096
boot_pml4:
    .quad PHYS(boot_pdpt_low) + TABLE_FLAGS
    .fill INDEX(DIRECT_MAP_BASE, 3) - 1, 8, 0
    .quad PHYS(boot_pdpt_direct) + TABLE_FLAGS
#ifdef CONFIG_KASAN
#define SHADOW ((KERNEL_BASE >> 3) + KASAN_SHADOW_OFFSET)
    .fill INDEX(SHADOW, 3) - INDEX(DIRECT_MAP_BASE, 3) - 1, 8, 0
    .quad PHYS(boot_pdpt_shadow) + TABLE_FLAGS
    .fill 511 - INDEX(SHADOW, 3) - 1, 8, 0
#else
    .fill 511 - INDEX(DIRECT_MAP_BASE, 3) - 1, 8, 0
#endif
    .quad PHYS(boot_pdpt_high) + TABLE_FLAGS

    TABLE boot_pdpt_low, 0, PHYS(boot_pd_image) + TABLE_FLAGS
    TABLE boot_pdpt_high, INDEX(KERNEL_BASE, 2), PHYS(boot_pd_image) + TABLE_FLAGS, \
        INDEX(FIXMAP_BASE, 2), PHYS(boot_pd_fixmap) + TABLE_FLAGS
    TABLE boot_pd_fixmap, INDEX(FIXMAP_BASE, 1), PHYS(boot_pt_fixmap) + TABLE_FLAGS
    TABLE boot_pt_fixmap, 0, 0
#ifdef CONFIG_KASAN
    TABLE boot_pdpt_shadow, INDEX(SHADOW, 2), PHYS(boot_pd_shadow) + TABLE_FLAGS
    TABLE boot_pd_shadow, INDEX(SHADOW, 1), PHYS(kasan_early_shadow) + BLOCK_FLAGS + NO_EXECUTE
#endif

    .balign 4096
boot_pdpt_direct:
    .quad PHYS(boot_pd_direct) + TABLE_FLAGS
    .quad PHYS(boot_pd_direct) + TABLE_FLAGS + 0x1000
    .quad PHYS(boot_pd_direct) + TABLE_FLAGS + 0x2000
    .quad PHYS(boot_pd_direct) + TABLE_FLAGS + 0x3000
    .balign 4096
boot_pd_image:
    .set page, 0
    .rept 8
    .quad page + BLOCK_FLAGS
    .set page, page + 0x200000
    .endr
    .balign 4096
boot_pd_direct:
    .set page, 0
    .rept 2048
    .quad page + BLOCK_FLAGS + NO_EXECUTE
    .set page, page + 0x200000
    .endr

/* The first thread's stack. The page below it is left out of the final tables. */
    .bss
    .balign 4096
    .globl boot_stack_guard, boot_stack_low, boot_stack_high
boot_stack_guard:
    .skip 4096
boot_stack_low:
    .skip STACK_BYTES
boot_stack_high:

#ifdef CONFIG_KASAN
/* Zero says "all accessible": the shadow of the first 16 MiB above KERNEL_BASE. */
    .balign 0x200000
    .globl kasan_early_shadow
kasan_early_shadow:
    .skip 0x200000
#endif
