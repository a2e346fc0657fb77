// SPDX-License-Identifier: MIT
// The panic capsule: what the kernel's debugger saves of a machine that has panicked, and how it
// travels as text over a console. Shared by the kernel, which writes it, and the host, which reads
// it; docs/formats-capsule.md has an example. Everything is little-endian, packed and versioned.
//
// A capsule is a sequence of records. Whole records, one after another, make up a *block* of at
// most KD_CAPSULE_BLOCK_BYTES; no record goes on in the next block. A block is packed on its own
// (LZ4 block format, or stored where that is shorter) behind a struct kd_capsule_block, and is then
// cut into lines of text. So a line that is lost or damaged costs its block and nothing else.
//
// Text. Each line stands alone and may have anything before it (a time stamp) and CR behind it:
//
//     begin panic capsule V IIIIIIII       V: the version, decimal; I: an id, 8 hex digits
//     ~CSSSS BASE64 KKKKKKKK               the first line of a block
//     ~cSSSS BASE64 KKKKKKKK               the block's further lines
//     end panic capsule IIIIIIII NNNN      N: how many ~ lines there were, decimal
//
// S: the line's number in 4 hex digits, from 0, in the order sent, over all blocks (it wraps at
// 10000 hex: a reader goes by order). BASE64: RFC 4648 with padding, of at most
// KD_CAPSULE_LINE_BYTES; only the last line of a block has fewer. K: CRC-32 (IEEE 802.3, as zlib's
// crc32()) in 8 hex digits over the characters from C or c to the last one of BASE64. All hex
// digits are lower case. '~' is in none of the fields, so a line is found anywhere by
//
//     ~[Cc][0-9a-f]{4} [A-Za-z0-9+/]+=*[ ][0-9a-f]{8}
//
// A ~C line begins a block: its packed bytes are those of this line and of the ~c lines that follow
// it, until struct kd_capsule_block.packed_bytes are there. A number missing in between, or a wrong
// CRC, spoils the block; the next ~C line begins the next one. The begin and end lines are a help
// for people: without them a ~C line of number 0000 begins a capsule. The same capsule may stand in
// one log twice (it is printed again after a reboot): blocks of the same id and number are the
// same, so a reader may take the good ones of each.
//
// The *essentials* (MACHINE, REGISTER_SET, REGISTER_ROWS, REGISTER_TYPES, CPU and the REGISTERS of
// CPUs) come twice, at the beginning and at the end, in blocks of their own; a reader keeps the
// first one of each.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define KD_CAPSULE_VERSION     1
#define KD_CAPSULE_BLOCK_BYTES 4096 // of records in one block, at most
#define KD_CAPSULE_LINE_BYTES  72   // of a packed block in one line: 96 characters of base64

#define KD_CAPSULE_BEGIN "begin panic capsule "
#define KD_CAPSULE_END   "end panic capsule "

