// SPDX-License-Identifier: MIT
// The index tells what the debug information said, and a damaged one does no harm. The ELF file is
// this test's own program; what would be read from its DWARF is made up here, in place of dwarf.h's
// functions, so that every case there is can be asked for.
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "symbolizer/dwarf.h"
#include "symbolizer/index.h"
#include "symbolizer/index_format.h"

void sym_result_deinit(struct sym_result *result)
{
    free(result->storage_);
    *result = (struct sym_result){0};
}

// -- the debug information ------------------------------------------------------------------------

static uint64_t text; // where .text begins

enum { ROWS = 200 };
static struct sym_range ranges[6], covers[1];
static struct sym_row rows[ROWS];
static const char *const files[] = {NULL, "/src/one.c", "/src/two.h"};

static const struct sym_function functions[] = {
    {.name = "outer", .linkage = "_Z5outerv", .file = 1, .line = 10, .die = 1},
    {.name = "middle", .file = 2, .line = 20, .die = 2},
    {.name = "inner", .file = 2, .line = 30, .die = 3},
    {.name = "cold", .file = SYM_NONE, .die = 4},
};
// outer covers 0x100 to 0x200 and, its cold part, 0x300 to 0x310; middle is inlined into it from
// 0x120 to 0x180, and inner into that from 0x130 to 0x140.
static const struct sym_scope scopes[] = {
    {.function = 0, .parent = SYM_NONE, .first_range = 0, .range_count = 2},
    {.function = 1,
     .parent = 0,
     .first_range = 2,
     .range_count = 1,
     .call_file = 1,
     .call_line = 11,
     .call_column = 7},
    {.function = 2,
     .parent = 1,
     .first_range = 3,
     .range_count = 1,
     .call_file = 2,
     .call_line = 21,
     .call_column = 3,
     .call_discriminator = 5},
    {.function = 3, .parent = SYM_NONE, .first_range = 4, .range_count = 1},
};
static struct sym_sequence sequence;

static void make_up(void)
{
    const uint64_t bounds[][2] = {
        {0x100, 0x200}, {0x300, 0x310}, {0x120, 0x180}, {0x130, 0x140}, {0x200, 0x208}};
    for (size_t i = 0; i < sizeof(bounds) / sizeof(*bounds); i++)
        ranges[i] = (struct sym_range){text + bounds[i][0], text + bounds[i][1]};
    covers[0] = (struct sym_range){text + 0x100, text + 0x310};
    // More rows than a block holds, with steps both short and long and lines that go back.
    for (uint32_t i = 0; i < ROWS; i++)
        rows[i] = (struct sym_row){.address = text + 0x100 + 2 * i + (i > 150 ? 100 : 0),
                                   .file = 1 + i % 2,
                                   .line = i % 3 ? 1000 - i : i + 1,
                                   .column = i % 5,
                                   .discriminator = i % 7 ? 0 : i};
    sequence = (struct sym_sequence){text + 0x100, rows[ROWS - 1].address + 2, 0, ROWS};
}

struct error *sym_dwarf_open(struct sym_elf *elf, struct sym_dwarf **out)
{
    *out = (struct sym_dwarf *)elf;
    return NULL;
}

void sym_dwarf_close(struct sym_dwarf *dwarf)
{
    (void)dwarf;
}

size_t sym_dwarf_unit_count(const struct sym_dwarf *dwarf)
{
    (void)dwarf;
    return 2; // the second is broken
}

struct error *sym_unit_read(struct sym_dwarf *dwarf, size_t number, unsigned parts,
                            struct sym_unit *unit)
{
    (void)dwarf;
    (void)parts;
    if (number)
        return error_make(EXIT_FAILED, "broken");
    *unit = (struct sym_unit){.ranges = covers,
                              .range_count = 1,
                              .functions = functions,
                              .function_count = 4,
                              .scopes = scopes,
                              .scope_count = 4,
                              .scope_ranges = ranges,
                              .scope_range_count = 5,
                              .rows = rows,
                              .row_count = ROWS,
                              .sequences = &sequence,
                              .sequence_count = 1};
    return NULL;
}

void sym_unit_deinit(struct sym_unit *unit)
{
    (void)unit;
}

const char *sym_unit_file(struct sym_unit *unit, uint32_t file)
{
    (void)unit;
    return file < 3 ? files[file] : NULL;
}

// -- the file -------------------------------------------------------------------------------------

struct fixture {
    char folder[64], path[96], other[96];
    struct sym_elf *elf;
    struct sym_result result;
};

static void must(struct error *error)
{
    if (error)
        fail_msg("%s", error_text(error));
}

static void must_fail(struct error *error, const char *saying)
{
    assert_non_null(error);
    if (!strstr(error_text(error), saying))
        fail_msg("'%s' does not say '%s'", error_text(error), saying);
    error_free(error);
}

