// SPDX-License-Identifier: MIT
// For the tests of gdbstub: one conversation with the fake machine, in terms of packet bodies.
// Include behind cmocka.h. Bodies are expanded (run-length encoding) but not unescaped.
#pragma once

#include <stdlib.h>
#include <string.h>

#include "tests/unit/gdbstub_fake.h"

extern struct fake fake; // each test program has its own

// Sends bytes as they are.
static inline void send_raw(const char *bytes)
{
    gdb_receive(&fake.stub, (const uint8_t *)bytes, strlen(bytes));
}

static inline void send_body(const void *body, size_t length)
{
    char frame[4];
    uint8_t sum = 0;

    for (size_t i = 0; i < length; i++)
        sum = (uint8_t)(sum + ((const uint8_t *)body)[i]);
    snprintf(frame, sizeof frame, "#%02x", sum);
    gdb_receive(&fake.stub, (const uint8_t *)"$", 1);
    gdb_receive(&fake.stub, body, length);
    send_raw(frame);
}

static inline void send_packet(const char *body)
{
    send_body(body, strlen(body));
}

// Everything sent since the last call, as it is; terminated.
static inline const char *take_raw(void)
{
    assert_true(fake.output_length < sizeof fake.output);
    fake.output[fake.output_length] = '\0';
    fake.output_length = 0;
    return (const char *)fake.output;
}

// The body of the packet at *at, checked and expanded; *at moves behind it. NULL: none is there.
static inline const char *take_frame(const char **at)
{
    static char body[2 * GDB_PACKET_BYTES];
    size_t length = 0;
    uint8_t sum = 0;
    const char *p = *at;

    if (*p++ != '$')
        return NULL;
    for (; *p != '#'; p++) {
        assert_true(*p != '\0' && *p != '$');
        sum = (uint8_t)(sum + (uint8_t)*p);
        assert_true(length + 100 < sizeof body);
        if (*p != '*') {
            body[length++] = *p;
            continue;
        }
        p++;
        sum = (uint8_t)(sum + (uint8_t)*p);
        assert_true(*p >= ' ' && *p <= '~' && length > 0);
        for (int count = *p - 29; count > 0; count--, length++)
            body[length] = body[length - 1];
    }
    body[length] = '\0';
    char digits[3] = {p[1], p[2], 0};
    assert_int_equal(strtoul(digits, NULL, 16), sum);
    *at = p + 3;
    return body;
}

// One request, its acknowledgement and its only reply, which is acknowledged.
static inline const char *ask_body(const void *body, size_t length)
{
    bool acks = !fake.stub.no_ack;

    fake.output_length = 0;
    send_body(body, length);
    const char *at = take_raw();
    if (acks || *at == '+')
        assert_int_equal(*at++, '+');
    const char *reply = take_frame(&at);
    assert_non_null(reply);
    assert_string_equal(at, "");
    if (!fake.stub.no_ack)
        send_raw("+");
    return reply;
}

static inline const char *ask(const char *body)
{
    return ask_body(body, strlen(body));
}

// A request that has no reply of its own (it lets the machine go).
static inline void go(const char *body)
{
    fake.output_length = 0;
    send_packet(body);
    assert_string_equal(take_raw(), fake.stub.no_ack ? "" : "+");
}

// The machine stops; the body of the stop reply.
static inline const char *stopped(const struct gdb_stop *stop)
{
    fake.output_length = 0;
    gdb_report_stop(&fake.stub, stop);
    const char *at = take_raw();
    const char *reply = take_frame(&at);
    if (reply && !fake.stub.no_ack)
        send_raw("+");
    return reply;
}
