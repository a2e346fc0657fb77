// SPDX-License-Identifier: MIT
// Messages by an interrupt translation service (Arm IHI 0069, chapter 5). gic.c calls it
// with the irq table's lock held; no debugger, no NMI may. What the ITS answers is not trusted:
// every wait ends, and an ITS that once failed to answer is not asked again.
//
// A device writes an event number to the ITS, which knows the device by its identity on the bus.
// The device table gives that device's own table (ITT), the ITT gives the event's INTID (an LPI)
// and collection, the collection table gives the redistributor. The redistributor looks up whether
// that LPI is enabled in the property table and remembers it in its pending table. All of these are
// memory that we lend to the hardware. Only the device table's first level, the property table and
// the command queue are written here; the rest changes by commands (an ITT begins as zeros).
// Invariants:
//   - message n is event n of whichever device has it, and LPI LPI_FIRST + n; so an ITT of
//     IRQ_MSI_COUNT events is large enough for any device, and there is one property byte a
//     message.
//   - owner[n] is the device for which event n is mapped, NULL: none has it mapped. Who frees a
//     message does not tell us: it stays mapped, disabled, until the message is set up again.
//   - a device's `events` has the bit n exactly if owner[n] is that device. The ITS knows the
//     device (MAPD) exactly while it has events; so there are at most IRQ_MSI_COUNT such devices.
//   - there is one collection, of the boot CPU: a redistributor's pending table takes 64 KiB of
//     address alignment, and messages are as well off on one CPU as on another.
#include <errno.h>
#include <string.h>

#include "kernel/arch/aarch64/gic.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include "kernel/mm/page.h"
#include <machine/percpu.h>
#include <machine/sysreg.h>

#define GITS_CTLR            0x0000
#define GITS_CTLR_ENABLED    (1U << 0)
#define GITS_CTLR_QUIESCENT  (1U << 31)
#define GITS_TYPER           0x0008
#define GITS_CBASER          0x0080
#define GITS_CWRITER         0x0088
#define GITS_CREADR          0x0090
#define GITS_CREADR_STALLED  1
#define GITS_BASER           0x0100
#define GITS_BASERS          8
#define GITS_CONTROL_BYTES   0x10000 // the frame behind it has GITS_TRANSLATER only
#define GITS_TRANSLATER      0x10040
#define GITS_BYTES           0x20000
#define TYPER_PHYSICAL       1
#define TYPER_ITT_ENTRY(t)   (((t) >> 4 & 0xf) + 1) // bytes
#define TYPER_EVENT_BITS(t)  (((t) >> 8 & 0x1f) + 1)
#define TYPER_DEVICE_BITS(t) (((t) >> 13 & 0x1f) + 1)
#define TYPER_PTA            (1ULL << 19) // collections name redistributors by address

#define BASER_TYPE(b)        ((b) >> 56 & 7)
#define BASER_DEVICES        1
#define BASER_COLLECTIONS    4
#define BASER_ENTRY_BYTES(b) (((b) >> 48 & 0x1f) + 1)
#define BASER_PAGE_ORDER(b)  MIN(2 * (unsigned)((b) >> 8 & 3), 4U) // 4, 16, 64 KiB
#define BASER_PAGE_MASK      (3ULL << 8)
#define BASER_INDIRECT       (1ULL << 62)
#define BASER_VALID          (1ULL << 63) // also of CBASER, of table entries and of commands
// Normal memory, write-back, shared with the CPUs. Hardware that cannot look into their caches
// answers with a shareability of 0.
#define BASER_CACHED       (7ULL << 59)
#define BASER_SHARED       (1ULL << 10)
#define BASER_SHAREABILITY (3ULL << 10)

#define GICR_CTLR             0x00
#define GICR_CTLR_ENABLE_LPIS (1U << 0)
#define GICR_CTLR_RWP         (1U << 3)
#define GICR_TYPER            0x08
#define GICR_TYPER_LPIS       1
#define GICR_TYPER_NUMBER(t)  ((t) >> 8 & 0xffff)
#define GICR_PROPBASER        0x70
#define GICR_PENDBASER        0x78
#define GICR_BASER_CACHED     (7ULL << 7)
#define GICR_PENDBASER_ZERO   (1ULL << 62)

