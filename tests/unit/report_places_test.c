// SPDX-License-Identifier: MIT
// What a printed frame is found to stand for: callers one byte before the return address, frames of
// exceptions at their own; names before addresses, sizes only to choose between equals; a module's
// section told apart from another's; and what is shown around the place of the fault.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <elf.h>

#include "symbolizer/report/disassembly.h"
#include "symbolizer/report/reader.h"
#include "symbolizer/report/writers.h"
#include "tests/unit/sym_fake.h"

// -- the files ------------------------------------------------------------------------------------

#define BASE 0xffffffff81000000

// mov (%rdi),%eax; add $1,%eax; ret. The second instruction is where the tests fault.
static const uint8_t text[] = {0x8b, 0x07, 0x83, 0xc0, 0x01, 0xc3, 0x90, 0x90};

static const struct fake_symbol kernel_symbols[] = {
    {"post", 0, BASE + 0x1000, 0x40},
    {"weigh", 0, BASE + 0x1040, 0x20},
    {"twin", 0, BASE + 0x2000, 0x10},
    {"twin", 0, BASE + 0x3000, 0x30},
    {"weigh.cold", 0, BASE + 0x4000, 0x10},
    {"_ZN6parcel4postEv", 0, BASE + 0x5000, 0x10},
    {0},
};
static const struct fake_range kernel_ranges[] = {
    {0, BASE + 0x1000, BASE + 0x1010, {{.function = "post", .file = "./post.c", .line = 10}}},
    {0,
     BASE + 0x1010,
     BASE + 0x1020,
     {{.function = "stamp", .file = "stamp.h", .line = 5},
      {.function = "post", .file = "./post.c", .line = 11}}},
    {0, BASE + 0x1020, BASE + 0x1040, {{.function = "post", .file = "./post.c", .line = 12}}},
    {0, BASE + 0x1040, BASE + 0x1060, {{.function = "weigh", .file = "weigh.c", .line = 20}}},
    {0, BASE + 0x2000, BASE + 0x2010, {{.function = "twin", .file = "first.c", .line = 1}}},
    {0, BASE + 0x3000, BASE + 0x3030, {{.function = "twin", .file = "second.c", .line = 2}}},
    {0, BASE + 0x4000, BASE + 0x4010, {{.function = "weigh", .file = "weigh.c", .line = 21}}},
    {0,
     BASE + 0x5000,
     BASE + 0x5010,
     {{.function = "post", .linkage = "_ZN6parcel4postEv", .file = "parcel.cc", .line = 3}}},
    {0},
};
// Both sections begin at 0, as they do in a .ko.
static const struct fake_symbol module_symbols[] = {
    {"run", 2, 0x10, 0x20}, {"setup", 4, 0x10, 0x20}, {0}};
static const struct fake_range module_ranges[] = {
    {2, 0x10, 0x30, {{.function = "run", .file = "run.c", .line = 7}}},
    {4, 0x10, 0x30, {{.function = "setup", .file = "setup.c", .line = 8}}},
    {0},
};
static const uint8_t kernel_id[] = {0x12, 0x34}, module_id[] = {0xab, 0xcd};

static const struct fake_file files[] = {
    {"vmlinux",
     {.machine = EM_X86_64, .address_bytes = 8, .build_id = kernel_id, .build_id_bytes = 2},
     kernel_symbols,
     kernel_ranges,
     {0, BASE + 0x1040},
     text,
     sizeof(text)},
    {"lib/parcel-post.ko",
     {.machine = EM_X86_64, .relocatable = true, .build_id = module_id, .build_id_bytes = 2},
     module_symbols,
     module_ranges,
     {0},
     NULL,
     0},
    {0},
};

// -- reading --------------------------------------------------------------------------------------