static int set_up(void **state)
{
    struct fixture *fixture = calloc(1, sizeof(*fixture));
    strcpy(fixture->folder, "/tmp/fathom-index-test-XXXXXX");
    assert_non_null(mkdtemp(fixture->folder));
    snprintf(fixture->path, sizeof(fixture->path), "%s/deep/er/index", fixture->folder);
    snprintf(fixture->other, sizeof(fixture->other), "%s/other", fixture->folder);
    must(sym_elf_open("/proc/self/exe", &fixture->elf));
    text = fixture->elf->sections[sym_elf_section_named(fixture->elf, ".text")].address;
    make_up();
    must(sym_index_build(fixture->elf, fixture->elf, fixture->path));
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char command[128];
    snprintf(command, sizeof(command), "rm -r %s", fixture->folder);
    assert_int_equal(system(command), 0);
    sym_elf_close(fixture->elf);
    sym_result_deinit(&fixture->result);
    free(fixture);
    return 0;
}

static uint8_t *read_all(const char *path, size_t *bytes)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    fseek(file, 0, SEEK_END);
    *bytes = (size_t)ftell(file);
    rewind(file);
    uint8_t *all = malloc(*bytes);
    assert_int_equal(fread(all, 1, *bytes, file), *bytes);
    fclose(file);
    return all;
}

static void write_all(const char *path, const uint8_t *from, size_t bytes)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(from, 1, bytes, file), bytes);
    assert_int_equal(fclose(file), 0);
}

// -- what it tells --------------------------------------------------------------------------------

static const struct sym_frame *look(struct fixture *fixture, struct sym_index *index,
                                    uint64_t offset, size_t frames)
{
    must(sym_index_lookup(index, (struct sym_place){0, text + offset}, &fixture->result));
    assert_int_equal(fixture->result.count, frames);
    return fixture->result.frames;
}

static void inlined_calls_come_from_the_inside_out(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    const struct sym_frame *frames = look(fixture, index, 0x134, 3);
    assert_string_equal(frames[0].function, "inner");
    assert_null(frames[0].linkage);
    assert_string_equal(frames[0].declared_file, "/src/two.h");
    assert_int_equal(frames[0].declared_line, 30);
    assert_string_equal(frames[1].function, "middle");
    assert_string_equal(frames[1].file, "/src/two.h");
    assert_int_equal(frames[1].line, 21);
    assert_int_equal(frames[1].column, 3);
    assert_int_equal(frames[1].discriminator, 5);
    assert_string_equal(frames[2].function, "outer");
    assert_string_equal(frames[2].linkage, "_Z5outerv");
    assert_string_equal(frames[2].file, "/src/one.c");
    assert_int_equal(frames[2].line, 11);
    assert_int_equal(frames[2].discriminator, 0);
    sym_index_close(index);
}

static void ranges_end_where_they_end(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    assert_string_equal(look(fixture, index, 0x11f, 1)->function, "outer");
    assert_string_equal(look(fixture, index, 0x120, 2)->function, "middle");
    assert_string_equal(look(fixture, index, 0x17f, 2)->function, "middle");
    assert_string_equal(look(fixture, index, 0x180, 1)->function, "outer");
    assert_string_equal(look(fixture, index, 0x1ff, 1)->function, "outer");
    assert_string_equal(look(fixture, index, 0x200, 1)->function, "cold");
    assert_string_equal(look(fixture, index, 0x30f, 1)->function, "outer");
    assert_null(look(fixture, index, 0x208, 1)->function); // a line and no function
    look(fixture, index, 0x0ff, 0);
    look(fixture, index, 0x310, 0);
    sym_index_close(index);
}

static void every_row_of_a_long_sequence_is_found(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    for (size_t i = 0; i < ROWS; i++) {
        must(sym_index_lookup(index, (struct sym_place){0, rows[i].address + 1}, &fixture->result));
        assert_true(fixture->result.count);
        const struct sym_frame *frame = fixture->result.frames;
        assert_string_equal(frame->file, files[rows[i].file]);
        assert_int_equal(frame->line, rows[i].line);
        assert_int_equal(frame->column, rows[i].column);
        assert_int_equal(frame->discriminator, rows[i].discriminator);
    }
    sym_index_close(index);
}

static bool keep(const struct sym_symbol *symbol, void *argument)
{
    *(struct sym_symbol *)argument = *symbol;
    return false;
}

static bool count(const struct sym_symbol *symbol, void *argument)
{
    (void)symbol;
    ++*(size_t *)argument;
    return true;
}

static void symbols_are_found_by_name_and_by_address(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    struct sym_symbol symbol = {0};
    sym_index_find(index, "set_up", keep, &symbol);
    assert_string_equal(symbol.name, "set_up");
    assert_true(symbol.size > 0);
    struct sym_place inside = {0, symbol.place.address + symbol.size - 1};
    must(sym_index_lookup(index, inside, &fixture->result));
    assert_string_equal(fixture->result.symbol.name, "set_up");
    assert_int_equal(fixture->result.symbol.place.address, symbol.place.address);
    assert_false(fixture->result.symbol.object);
    sym_index_find(index, "rows", keep, &symbol);
    assert_true(symbol.object);
    sym_index_find(index, "no such name", keep, NULL);
    size_t all = 0;
    sym_index_each_symbol(index, count, &all);
    assert_true(all > 100);
    sym_index_close(index);
}