#define LPI_FIRST      8192
#define LPI_ID_BITS    14 // the fewest that have LPIs: 8192 of them
#define LPI_PROPERTIES 8192
#define LPI_ENABLED    1
#define LPI_PROPERTY   (GIC_PRIORITY_ORDINARY | 1U << 1) // the bit is RES1

// All memory is taken at the start, so that a driver that comes and goes leaves nothing behind. The
// command queue and the pending table begin at a multiple of 64 KiB, of which they need 4 and 2.
// So one block of 128 KiB holds, in this order, the queue, the ITTs of all devices, the pending
// table with the property table, and second-level pages of the device table. An ITT takes at most
// 1 KiB, so at least 60 devices can have messages at a time (on QEMU's machine, all 64).
#define BLOCK_ORDER       5
#define QUEUE_BYTES       KIB(4)
#define ITTS_OFFSET       QUEUE_BYTES
#define PENDING_OFFSET    KIB(64)
#define PROPERTIES_OFFSET KIB(68)
#define SPARE_OFFSET      KIB(76)
#define BLOCK_BYTES       KIB(128)
#define DEVICE_PAGE_MAX   KIB(16) // of which the spare room takes three, of 4 KiB thirteen
#define EVENT_BITS        6
#define ITT_ALIGN         256

_Static_assert(IRQ_MSI_COUNT <= 1 << EVENT_BITS, "an event a message");
_Static_assert(IRQ_MSI_COUNT <= 64, "a device's events are bits of a word");

#define POLLS_MAX 1000000 // register polls before the hardware counts as dead

enum command {
    COMMAND_SYNC = 0x05,
    COMMAND_MAPD = 0x08,
    COMMAND_MAPC = 0x09,
    COMMAND_MAPTI = 0x0a,
    COMMAND_INV = 0x0c,
    COMMAND_DISCARD = 0x0f,
};
static const char *const command_names[] = {
    [COMMAND_SYNC] = "SYNC",   [COMMAND_MAPD] = "MAPD", [COMMAND_MAPC] = "MAPC",
    [COMMAND_MAPTI] = "MAPTI", [COMMAND_INV] = "INV",   [COMMAND_DISCARD] = "DISCARD",
};

struct its_device {
    uint32_t id;
    uint64_t events;
};

static struct {
    volatile uint8_t *registers;
    paddr_t address;
    uint64_t type;
    bool dead;
    uint8_t *block;         // BLOCK_BYTES, lent to the hardware
    unsigned queue_at;      // where the next command goes, in bytes
    unsigned spare_at;      // bytes of the block that are in use
    uint64_t target;        // the redistributor, as commands name it
    uint64_t *device_table; // with two levels, the first; NULL with one
    unsigned device_page_bytes;
    uint64_t devices_a_page, devices_max;
} its;
static struct its_device devices[IRQ_MSI_COUNT];
static struct its_device *owner[IRQ_MSI_COUNT];

static uint64_t read64(const volatile uint8_t *base, unsigned offset)
{
    return *(const volatile uint64_t *)(base + offset);
}

static void write64(volatile uint8_t *base, unsigned offset, uint64_t value)
{
    *(volatile uint64_t *)(base + offset) = value;
}

static int its_fail(const char *what, const char *detail)
{
    its.dead = true;
    log_error("ITS at %#llx: %s%s; it is not used any more", (unsigned long long)its.address, what,
              detail);
    return -EIO;
}

// -- commands (5.3): 32 bytes each, of which the last eight are zero in all that we use ----------

// Returns when the ITS has taken the command. Its effects are complete after a SYNC.
static int command(enum command code, uint64_t word0, uint64_t word1, uint64_t word2)
{
    if (its.dead)
        return -EIO;
    uint64_t *slot = (uint64_t *)(its.block + its.queue_at);
    slot[0] = word0 | code;
    slot[1] = word1;
    slot[2] = word2;
    slot[3] = 0;
    its.queue_at = (its.queue_at + 32) % QUEUE_BYTES;
    dsb(sy); // the ITS reads the command, and the tables it speaks of, from memory
    write64(its.registers, GITS_CWRITER, its.queue_at);
    for (unsigned i = 0; i < POLLS_MAX; i++) {
        uint64_t at = read64(its.registers, GITS_CREADR);
        if (at == its.queue_at)
            return 0;
        if (at & GITS_CREADR_STALLED)
            return its_fail("stalls at the command ", command_names[code]);
    }
    return its_fail("does not take the command ", command_names[code]);
}

