// SPDX-License-Identifier: MIT
// See dead.h.
#include "symbolizer/dead.h"

#include <elf.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *architecture;
    uint16_t machine;
} machines[] = {
    {"i386:x86-64", EM_X86_64},
    {"aarch64", EM_AARCH64},
    {"riscv:rv64", EM_RISCV},
};

uint16_t sym_dead_elf_machine(const char *architecture)
{
    for (size_t i = 0; i < sizeof(machines) / sizeof(*machines); i++)
        if (!strcmp(machines[i].architecture, architecture))
            return machines[i].machine;
    return EM_NONE;
}

static struct error *choose_capsule(struct sym_dead *dead, const char *name)
{
    for (size_t i = dead->capsules.count; i-- > 0 && !dead->capsule;)
        if (dead->capsules.at[i].has_machine)
            dead->capsule = &dead->capsules.at[i];
    if (dead->capsule)
        return NULL;
    const struct sym_capsule_losses *losses = &dead->capsules.losses;
    if (dead->capsules.count == 0 && losses->count == 0)
        return error_make(EXIT_FAILED, "%s: holds no panic capsule (lines that begin with ~C)",
                          name);
    return error_make(EXIT_FAILED,
                      "%s:%zu: the panic capsule is too damaged to be used: %s (and %zu more)",
                      name, losses->count ? losses->at[0].line : 0,
                      losses->count ? losses->at[0].text : "its first block is missing",
                      losses->count ? losses->count - 1 + losses->untold : 0);
}

static void put_hex(char *to, const uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sprintf(to + 2 * i, "%02x", bytes[i]);
}

static struct error *check_elf(struct sym_dead *dead)
{
    const struct kd_capsule_machine *machine = &dead->capsule->machine;
    const struct sym_elf *elf = dead->elf;
    uint16_t wanted = sym_dead_elf_machine(machine->architecture);
    if (elf->relocatable || !elf->wide || elf->big_endian ||
        (wanted != EM_NONE && elf->machine != wanted))
        return error_make(EXIT_FAILED, "%s: is no kernel for %s, which the capsule is of",
                          elf->path, machine->architecture);
    if (machine->build_id_bytes == 0 ||
        (machine->build_id_bytes == elf->build_id_bytes &&
         !memcmp(machine->build_id, elf->build_id, elf->build_id_bytes)))
        return NULL;
    char dead_id[2 * sizeof(machine->build_id) + 1] = "", elf_id[2 * 64 + 1] = "none";
    put_hex(dead_id, machine->build_id, machine->build_id_bytes);
    if (elf->build_id_bytes > 0 && elf->build_id_bytes <= 64)
        put_hex(elf_id, elf->build_id, elf->build_id_bytes);
    if (asprintf(&dead->warning,
                 "%s is not the kernel that panicked: its build-id is %s, the capsule's %s; "
                 "names, lines and read-only memory may be wrong",
                 elf->path, elf_id, dead_id) < 0) {
        dead->warning = NULL;
        return error_errno("%s", elf->path);
    }
    return NULL;
}

static int by_address(const void *left, const void *right)
{
    const struct sym_dead_fixed *a = left, *b = right;
    return a->address < b->address ? -1 : a->address > b->address;
}

