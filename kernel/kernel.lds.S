/* SPDX-License-Identifier: MIT
 * The kernel's image: one script for all machines, with the addresses of machine/layout.h. Every
 * permission starts on a page of its own (W^X), and the debugger's text lies together so that
 * breakpoints can be refused there. */
#include <machine/layout.h>

ENTRY(KERNEL_ENTRY)

PHDRS
{
    text PT_LOAD FLAGS(5);
    rodata PT_LOAD FLAGS(4);
    data PT_LOAD FLAGS(6);
    note PT_NOTE FLAGS(4);
}

SECTIONS
{
    . = KERNEL_LINK_ADDRESS;
    __kernel_start = .;

    .text : AT(ADDR(.text) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __text_start = .;
        KEEP(*(.text.boot))
        *(.text.hot .text.hot.* .text .text.unlikely .text.unlikely.* .text.startup)
        . = ALIGN(64);
        __debugger_text_start = .;
        *(.text.debugger)
        __entry_text_start = .;
        *(.text.entry)
        __entry_text_end = .;
        *(.text.park)
        __debugger_text_end = .;
        *(.text.*)
        . = ALIGN(4096);
        __text_end = .;
    } :text

    .rodata : AT(ADDR(.rodata) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __rodata_start = .;
        *(.rodata .rodata.*)
        . = ALIGN(16);
        __ksyms_start = .;
        KEEP(*(.ksyms))
        __ksyms_end = .;
    } :rodata

#define TABLE(name)                                                                                \
    table_##name : AT(ADDR(table_##name) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {            \
        __start_table_##name = .;                                                                  \
        KEEP(*(table_##name))                                                                      \
        __stop_table_##name = .;                                                                   \
    } :rodata
    . = ALIGN(16);
    TABLE(command)
    TABLE(param)
    TABLE(driver)
    TABLE(ktest)
    .init_array : AT(ADDR(.init_array) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __init_array_start = .;
        KEEP(*(SORT(.init_array.*) .init_array))
        __init_array_end = .;
    } :rodata
    .note : AT(ADDR(.note) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __note_start = .;
        KEEP(*(.note.Xen))
        KEEP(*(.note.gnu.build-id))
        __note_end = .;
    } :rodata :note

    . = ALIGN(4096);
    __rodata_end = .;

    .data : AT(ADDR(.data) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __data_start = .;
        __secret_start = .;
        *(.data.secret)
        . = ALIGN(16);
        __secret_end = .;
        *(.data .data.* .sdata .sdata.* .got .got.plt)
        . = ALIGN(16);
    } :data

    .bss : AT(ADDR(.bss) - KERNEL_LINK_ADDRESS + KERNEL_LOAD_ADDRESS) {
        __bss_start = .;
        *(.sbss .sbss.* .bss .bss.* COMMON)
        . = ALIGN(4096);
        __bss_end = .;
    } :data

    __kernel_end = .;

    .debug_abbrev 0 : { *(.debug_abbrev) }
    .debug_info 0 : { *(.debug_info) }
    .debug_line 0 : { *(.debug_line) }
    .debug_line_str 0 : { *(.debug_line_str) }
    .debug_str 0 : { *(.debug_str) }
    .debug_loclists 0 : { *(.debug_loclists) }
    .debug_rnglists 0 : { *(.debug_rnglists) }
    .debug_aranges 0 : { *(.debug_aranges) }
    .debug_frame 0 : { *(.debug_frame) }
    .comment 0 : { *(.comment) }
    .symtab 0 : { *(.symtab) }
    .strtab 0 : { *(.strtab) }
    .shstrtab 0 : { *(.shstrtab) }
    .riscv.attributes 0 : { *(.riscv.attributes) }

    /DISCARD/ : { *(.eh_frame .eh_frame_hdr .note.GNU-stack .note.gnu.property .interp .dynamic
                    .dynsym .dynstr .iplt .igot.plt .hash .gnu.hash .rela.* .fini_array .ARM.attributes) }
}