static int command_sync(void)
{
    return command(COMMAND_SYNC, 0, 0, its.target);
}

// Of the device alone, or of one of its events.
static uint64_t of_device(const struct its_device *device)
{
    return (uint64_t)device->id << 32;
}

static int collection_map(void)
{
    int error = command(COMMAND_MAPC, 0, 0, BASER_VALID | its.target);
    return error ? error : command_sync();
}

// -- devices and their events -------------------------------------------------------------------

static unsigned itt_bytes(void)
{
    return ALIGN_UP(IRQ_MSI_COUNT * (unsigned)TYPER_ITT_ENTRY(its.type), ITT_ALIGN);
}

static unsigned itt_offset(const struct its_device *device)
{
    return ITTS_OFFSET + (unsigned)(device - devices) * itt_bytes();
}

// Tells the ITS of a device, whose ITT it takes to be empty then, or to forget it.
static int device_map_command(const struct its_device *device, bool valid)
{
    unsigned itt = itt_offset(device);
    if (valid)
        memset(its.block + itt, 0, itt_bytes());
    return command(COMMAND_MAPD, of_device(device), EVENT_BITS - 1,
                   (direct_to_phys(its.block) + itt) | (valid ? BASER_VALID : 0));
}

// Gives the device table a place for the device.
static int device_entry(uint32_t device_id)
{
    if (device_id >= its.devices_max)
        return -ENOSPC;
    if (!its.device_table)
        return 0;
    uint64_t *entry = &its.device_table[device_id / its.devices_a_page];
    if (*entry)
        return 0;
    unsigned table = ALIGN_UP(its.spare_at, its.device_page_bytes);
    if (table + its.device_page_bytes > BLOCK_BYTES)
        return -ENOSPC;
    its.spare_at = table + its.device_page_bytes;
    WRITE_ONCE(*entry, BASER_VALID | (direct_to_phys(its.block) + table));
    return 0;
}

// A device the ITS knows, or room for one that it does not; NULL: there is none.
static struct its_device *device_find(uint32_t device_id)
{
    struct its_device *room = NULL;
    for (struct its_device *d = devices; d < devices + ARRAY_SIZE(devices); d++) {
        if (d->events && d->id == device_id)
            return d;
        if (!d->events && !room && itt_offset(d) + itt_bytes() <= PENDING_OFFSET)
            room = d;
    }
    if (room)
        room->id = device_id;
    return room;
}

// Forgets a message's mapping and with it what is pending of it.
static int event_unmap(unsigned message)
{
    struct its_device *device = owner[message];
    if (!device)
        return 0;
    int error = command(COMMAND_DISCARD, of_device(device), message, 0);
    if (error)
        return error;
    owner[message] = NULL;
    device->events &= ~(1ULL << message);
    if (!device->events)
        error = device_map_command(device, false);
    return error ? error : command_sync();
}

static int event_map(struct its_device *device, unsigned message)
{
    int error = device->events ? 0 : device_map_command(device, true);
    if (!error)
        error = command(COMMAND_MAPTI, of_device(device),
                        (uint64_t)(LPI_FIRST + message) << 32 | message, 0);
    if (error)
        return error;
    device->events |= 1ULL << message;
    owner[message] = device;
    return 0;
}

// The redistributor may have the property byte in a cache of its own: INV makes it look again.
static int property_write(unsigned message, uint8_t value)
{
    WRITE_ONCE(its.block[PROPERTIES_OFFSET + message], value);
    int error = command(COMMAND_INV, of_device(owner[message]), message, 0);
    return error ? error : command_sync();
}

