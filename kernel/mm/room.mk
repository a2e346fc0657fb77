# SPDX-License-Identifier: MIT
# Memory: pages, the kernel's address space, objects, and the address sanitizer's run time. What
# builds the sanitizer's shadow, or works for the debugger, is compiled without it.
kernel.sources += kernel/mm/boot_alloc.c kernel/mm/page.c kernel/mm/mapping.c kernel/mm/vmap.c \
    kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/report.c kernel/mm/mem_command.c \
    kernel/mm/page_test.c kernel/mm/slab_test.c kernel/mm/mapping_test.c kernel/mm/stress.c \
    kernel/mm/secret.c kernel/mm/secret_test.c \
    $(if $(filter kasan,$(CONFIG)),kernel/mm/kasan.c kernel/mm/kasan_test.c)
plain.sources  += kernel/mm/boot_alloc.c kernel/mm/mapping.c kernel/mm/kasan.c kernel/mm/secret.c

# The allocators over fake RAM, for what ends in a panic.
unit.tests += kernel_memory
unit.kernel_memory.sources := tests/unit/kernel_memory_test.c kernel/mm/page.c \
    kernel/mm/boot_alloc.c kernel/mm/slab.c kernel/mm/kmalloc.c kernel/mm/report.c kdebug/text.c
unit.kernel_memory.cflags := -iquote tests/unit/kernel_fake -Itests/unit/kernel_fake \
    -Ikernel/lib/include -Ikdebug/arch/x86_64
