// SPDX-License-Identifier: MIT
// The device-tree reader of fdt.h, up to nodes and properties; what properties mean for addresses
// and interrupts is fdt_bus.c's. All reading goes through two cursors: `struct cursor` over the
// structure block, which remembers the first thing that was wrong and from then on reports the end
// of the tree, and struct fdt_value over one property.
#include "kernel/firmware/fdt.h"

#include <errno.h>
#include <string.h>

#define FDT_MAGIC      0xd00dfeed
#define FDT_VERSION    17 // the first that tells the size of the structure block
#define FDT_COMPATIBLE 16
#define PHANDLE_NONE   UINT32_MAX

enum header_field {
    HEADER_MAGIC = 0,
    HEADER_TOTAL_BYTES = 4,
    HEADER_STRUCTURE = 8,
    HEADER_STRINGS = 12,
    HEADER_RESERVATIONS = 16,
    HEADER_VERSION = 20,
    HEADER_COMPATIBLE_VERSION = 24,
    HEADER_STRINGS_BYTES = 32,
    HEADER_STRUCTURE_BYTES = 36,
};

static uint32_t read_be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static uint64_t read_be64(const uint8_t *at)
{
    return (uint64_t)read_be32(at) << 32 | read_be32(at + 4);
}

// -- the structure block ----------------------------------------------------------------------

enum token {
    TOKEN_NODE = 1,
    TOKEN_NODE_END = 2,
    TOKEN_PROPERTY = 3,
    TOKEN_NOTHING = 4,
    TOKEN_END = 9,
};

struct cursor {
    const struct fdt *fdt;
    uint32_t at;
    const char *error;
    uint32_t error_offset;
    // of the token read last
    fdt_node node;
    const char *name;
    struct fdt_value value;
};

static struct cursor cursor_at(const struct fdt *fdt, fdt_node node)
{
    return (struct cursor){.fdt = fdt, .at = node == 0 ? fdt->structure_end : node};
}

static enum token cursor_fail(struct cursor *cursor, const char *error)
{
    if (cursor->error == NULL) {
        cursor->error = error;
        cursor->error_offset = cursor->at;
    }
    return TOKEN_END;
}

static uint32_t cursor_left(const struct cursor *cursor)
{
    return cursor->at < cursor->fdt->structure_end ? cursor->fdt->structure_end - cursor->at : 0;
}

static uint32_t cursor_cell(struct cursor *cursor)
{
    if (cursor->error != NULL || cursor_left(cursor) < 4)
        return cursor_fail(cursor, "the structure block ends early");
    uint32_t cell = read_be32(cursor->fdt->blob + cursor->at);
    cursor->at += 4;
    return cell;
}

// Steps over `bytes` and the padding to the next cell.
static void cursor_skip(struct cursor *cursor, uint32_t bytes)
{
    cursor->at += MIN(bytes, cursor_left(cursor));
    cursor->at += MIN(-cursor->at & 3, cursor_left(cursor));
}

static enum token cursor_node(struct cursor *cursor)
{
    const char *name = (const char *)cursor->fdt->blob + cursor->at;
    size_t length = strnlen(name, cursor_left(cursor));
    if (length == cursor_left(cursor))
        return cursor_fail(cursor, "a node's name has no end");
    cursor->name = name;
    cursor_skip(cursor, (uint32_t)length + 1);
    return TOKEN_NODE;
}

static enum token cursor_property(struct cursor *cursor)
{
    const struct fdt *fdt = cursor->fdt;
    uint32_t bytes = cursor_cell(cursor);
    uint32_t name = cursor_cell(cursor);
    if (cursor->error != NULL || bytes > cursor_left(cursor))
        return cursor_fail(cursor, "a property is longer than the structure block");
    uint32_t strings = fdt->strings_end - fdt->strings;
    if (name >= strings)
        return cursor_fail(cursor, "a property's name lies outside the strings block");
    cursor->name = (const char *)fdt->blob + fdt->strings + name;
    if (strnlen(cursor->name, strings - name) == strings - name)
        return cursor_fail(cursor, "a property's name has no end");
    cursor->value = (struct fdt_value){.at = fdt->blob + cursor->at, .left = bytes};
    cursor_skip(cursor, bytes);
    return TOKEN_PROPERTY;
}