static void packing_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    must(sym_index_pack(index, fixture->other));
    sym_index_close(index);
    size_t before, after;
    free(read_all(fixture->path, &before));
    free(read_all(fixture->other, &after));
    assert_true(after < before);
    must(sym_index_open(fixture->other, &index));
    must(sym_index_verify(index));
    assert_string_equal(look(fixture, index, 0x134, 3)->function, "inner");
    sym_index_close(index);
}

static void an_index_of_another_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    must(sym_index_match(index, fixture->elf));
    struct sym_elf *other;
    must(sym_elf_open("/bin/sh", &other));
    must_fail(sym_index_match(index, other), "another build-id");
    sym_elf_close(other);
    sym_index_close(index);
}

static void two_builders_at_once_leave_a_whole_index(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    for (int i = 0; i < 20; i++)
        must(sym_index_build(fixture->elf, fixture->elf, fixture->other));
    if (!child)
        _exit(0);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct sym_index *index;
    must(sym_index_open(fixture->other, &index));
    must(sym_index_verify(index));
    sym_index_close(index);
}

// -- damage ---------------------------------------------------------------------------------------

// Asks what can be asked; answers may be wrong.
static void use(struct fixture *fixture, struct sym_index *index)
{
    struct sym_module_info info;
    sym_index_info(index, &info);
    for (uint64_t offset = 0; offset < 0x400; offset += 13)
        must(sym_index_lookup(index, (struct sym_place){0, text + offset}, &fixture->result));
    struct sym_symbol symbol;
    size_t all = 0;
    sym_index_find(index, "main", keep, &symbol);
    sym_index_each_symbol(index, count, &all);
    sym_index_section(index, ".text");
}

static void a_cut_off_index_is_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes;
    uint8_t *all = read_all(fixture->path, &bytes);
    for (size_t length = 0; length < bytes; length += length < 1000 ? 7 : 997) {
        struct sym_index *index;
        write_all(fixture->other, all, length);
        must_fail(sym_index_open(fixture->other, &index), "index");
    }
    free(all);
}

static void a_damaged_header_is_refused(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes;
    uint8_t *all = read_all(fixture->path, &bytes);
    for (size_t i = 0; i < sizeof(struct index_header); i++) {
        struct sym_index *index;
        all[i] ^= 0x10;
        write_all(fixture->other, all, bytes);
        must_fail(sym_index_open(fixture->other, &index), "index");
        all[i] ^= 0x10;
    }
    free(all);
}

static void damage_elsewhere_is_found_by_verifying_and_harms_no_lookup(void **state)
{
    struct fixture *fixture = *state;
    size_t bytes;
    uint8_t *all = read_all(fixture->path, &bytes);
    unsigned seed = 1;
    for (int round = 0; round < 300; round++) {
        size_t at[8];
        uint8_t was[8];
        for (size_t i = 0; i < 8; i++) {
            size_t first = sizeof(struct index_header);
            at[i] = first + (size_t)rand_r(&seed) % (bytes - first);
            was[i] = all[at[i]];
            all[at[i]] = (uint8_t)rand_r(&seed);
        }
        write_all(fixture->other, all, bytes);
        for (size_t i = 8; i-- > 0;)
            all[at[i]] = was[i];
        struct sym_index *index;
        struct error *error = sym_index_open(fixture->other, &index);
        error_free(error); // the strings' end is checked at once
        if (error)
            continue;
        use(fixture, index);
        error_free(sym_index_verify(index));
        sym_index_close(index);
    }
    all[bytes / 2] ^= 1;
    write_all(fixture->other, all, bytes);
    struct sym_index *index;
    must(sym_index_open(fixture->other, &index));
    must_fail(sym_index_verify(index), "damaged");
    sym_index_close(index);
    free(all);
}

static void a_damaged_packed_index_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct sym_index *index;
    must(sym_index_open(fixture->path, &index));
    must(sym_index_pack(index, fixture->other));
    sym_index_close(index);
    size_t bytes;
    uint8_t *all = read_all(fixture->other, &bytes);
    for (size_t i = 0; i < bytes; i += i < 64 ? 1 : 331) {
        all[i] ^= 0x21;
        write_all(fixture->other, all, bytes);
        must_fail(sym_index_open(fixture->other, &index), "index");
        all[i] ^= 0x21;
    }
    free(all);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(inlined_calls_come_from_the_inside_out),
        TEST(ranges_end_where_they_end),
        TEST(every_row_of_a_long_sequence_is_found),
        TEST(symbols_are_found_by_name_and_by_address),
        TEST(packing_changes_nothing),
        TEST(an_index_of_another_file_is_refused),
        TEST(two_builders_at_once_leave_a_whole_index),
        TEST(a_cut_off_index_is_refused),
        TEST(a_damaged_header_is_refused),
        TEST(damage_elsewhere_is_found_by_verifying_and_harms_no_lookup),
        TEST(a_damaged_packed_index_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
