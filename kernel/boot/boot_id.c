// SPDX-License-Identifier: MIT
// See the header. Mixed from what differs between boots: the processor's random numbers where it
// has them, the boot loader's seed, and the counter.
#include "kernel/boot/boot_id.h"

#include <string.h>

#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"

uint8_t boot_id[BOOT_ID_BYTES];

// The finaliser of splitmix64: every bit of the input moves half of the output's.
static uint64_t mix(uint64_t state, uint64_t input)
{
    state += input + UINT64_C(0x9e3779b97f4a7c15);
    state = (state ^ state >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    state = (state ^ state >> 27) * UINT64_C(0x94d049bb133111eb);
    return state ^ state >> 31;
}

void boot_id_init(void)
{
    uint64_t state = mix(boot_info.seed, arch_counter());
    for (unsigned i = 0; i < BOOT_ID_BYTES; i += sizeof(state)) {
        state = mix(state, arch_entropy());
        memcpy(boot_id + i, &state, sizeof(state));
    }
}
