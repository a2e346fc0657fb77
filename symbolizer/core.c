// SPDX-License-Identifier: MIT
// See core.h. The layout is Linux's for each machine, since that is what readers of cores know:
// struct elf_prstatus and elf_prpsinfo of include/linux/elfcore.h with the machine's own
// elf_gregset_t. The first thread is the one that panicked; readers select it.
#include "symbolizer/core.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/file_write.h"

enum {
    // Offsets in struct elf_prstatus of a machine with 64 bits; registers stand behind them.
    STATUS_SIGNAL = 0,
    STATUS_CURRENT_SIGNAL = 12,
    STATUS_ID = 32,
    STATUS_REGISTERS = 112,
    STATUS_TAIL = 8, // whether there are floating point registers, and padding
    // struct elf_prpsinfo.
    INFO_BYTES = 136,
    INFO_STATE = 1, // its letter; the number is before it
    INFO_ID = 24,
    INFO_NAME = 40,
    INFO_NAME_BYTES = 16,
    INFO_ARGUMENTS = 56,
    INFO_ARGUMENTS_BYTES = 80,
    REGISTERS_MOST = 34,
    // Notes of our own, named "FATHOM". Readers look at the numbers of well-known notes whatever
    // their name is, so these are far from them.
    NOTE_DESCRIPTION = 0x46440001,
    NOTE_THREADS = 0x46440002,
    NOTE_TEXT = 0x46440003,
    CACHE_LINE = 64, // see pad()
    LOADS_MOST = PN_XNUM - 2,
};

// The registers of elf_gregset_t in their order, 8 bytes each, by gdb's names; NULL: one that a
// kernel's thread does not have.
static const struct layout {
    uint16_t machine;
    const char *const *names;
    size_t count;
} layouts[] = {
    {EM_X86_64,
     (const char *const[]){"r15",    "r14", "r13", "r12",     "rbp",     "rbx", "r11", "r10", "r9",
                           "r8",     "rax", "rcx", "rdx",     "rsi",     "rdi", NULL,  "rip", "cs",
                           "eflags", "rsp", "ss",  "fs_base", "gs_base", "ds",  "es",  "fs",  "gs"},
     27},
    {EM_AARCH64,
     (const char *const[]){"x0",  "x1",  "x2",  "x3",  "x4",  "x5",  "x6",  "x7",  "x8",
                           "x9",  "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17",
                           "x18", "x19", "x20", "x21", "x22", "x23", "x24", "x25", "x26",
                           "x27", "x28", "x29", "x30", "sp",  "pc",  "cpsr"},
     34},
    {EM_RISCV,
     (const char *const[]){"pc", "ra", "sp", "gp", "tp",  "t0",  "t1", "t2", "fp", "s1", "a0",
                           "a1", "a2", "a3", "a4", "a5",  "a6",  "a7", "s2", "s3", "s4", "s5",
                           "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4", "t5", "t6"},
     32},
};

struct buffer {
    uint8_t *bytes;
    size_t count, capacity;
    bool failed;
};

static void add(struct buffer *buffer, const void *bytes, size_t count)
{
    if (buffer->capacity - buffer->count < count && !buffer->failed) {
        size_t wanted = (buffer->count + count) * 2;
        uint8_t *at = realloc(buffer->bytes, wanted);
        buffer->failed = !at;
        if (at) {
            buffer->bytes = at;
            buffer->capacity = wanted;
        }
    }
    if (buffer->failed || !buffer->bytes)
        return;
    memcpy(buffer->bytes + buffer->count, bytes, count);
    buffer->count += count;
}

static void add_note(struct buffer *buffer, const char *name, uint32_t type, const void *bytes,
                     size_t count)
{
    static const uint8_t zeroes[4];
    size_t name_bytes = strlen(name) + 1;
    Elf64_Nhdr head = {(uint32_t)name_bytes, (uint32_t)count, type};
    add(buffer, &head, sizeof(head));
    add(buffer, name, name_bytes);
    add(buffer, zeroes, -name_bytes & 3);
    add(buffer, bytes, count);
    add(buffer, zeroes, -count & 3);
}

// -- notes ----------------------------------------------------------------------------------------

