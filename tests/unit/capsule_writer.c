// SPDX-License-Identifier: MIT
// See capsule_writer.h.
#include "tests/unit/capsule_writer.h"

#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

void capsule_init(struct capsule_writer *writer, uint32_t id)
{
    *writer = (struct capsule_writer){.id = id, .newline = "\n"};
}

void capsule_deinit(struct capsule_writer *writer)
{
    free(writer->text);
}

void capsule_text(struct capsule_writer *writer, const char *line)
{
    const char *prefix = writer->prefix ? writer->prefix : "";
    size_t wanted = writer->length + strlen(prefix) + strlen(line) + strlen(writer->newline) + 1;
    if (wanted > writer->capacity) {
        writer->capacity = wanted * 2;
        writer->text = realloc(writer->text, writer->capacity);
        if (!writer->text)
            abort();
    }
    writer->length +=
        (size_t)sprintf(writer->text + writer->length, "%s%s%s", prefix, line, writer->newline);
}

void capsule_begin(struct capsule_writer *writer)
{
    char line[64];
    sprintf(line, KD_CAPSULE_BEGIN "%d %08x", KD_CAPSULE_VERSION, writer->id);
    capsule_text(writer, line);
}

static void base64(const uint8_t *bytes, size_t count, char *to)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < count; i += 3) {
        uint32_t group = (uint32_t)bytes[i] << 16;
        if (i + 1 < count)
            group |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < count)
            group |= bytes[i + 2];
        *to++ = digits[group >> 18];
        *to++ = digits[group >> 12 & 63];
        *to++ = i + 1 < count ? digits[group >> 6 & 63] : '=';
        *to++ = i + 2 < count ? digits[group & 63] : '=';
    }
    *to = '\0';
}

static void write_line(struct capsule_writer *writer, const uint8_t *bytes, size_t count,
                       bool first)
{
    char line[160], packed[128];
    base64(bytes, count, packed);
    int length =
        sprintf(line, "~%c%04x %s", first ? 'C' : 'c', writer->line_number & 0xffff, packed);
    sprintf(line + length, " %08lx", crc32(0, (const Bytef *)line + 1, (uInt)(length - 1)));
    capsule_text(writer, line);
    writer->line_number++;
}

void capsule_flush(struct capsule_writer *writer)
{
    uint8_t bytes[sizeof(struct kd_capsule_block) + 2 * KD_CAPSULE_BLOCK_BYTES];
    uint8_t *packed = bytes + sizeof(struct kd_capsule_block);
    if (writer->raw_bytes == 0)
        return;
    int packed_bytes = 0;
    if (!writer->stored)
        packed_bytes = LZ4_compress_default((const char *)writer->raw, (char *)packed,
                                            (int)writer->raw_bytes, KD_CAPSULE_BLOCK_BYTES);
    struct kd_capsule_block head = {
        .magic = KD_CAPSULE_BLOCK_MAGIC,
        .version = KD_CAPSULE_VERSION,
        .method = packed_bytes > 0 ? KD_CAPSULE_LZ4 : KD_CAPSULE_STORED,
        .packed_bytes = (uint16_t)(packed_bytes > 0 ? (size_t)packed_bytes : writer->raw_bytes),
        .raw_bytes = (uint16_t)writer->raw_bytes,
        .number = writer->block_number++,
        .id = writer->id,
        .crc = (uint32_t)crc32(0, writer->raw, (uInt)writer->raw_bytes),
    };
    if (packed_bytes <= 0)
        memcpy(packed, writer->raw, writer->raw_bytes);
    memcpy(bytes, &head, sizeof(head));
    size_t whole = sizeof(head) + head.packed_bytes;
    for (size_t at = 0; at < whole; at += KD_CAPSULE_LINE_BYTES) {
        size_t part = whole - at < KD_CAPSULE_LINE_BYTES ? whole - at : KD_CAPSULE_LINE_BYTES;
        write_line(writer, bytes + at, part, at == 0);
    }
    writer->raw_bytes = 0;
}