static char *decode(const char *log, bool live)
{
    fake_files = files;
    struct report_images *images = report_images_create();
    assert_null(report_images_add(images, "vmlinux", NULL));
    assert_null(report_images_add(images, "lib/parcel-post.ko", NULL));
    char *out;
    size_t length;
    struct report_show show = {.to = open_memstream(&out, &length), .disassembly = true};
    struct report_sink sink = report_text_sink(&show);
    struct report_reader *reader = report_reader_create(images, &sink, live);
    report_reader_feed(reader, log, strlen(log));
    report_reader_end(reader);
    report_reader_destroy(reader);
    report_images_destroy(images);
    fclose(show.to);
    report_show_deinit(&show);
    return out;
}

static void expect_from(const char *log, const char *wanted, bool live)
{
    char *out = decode(log, live);
    if (!strstr(out, wanted))
        fail_msg("%s\nis not in\n%s", wanted, out);
    free(out);
}

static void expect(const char *log, const char *wanted)
{
    expect_from(log, wanted, false);
}

static void expect_not(const char *log, const char *unwanted)
{
    char *out = decode(log, false);
    if (strstr(out, unwanted))
        fail_msg("%s\nis in\n%s", unwanted, out);
    free(out);
}

#define OOPS  "BUG: kernel NULL pointer dereference, address: 0\n"
#define TRACE "Call Trace:\n"

static void a_caller_is_the_call_before_the_return_address(void **state)
{
    (void)state;
    expect(OOPS TRACE " post+0x10/0x40\n", " post+0x10/0x40\n---    post at post.c:10\n");
    expect(OOPS TRACE " post+0x20/0x40\n",
           "---    stamp at stamp.h:5\n---    inlined by post at post.c:11\n");
    // The last byte of a function that ends in a call returns into the next one.
    expect(OOPS TRACE " post+0x40/0x40\n", "---    post at post.c:12\n");
}

static void the_place_of_the_fault_is_its_own(void **state)
{
    (void)state;
    expect(OOPS "RIP: 0010:post+0x10/0x40\n", "---    stamp at stamp.h:5\n");
    expect("PANIC: x\ntrap: page fault\n  #0 0xffffffff81001010 post+0x10/0x40\n",
           "---    stamp at stamp.h:5\n");
}

static void a_thread_that_has_not_run_returns_to_a_functions_first_byte(void **state)
{
    (void)state;
    expect(OOPS TRACE " weigh+0x0/0x20\n", "---    weigh at weigh.c:20\n");
}

static void of_two_symbols_the_size_chooses(void **state)
{
    (void)state;
    expect(OOPS TRACE " twin+0x8/0x10\n", "twin at first.c:1\n");
    expect(OOPS TRACE " twin+0x8/0x30\n", "twin at second.c:2\n");
    expect(OOPS TRACE " twin+0x8/0x40\n", "twin at second.c:2\n");    // aligned to 0x10
    expect(OOPS TRACE " twin+0x20/0x1000\n", "twin at second.c:2\n"); // only it is long enough
    expect(OOPS TRACE " twin+0x8/0x1000\n", "(1 more of that name)");
    expect_not(OOPS TRACE " twin+0x8/0x30\n", "more of that name");
}

static void a_size_that_differs_excludes_nothing(void **state)
{
    (void)state;
    expect(OOPS TRACE " weigh+0x8/0x1000\n", "---    weigh at weigh.c:20\n");
}

static void the_name_of_the_symbol_table_is_the_key(void **state)
{
    (void)state;
    expect(OOPS TRACE " weigh.cold+0x8/0x10\n", "---    weigh at weigh.c:21\n");
    expect(OOPS TRACE " _ZN6parcel4postEv+0x8/0x10\n", "---    parcel::post() at parcel.cc:3\n");
}

static void a_modules_sections_are_told_apart(void **state)
{
    (void)state;
    expect(OOPS TRACE " run+0x8/0x20 [parcel_post]\n", "---    run at run.c:7\n");
    expect(OOPS TRACE " setup+0x8/0x1000 [parcel_post]\n", "---    setup at setup.c:8\n");
    expect(OOPS TRACE " run+0x8/0x20 [renamed abcd]\n", "---    run at run.c:7\n");
    expect_not(OOPS TRACE " run+0x8/0x20 [other]\n", "---    run");
    expect_not(OOPS TRACE " post+0x8/0x40 [parcel_post]\n", "---    post"); // the kernel's name
}