static int its_setup(unsigned message, uint32_t device_id, uint64_t *address, uint32_t *data)
{
    int error = event_unmap(message);
    if (!error)
        error = device_entry(device_id);
    if (error)
        return error;
    struct its_device *device = device_find(device_id);
    if (!device)
        return -ENOSPC;
    error = event_map(device, message);
    if (!error)
        error = property_write(message, LPI_PROPERTY);
    *address = its.address + GITS_TRANSLATER;
    *data = message;
    return error;
}

static void its_enable(unsigned message, bool on)
{
    if (owner[message])
        property_write(message, LPI_PROPERTY | (on ? LPI_ENABLED : 0));
}

static int its_route(unsigned message __unused, unsigned cpu)
{
    return cpu == 0 ? 0 : -ENOTSUP;
}

static const struct gic_messages its_messages = {
    .name = "ITS",
    .setup = its_setup,
    .enable = its_enable,
    .route = its_route,
};

// -- bringing up --------------------------------------------------------------------------------

static bool register_becomes(const volatile uint8_t *base, unsigned offset, uint32_t mask,
                             uint32_t value)
{
    for (unsigned i = 0; i < POLLS_MAX; i++)
        if ((gic_read(base, offset) & mask) == value)
            return true;
    return false;
}

// Writes a base register; says no if the hardware would not see what lies in the CPUs' caches.
static int base_write(volatile uint8_t *base, unsigned offset, uint64_t value)
{
    write64(base, offset, value | BASER_SHARED);
    if (read64(base, offset) & BASER_SHAREABILITY)
        return 0;
    return its_fail("does not share the CPUs' caches", "");
}

// A zeroed page, which is an empty table, of 4 KiB or of the size that the ITS insists on (*bytes).
static int table_create(unsigned offset, uint64_t flags, void **page, unsigned *bytes)
{
    write64(its.registers, offset,
            read64(its.registers, offset) & ~(BASER_VALID | BASER_PAGE_MASK));
    uint64_t size = read64(its.registers, offset) & BASER_PAGE_MASK;
    *bytes = (unsigned)KIB(4) << BASER_PAGE_ORDER(size);
    *page = page_alloc_mapped(BASER_PAGE_ORDER(size));
    if (!*page)
        return -ENOMEM;
    // Our memory lies below 2^48, so the address stands as it is with every page size.
    int error = base_write(its.registers, offset,
                           BASER_VALID | BASER_CACHED | flags | size | direct_to_phys(*page));
    if (!error && (read64(its.registers, offset) & BASER_PAGE_MASK) != size)
        error = its_fail("changes its page size", "");
    return error;
}

// One page of device entries or, where the ITS can do that, one of pointers to such pages: on
// QEMU's machine the first would end with bus 1, the second reaches them all. Pages of 64 KiB are
// too large for the spare room, and one of them reaches far.
static int device_table_create(unsigned offset)
{
    void *page;
    unsigned bytes;
    int error = table_create(offset, BASER_INDIRECT, &page, &bytes);
    if (error)
        return error;
    if (bytes > DEVICE_PAGE_MAX)
        write64(its.registers, offset, read64(its.registers, offset) & ~BASER_INDIRECT);
    uint64_t value = read64(its.registers, offset);
    its.device_page_bytes = bytes;
    its.devices_a_page = bytes / BASER_ENTRY_BYTES(value);
    its.devices_max = its.devices_a_page;
    if (value & BASER_INDIRECT) {
        its.device_table = page;
        its.devices_max *= bytes / sizeof(*its.device_table);
    }
    its.devices_max = MIN(its.devices_max, 1ULL << TYPER_DEVICE_BITS(its.type));
    return 0;
}

static int tables_create(void)
{
    bool have_devices = false;
    for (unsigned i = 0; i < GITS_BASERS; i++) {
        unsigned offset = GITS_BASER + 8 * i;
        uint64_t type = BASER_TYPE(read64(its.registers, offset));
        void *page;
        unsigned bytes;
        int error = 0;
        if (type == BASER_DEVICES) {
            error = device_table_create(offset);
            have_devices = true;
        } else if (type == BASER_COLLECTIONS) {
            error = table_create(offset, 0, &page, &bytes);
        }
        if (error)
            return error;
    }
    return have_devices ? 0 : its_fail("has no device table", "");
}

