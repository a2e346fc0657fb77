// SPDX-License-Identifier: MIT
// Panic texts with capsules: whatever the text, the reader gives an answer, and what it gives can
// be served to gdb. A first byte of 0 takes the rest as text; another one takes it as the records
// of blocks, which are wrapped with right checksums, since no fuzzer guesses a CRC.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "symbolizer/session.h"
#include "tests/unit/capsule_writer.h"

static void discard(void *context, const uint8_t *bytes, size_t length)
{
    (void)context, (void)bytes, (void)length;
}

static void send(struct sym_session *session, const char *packet)
{
    char whole[128];
    uint8_t sum = 0;
    for (const char *at = packet; *at; at++)
        sum = (uint8_t)(sum + (uint8_t)*at);
    int length = snprintf(whole, sizeof(whole), "+$%s#%02x", packet, sum);
    sym_session_receive(session, (const uint8_t *)whole, (size_t)length);
}

static void talk(const struct sym_dead *dead)
{
    static const char *const packets[] = {"qSupported:swbreak+",
                                          "?",
                                          "g",
                                          "p1",
                                          "qXfer:features:read:target.xml:0,fff",
                                          "qXfer:threads:read::0,fff",
                                          "Hg1",
                                          "g",
                                          "qThreadExtraInfo,1",
                                          "qRcmd,726561736f6e", // reason
                                          "qRcmd,6d656d6f7279", // memory
                                          "qRcmd,6c6f7374",     // lost
                                          "qRcmd,6c6f67",       // log
                                          "mffff800000000000,1000",
                                          "m0,4000",
                                          "vCont;c"};
    struct sym_session *session;
    struct error *error = sym_session_open(dead, discard, NULL, &session);
    if (error) {
        error_free(error);
        return;
    }
    for (size_t i = 0; i < sizeof(packets) / sizeof(*packets); i++)
        send(session, packets[i]);
    sym_session_close(session);
}

// Records: type, number of bytes (two of them), body.
static void wrap(struct capsule_writer *writer, const uint8_t *data, size_t size)
{
    while (size >= 3) {
        size_t bytes = (size_t)(data[1] | data[2] << 8) % 3000;
        uint16_t type = data[0];
        data += 3;
        size -= 3;
        if (bytes > size)
            bytes = size;
        capsule_record(writer, type & 15, data, bytes, NULL, 0);
        if (type & 16)
            capsule_flush(writer);
        data += bytes;
        size -= bytes;
    }
    capsule_end(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct capsule_writer writer;
    struct sym_dead *dead;
    if (size == 0)
        return 0;
    capsule_init(&writer, 1);
    if (data[0])
        wrap(&writer, data + 1, size - 1);
    struct error *error =
        data[0] ? sym_dead_open("fuzz", writer.text, writer.length, NULL, &dead)
                : sym_dead_open("fuzz", (const char *)data + 1, size - 1, NULL, &dead);
    if (error) {
        error_free(error);
    } else {
        talk(dead);
        sym_dead_close(dead);
    }
    capsule_deinit(&writer);
    return 0;
}