static void the_slide_may_be_printed_after_the_addresses(void **state)
{
    (void)state;
    expect(OOPS TRACE " [<ffffffff91001018>] 0xffffffff91001018\n"
                      "Kernel Offset: 0x10000000 from 0xffffffff81000000\n",
           "---    stamp at stamp.h:5\n");
}

static void the_slide_is_found_from_names_where_it_is_not_printed(void **state)
{
    (void)state;
    static const char log[] = OOPS TRACE " [<ffffffff91001018>] post+0x18/0x40\n"
                                         " [<ffffffff91001048>] weigh+0x8/0x20\n"
                                         " [<ffffffff91001018>] 0xffffffff91001018\n";
    expect(log, "] 0xffffffff91001018\n---    stamp at stamp.h:5\n");
    expect(log, "---  kernel moved by 0x10000000\n");
    expect_from(log, "] 0xffffffff91001018\n---    stamp at stamp.h:5\n", true);
}

static void one_frame_alone_does_not_move_a_kernel(void **state)
{
    (void)state;
    expect_not(OOPS TRACE " [<ffffffff91001018>] post+0x18/0x40\n"
                          " [<ffffffff91001018>] 0xffffffff91001018\n",
               "] 0xffffffff91001018\n---    stamp");
}

static void an_address_and_a_name_that_disagree_are_told(void **state)
{
    (void)state;
    static const char log[] =
        "PANIC: x\ntrap: page fault\n  #0 0xffffffff81001010 weigh+0x8/0x20\n";
    expect(log, "---    weigh at weigh.c:20\n");
    expect(log, "(the address is of another place)");
    // Over and over it is another build.
    expect("PANIC: x\ntrap: y\ncpu 0 thread 1 (a):\n  #0 0xffffffff81001110 weigh+0x8/0x20\n"
           "  #1 0xffffffff81001110 post+0x8/0x20\n  #2 0xffffffff81001210 post+0x18/0x20\n",
           "the ELF file is another build");
}

static void a_panic_without_a_trap_was_called(void **state)
{
    (void)state;
    const char *log = "PANIC: x\n  #0 0xffffffff81001010 post+0x10/0x40\n";
    expect(log, "---    stamp at stamp.h:5\n");
    expect_not(log, "    > ");
}

static void a_frame_that_was_interrupted_is_where_it_says(void **state)
{
    (void)state;
    expect("  #3 0xffffffff81001010 post+0x10/0x40\n", "---    post at post.c:10\n");
    expect("  #3 0xffffffff81001010 post+0x10/0x40 (interrupted)\n", "---    stamp at stamp.h:5\n");
}

static void a_name_that_was_damaged_is_found_by_its_address(void **state)
{
    (void)state;
    expect("PANIC: x\ntrap: page fault\n  #0 0xffffffff81001010 p?s\001t+0x1\n",
           "---    stamp at stamp.h:5\n");
}

static void another_build_is_warned_of(void **state)
{
    (void)state;
    expect("PANIC: x\nbuild-id 9999, load offset 0x0\ntrap: y\n  #0 0xffffffff81001010 "
           "post+0x10/0x40\n",
           "warning: vmlinux is another build");
    expect_not("PANIC: x\nbuild-id 1234, load offset 0x0\ntrap: y\n  #0 0xffffffff81001010 "
               "post+0x10/0x40\n",
               "warning: vm");
}

static void mappings_told_by_the_log_place_its_addresses(void **state)
{
    (void)state;
    expect("{{{reset}}}\n{{{module:0:kernel:elf:1234}}}\n"
           "{{{mmap:0x100000:0x2000:load:0:rx:0xffffffff81001000}}}\n{{{bt:0:0x100010:pc}}}\n",
           "---    stamp at stamp.h:5\n");
    expect("{{{reset}}}\n{{{module:0:kernel:elf:1234}}}\n"
           "{{{mmap:0x100000:0x2000:load:0:rx:0xffffffff81001000}}}\n{{{bt:1:0x100010}}}\n",
           "---    post at post.c:10\n");
    expect_not("{{{module:0:kernel:elf:1234}}}\n"
               "{{{mmap:0x100000:0x2000:load:0:rx:0xffffffff81001000}}}\n{{{reset}}}\n"
               "{{{bt:0:0x100010:pc}}}\n",
               "stamp");
}