static enum token cursor_next(struct cursor *cursor)
{
    for (;;) {
        fdt_node here = cursor->at;
        uint32_t token = cursor_cell(cursor);
        if (cursor->error != NULL)
            return TOKEN_END;
        switch (token) {
        case TOKEN_NOTHING:
            continue;
        case TOKEN_NODE:
            cursor->node = here;
            return cursor_node(cursor);
        case TOKEN_PROPERTY:
            return cursor_property(cursor);
        case TOKEN_NODE_END:
        case TOKEN_END:
            return token;
        default:
            cursor->at = here;
            return cursor_fail(cursor, "unknown token");
        }
    }
}

// The grammar: one root; in each node first its properties, then its children.
static void structure_check(struct cursor *cursor)
{
    unsigned depth = 0;
    bool properties_allowed = false;
    for (bool root_seen = false;;) {
        switch (cursor_next(cursor)) {
        case TOKEN_NODE:
            if (depth == 0 && root_seen)
                cursor_fail(cursor, "two roots");
            else if (depth == FDT_DEPTH_MAX)
                cursor_fail(cursor, "nodes too deep");
            root_seen = properties_allowed = true;
            depth++;
            break;
        case TOKEN_PROPERTY:
            if (!properties_allowed)
                cursor_fail(cursor, "a property outside a node or behind its children");
            break;
        case TOKEN_NODE_END:
            if (depth == 0)
                cursor_fail(cursor, "the end of a node that did not begin");
            else
                depth--;
            properties_allowed = false;
            break;
        default:
            if (depth != 0 || !root_seen)
                cursor_fail(cursor, root_seen ? "a node does not end" : "no root");
            return;
        }
        if (cursor->error != NULL)
            return;
    }
}

// -- opening ----------------------------------------------------------------------------------

uint32_t fdt_total_bytes(const void *blob)
{
    const uint8_t *header = blob;
    uint32_t bytes = read_be32(header + HEADER_TOTAL_BYTES);
    bool is_tree = read_be32(header + HEADER_MAGIC) == FDT_MAGIC && bytes >= FDT_HEADER_BYTES;
    return is_tree ? bytes : 0;
}

static int open_fail(struct fdt *fdt, const char *error, uint32_t offset)
{
    *fdt = (struct fdt){.error = error, .error_offset = offset};
    return -EINVAL;
}

// A block of the blob: [*start, *end), from two header fields.
static bool header_block(const struct fdt *fdt, enum header_field start_field,
                         enum header_field bytes_field, uint32_t *start, uint32_t *end)
{
    uint32_t bytes = read_be32(fdt->blob + bytes_field);
    *start = read_be32(fdt->blob + start_field);
    if (*start < FDT_HEADER_BYTES || *start > fdt->bytes || bytes > fdt->bytes - *start)
        return false;
    *end = *start + bytes;
    return true;
}

int fdt_open(struct fdt *fdt, const void *blob, size_t available)
{
    *fdt = (struct fdt){.blob = blob};
    if (available < FDT_HEADER_BYTES)
        return open_fail(fdt, "shorter than a header", 0);
    fdt->bytes = fdt_total_bytes(blob);
    if (fdt->bytes == 0)
        return open_fail(fdt, "no device tree", HEADER_MAGIC);
    if (fdt->bytes > available)
        return open_fail(fdt, "larger than the memory it lies in", HEADER_TOTAL_BYTES);
    if (read_be32(fdt->blob + HEADER_VERSION) < FDT_VERSION ||
        read_be32(fdt->blob + HEADER_COMPATIBLE_VERSION) > FDT_VERSION)
        return open_fail(fdt, "a version that is not 17", HEADER_VERSION);
    if (!header_block(fdt, HEADER_STRUCTURE, HEADER_STRUCTURE_BYTES, &fdt->structure,
                      &fdt->structure_end) ||
        (fdt->structure & 3) != 0)
        return open_fail(fdt, "the structure block lies outside", HEADER_STRUCTURE);
    if (!header_block(fdt, HEADER_STRINGS, HEADER_STRINGS_BYTES, &fdt->strings, &fdt->strings_end))
        return open_fail(fdt, "the strings block lies outside", HEADER_STRINGS);
    fdt->reservations = read_be32(fdt->blob + HEADER_RESERVATIONS);
    if (fdt->reservations < FDT_HEADER_BYTES || fdt->reservations > fdt->bytes)
        return open_fail(fdt, "the reservation block lies outside", HEADER_RESERVATIONS);
    struct cursor cursor = cursor_at(fdt, fdt->structure);
    structure_check(&cursor);
    return cursor.error == NULL ? 0 : open_fail(fdt, cursor.error, cursor.error_offset);
}