// Where a redistributor has LPIs on already (an earlier kernel's), some cannot switch them off:
// they would go on writing into that kernel's tables, and refuse ours.
static int lpis_start(void)
{
    volatile uint8_t *redistributor = machine_cpus[0].data.redistributor;
    paddr_t block = direct_to_phys(its.block);
    if (!(read64(redistributor, GICR_TYPER) & GICR_TYPER_LPIS))
        return its_fail("has a redistributor without LPIs", "");
    gic_write(redistributor, GICR_CTLR,
              gic_read(redistributor, GICR_CTLR) & ~GICR_CTLR_ENABLE_LPIS);
    if (!register_becomes(redistributor, GICR_CTLR, GICR_CTLR_RWP | GICR_CTLR_ENABLE_LPIS, 0))
        return its_fail("cannot be used: the redistributor's LPIs are on and stay so", "");
    memset(its.block + PROPERTIES_OFFSET, LPI_PROPERTY, LPI_PROPERTIES);
    int error = base_write(redistributor, GICR_PROPBASER,
                           (block + PROPERTIES_OFFSET) | GICR_BASER_CACHED | (LPI_ID_BITS - 1));
    if (!error)
        error = base_write(redistributor, GICR_PENDBASER,
                           (block + PENDING_OFFSET) | GICR_BASER_CACHED | GICR_PENDBASER_ZERO);
    if (error)
        return error;
    dsb(sy);
    gic_write(redistributor, GICR_CTLR, gic_read(redistributor, GICR_CTLR) | GICR_CTLR_ENABLE_LPIS);
    return 0;
}

// By its number or its address, as the ITS wants it.
static int target_find(void)
{
    volatile uint8_t *redistributor = machine_cpus[0].data.redistributor;
    unsigned access;
    size_t bytes;
    if (its.type & TYPER_PTA)
        return mapping_walk((uintptr_t)redistributor, &its.target, &access, &bytes) ? 0 : -EFAULT;
    its.target = GICR_TYPER_NUMBER(read64(redistributor, GICR_TYPER)) << 16;
    return 0;
}

// A size field of zero means one page of 4 KiB.
static int queue_create(void)
{
    int error = base_write(its.registers, GITS_CBASER,
                           BASER_VALID | BASER_CACHED | direct_to_phys(its.block));
    write64(its.registers, GITS_CWRITER, 0);
    return error;
}

// From the tables on, what fails leaves its memory to the hardware, which may know it already.
static int its_start(void)
{
    its.type = read64(its.registers, GITS_TYPER);
    if (!(its.type & TYPER_PHYSICAL) || TYPER_EVENT_BITS(its.type) < EVENT_BITS)
        return its_fail("has too few events, or no physical LPIs", "");
    gic_write(its.registers, GITS_CTLR, 0);
    if (!register_becomes(its.registers, GITS_CTLR, GITS_CTLR_QUIESCENT, GITS_CTLR_QUIESCENT))
        return its_fail("does not come to rest", "");
    its.block = page_alloc_mapped(BLOCK_ORDER);
    its.spare_at = SPARE_OFFSET;
    if (!its.block)
        return -ENOMEM;
    int error = target_find();
    if (!error)
        error = tables_create();
    if (!error)
        error = queue_create();
    if (!error)
        error = lpis_start();
    if (error)
        return error;
    gic_write(its.registers, GITS_CTLR, GITS_CTLR_ENABLED);
    return collection_map();
}

int gic_its_init(const struct fdt *fdt)
{
    fdt_node node = fdt_by_compatible(fdt, 0, "arm,gic-v3-its");
    uint64_t bytes;
    if (!fdt_enabled(fdt, node) || !fdt_reg(fdt, node, 0, &its.address, &bytes))
        return -ENOENT;
    if (bytes < GITS_BYTES)
        return its_fail("has no room for its registers in the device tree", "");
    its.registers = device_map(its.address, GITS_CONTROL_BYTES);
    if (!its.registers)
        return -ENOMEM;
    int error = its_start();
    if (error)
        return error;
    gic.message_first = LPI_FIRST;
    gic.message_count = IRQ_MSI_COUNT;
    gic.message_node = node;
    gic.messages = &its_messages;
    return 0;
}
