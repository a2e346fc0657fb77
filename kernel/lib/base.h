// SPDX-License-Identifier: MIT
// Small definitions that every kernel file may use: address types, sizes, alignment, attributes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t; // physical address, bytes

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)

#define NSEC_PER_SEC  UINT64_C(1000000000)
#define NSEC_PER_MSEC UINT64_C(1000000)
#define NSEC_PER_USEC UINT64_C(1000)

#define CPU_MAX 8 // the machines of docs/architecture.md have 1 to 8 CPUs

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define ALIGN_DOWN(x, to) ((x) & ~((__typeof__(x))(to)-1))
#define ALIGN_UP(x, to)   ALIGN_DOWN((x) + ((__typeof__(x))(to)-1), to)

#define CONTAINER_OF(member_pointer, type, member)                                                 \
    ((type *)((char *)(member_pointer)-offsetof(type, member)))

#define MIN(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) min_a_ = (a);                                                                \
        __typeof__(b) min_b_ = (b);                                                                \
        min_a_ < min_b_ ? min_a_ : min_b_;                                                         \
    })
#define MAX(a, b)                                                                                  \
    ({                                                                                             \
        __typeof__(a) max_a_ = (a);                                                                \
        __typeof__(b) max_b_ = (b);                                                                \
        max_a_ > max_b_ ? max_a_ : max_b_;                                                         \
    })

#define __noinline          __attribute__((noinline))
#define __cold              __attribute__((cold))
#define __packed            __attribute__((packed))
#define __unused            __attribute__((unused))
#define __printf(fmt, args) __attribute__((format(printf, fmt, args)))

// Text that runs while the debugger owns the machine, or on the way into it. No breakpoint may be
// put there, and neither sanitizers nor coverage may be compiled in: files that hold such
// functions are listed under plain.sources in their room.mk.
#define __debugger_text __attribute__((section(".text.debugger"), noinline))

#define READ_ONCE(x)     (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))