static bool register_named(const struct sym_dead *dead, const struct sym_capsule_thread *thread,
                           const char *name, uint64_t *value)
{
    const struct sym_capsule *capsule = dead->capsule;
    for (size_t i = 0; name && i < capsule->row_count; i++)
        if (!strcmp(capsule->rows[i].name, name))
            return sym_dead_register(dead, thread, (unsigned)i, value);
    return false;
}

static void add_status(const struct sym_dead *dead, const struct layout *layout,
                       const struct sym_capsule_thread *thread, struct buffer *notes)
{
    uint8_t status[STATUS_REGISTERS + 8 * REGISTERS_MOST + STATUS_TAIL] = {0};
    int32_t id = (int32_t)thread->id;
    bool panicked = thread->id == dead->capsule->machine.thread;
    int32_t signal = panicked ? dead->capsule->machine.signal : 0;
    memcpy(status + STATUS_SIGNAL, &signal, sizeof(signal));
    memcpy(status + STATUS_CURRENT_SIGNAL, &signal, sizeof(int16_t));
    memcpy(status + STATUS_ID, &id, sizeof(id));
    for (size_t i = 0; i < layout->count; i++) {
        uint64_t value = 0;
        register_named(dead, thread, layout->names[i], &value);
        memcpy(status + STATUS_REGISTERS + 8 * i, &value, sizeof(value));
    }
    add_note(notes, "CORE", NT_PRSTATUS, status,
             STATUS_REGISTERS + 8 * layout->count + STATUS_TAIL);
}

static void add_info(const struct sym_dead *dead, struct buffer *notes)
{
    const struct kd_capsule_machine *machine = &dead->capsule->machine;
    uint8_t info[INFO_BYTES] = {0};
    int32_t id = (int32_t)machine->thread;
    info[INFO_STATE] = 'R';
    memcpy(info + INFO_ID, &id, sizeof(id));
    // gdb warns unless it is the name of the file it was given.
    const char *name = dead->elf ? basename(dead->elf->path) : machine->kernel_name;
    snprintf((char *)info + INFO_NAME, INFO_NAME_BYTES, "%.*s", INFO_NAME_BYTES - 1, name);
    snprintf((char *)info + INFO_ARGUMENTS, INFO_ARGUMENTS_BYTES, "PANIC: %.70s", machine->reason);
    add_note(notes, "CORE", NT_PRPSINFO, info, sizeof(info));
}

// Lines of KEY=value, as Linux's VMCOREINFO has them, under a name of our own: tools that see the
// other name expect a Linux behind it.
static void add_description(const struct sym_dead *dead, struct buffer *notes)
{
    const struct sym_capsule *capsule = dead->capsule;
    const struct kd_capsule_machine *machine = &capsule->machine;
    char text[1024], id[2 * sizeof(machine->build_id) + 1] = "";
    for (size_t i = 0; i < machine->build_id_bytes; i++)
        sprintf(id + 2 * i, "%02x", machine->build_id[i]);
    int length =
        snprintf(text, sizeof(text),
                 "OSRELEASE=%s %s\nBUILD-ID=%s\nPAGESIZE=%u\nKERNELOFFSET=%llx\n"
                 "UPTIME_NS=%llu\nCPU=%u\nCAPSULE=%08x%s\nREASON=%s\n",
                 machine->kernel_name, machine->kernel_version, id, machine->page_bytes,
                 (unsigned long long)machine->load_offset, (unsigned long long)machine->uptime_ns,
                 machine->cpu, capsule->id, capsule->whole ? "" : " incomplete", machine->reason);
    add_note(notes, "FATHOM", NOTE_DESCRIPTION, text, (size_t)length);
}

static void add_names(const struct sym_dead *dead, struct buffer *notes)
{
    const struct sym_capsule *capsule = dead->capsule;
    struct buffer text = {0};
    for (size_t i = 0; i < capsule->thread_count; i++) {
        const struct sym_capsule_thread *thread = &capsule->threads[i];
        char line[160];
        int length =
            snprintf(line, sizeof(line), "%lld %s: %s%s%s\n", (long long)thread->id,
                     thread->record.name, sym_capsule_thread_state_name(thread->record.state),
                     thread->record.wait[0] ? ", " : "", thread->record.wait);
        add(&text, line, (size_t)length);
    }
    notes->failed |= text.failed;
    if (text.count)
        add_note(notes, "FATHOM", NOTE_THREADS, text.bytes, text.count);
    free(text.bytes);
}