bool fdt_reservation_next(const struct fdt *fdt, unsigned *cursor, uint64_t *start, uint64_t *bytes)
{
    uint64_t offset = fdt->reservations + (uint64_t)*cursor * 16;
    if (fdt->blob == NULL || offset + 16 > fdt->bytes)
        return false;
    *start = read_be64(fdt->blob + offset);
    *bytes = read_be64(fdt->blob + offset + 8);
    (*cursor)++;
    return *start != 0 || *bytes != 0;
}

// -- nodes ------------------------------------------------------------------------------------

fdt_node fdt_root(const struct fdt *fdt)
{
    struct cursor cursor = cursor_at(fdt, fdt->structure);
    return cursor_next(&cursor) == TOKEN_NODE ? cursor.node : 0;
}

fdt_node fdt_next(const struct fdt *fdt, fdt_node node)
{
    struct cursor cursor = cursor_at(fdt, node);
    cursor_next(&cursor);
    for (;;) {
        switch (cursor_next(&cursor)) {
        case TOKEN_NODE:
            return cursor.node;
        case TOKEN_END:
            return 0;
        default:
            break;
        }
    }
}

fdt_node fdt_child(const struct fdt *fdt, fdt_node node)
{
    struct cursor cursor = cursor_at(fdt, node);
    cursor_next(&cursor);
    enum token token;
    do {
        token = cursor_next(&cursor);
    } while (token == TOKEN_PROPERTY);
    return token == TOKEN_NODE ? cursor.node : 0;
}

fdt_node fdt_sibling(const struct fdt *fdt, fdt_node node)
{
    struct cursor cursor = cursor_at(fdt, node);
    unsigned depth = 0;
    for (;;) {
        switch (cursor_next(&cursor)) {
        case TOKEN_NODE:
            if (depth == 0 && cursor.node != node)
                return cursor.node;
            depth++;
            break;
        case TOKEN_NODE_END:
            if (depth == 0)
                return 0;
            depth--;
            break;
        case TOKEN_END:
            return 0;
        default:
            break;
        }
    }
}

unsigned fdt_path(const struct fdt *fdt, fdt_node node, fdt_node path[FDT_DEPTH_MAX])
{
    struct cursor cursor = cursor_at(fdt, fdt->structure);
    unsigned depth = 0;
    for (;;) {
        switch (cursor_next(&cursor)) {
        case TOKEN_NODE:
            if (depth == FDT_DEPTH_MAX)
                return 0;
            path[depth++] = cursor.node;
            if (cursor.node == node)
                return depth;
            break;
        case TOKEN_NODE_END:
            if (depth == 0)
                return 0;
            depth--;
            break;
        case TOKEN_END:
            return 0;
        default:
            break;
        }
    }
}

fdt_node fdt_parent(const struct fdt *fdt, fdt_node node)
{
    fdt_node path[FDT_DEPTH_MAX];
    unsigned depth = fdt_path(fdt, node, path);
    return depth < 2 ? 0 : path[depth - 2];
}

const char *fdt_name(const struct fdt *fdt, fdt_node node)
{
    struct cursor cursor = cursor_at(fdt, node);
    return cursor_next(&cursor) == TOKEN_NODE ? cursor.name : "";
}

// "serial" means "serial@10000000" as well, for it says nothing about the unit address.
static bool name_matches(const char *name, const char *component, size_t length)
{
    if (strncmp(name, component, length) != 0)
        return false;
    return name[length] == '\0' || (name[length] == '@' && memchr(component, '@', length) == NULL);
}

static size_t component_length(const char *path)
{
    size_t length = 0;
    while (path[length] != '\0' && path[length] != '/' && path[length] != ':')
        length++;
    return length;
}

static fdt_node walk_path(const struct fdt *fdt, fdt_node node, const char *path)
{
    while (node != 0 && *path == '/') {
        path++;
        size_t length = component_length(path);
        if (length == 0)
            continue;
        fdt_node child = fdt_child(fdt, node);
        while (child != 0 && !name_matches(fdt_name(fdt, child), path, length))
            child = fdt_sibling(fdt, child);
        node = child;
        path += length;
    }
    return node;
}