#define KD_CAPSULE_PACKED __attribute__((packed))
#define KD_CAPSULE_SIZE(type, bytes)                                                               \
    _Static_assert(sizeof(struct type) == (bytes), #type " is a format on a wire")

// -- blocks -----------------------------------------------------------------------------------

#define KD_CAPSULE_BLOCK_MAGIC 0x4243 // "CB"

enum kd_capsule_method {
    KD_CAPSULE_STORED = 0,
    KD_CAPSULE_LZ4 = 1, // LZ4 block format without a frame: LZ4_decompress_safe()
};

// The first bytes of a block; `packed_bytes` further ones follow.
struct kd_capsule_block {
    uint16_t magic;
    uint8_t version; // KD_CAPSULE_VERSION; a reader refuses a block of another one
    uint8_t method;  // enum kd_capsule_method
    uint16_t packed_bytes;
    uint16_t raw_bytes; // after unpacking, at most KD_CAPSULE_BLOCK_BYTES
    uint32_t number;    // of the block in its capsule, from 0
    uint32_t id;        // of the capsule
    uint32_t crc;       // CRC-32 of the raw bytes
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_block, 20);

// -- records ----------------------------------------------------------------------------------

enum kd_capsule_type {
    KD_CAPSULE_PADDING = 0, // to be skipped, like every type a reader does not know
    KD_CAPSULE_MACHINE = 1,
    KD_CAPSULE_REGISTER_SET = 2,
    KD_CAPSULE_REGISTER_ROWS = 3,
    KD_CAPSULE_REGISTER_TYPES = 4,
    KD_CAPSULE_CPU = 5,
    KD_CAPSULE_REGISTERS = 6,
    KD_CAPSULE_THREAD = 7,
    KD_CAPSULE_MEMORY = 8,
    KD_CAPSULE_WITHHELD = 9,
    KD_CAPSULE_TEXT = 10,
    KD_CAPSULE_SUMMARY = 11,
};

// What a record begins with. The next record stands at the next multiple of 8 behind its `bytes`;
// the space between is zero.
struct kd_capsule_record {
    uint16_t type; // enum kd_capsule_type
    uint16_t reserved;
    uint32_t bytes; // of the body, which follows
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_record, 8);

// Strings below fill an array of characters: they end at a NUL or at the array's end, and are text
// of the dead kernel, so a reader expects any byte in them.

// MACHINE: what panicked. One, an essential.
struct kd_capsule_machine {
    char architecture[16]; // gdb's name: "i386:x86-64", "aarch64", "riscv:rv64"
    char kernel_name[16];
    char kernel_version[32];
    uint8_t build_id[32];   // of the kernel's ELF (.note.gnu.build-id)
    uint8_t build_id_bytes; // 0: unknown; sha1 has 20
    uint8_t pointer_bytes;
    uint8_t signal;       // gdb's number of the reason: 6 SIGABRT, 11 SIGSEGV, ...
    uint8_t trap_flags;   // KD_CAPSULE_TRAP_*
    uint32_t page_bytes;  // 0: unknown
    int64_t load_offset;  // run-time address - address in the ELF (KASLR); 0: as linked
    uint64_t image_start; // run-time addresses of the kernel's image, 0, 0: unknown
    uint64_t image_end;
    uint32_t cpu_count; // CPUs that were up have a CPU record each
    uint32_t cpu;       // that panicked first
    int64_t thread;     // that it executed
    uint64_t uptime_ns; // at the panic
    uint64_t trap_code; // the machine's own: vector << 32 | error code; ESR; scause
    uint64_t trap_address;
    uint64_t budget_bytes; // for MEMORY records, panic.capsule=
    char trap_name[32];    // "page fault"; empty without KD_CAPSULE_TRAP
    char reason[256];      // the text behind "PANIC: "
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_machine, 464);

#define KD_CAPSULE_TRAP         1 // an exception is behind the panic: trap_name and trap_code
#define KD_CAPSULE_TRAP_ADDRESS 2 // trap_address is meaningful

// The machine's register table, as in gdbstub/registers.h, so that a reader needs none of its own.
// A register's number is gdb's, that of the g and p packets and of target.xml.

#define KD_CAPSULE_ROWS_MAX 256
#define KD_CAPSULE_NO_VALUE 0xffff

// REGISTER_SET: the table as a whole. One, an essential.
struct kd_capsule_register_set {
    uint16_t count;       // rows in all
    uint16_t general;     // the first so many make up the g packet
    uint16_t pc, sp, fp;  // register numbers
    uint16_t link;        // the same; 0: the machine has none
    uint16_t value_bytes; // of struct kd_capsule_registers' values
    uint16_t types_bytes; // of the text in REGISTER_TYPES, 0: there is none
    char osabi[16];
    char types_feature[32]; // the feature of target.xml that the types stand in
    uint8_t breakpoint_kinds[4];
    uint32_t reserved;
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_register_set, 72);

struct kd_capsule_register_row {
    uint16_t number;
    uint16_t bits;   // a multiple of 8
    uint16_t offset; // in the values; KD_CAPSULE_NO_VALUE: no thread of a capsule has one
    int16_t dwarf;   // DWARF number, -1: none
    uint8_t group;   // 0 general, 1 float, 2 vector, 3 system
    uint8_t read_only;
    char name[18];
    char feature[32]; // "org.gnu.gdb.riscv.cpu"; rows of one feature stand together
    char type[20];    // gdb's; empty: from the size
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_register_row, 80);

// REGISTER_ROWS: a body of struct kd_capsule_register_row, as many as `bytes` says. Some records;
// together they have each number below REGISTER_SET's count once. Essentials.

// REGISTER_TYPES: a part of the XML of types (struct gdb_machine.extra_types). Essentials.
struct kd_capsule_register_types {
    uint32_t offset; // of this part in the whole, whose size is REGISTER_SET's types_bytes
    char text[];
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_register_types, 4);

enum kd_capsule_cpu_flags {
    KD_CAPSULE_CPU_STOPPED = 1,          // else it did not answer, and has no REGISTERS
    KD_CAPSULE_CPU_PANICKED = 2,         // the first one
    KD_CAPSULE_CPU_ALSO_PANICKED = 4,    // `reason` says why
    KD_CAPSULE_CPU_INTERRUPTS_KNOWN = 8, // the next bit means something
    KD_CAPSULE_CPU_INTERRUPTS_ON = 16,   // in the interrupted context
};

// CPU: one for each CPU that was up, essentials. It is the inferior thread `thread`.
struct kd_capsule_cpu {
    uint32_t index;
    uint32_t flags; // enum kd_capsule_cpu_flags
    int64_t thread; // that it executes; has a THREAD record, or is made up (no THREAD record)
    char reason[96];
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_cpu, 112);

#define KD_CAPSULE_NO_CPU 0xffffffff

// REGISTERS: of one thread. Essentials where a CPU executes it.
struct kd_capsule_registers {
    int64_t thread;
    uint32_t cpu;                           // that executes it, or KD_CAPSULE_NO_CPU
    uint8_t known[KD_CAPSULE_ROWS_MAX / 8]; // bit n % 8 of byte n / 8: register n has a value
    uint8_t reserved[4];
    uint8_t values[]; // REGISTER_SET's value_bytes: each row's at its offset, bits / 8 bytes, in
                      // the machine's byte order (little-endian); zero where it is not known
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_registers, 48);

enum kd_capsule_thread_state {
    KD_CAPSULE_THREAD_RUNNING = 0, // on `cpu`
    KD_CAPSULE_THREAD_READY = 1,
    KD_CAPSULE_THREAD_SLEEPING = 2, // waits with a timeout
    KD_CAPSULE_THREAD_BLOCKED = 3,  // waits without one
    KD_CAPSULE_THREAD_EXITED = 4,
};

// THREAD: one for each thread of the kernel, in the kernel's order; its REGISTERS, if any, have
// the same id and may be in another block. Ids are positive and below 2^31.
struct kd_capsule_thread {
    int64_t id;
    uint32_t cpu;  // where it runs or ran last
    uint8_t state; // enum kd_capsule_thread_state
    uint8_t priority;
    uint16_t reserved;
    uint64_t stack_low, stack_high; // 0, 0: unknown
    char name[32];
    char wait[32]; // what it waits for, or empty
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_thread, 96);

enum kd_capsule_memory_kind {
    KD_CAPSULE_MEMORY_STACK = 1,   // the live part of a stack
    KD_CAPSULE_MEMORY_POINTED = 2, // what a register or a word of a stack points to
    KD_CAPSULE_MEMORY_KERNEL = 3,  // what the kernel knows of its threads and CPUs
};

// MEMORY: bytes as they were, at a virtual address. The ranges of a capsule are apart from each
// other, and may touch. Read-only parts of the image are left out: the ELF has them.
struct kd_capsule_memory {
    uint64_t address;
    uint32_t kind; // enum kd_capsule_memory_kind
    uint32_t bytes;
    uint8_t data[]; // `bytes` of them
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_memory, 16);

enum kd_capsule_withheld_reason {
    KD_CAPSULE_WITHHELD_SECRET = 1, // marked secret by the kernel: not in the capsule at all
    KD_CAPSULE_WITHHELD_CANARY = 2, // a stack canary: zeroes stand for it in a MEMORY record
};

// WITHHELD: an address whose contents were kept out of a capsule that would have held them.
struct kd_capsule_withheld {
    uint64_t address;
    uint64_t bytes;
    uint32_t reason; // enum kd_capsule_withheld_reason
    uint32_t reserved;
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_withheld, 24);

// TEXT: a part of a text that the kernel says of itself: "log" is the last lines of its log, any
// other name a command of its shell and what that printed ("locks": who holds which lock; "irq":
// interrupts by source and CPU).
struct kd_capsule_text {
    char name[16];
    uint32_t offset; // of this part; parts come in order, and the last one may be missing
    uint32_t reserved;
    char text[];
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_text, 24);

// SUMMARY: the last record of the last block; without it the capsule was cut off.
struct kd_capsule_summary {
    uint32_t blocks; // with this one
    uint32_t threads;
    uint32_t threads_left_out; // no THREAD record for lack of room
    uint32_t stacks_left_out;  // threads whose stack is not there, or not wholly, for lack of room
    uint64_t memory_bytes;     // in MEMORY records
    uint64_t raw_bytes, packed_bytes; // of all blocks but this one
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_summary, 40);

// -- kept over a reboot -----------------------------------------------------------------------

// The head of the memory that survives a warm reboot. The text of the report follows, then the
// capsule's blocks as they are before base64: struct kd_capsule_block and its packed bytes, one
// after another. Written by the kernel that panicked, perhaps read by another version of it.
#define KD_CAPSULE_KEPT_MAGIC UINT64_C(0x314b5450414b4446) // "FDKAPTK1"

struct kd_capsule_kept {
    uint64_t magic;
    uint32_t version;      // KD_CAPSULE_VERSION
    uint32_t id;           // of the capsule
    uint32_t report_bytes; // of text
    uint32_t block_bytes;
    uint32_t lines;     // ~ lines that were printed; 0: the capsule was off, or cut off
    uint32_t truncated; // not 0: the memory was too small for all of it
    uint32_t crc;       // of the report and the blocks
    uint32_t head_crc;  // of this structure up to here
} KD_CAPSULE_PACKED;
KD_CAPSULE_SIZE(kd_capsule_kept, 40);
