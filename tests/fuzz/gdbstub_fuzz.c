// SPDX-License-Identifier: MIT
// Fuzzing of the whole packet path: bytes from the line into gdb_receive(), against the fake
// machine. A byte 0xff in the input is not sent but lets the machine take its turn (run, stop,
// print), so that the states between packets are reached, too. The first byte chooses: bit 0, the
// checksums are corrected on the way in (left to chance the fuzzer would seldom get behind the
// framing); bit 1, the tiny machine instead of the large one.
//
// Beyond what the sanitizers see it demands two things: everything the stub sends is a well-formed
// frame, and when all is over a new gdb's qSupported is still answered: at once, or, where it looks
// like a repeat of one whose answer nobody acknowledged, when gdb's timeout asks for it with '-'.
#include <stdlib.h>
#include <string.h>

#include "tests/unit/gdbstub_fake.h"

static struct fake fake;

#define TRIES 3 // gdb's own MAX_TRIES

static void demand(int truth)
{
    if (!truth)
        abort();
}

// Walks over what was sent: acks between frames, and frames whose checksum is right.
static void output_check(void)
{
    size_t i = 0;

    while (i < fake.output_length) {
        uint8_t byte = fake.output[i++];
        if (byte == '+' || byte == '-')
            continue;
        demand(byte == '$');
        uint8_t sum = 0;
        while (i < fake.output_length && fake.output[i] != '#')
            sum = (uint8_t)(sum + fake.output[i++]);
        demand(i + 2 < fake.output_length);
        char digits[3] = {(char)fake.output[i + 1], (char)fake.output[i + 2], 0};
        demand(strtoul(digits, NULL, 16) == sum);
        i += 3;
    }
    fake.output_length = 0;
}

static void machine_turn(void)
{
    struct gdb_stop stop = {.kind = GDB_STOP_SIGNAL, .signal = 2, .thread = 1};

    if (gdb_state(&fake.stub) != GDB_RUNNING)
        return;
    gdb_console_write(&fake.stub, "text\n", 5);
    if (!gdb_interrupt_pending(&fake.stub))
        fake_run(&fake, 16, &stop);
    gdb_report_stop(&fake.stub, &stop);
}

// In pieces that cannot call forth more output than the fake keeps.
static void feed(const uint8_t *bytes, size_t length)
{
    while (length > 0) {
        size_t part = length < 64 ? length : 64;
        gdb_receive(&fake.stub, bytes, part);
        output_check();
        bytes += part;
        length -= part;
    }
}

// Sends what lies between '$' and '#' with the checksum it should have.
static void feed_corrected(const uint8_t *data, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t sum = 0;
    bool body = false;

    for (size_t i = 0; i < size; i++) {
        if (data[i] == 0xff) {
            machine_turn();
            continue;
        }
        feed(&data[i], 1);
        if (data[i] == '$') {
            body = true;
            sum = 0;
        } else if (data[i] == '#' && body) {
            uint8_t right[2] = {(uint8_t)digits[sum >> 4], (uint8_t)digits[sum & 15]};
            feed(right, 2);
            body = false;
            // The seeds have checksums of their own.
            i += i + 2 < size ? 2 : 0;
        } else {
            sum = (uint8_t)(sum + data[i]);
        }
    }
}

static void feed_as_is(const uint8_t *data, size_t size)
{
    while (size > 0) {
        const uint8_t *turn = memchr(data, 0xff, size);
        size_t part = turn ? (size_t)(turn - data) : size;
        feed(data, part);
        if (turn) {
            machine_turn();
            part++;
        }
        data += part;
        size -= part;
    }
}

static void sniff(const uint8_t *data, size_t size)
{
    struct gdb_sniffer sniffer;

    gdb_sniff_reset(&sniffer);
    for (size_t i = 0; i < size; i++)
        if (gdb_sniff(&sniffer, data[i]) != GDB_SNIFF_HOLD)
            gdb_sniff_reset(&sniffer);
}

static bool features_sent(void)
{
    return memmem(fake.output, fake.output_length, "PacketSize", 10) != NULL;
}

static void new_gdb_connects(void)
{
    static const uint8_t greeting[] = "+$qSupported#37";

    gdb_receive(&fake.stub, greeting, sizeof greeting - 1);
    machine_turn();
    for (int i = 0; i < TRIES && !features_sent(); i++)
        gdb_receive(&fake.stub, (const uint8_t *)"-", 1);
    demand(features_sent());
    output_check();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    fake_init(&fake, data[0] & 2 ? &fake_tiny : &fake_x86_64, 3);
    if (data[0] & 1)
        feed_corrected(data + 1, size - 1);
    else
        feed_as_is(data + 1, size - 1);
    sniff(data, size);
    machine_turn();
    output_check();
    new_gdb_connects();
    return 0;
}
