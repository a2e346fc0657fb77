// SPDX-License-Identifier: MIT
// The last panic in memory that a warm reboot leaves alone: written while the report goes out, read
// at the next boot. The head is invalid from the first byte written until it is sealed, so what is
// found is whole; and everything is checked again when it is read, since the kernel that wrote it
// may have been any.
#include "kdebug/kept.h"

#include <string.h>

#include "kdebug/capsule.h"

// What is being written; `at` is NULL when there is no such memory or it cannot be written.
static struct {
    uint8_t *at;
    size_t size, used; // used: behind the head
    struct kd_capsule_kept head;
} keep;

// -- writing ----------------------------------------------------------------------------------

static bool store(size_t offset, const void *from, size_t length)
{
    if (keep.at == NULL || kd_mem_copy(keep.at + offset, from, length) != length) {
        keep.at = NULL;
        return false;
    }
    return true;
}

void kd_keep_begin(uint32_t id)
{
    keep.at = kd.kernel->keep;
    keep.size = kd.kernel->keep_bytes;
    keep.used = 0;
    keep.head = (struct kd_capsule_kept){.version = KD_CAPSULE_VERSION, .id = id};
    if (keep.size < sizeof(keep.head)) {
        keep.at = NULL;
        return;
    }
    store(0, &keep.head, sizeof(keep.head)); // without its magic
}

static bool append(const void *bytes, size_t length)
{
    size_t room = keep.size - sizeof(keep.head) - keep.used;
    if (length > room || keep.head.truncated != 0) {
        keep.head.truncated = 1;
        return false;
    }
    if (!store(sizeof(keep.head) + keep.used, bytes, length))
        return false;
    keep.head.crc = kd_crc32(keep.head.crc, bytes, length);
    keep.used += length;
    return true;
}

void kd_keep_report(const char *text, size_t length)
{
    if (keep.at != NULL && keep.head.block_bytes == 0 && append(text, length))
        keep.head.report_bytes += (uint32_t)length;
}

void kd_keep_block(const uint8_t *block, size_t length)
{
    if (keep.at != NULL && append(block, length))
        keep.head.block_bytes += (uint32_t)length;
}

void kd_keep_seal(uint32_t lines)
{
    struct kd_capsule_kept sealed = keep.head;
    sealed.magic = KD_CAPSULE_KEPT_MAGIC;
    sealed.lines = lines;
    sealed.head_crc = kd_crc32(0, &sealed, offsetof(struct kd_capsule_kept, head_crc));
    // Everything else first: the head says that it is there.
    atomic_thread_fence(memory_order_seq_cst);
    if (store(0, &sealed, sizeof(sealed)) && kd.kernel->keep_written != NULL)
        kd.kernel->keep_written();
}

// -- reading ----------------------------------------------------------------------------------

// The sum over memory that may turn out not to be there.
static bool sum_is(uint32_t wanted, const uint8_t *bytes, size_t length)
{
    uint8_t piece[256];
    uint32_t crc = 0;
    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof(piece) ? length - done : sizeof(piece);
        if (kd_mem_copy(piece, bytes + done, part) != part)
            return false;
        crc = kd_crc32(crc, piece, part);
        done += part;
    }
    return crc == wanted;
}

enum kd_kept_state kd_kept_find(const void *memory, size_t bytes, struct kd_kept *out)
{
    struct kd_capsule_kept head;
    if (memory == NULL || bytes < sizeof(head) ||
        kd_mem_copy(&head, memory, sizeof(head)) != sizeof(head) ||
        head.magic != KD_CAPSULE_KEPT_MAGIC)
        return KD_KEPT_NOTHING;
    size_t room = bytes - sizeof(head);
    if (head.version != KD_CAPSULE_VERSION ||
        head.head_crc != kd_crc32(0, &head, offsetof(struct kd_capsule_kept, head_crc)) ||
        head.report_bytes > room || head.block_bytes > room - head.report_bytes)
        return KD_KEPT_DAMAGED;
    const uint8_t *body = (const uint8_t *)memory + sizeof(head);
    *out = (struct kd_kept){
        .report = (const char *)body,
        .report_bytes = head.report_bytes,
        .blocks = body + head.report_bytes,
        .block_bytes = head.block_bytes,
        .id = head.id,
        .truncated = head.truncated != 0,
    };
    return sum_is(head.crc, body, out->report_bytes + out->block_bytes) ? KD_KEPT_WHOLE
                                                                        : KD_KEPT_DAMAGED;
}

void kd_kept_reason(const struct kd_kept *kept, char *to, size_t size)
{
    static const char mark[] = "PANIC: ";
    const char *end = kept->report + kept->report_bytes;
    const char *at = kept->report;
    while (at < end && *at == '\n')
        at++;
    if ((size_t)(end - at) > strlen(mark) && memcmp(at, mark, strlen(mark)) == 0)
        at += strlen(mark);
    size_t length = 0;
    while (at < end && *at != '\n' && length + 1 < size)
        to[length++] = *at++;
    to[length] = '\0';
}

void kd_kept_print_report(const struct kd_kept *kept, struct kd_text *out)
{
    kd_text_write(out, kept->report, kept->report_bytes);
}

static void to_text(struct kd_capsule_lines *lines, const char *text, size_t length)
{
    kd_text_write(lines->context, text, length);
}

void kd_kept_print_capsule(const struct kd_kept *kept, struct kd_text *out)
{
    struct kd_capsule_lines lines = {.write = to_text, .context = out, .id = kept->id};
    kd_capsule_lines_begin(&lines);
    struct kd_capsule_block block;
    for (size_t done = 0; kept->block_bytes - done >= sizeof(block);) {
        memcpy(&block, kept->blocks + done, sizeof(block));
        size_t length = sizeof(block) + block.packed_bytes;
        if (block.magic != KD_CAPSULE_BLOCK_MAGIC || length > kept->block_bytes - done)
            break;
        kd_capsule_lines_block(&lines, kept->blocks + done, length);
        done += length;
    }
    kd_capsule_lines_end(&lines);
}

void kd_kept_clear(void *memory, size_t bytes)
{
    static const struct kd_capsule_kept nothing;
    if (memory != NULL && bytes >= sizeof(nothing))
        kd_mem_copy(memory, &nothing, sizeof(nothing));
}