void capsule_record(struct capsule_writer *writer, uint16_t type, const void *head,
                    size_t head_bytes, const void *tail, size_t tail_bytes)
{
    struct kd_capsule_record record = {.type = type, .bytes = (uint32_t)(head_bytes + tail_bytes)};
    size_t whole = sizeof(record) + ((head_bytes + tail_bytes + 7) & ~(size_t)7);
    if (whole > sizeof(writer->raw))
        abort();
    if (writer->raw_bytes + whole > sizeof(writer->raw))
        capsule_flush(writer);
    uint8_t *to = writer->raw + writer->raw_bytes;
    memset(to, 0, whole);
    memcpy(to, &record, sizeof(record));
    memcpy(to + sizeof(record), head, head_bytes);
    if (tail)
        memcpy(to + sizeof(record) + head_bytes, tail, tail_bytes);
    writer->raw_bytes += whole;
}

void capsule_end(struct capsule_writer *writer)
{
    char line[64];
    capsule_flush(writer);
    struct kd_capsule_summary summary = {.blocks = writer->block_number + 1, .threads = 3};
    capsule_record(writer, KD_CAPSULE_SUMMARY, &summary, sizeof(summary), NULL, 0);
    capsule_flush(writer);
    sprintf(line, KD_CAPSULE_END "%08x %u", writer->id, writer->line_number);
    capsule_text(writer, line);
}

// -- a small machine ------------------------------------------------------------------------------

void capsule_machine(struct capsule_writer *writer)
{
    struct kd_capsule_machine machine = {
        .architecture = "i386:x86-64",
        .kernel_name = "fathom",
        .kernel_version = "0.1.0",
        .build_id = {1, 2, 3, 4},
        .build_id_bytes = 20,
        .pointer_bytes = 8,
        .signal = 11,
        .trap_flags = KD_CAPSULE_TRAP | KD_CAPSULE_TRAP_ADDRESS,
        .cpu_count = 2,
        .cpu = 0,
        .thread = 1,
        .uptime_ns = 1234567890,
        .trap_code = 2,
        .trap_address = 8,
        .trap_name = "page fault",
        .reason = "page fault at 0x8",
    };
    capsule_record(writer, KD_CAPSULE_MACHINE, &machine, sizeof(machine), NULL, 0);
}

void capsule_register_table(struct capsule_writer *writer)
{
    static const char *const names[] = {"r0", "sp", "fp", "pc", "flags"};
    struct kd_capsule_register_set set = {
        .count = CAPSULE_REGISTERS,
        .general = CAPSULE_REGISTERS,
        .pc = CAPSULE_PC,
        .sp = CAPSULE_SP,
        .fp = CAPSULE_FP,
        .value_bytes = 32,
        .types_bytes = 11,
        .osabi = "none",
        .types_feature = "org.test.core",
    };
    struct kd_capsule_register_row rows[CAPSULE_REGISTERS] = {0};
    for (unsigned i = 0; i < CAPSULE_REGISTERS; i++) {
        rows[i].number = (uint16_t)i;
        rows[i].bits = i == CAPSULE_FLAGS ? 32 : 64;
        rows[i].offset = i == CAPSULE_FLAGS ? KD_CAPSULE_NO_VALUE : (uint16_t)(8 * i);
        rows[i].dwarf = -1;
        strcpy(rows[i].name, names[i]);
        strcpy(rows[i].feature, "org.test.core");
    }
    capsule_record(writer, KD_CAPSULE_REGISTER_SET, &set, sizeof(set), NULL, 0);
    // In two parts, the second one first.
    capsule_record(writer, KD_CAPSULE_REGISTER_ROWS, rows + 2, sizeof(rows) - 2 * sizeof(*rows),
                   NULL, 0);
    capsule_record(writer, KD_CAPSULE_REGISTER_ROWS, rows, 2 * sizeof(*rows), NULL, 0);
    uint32_t offset = 5;
    capsule_record(writer, KD_CAPSULE_REGISTER_TYPES, &offset, sizeof(offset), "/flag>", 6);
    offset = 0;
    capsule_record(writer, KD_CAPSULE_REGISTER_TYPES, &offset, sizeof(offset), "<flag", 5);
}