static void a_line_by_itself_is_decoded(void **state)
{
    (void)state;
    expect("see post+0x20/0x40 and weigh+0x8/0x20\n",
           "weigh+0x8/0x20\n---    stamp at stamp.h:5\n---    inlined by post at post.c:11\n"
           "---    weigh at weigh.c:20\n");
    expect("  #0 0xffffffff81001010 post+0x10/0x40\n", "---    stamp at stamp.h:5\n");
    expect_not("0x20 + 0x40 is a sum, post+0x20 no place\n", "---");
}

// -- instructions ---------------------------------------------------------------------------------

static void instructions_stand_around_the_fault(void **state)
{
    (void)state;
    expect(OOPS "RIP: 0010:weigh+0x2/0x20\n",
           "---      0xffffffff81001040 <+0x0>  movl     (%rdi), %eax\n"
           "---    > 0xffffffff81001042 <+0x2>  addl     $1, %eax\n"
           "---      0xffffffff81001045 <+0x5>  retq\n");
}

static void what_the_kernel_patched_is_shown_as_it_was(void **state)
{
    (void)state;
    expect(OOPS "RIP: 0010:weigh+0x2/0x20\nCode: 8b 07 <83> c0 02 c3\n", "addl     $2, %eax\n");
}

static void the_codes_bytes_do_where_there_is_no_file(void **state)
{
    (void)state;
    expect(OOPS "RIP: 0010:other+0x2/0x20\nCode: ff 8b 07 <83> c0 02 c3\n",
           "---        -2  movl     (%rdi), %eax\n---    >   +0  addl     $2, %eax\n");
    expect("Unable to handle kernel paging request at 0\nepc : other+0x2/0x20\n"
           "Code: 8522 e422 e826 1000 84aa (7ca0)\n",
           "---        -2  mv       s1,a0\n---    >   +0  ld       s0,120(s1)\n");
    expect("Unable to handle kernel paging request at 0\npc : other+0x2/0x20\n"
           "Code: d503201f a9be7bfd 910003fd (f9400c00)\n",
           "---    >   +0  ldr      x0, [x0, #0x18]\n");
}