static void add_texts(const struct sym_dead *dead, struct buffer *notes)
{
    const struct sym_capsule *capsule = dead->capsule;
    for (size_t i = 0; i < capsule->text_count; i++) {
        struct buffer text = {0};
        add(&text, capsule->texts[i].name, strlen(capsule->texts[i].name));
        add(&text, "\n", 1);
        add(&text, capsule->texts[i].text, capsule->texts[i].bytes);
        notes->failed |= text.failed;
        if (!text.failed)
            add_note(notes, "FATHOM", NOTE_TEXT, text.bytes, text.count);
        free(text.bytes);
    }
}

static struct error *make_notes(const struct sym_dead *dead, const struct layout *layout,
                                struct buffer *notes)
{
    const struct sym_capsule *capsule = dead->capsule;
    size_t threads = 0;
    for (size_t i = 0; i < capsule->thread_count; i++) {
        if (!capsule->threads[i].registers)
            continue;
        add_status(dead, layout, &capsule->threads[i], notes);
        // Between the first thread and the others, as Linux has it.
        if (threads++ == 0)
            add_info(dead, notes);
    }
    add_description(dead, notes);
    add_names(dead, notes);
    add_texts(dead, notes);
    if (threads == 0)
        return error_make(EXIT_FAILED, "the capsule has lost the registers of all threads: there "
                                       "is nothing to make a core file of");
    return NULL;
}

// -- memory ---------------------------------------------------------------------------------------

struct loads {
    Elf64_Phdr *rows; // [0] is the notes'
    struct sym_bytes *pieces;
    size_t count;
};

static void add_load(struct loads *loads, uint32_t flags, uint64_t address, const uint8_t *data,
                     uint64_t bytes, uint64_t *offset)
{
    loads->rows[loads->count] = (Elf64_Phdr){.p_type = PT_LOAD,
                                             .p_flags = flags,
                                             .p_offset = *offset,
                                             .p_vaddr = address,
                                             .p_filesz = bytes,
                                             .p_memsz = bytes,
                                             .p_align = 1};
    loads->pieces[loads->count++] = (struct sym_bytes){data, bytes};
    *offset += bytes;
}

// The file's own bytes of a read-only section; they are mapped.
static struct sym_bytes fixed_bytes(const struct sym_dead *dead, const struct sym_dead_fixed *fixed)
{
    const struct sym_elf *elf = dead->elf;
    uint64_t address = fixed->address - (uint64_t)dead->load_offset;
    for (size_t i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        if (section->address == address && section->size == fixed->bytes &&
            (section->flags & SHF_ALLOC) && section->type != SHT_NOBITS &&
            section->offset <= elf->file.size && section->size <= elf->file.size - section->offset)
            return (struct sym_bytes){elf->file.data + section->offset, section->size};
    }
    return (struct sym_bytes){0};
}

// gdb reads stacks a cache line at a time. Where a line begins in memory that the core lacks but
// the ELF has a section for, gdb takes all of the line from the ELF, also what the core has of it.
// So a range in a section of data gets what is before it in its line from the ELF, as gdb would
// show it anyway.
static void pad(const struct sym_dead *dead, struct loads *loads, uint64_t address, uint64_t free,
                uint64_t *offset)
{
    static const uint8_t zeroes[CACHE_LINE];
    const struct sym_elf *elf = dead->elf;
    uint64_t linked = address - (uint64_t)dead->load_offset, bytes = address % CACHE_LINE;
    if (bytes > free)
        bytes = free;
    for (size_t i = 1; elf && bytes > 0 && i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        if (!(section->flags & SHF_ALLOC) || linked < section->address ||
            linked - section->address >= section->size)
            continue;
        uint64_t into = linked - section->address;
        if (bytes > into)
            bytes = into;
        uint64_t from = section->offset + into - bytes;
        bool there = from <= elf->file.size && bytes <= elf->file.size - from;
        if (bytes > 0 && (section->type == SHT_NOBITS || there))
            add_load(loads, PF_R | PF_W, address - bytes,
                     section->type == SHT_NOBITS ? zeroes : elf->file.data + from, bytes, offset);
        return;
    }
}

