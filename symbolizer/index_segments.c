// SPDX-License-Identifier: MIT
// Which node each position belongs to. Scopes nest, so a unit's ranges, sorted, are swept with a
// stack: what is on top at a position is the innermost there. Ranges that overlap without nesting,
// which only a broken file has, are cut where the later one starts.
//
// The units' pieces are then sorted all together. Where two units claim the same position (the same
// inline function kept by each, in a file whose linker did not drop one) the one that starts first
// has it.
#include "symbolizer/index_build.h"

static int by_low(const void *left, const void *right)
{
    const struct index_interval *a = left, *b = right;
    if (a->low != b->low)
        return a->low < b->low ? -1 : 1;
    if (a->high != b->high)
        return a->high > b->high ? -1 : 1;
    return a->node < b->node ? -1 : a->node > b->node;
}

static void put_piece(struct index_build *build, uint32_t low, uint32_t high, uint32_t node)
{
    if (low < high)
        index_put_bytes(&build->pieces, &(struct index_interval){low, high, node},
                        sizeof(struct index_interval));
}

void index_flatten(struct index_build *build)
{
    struct index_interval *all = (void *)build->intervals.data;
    size_t count = build->intervals.size / sizeof(*all), depth = 0;
    build->intervals.size = 0;
    build->stack.size = 0;
    struct index_interval *stack = index_put(&build->stack, count * sizeof(*stack));
    if (!count || !stack)
        return;
    qsort(all, count, sizeof(*all), by_low);
    uint32_t at = 0;
    for (size_t i = 0; i < count; i++) {
        for (; depth && stack[depth - 1].high <= all[i].low; depth--) {
            put_piece(build, at, stack[depth - 1].high, stack[depth - 1].node);
            at = stack[depth - 1].high > at ? stack[depth - 1].high : at;
        }
        if (depth)
            put_piece(build, at, all[i].low, stack[depth - 1].node);
        at = all[i].low > at ? all[i].low : at;
        stack[depth++] = all[i];
    }
    for (; depth; depth--) {
        put_piece(build, at, stack[depth - 1].high, stack[depth - 1].node);
        at = stack[depth - 1].high > at ? stack[depth - 1].high : at;
    }
}

// By `low`, in three steps of eleven bits.
static bool sort_pieces(struct index_interval *pieces, size_t count)
{
    struct index_interval *other = malloc((count ? count : 1) * sizeof(*other));
    if (!other)
        return false;
    struct index_interval *from = pieces, *to = other;
    for (unsigned shift = 0; shift < 33; shift += 11) {
        uint32_t starts[2049] = {0};
        for (size_t i = 0; i < count; i++)
            starts[(from[i].low >> shift & 2047) + 1]++;
        for (unsigned i = 0; i < 2048; i++)
            starts[i + 1] += starts[i];
        for (size_t i = 0; i < count; i++)
            to[starts[from[i].low >> shift & 2047]++] = from[i];
        struct index_interval *swapped = from;
        from = to;
        to = swapped;
    }
    memcpy(pieces, from, count * sizeof(*pieces)); // three steps end in `other`
    free(other);
    return true;
}

void index_block_begin(struct index_build *build, enum index_part_kind blocks, uint32_t first,
                       size_t count)
{
    struct index_buffer *stream = &build->parts[blocks + 1];
    struct index_block block = {htole32(first), htole32((uint32_t)stream->size)};
    index_put_bytes(&build->parts[blocks], &block, sizeof(block));
    build->counts[blocks]++;
    index_put_uleb(stream, count);
}

static void put_start(struct index_buffer *starts, uint32_t position, uint32_t node)
{
    index_put_bytes(starts, &(struct index_interval){position, position, node},
                    sizeof(struct index_interval));
}

// Pieces as starts alone: each goes on to the next, and node 0 is a gap.
static void put_starts(struct index_buffer *starts, const struct index_interval *pieces,
                       size_t count)
{
    uint32_t end = 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t low = pieces[i].low > end ? pieces[i].low : end;
        if (low >= pieces[i].high)
            continue;
        if (low > end && starts->size)
            put_start(starts, end, 0);
        put_start(starts, low, pieces[i].node);
        end = pieces[i].high;
    }
    if (starts->size)
        put_start(starts, end, 0);
}

void index_put_segments(struct index_build *build)
{
    struct index_interval *pieces = (void *)build->pieces.data;
    size_t count = build->pieces.size / sizeof(*pieces);
    struct index_buffer *starts = &build->intervals, *stream = &build->parts[INDEX_SEGMENTS];
    starts->size = 0;
    if (!sort_pieces(pieces, count)) {
        stream->failed = true;
        return;
    }
    put_starts(starts, pieces, count);
    const struct index_interval *all = (const void *)starts->data;
    count = starts->size / sizeof(*all);
    uint32_t low = 0, node = 0;
    for (size_t i = 0; i < count; i++) {
        if (i % INDEX_BLOCK == 0) {
            size_t left = count - i;
            index_block_begin(build, INDEX_SEGMENT_BLOCKS, all[i].low,
                              left < INDEX_BLOCK ? left : INDEX_BLOCK);
            low = all[i].low;
            node = 0;
        }
        index_put_uleb(stream, all[i].low - low);
        index_put_signed(stream, (int64_t)all[i].node - node);
        low = all[i].low;
        node = all[i].node;
    }
    build->counts[INDEX_SEGMENTS] = (uint32_t)count;
}
