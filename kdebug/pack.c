// SPDX-License-Identifier: MIT
// lz4's own compressor, compiled into the debugger: the build fetches lz4.c into its directory
// (scripts/fetch_lz4.sh). Everything in it is made static here, so that what is not used is not in
// the kernel.
#include "kdebug/capsule_lines.h"

#include <string.h>

#define LZ4_FREESTANDING              1
#define LZ4_memcpy(to, from, length)  memcpy(to, from, length)
#define LZ4_memmove(to, from, length) memmove(to, from, length)
#define LZ4_memset(to, byte, length)  memset(to, byte, length)
// Without an instruction for it the compiler would call a library for counting bits.
#define LZ4_FORCE_SW_BITCOUNT
// A table of 4 KiB: as many entries as a block has places where a match can begin, and more.
#define LZ4_MEMORY_USAGE  12
#define LZ4LIB_VISIBILITY static __attribute__((unused))
#define LZ4_STATIC_LINKING_ONLY
#define LZ4_PUBLISH_STATIC_FUNCTIONS
#include <lz4.h>
// These have no declaration that could be made static.
static int LZ4_compress_forceExtDict(LZ4_stream_t *stream, const char *from, char *to, int length);
static int LZ4_decompress_safe_forceExtDict(const char *from, char *to, int length, int room,
                                            const void *dictionary, size_t dictionary_bytes);
static int LZ4_decompress_safe_partial_forceExtDict(const char *from, char *to, int length,
                                                    int wanted, int room, const void *dictionary,
                                                    size_t dictionary_bytes);
// It declares old names, too, that a freestanding build does not define.
#pragma GCC diagnostic ignored "-Wunused-function"
// NOLINTNEXTLINE(bugprone-suspicious-include): in one piece with what is static here
#include <lz4.c>

size_t kd_pack(const void *from, size_t length, void *to, size_t room)
{
    static union LZ4_stream_u state;
    int packed = LZ4_compress_fast_extState(&state, from, to, (int)length, (int)room, 1);
    return packed > 0 ? (size_t)packed : 0;
}
