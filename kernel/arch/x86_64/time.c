// SPDX-License-Identifier: MIT
// Time on this machine: the time-stamp counter as the clock, the local APIC's timer (or, where
// there is one, the TSC deadline) as each CPU's one-shot timer. Their frequencies are asked of
// CPUID or measured once, for 5 ms, against the HPET, the ACPI timer or the PIT.
#include "kernel/time/time.h"
#include "kernel/arch/boot.h"
#include "kernel/arch/cpu.h"
#include "kernel/arch/x86_64/apic.h"
#include "kernel/firmware/acpi.h"
#include "kernel/log/log.h"
#include "kernel/mm/mapping.h"
#include <machine/io.h>
#include <machine/msr.h>
#include <machine/percpu.h>
#include <machine/vectors.h>

#define MEASURE_HZ         200       // for a 200th of a second
#define MEASURE_SPINS      50000000u // a reference that stands still ends the wait
#define PM_TIMER_HZ        3579545
#define PIT_HZ             1193182
#define PIT_CHANNEL_2      0x42
#define PIT_COMMAND        0x43
#define PIT_GATE           0x61
#define HPET_CAPABILITIES  0x0
#define HPET_CONFIGURATION 0x10
#define HPET_COUNTER       0xf0
#define FEMTOSECONDS       UINT64_C(1000000000000000)
#define TIMER_DIVIDE_16    3
#define TIMER_DEADLINE     (2 << 17)
#define MSR_TSC_DEADLINE   0x6e0
#define LEAF_TSC           0x15
#define LEAF_HYPERVISOR    0x40000000

static uint64_t counter_hz = 1;
static uint64_t ticks_per_count; // APIC timer ticks per TSC tick, times 2^32
static bool deadline_mode;

// A counter of known frequency. It counts up and wraps at mask + 1.
struct reference {
    const char *name;
    uint64_t hz;
    uint32_t mask;
    volatile uint32_t *hpet;
};

static uint32_t reference_read(const struct reference *reference)
{
    if (reference->hpet)
        return reference->hpet[HPET_COUNTER / 4];
    if (acpi.pm_timer_port && reference->hz == PM_TIMER_HZ)
        return port_read32(acpi.pm_timer_port) & reference->mask;
    port_write8(PIT_COMMAND, 0x80); // latch channel 2
    uint32_t low = port_read8(PIT_CHANNEL_2);
    return 0xffff - (low | (uint32_t)port_read8(PIT_CHANNEL_2) << 8);
}

static bool hpet_reference(struct reference *reference)
{
    volatile uint32_t *hpet = acpi.hpet ? device_map(acpi.hpet, PAGE_SIZE) : NULL;
    if (!hpet)
        return false;
    uint32_t period_fs = hpet[HPET_CAPABILITIES / 4 + 1];
    if (period_fs == 0 || period_fs > 100000000) { // the specification's upper bound
        log_warn("ACPI: HPET: a period of %u fs is impossible", period_fs);
        return false;
    }
    hpet[HPET_CONFIGURATION / 4] |= 1; // let it count
    *reference = (struct reference){"HPET", FEMTOSECONDS / period_fs, UINT32_MAX, hpet};
    return true;
}

static struct reference reference_choose(void)
{
    struct reference reference;
    if (hpet_reference(&reference))
        return reference;
    if (acpi.pm_timer_port)
        return (struct reference){"ACPI timer", PM_TIMER_HZ, 0xffffff, NULL};
    // Channel 2 counts down from 0xffff, without its speaker.
    port_write8(PIT_GATE, (port_read8(PIT_GATE) & ~2) | 1);
    port_write8(PIT_COMMAND, 0xb0);
    port_write8(PIT_CHANNEL_2, 0xff);
    port_write8(PIT_CHANNEL_2, 0xff);
    return (struct reference){"PIT", PIT_HZ, 0xffff, NULL};
}

struct sample {
    uint32_t reference, apic;
    uint64_t counter;
};

// All three counters at one time, or nearly: the tightest of a few attempts.
static struct sample sample_take(const struct reference *reference)
{
    struct sample best = {0};
    uint64_t best_span = UINT64_MAX;
    for (unsigned i = 0; i < 5; i++) {
        uint64_t before = arch_counter();
        struct sample sample = {reference_read(reference), lapic_read(LAPIC_TIMER_CURRENT), 0};
        uint64_t span = arch_counter() - before;
        sample.counter = before + span / 2;
        if (span < best_span) {
            best_span = span;
            best = sample;
        }
    }
    return best;
}