// Memory of the capsule first: readers look at the first that fits.
static void add_loads(const struct sym_dead *dead, struct loads *loads, uint64_t offset)
{
    const struct sym_capsule *capsule = dead->capsule;
    uint64_t end = 0; // of the range before
    for (size_t i = 0; i < capsule->memory_count; i++) {
        const struct sym_capsule_memory *range = &capsule->memory[i];
        pad(dead, loads, range->address, range->address - end, &offset);
        add_load(loads, PF_R | PF_W, range->address, range->data, range->bytes, &offset);
        end = range->address + range->bytes;
    }
    for (size_t i = 0; i < dead->fixed_count; i++) {
        struct sym_bytes bytes = fixed_bytes(dead, &dead->fixed[i]);
        if (bytes.size)
            add_load(loads, dead->fixed[i].executable ? PF_R | PF_X : PF_R, dead->fixed[i].address,
                     bytes.data, bytes.size, &offset);
    }
}

static Elf64_Ehdr make_header(const struct sym_dead *dead, uint16_t machine, size_t rows)
{
    Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE,
        .e_machine = machine,
        .e_version = EV_CURRENT,
        .e_phoff = sizeof(header),
        .e_ehsize = sizeof(header),
        .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = (uint16_t)rows,
    };
    // RISC-V's say which calling convention the kernel has; gdb compares.
    if (dead->elf && dead->elf->file.size >= sizeof(header))
        memcpy(&header.e_flags, dead->elf->file.data + offsetof(Elf64_Ehdr, e_flags),
               sizeof(header.e_flags));
    return header;
}

static struct error *write_core(const struct sym_dead *dead, uint16_t machine,
                                const struct buffer *notes, const char *path)
{
    size_t most = 2 * dead->capsule->memory_count + dead->fixed_count;
    if (most > LOADS_MOST)
        return error_make(EXIT_FAILED, "%s: %zu ranges of memory are too many for a core file",
                          path, most);
    struct loads loads = {.rows = calloc(most + 1, sizeof(*loads.rows)),
                          .pieces = calloc(most + 3, sizeof(*loads.pieces)),
                          .count = 1};
    struct error *error = NULL;
    if (loads.rows && loads.pieces) {
        // The table has room for all, even if a few are passed over.
        uint64_t offset = sizeof(Elf64_Ehdr) + (most + 1) * sizeof(*loads.rows);
        loads.rows[0] = (Elf64_Phdr){
            .p_type = PT_NOTE, .p_offset = offset, .p_filesz = notes->count, .p_align = 4};
        // Pieces: header, table and notes before memory, which starts at number 3.
        struct loads memory = {loads.rows, loads.pieces + 2, 1};
        add_loads(dead, &memory, offset + notes->count);
        Elf64_Ehdr header = make_header(dead, machine, memory.count);
        loads.pieces[0] = (struct sym_bytes){(const uint8_t *)&header, sizeof(header)};
        loads.pieces[1] =
            (struct sym_bytes){(const uint8_t *)loads.rows, (most + 1) * sizeof(*loads.rows)};
        loads.pieces[2] = (struct sym_bytes){notes->bytes, notes->count};
        error = sym_file_write(path, loads.pieces, memory.count + 2);
    } else {
        error = error_errno("%s", path);
    }
    free(loads.rows);
    free(loads.pieces);
    return error;
}

struct error *sym_core_write(const struct sym_dead *dead, const char *path)
{
    const char *architecture = dead->capsule->machine.architecture;
    uint16_t machine = sym_dead_elf_machine(architecture);
    const struct layout *layout = NULL;
    for (size_t i = 0; i < sizeof(layouts) / sizeof(*layouts); i++)
        if (layouts[i].machine == machine)
            layout = &layouts[i];
    if (!layout)
        return error_make(EXIT_FAILED, "%s: no core file for the machine '%s' is known", path,
                          architecture);
    struct buffer notes = {0};
    struct error *error = make_notes(dead, layout, &notes);
    if (!error && notes.failed)
        error = error_errno("%s", path);
    if (!error)
        error = write_core(dead, machine, &notes, path);
    free(notes.bytes);
    return error;
}