void capsule_cpu(struct capsule_writer *writer, uint32_t index, int64_t thread, uint32_t flags)
{
    struct kd_capsule_cpu cpu = {.index = index, .flags = flags, .thread = thread};
    capsule_record(writer, KD_CAPSULE_CPU, &cpu, sizeof(cpu), NULL, 0);
}

void capsule_registers(struct capsule_writer *writer, int64_t thread, const uint64_t values[4])
{
    struct kd_capsule_registers registers = {
        .thread = thread, .cpu = KD_CAPSULE_NO_CPU, .known = {0x0f}};
    capsule_record(writer, KD_CAPSULE_REGISTERS, &registers, sizeof(registers), values, 32);
}

void capsule_thread(struct capsule_writer *writer, int64_t id, const char *name, uint8_t state)
{
    struct kd_capsule_thread thread = {.id = id, .state = state};
    strncpy(thread.name, name, sizeof(thread.name) - 1);
    if (state == KD_CAPSULE_THREAD_BLOCKED)
        strcpy(thread.wait, "disk");
    capsule_record(writer, KD_CAPSULE_THREAD, &thread, sizeof(thread), NULL, 0);
}

void capsule_memory(struct capsule_writer *writer, uint64_t address, const void *bytes,
                    size_t count)
{
    struct kd_capsule_memory memory = {
        .address = address, .kind = KD_CAPSULE_MEMORY_STACK, .bytes = (uint32_t)count};
    capsule_record(writer, KD_CAPSULE_MEMORY, &memory, sizeof(memory), bytes, count);
}

void capsule_words(struct capsule_writer *writer, const char *name, uint32_t offset,
                   const char *text)
{
    struct kd_capsule_text head = {.offset = offset};
    strncpy(head.name, name, sizeof(head.name));
    capsule_record(writer, KD_CAPSULE_TEXT, &head, sizeof(head), text, strlen(text));
}

static void essentials(struct capsule_writer *writer)
{
    capsule_machine(writer);
    capsule_register_table(writer);
    capsule_cpu(writer, 0, 1, KD_CAPSULE_CPU_STOPPED | KD_CAPSULE_CPU_PANICKED);
    capsule_cpu(writer, 1, 2, KD_CAPSULE_CPU_STOPPED);
    capsule_registers(writer, 1, (uint64_t[]){17, CAPSULE_STACK, CAPSULE_STACK + 16, 0x1000});
    capsule_registers(writer, 2, (uint64_t[]){18, CAPSULE_STACK + 4096, 0, 0x2000});
    capsule_flush(writer);
}

void capsule_whole(struct capsule_writer *writer)
{
    uint8_t page[1024];
    capsule_begin(writer);
    essentials(writer);
    capsule_thread(writer, 3, "reader", KD_CAPSULE_THREAD_BLOCKED);
    capsule_thread(writer, 1, "shell", KD_CAPSULE_THREAD_RUNNING);
    capsule_registers(writer, 3, (uint64_t[]){19, CAPSULE_STACK + 2048, 0, 0x3000});
    for (unsigned part = 0; part < 8; part++) {
        for (size_t i = 0; i < sizeof(page); i++)
            page[i] = (uint8_t)((i * 31 + part) ^ (i * i >> 5)); // does not pack well
        capsule_memory(writer, CAPSULE_STACK + part * sizeof(page), page, sizeof(page));
    }
    capsule_words(writer, "log", 0, "first line\n");
    capsule_words(writer, "log", 11, "second line\n");
    capsule_flush(writer);
    essentials(writer);
    capsule_end(writer);
}