// The path an alias stands for.
static const char *alias_path(const struct fdt *fdt, const char *name, size_t length)
{
    struct cursor cursor = cursor_at(fdt, walk_path(fdt, fdt_root(fdt), "/aliases"));
    cursor_next(&cursor);
    while (cursor_next(&cursor) == TOKEN_PROPERTY)
        if (strlen(cursor.name) == length && memcmp(cursor.name, name, length) == 0)
            return fdt_take_string(&cursor.value);
    return NULL;
}

fdt_node fdt_by_path(const struct fdt *fdt, const char *path)
{
    fdt_node node = fdt_root(fdt);
    if (*path != '/') {
        size_t length = component_length(path);
        const char *alias = alias_path(fdt, path, length);
        // An alias of an alias would be no path: it must not make this recursive.
        node = alias != NULL && *alias == '/' ? walk_path(fdt, node, alias) : 0;
        path += length;
    }
    return walk_path(fdt, node, path);
}

fdt_node fdt_by_phandle(const struct fdt *fdt, uint32_t phandle)
{
    if (phandle == 0 || phandle == PHANDLE_NONE)
        return 0;
    fdt_node node = fdt_root(fdt);
    while (node != 0 && fdt_u32(fdt, node, "phandle", 0) != phandle)
        node = fdt_next(fdt, node);
    return node;
}

fdt_node fdt_by_compatible(const struct fdt *fdt, fdt_node after, const char *compatible)
{
    fdt_node node = after == 0 ? fdt_root(fdt) : fdt_next(fdt, after);
    while (node != 0 && !fdt_compatible(fdt, node, compatible))
        node = fdt_next(fdt, node);
    return node;
}

// -- properties -------------------------------------------------------------------------------

bool fdt_property(const struct fdt *fdt, fdt_node node, const char *name, struct fdt_value *out)
{
    struct cursor cursor = cursor_at(fdt, node);
    cursor_next(&cursor);
    while (cursor_next(&cursor) == TOKEN_PROPERTY) {
        if (strcmp(cursor.name, name) == 0) {
            *out = cursor.value;
            return true;
        }
    }
    *out = (struct fdt_value){0};
    return false;
}

uint64_t fdt_take_cells(struct fdt_value *value, unsigned cells)
{
    uint64_t number = 0;
    for (; cells > 0; cells--) {
        uint32_t cell = 0;
        if (value->left >= 4) {
            cell = read_be32(value->at);
            value->at += 4;
            value->left -= 4;
        } else {
            value->left = 0;
            value->short_value = true;
        }
        number = number << 32 | cell;
    }
    return number;
}

const char *fdt_take_string(struct fdt_value *value)
{
    const char *string = (const char *)value->at;
    size_t length = value->left == 0 ? 0 : strnlen(string, value->left);
    if (length == value->left) {
        value->left = 0;
        value->short_value = true;
        return NULL;
    }
    value->at += length + 1;
    value->left -= (uint32_t)length + 1;
    return string;
}

uint32_t fdt_u32(const struct fdt *fdt, fdt_node node, const char *name, uint32_t otherwise)
{
    struct fdt_value value;
    fdt_property(fdt, node, name, &value);
    uint32_t number = (uint32_t)fdt_take_cells(&value, 1);
    return value.short_value ? otherwise : number;
}

const char *fdt_string(const struct fdt *fdt, fdt_node node, const char *name)
{
    struct fdt_value value;
    fdt_property(fdt, node, name, &value);
    return fdt_take_string(&value);
}

bool fdt_compatible(const struct fdt *fdt, fdt_node node, const char *name)
{
    struct fdt_value value;
    fdt_property(fdt, node, "compatible", &value);
    const char *string;
    while ((string = fdt_take_string(&value)) != NULL)
        if (strcmp(string, name) == 0)
            return true;
    return false;
}

bool fdt_enabled(const struct fdt *fdt, fdt_node node)
{
    struct fdt_value value;
    if (!fdt_property(fdt, node, "status", &value))
        return true;
    const char *status = fdt_take_string(&value);
    return status != NULL && (strcmp(status, "okay") == 0 || strcmp(status, "ok") == 0);
}