static void riscv_instructions_read_as_in_the_manual(void **state)
{
    (void)state;
    static const struct {
        uint32_t word;
        const char *text;
    } cases[] = {
        {0xff010113, "addi     sp,sp,-16"},
        {0x00113423, "sd       ra,8(sp)"},
        {0x00813083, "ld       ra,8(sp)"},
        {0x00008067, "ret"},
        {0x000500e7, "jalr     a0"},
        {0x01050567, "jalr     a0,16(a0)"},
        {0xfe0518e3, "bnez     a0,0xff0"},
        {0x00b55863, "bge      a0,a1,0x1010"},
        {0x0000006f, "j        0x1000"},
        {0xffdff0ef, "jal      0xffc"},
        {0x00000513, "li       a0,0"},
        {0x00058513, "mv       a0,a1"},
        {0x40b0053b, "negw     a0,a1"},
        {0x14102573, "csrr     a0,sepc"},
        {0x10016073, "csrsi    sstatus,2"},
        {0x3b302573, "csrr     a0,pmpaddr3"},
        {0x7c051573, "csrrw    a0,0x7c0,a0"},
        {0x10500073, "wfi"},
        {0x0310000f, "fence    rw,w"},
        {0x100527af, "lr.w     a5,(a0)"},
        {0x1ef5262f, "sc.w.aqrl a2,a5,(a0)"},
        {0xe0f5352f, "amomaxu.d a0,a5,(a0)"},
        {0x00f53023, "sd       a5,0(a0)"},
        {0x02a5d5b3, "divu     a1,a1,a0"},
        {0x0015d513, "srli     a0,a1,0x1"},
        {0x80000537, "lui      a0,0x80000"},
        {0x02b57553, "fadd.d   fa0,fa0,fa1"},
        {0x72a5f543, "fmadd.d  fa0,fa1,fa0,fa4"},
        {0xc2051553, "fcvt.w.d a0,fa0,rtz"},
        {0x22a50553, "fmv.d    fa0,fa0"},
        {0x22b50553, "fsgnj.d  fa0,fa0,fa1"},
        {0xf20005d3, "fmv.d.x  fa1,zero"},
        {0xffffffff, ""},
    };
    static const struct {
        uint16_t word;
        const char *text;
    } shorts[] = {
        {0x1141, "addi     sp,sp,-16"},
        {0xe406, "sd       ra,8(sp)"},
        {0x60a2, "ld       ra,8(sp)"},
        {0x8082, "ret"},
        {0x9002, "ebreak"},
        {0xc71c, "sw       a5,8(a4)"},
        {0xcb89, "beqz     a5,0x1012"},
        {0x4785, "li       a5,1"},
        {0x0000, "unimp"},
        {0x2505, "addiw    a0,a0,1"},
        {0x2588, "fld      fa0,8(a1)"},
        {0xbfed, "j        0xffa"},
        {0x7139, "addi     sp,sp,-64"},
    };
    char out[REPORT_TEXT_MAX];
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const uint8_t *bytes = (const uint8_t *)&cases[i].word;
        assert_int_equal(report_riscv_disassemble(bytes, 4, 0x1000, out, sizeof(out)), 4);
        assert_string_equal(out, cases[i].text);
    }
    for (size_t i = 0; i < sizeof(shorts) / sizeof(*shorts); i++) {
        const uint8_t *bytes = (const uint8_t *)&shorts[i].word;
        assert_int_equal(report_riscv_disassemble(bytes, 2, 0x1000, out, sizeof(out)), 2);
        assert_string_equal(out, shorts[i].text);
    }
    assert_int_equal(report_riscv_disassemble((const uint8_t *)"\x13", 1, 0, out, sizeof(out)), 0);
    assert_int_equal(report_riscv_disassemble((const uint8_t *)"\x13\x01", 2, 0, out, 9), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_caller_is_the_call_before_the_return_address),
        cmocka_unit_test(the_place_of_the_fault_is_its_own),
        cmocka_unit_test(a_thread_that_has_not_run_returns_to_a_functions_first_byte),
        cmocka_unit_test(of_two_symbols_the_size_chooses),
        cmocka_unit_test(a_size_that_differs_excludes_nothing),
        cmocka_unit_test(the_name_of_the_symbol_table_is_the_key),
        cmocka_unit_test(a_modules_sections_are_told_apart),
        cmocka_unit_test(the_slide_may_be_printed_after_the_addresses),
        cmocka_unit_test(the_slide_is_found_from_names_where_it_is_not_printed),
        cmocka_unit_test(one_frame_alone_does_not_move_a_kernel),
        cmocka_unit_test(an_address_and_a_name_that_disagree_are_told),
        cmocka_unit_test(a_panic_without_a_trap_was_called),
        cmocka_unit_test(a_frame_that_was_interrupted_is_where_it_says),
        cmocka_unit_test(a_name_that_was_damaged_is_found_by_its_address),
        cmocka_unit_test(another_build_is_warned_of),
        cmocka_unit_test(mappings_told_by_the_log_place_its_addresses),
        cmocka_unit_test(a_line_by_itself_is_decoded),
        cmocka_unit_test(instructions_stand_around_the_fault),
        cmocka_unit_test(what_the_kernel_patched_is_shown_as_it_was),
        cmocka_unit_test(the_codes_bytes_do_where_there_is_no_file),
        cmocka_unit_test(riscv_instructions_read_as_in_the_manual),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