static uint64_t apic_timer_measure(struct reference *reference)
{
    lapic_write(LAPIC_TIMER_DIVIDE, TIMER_DIVIDE_16);
    lapic_write(LAPIC_LVT_TIMER, LAPIC_MASKED);
    lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
    struct sample first = sample_take(reference);
    uint32_t wanted = (uint32_t)(reference->hz / MEASURE_HZ);
    for (unsigned i = 0; i < MEASURE_SPINS; i++)
        if (((reference_read(reference) - first.reference) & reference->mask) >= wanted)
            break;
    struct sample last = sample_take(reference);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    uint64_t passed = (last.reference - first.reference) & reference->mask;
    if (passed == 0) {
        log_error("time: the %s stands still; assuming a 1 GHz counter", reference->name);
        counter_hz = NSEC_PER_SEC;
        return NSEC_PER_SEC / 16;
    }
    counter_hz = (last.counter - first.counter) * reference->hz / passed;
    return (uint64_t)(first.apic - last.apic) * reference->hz / passed;
}

// What the CPU says of itself is better than a measurement: leaf 15h, or the hypervisor's kHz
// (leaf 40000010h, in the manner of VMware and KVM).
static uint64_t counter_hz_known(void)
{
    if (cpuid(0, 0).eax >= LEAF_TSC) {
        struct cpuid ratio = cpuid(LEAF_TSC, 0);
        if (ratio.eax && ratio.ebx && ratio.ecx)
            return (uint64_t)ratio.ecx * ratio.ebx / ratio.eax;
    }
    if (cpuid(1, 0).ecx & 1u << 31 && cpuid(LEAF_HYPERVISOR, 0).eax >= LEAF_HYPERVISOR + 0x10)
        return UINT64_C(1000) * cpuid(LEAF_HYPERVISOR + 0x10, 0).eax;
    return 0;
}

void arch_time_init(void)
{
    struct reference reference = reference_choose();
    uint64_t apic_hz = apic_timer_measure(&reference);
    uint64_t known = counter_hz_known();
    if (known)
        counter_hz = known;
    counter_hz = MAX(counter_hz, (uint64_t)1);
    deadline_mode = cpuid(1, 0).ecx & 1u << 24;
    ticks_per_count = (apic_hz << 32) / counter_hz;
    log_info("time: TSC %llu kHz by %s, APIC timer %llu kHz%s",
             (unsigned long long)counter_hz / 1000, known ? "CPUID" : reference.name,
             (unsigned long long)apic_hz / 1000, deadline_mode ? ", TSC deadline" : "");
}

uint64_t arch_counter_hz(void)
{
    return counter_hz;
}

void arch_time_cpu_init(void)
{
    cpu_machine(this_cpu())->timer_deadline = UINT64_MAX;
    lapic_write(LAPIC_TIMER_DIVIDE, TIMER_DIVIDE_16);
    lapic_write(LAPIC_TIMER_INITIAL, 0);
    lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER | (deadline_mode ? TIMER_DEADLINE : 0));
    arch_memory_barrier(); // the mode must be set before the first deadline (SDM 11.5.4.1)
}

static void timer_program(uint64_t deadline)
{
    if (deadline_mode) {
        msr_write(MSR_TSC_DEADLINE, deadline == UINT64_MAX ? 0 : MAX(deadline, (uint64_t)1));
        return;
    }
    uint64_t ticks = 0; // stops it
    if (deadline != UINT64_MAX) {
        uint64_t now = arch_counter();
        uint64_t counts = deadline > now ? deadline - now : 0;
        // Longer than the timer can count: it goes off early and is set again (timer_vector).
        __extension__ unsigned __int128 product = (unsigned __int128)counts * ticks_per_count;
        uint64_t whole = (uint64_t)(product >> 32);
        ticks = MIN(whole + 1, (uint64_t)UINT32_MAX);
        if (product >> 96)
            ticks = UINT32_MAX;
    }
    lapic_write(LAPIC_TIMER_INITIAL, (uint32_t)ticks);
}

void arch_timer_arm(uint64_t deadline)
{
    cpu_machine(this_cpu())->timer_deadline = deadline;
    timer_program(deadline);
}

// The one-shot timer went off, perhaps ahead of time.
void timer_vector(void)
{
    struct cpu_machine *machine = cpu_machine(this_cpu());
    uint64_t deadline = machine->timer_deadline;
    if (deadline == UINT64_MAX)
        return;
    if (arch_counter() < deadline) {
        timer_program(deadline);
        return;
    }
    machine->timer_deadline = UINT64_MAX;
    timer_interrupt();
}