// The kernel's pages of these sections are mapped read-only, so what the file has is what was
// there.
static struct error *find_fixed(struct sym_dead *dead)
{
    const struct sym_elf *elf = dead->elf;
    dead->fixed = calloc(elf->section_count + 1, sizeof(*dead->fixed));
    if (!dead->fixed)
        return error_errno("%s: %zu sections", elf->path, elf->section_count);
    for (size_t i = 1; i < elf->section_count; i++) {
        const struct sym_elf_section *section = &elf->sections[i];
        uint64_t address = section->address + (uint64_t)dead->load_offset;
        uint8_t probe;
        if (!(section->flags & SHF_ALLOC) || (section->flags & (SHF_WRITE | SHF_TLS)) ||
            section->type == SHT_NOBITS || section->size == 0 ||
            section->size - 1 > UINT64_MAX - address || section->size > elf->file.size ||
            sym_elf_read(elf, section->address, &probe, 1) != 1)
            continue;
        dead->fixed[dead->fixed_count++] =
            (struct sym_dead_fixed){address, section->size, (section->flags & SHF_EXECINSTR) != 0};
    }
    qsort(dead->fixed, dead->fixed_count, sizeof(*dead->fixed), by_address);
    size_t kept = 0; // sections of a damaged file may overlap
    for (size_t i = 0; i < dead->fixed_count; i++) {
        const struct sym_dead_fixed *last = kept ? &dead->fixed[kept - 1] : NULL;
        if (!last || dead->fixed[i].address > last->address + (last->bytes - 1))
            dead->fixed[kept++] = dead->fixed[i];
    }
    dead->fixed_count = kept;
    return NULL;
}

static struct error *open_elf(struct sym_dead *dead, const char *path)
{
    struct error *error = sym_elf_open(path, &dead->elf);
    if (!error)
        error = check_elf(dead);
    return error ? error : find_fixed(dead);
}

struct error *sym_dead_open(const char *name, const char *text, size_t bytes, const char *elf,
                            struct sym_dead **out)
{
    struct sym_dead *dead = calloc(1, sizeof(*dead));
    if (!dead)
        return error_errno("%s", name);
    struct error *error = sym_capsules_read(text, bytes, &dead->capsules);
    if (!error)
        error = choose_capsule(dead, name);
    if (!error)
        dead->load_offset = dead->capsule->machine.load_offset;
    if (!error && elf)
        error = open_elf(dead, elf);
    if (error) {
        sym_dead_close(dead);
        return error;
    }
    *out = dead;
    return NULL;
}

void sym_dead_close(struct sym_dead *dead)
{
    if (!dead)
        return;
    if (dead->elf)
        sym_elf_close(dead->elf);
    free(dead->fixed);
    free(dead->warning);
    sym_capsules_deinit(&dead->capsules);
    free(dead);
}

const char *sym_dead_elf_path(const struct sym_dead *dead)
{
    return dead->elf ? dead->elf->path : NULL;
}

static size_t read_fixed(const struct sym_dead *dead, uint64_t address, void *to, size_t length)
{
    size_t low = 0, high = dead->fixed_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (dead->fixed[middle].address + (dead->fixed[middle].bytes - 1) < address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == dead->fixed_count || address < dead->fixed[low].address)
        return 0;
    uint64_t left = dead->fixed[low].bytes - (address - dead->fixed[low].address);
    return sym_elf_read(dead->elf, address - (uint64_t)dead->load_offset, to,
                        left < length ? (size_t)left : length);
}

size_t sym_dead_read(const struct sym_dead *dead, uint64_t address, void *to, size_t length)
{
    size_t done = 0;
    while (done < length && (done == 0 || address + done > address)) {
        void *at = (char *)to + done;
        size_t part = sym_capsule_memory_read(dead->capsule, address + done, at, length - done);
        if (part == 0)
            part = read_fixed(dead, address + done, at, length - done);
        if (part == 0)
            break;
        done += part;
    }
    return done;
}

bool sym_dead_read_number(const struct sym_dead *dead, uint64_t address, unsigned bytes,
                          uint64_t *value)
{
    uint64_t number = 0;
    if (bytes == 0 || bytes > sizeof(number) ||
        sym_dead_read(dead, address, &number, bytes) != bytes)
        return false;
    *value = number;
    return true;
}

bool sym_dead_register(const struct sym_dead *dead, const struct sym_capsule_thread *thread,
                       unsigned number, uint64_t *value)
{
    const uint8_t *bytes = sym_capsule_register(dead->capsule, thread, number);
    if (!bytes || dead->capsule->rows[number].bits > 64)
        return false;
    *value = 0;
    memcpy(value, bytes, dead->capsule->rows[number].bits / 8);
    return true;
}
