// SPDX-License-Identifier: MIT
// See report_logs.h.
#include "tests/unit/report_logs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

const struct expected report_logs[] = {
    {"fathom-aarch64-null", "183 null-deref cpu 0 crash 0.1.0 +0 2:4",
     "null pointer dereference in crash_null", "crash_null crash_thread thread_start thread_begin"},
    {"fathom-aarch64-stack", "183 stack-overflow cpu 0 crash 0.1.0 +0 2:32",
     "stack overflow in recurse", "recurse recurse recurse recurse"},
    {"fathom-aarch64-uaf", "183 use-after-free cpu 1 crash 0.1.0 +0 2:10",
     "write to freed memory in page_alloc_for", "kd_vpanic panic page_alloc_for slab_alloc_for"},
    {"fathom-riscv64-null", "243 null-deref cpu 0 crash 0.1.0 +0 2:4",
     "null pointer dereference in crash_null", "crash_null crash_thread thread_start thread_begin"},
    {"fathom-riscv64-stack", "243 stack-overflow cpu 0 crash 0.1.0 +0 2:32",
     "stack overflow in memset", "memset recurse recurse recurse"},
    {"fathom-x86_64-jump", "62 wild-jump cpu 0 crash 0.1.0 +0 2:5", "jump to nowhere in crash_jump",
     "? crash_jump crash_thread thread_start"},
    {"fathom-x86_64-lockorder", "62 lock-order cpu 0 crash 0.1.0 +0 2:9",
     "lock order in take_outer", "kd_vpanic panic held_check spinlock_take_"},
    {"fathom-x86_64-null", "62 null-deref cpu 0 crash 0.1.0 +0 2:4",
     "null pointer dereference in crash_null", "crash_null crash_thread thread_start thread_begin"},
    {"fathom-x86_64-stack", "62 stack-overflow cpu 0 crash 0.1.0 +0 2:32",
     "stack overflow in recurse", "recurse recurse recurse recurse"},
    {"fathom-x86_64-uaf", "62 use-after-free cpu 1 crash 0.1.0 +0 2:10",
     "write to freed memory in page_alloc_for", "kd_vpanic panic page_alloc_for slab_alloc_for"},
    {"freebsd-ddb", "0 panic cpu 0 - - +0 1:9",
     "panic: mutex parcel lock not owned in __mtx_assert",
     "db_trace_self_wrapper vpanic panic __mtx_assert"},
    {"freebsd-arm64", "183 page-fault cpu 2 - - +0 1:12", "data abort in parcel_read",
     "db_trace_self db_trace_self_wrapper vpanic panic"},
    {"freebsd-double-fault", "62 double-fault cpu 0 - - +0 1:9", "double fault in parcel_nest",
     "db_trace_self_wrapper vpanic panic dblfault_handler Xdblfault parcel_nest parcel_nest ?"},
    {"freebsd-riscv", "243 page-fault cpu 1 - - +0 1:11", "page fault in parcel_read",
     "db_trace_self db_trace_self_wrapper kdb_backtrace vpanic panic"},
    {"freebsd-trap", "62 page-fault cpu 1 courier - +0 1:9", "page fault in parcel_read",
     "kdb_backtrace vpanic panic trap_fatal"},
    {"linux-aarch64-hung-task-locks", "183 hung-task cpu -1 init 6.1.192 +0 1:14",
     "hung task in lkdtm_HUNG_TASK",
     "__switch_to __schedule schedule lkdtm_HUNG_TASK lkdtm_do_action"},
    {"linux-aarch64-kasan-freed", "183 kasan cpu 1 init 6.1.192 +0 3:18",
     "KASAN: use-after-free in parcel_weigh",
     "dump_backtrace.part.0 show_stack dump_stack_lvl print_report kasan_report"},
    {"linux-aarch64-kasan-null", "183 kasan cpu 0 init 6.1.192 +0 1:18",
     "KASAN: null-ptr-deref in parcel_weigh",
     "dump_backtrace.part.0 show_stack dump_stack_lvl print_report kasan_report"},
    {"linux-aarch64-kasan-past", "183 kasan cpu 1 init 6.1.192 +0 2:18",
     "KASAN: slab-out-of-bounds in parcel_weigh",
     "dump_backtrace.part.0 show_stack dump_stack_lvl print_report kasan_report"},
    {"linux-aarch64-list", "183 warning cpu 0 init 6.1.192 +0 1:12",
     "WARNING in lkdtm_CORRUPT_LIST_ADD",
     "__list_add_valid lkdtm_CORRUPT_LIST_ADD lkdtm_do_action direct_entry full_proxy_write"},
    {"linux-aarch64-lkdtm-panic", "183 panic cpu 0 init 6.1.192 +21e1800000 1:16",
     "panic: dumptest in lkdtm_do_action",
     "dump_backtrace.part.0 show_stack dump_stack_lvl dump_stack panic"},
    {"linux-aarch64-lock-order", "183 lockdep cpu 1 init 6.1.192 +0 3:22",
     "possible circular locking dependency detected in take",
     "dump_backtrace.part.0 show_stack dump_stack_lvl dump_stack print_circular_bug"},
    {"linux-aarch64-module-bug", "183 bug cpu 0 init 6.1.192 +0 1:10", "kernel BUG in go_bug",
     "go_bug do_one_initcall do_init_module load_module __do_sys_finit_module"},
    {"linux-aarch64-module-jump", "183 page-fault cpu 0 init 6.1.192 +0 1:12",
     "page fault in go_jump", "? go_jump fault_init do_one_initcall do_init_module"},
    {"linux-aarch64-module-wild", "183 kasan cpu 0 init 6.1.192 +0 1:18",
     "KASAN: wild-memory-access in parcel_weigh",
     "dump_backtrace.part.0 show_stack dump_stack_lvl print_report kasan_report"},
    {"linux-aarch64-refcount", "183 warning cpu 0 init 6.1.192 +0 1:13",
     "WARNING in lkdtm_REFCOUNT_INC_ZERO",
     "refcount_warn_saturate __refcount_add.constprop.0 lkdtm_REFCOUNT_INC_ZERO lkdtm_do_action "
     "direct_entry"},
    {"linux-aarch64-schedule-in-atomic", "183 atomic-sleep cpu 0 init 6.1.192 +0 1:20",
     "scheduling while atomic in msleep",
     "dump_backtrace.part.0 show_stack dump_stack_lvl dump_stack __schedule_bug"},
    {"linux-aarch64-sleep-in-atomic", "183 atomic-sleep cpu 0 init 6.1.192 +0 1:19",
     "sleeping function called from invalid context in go_sleep",
     "dump_backtrace.part.0 show_stack dump_stack_lvl dump_stack __might_resched"},
    {"linux-aarch64-mount-root", "183 panic cpu 0 swapper/0 6.1.0-50-arm64 +467937400000 1:11",
     "panic: VFS: Unable to mount root fs on unknown-block(N,N) in mount_block_root",
     "dump_backtrace show_stack dump_stack_lvl dump_stack"},
    {"linux-aarch64-softirq-null", "183 kasan cpu 0 swapper/0 6.1.192 +0 1:28",
     "KASAN: null-ptr-deref in parcel_weigh",
     "dump_backtrace.part.0 show_stack dump_stack_lvl print_report kasan_report"},
    {"linux-aarch64-user-access", "183 page-fault cpu 0 init 6.1.192 +0 1:12",
     "execution of user memory in lkdtm_EXEC_USERSPACE",
     "? lkdtm_EXEC_USERSPACE lkdtm_do_action direct_entry full_proxy_write"},
    {"linux-riscv64-hung-task", "243 hung-task cpu -1 init 6.1.192 +0 1:10",
     "hung task in lkdtm_HUNG_TASK",
     "__schedule schedule lkdtm_HUNG_TASK lkdtm_do_action direct_entry"},
    {"linux-riscv64-list", "243 warning cpu 0 init 6.1.192 +0 1:9",
     "WARNING in lkdtm_CORRUPT_LIST_ADD",
     "__list_add_valid lkdtm_CORRUPT_LIST_ADD lkdtm_do_action direct_entry full_proxy_write"},
    {"linux-riscv64-lkdtm-panic", "243 panic cpu 0 init 6.1.192 +0 1:13",
     "panic: dumptest in lkdtm_do_action",
     "dump_backtrace show_stack dump_stack_lvl dump_stack panic"},
    {"linux-riscv64-lkdtm-warning", "243 warning cpu 1 init 6.1.192 +0 1:8",
     "WARNING in lkdtm_WARNING_MESSAGE",
     "lkdtm_WARNING_MESSAGE lkdtm_do_action direct_entry full_proxy_write vfs_write"},
    {"linux-riscv64-module-bug", "243 bug cpu 1 init 6.1.192 +0 1:8", "kernel BUG in go_bug",
     "go_bug fault_init do_one_initcall do_init_module load_module"},
    {"linux-riscv64-module-jump", "243 user-access cpu 0 init 6.1.192 +0 1:2",
     "access to user memory outside uaccess routines in go_jump", "? go_jump"},
    {"linux-riscv64-module-null", "243 null-deref cpu 1 init 6.1.192 +0 1:9",
     "null pointer dereference in parcel_weigh",
     "parcel_weigh go_null fault_init do_one_initcall do_init_module"},
    {"linux-riscv64-module-wild", "243 page-fault cpu 1 init 6.1.192 +0 1:9",
     "page fault in parcel_weigh",
     "parcel_weigh go_wild fault_init do_one_initcall do_init_module"},
    {"linux-riscv64-mount-root", "243 panic cpu 0 swapper/0 6.12.107+deb13-riscv64 +0 1:11",
     "panic: VFS: Unable to mount root fs on unknown-block(N,N) in mount_root_generic",
     "dump_backtrace show_stack dump_stack_lvl dump_stack"},
    {"linux-riscv64-rcu-stall", "0 rcu-stall cpu -1 - - +0 1:1", "RCU stall", "ret_from_fork"},
    {"linux-riscv64-refcount", "243 warning cpu 1 init 6.1.192 +0 1:10",
     "WARNING in lkdtm_REFCOUNT_INC_ZERO",
     "refcount_warn_saturate __refcount_add.constprop.0 lkdtm_REFCOUNT_INC_ZERO lkdtm_do_action "
     "direct_entry"},
    {"linux-riscv64-soft-lockup", "243 soft-lockup cpu 1 init 6.1.192 +0 1:9",
     "soft lockup in spin_for_ever",
     "spin_for_ever go_spin fault_init do_one_initcall do_init_module"},
    {"linux-riscv64-softirq-null", "243 null-deref cpu 1 swapper/1 6.1.192 +0 1:9",
     "null pointer dereference in parcel_weigh",
     "parcel_weigh expire call_timer_fn.constprop.0 run_timer_softirq handle_softirqs"},
    {"linux-riscv64-stack-overflow", "243 stack-overflow cpu 0 init 6.1.192 +0 2:1",
     "stack overflow in __memset", "__memset"},
    {"linux-riscv64-sysrq-blocked", "243 sysrq cpu -1 - - +0 1:10", "sysrq: blocked tasks",
     "__schedule schedule lkdtm_HUNG_TASK lkdtm_do_action direct_entry"},
    {"linux-riscv64-sysrq-cpus", "243 sysrq cpu -1 - - +0 2:10", "sysrq: backtrace of all CPUs",
     "dump_backtrace show_stack sysrq_handle_showallcpus __handle_sysrq write_sysrq_trigger"},
    {"linux-riscv64-sysrq-tasks", "243 sysrq cpu -1 - - +0 14:7", "sysrq: state of the tasks",
     "__schedule schedule do_wait kernel_wait4 __do_sys_wait4"},
    {"linux-riscv64-user-access", "243 user-access cpu 1 init 6.1.192 +0 1:2",
     "access to user memory outside uaccess routines in lkdtm_EXEC_USERSPACE",
     "? lkdtm_EXEC_USERSPACE"},
    {"linux-x86_64-atomic-sleep", "62 atomic-sleep cpu 0 init 6.1.0-56-amd64 +0 1:25",
     "scheduling while atomic in msleep", "dump_stack_lvl __schedule_bug.cold __schedule schedule"},
    {"linux-x86_64-bug", "62 bug cpu 1 init 6.1.0-56-amd64 +0 1:12", "kernel BUG in oopser_init",
     "oopser_init do_one_initcall do_init_module __do_sys_finit_module"},
    {"linux-x86_64-divide", "62 divide cpu 0 init 6.1.0-56-amd64 +0 1:16",
     "divide error in oopser_init",
     "oopser_init do_one_initcall do_init_module __do_sys_finit_module"},
    {"linux-x86_64-gpf", "62 gpf cpu 1 init 6.1.0-56-amd64 +0 1:11",
     "general protection fault in item_sum", "item_sum poke do_one_initcall do_init_module"},
    {"linux-x86_64-hard-lockup", "62 hard-lockup cpu 1 init 6.1.192 +0 1:19",
     "hard lockup in spin_for_ever",
     "spin_for_ever go_hard.cold do_one_initcall do_init_module load_module"},
    {"linux-x86_64-hung-task", "62 hung-task cpu -1 stuckworker 6.1.0-56-amd64 +0 1:7",
     "hung task in worker", "__schedule schedule worker kthread"},
    {"linux-x86_64-hung-task-locks", "62 hung-task cpu -1 init 6.1.192 +0 1:17",
     "hung task in direct_entry",
     "__schedule schedule direct_entry.cold full_proxy_write vfs_write"},
    {"linux-x86_64-jump", "62 page-fault cpu 0 init 6.1.0-56-amd64 +0 1:9",
     "page fault in oopser_init", "?"},
    {"linux-x86_64-kasan-freed", "62 kasan cpu 0 init 6.1.192 +0 3:26",
     "KASAN: use-after-free in parcel_weigh",
     "dump_stack_lvl print_report kasan_report parcel_weigh go_freed"},
    {"linux-x86_64-kasan-null", "62 kasan cpu 0 init 6.1.192 +0 1:24",
     "KASAN: null-ptr-deref in parcel_weigh",
     "dump_stack_lvl kasan_report parcel_weigh go_null do_one_initcall"},
    {"linux-x86_64-kasan-past", "62 kasan cpu 0 init 6.1.192 +0 2:26",
     "KASAN: slab-out-of-bounds in parcel_weigh",
     "dump_stack_lvl print_report kasan_report parcel_weigh go_past"},
    {"linux-x86_64-list", "62 warning cpu 0 init 6.1.192 +0 1:18",
     "WARNING in lkdtm_CORRUPT_LIST_ADD",
     "__list_add_valid lkdtm_CORRUPT_LIST_ADD direct_entry.cold full_proxy_write vfs_write"},
    {"linux-x86_64-lock-order", "62 lockdep cpu 0 init 6.1.192 +0 3:41",
     "possible circular locking dependency detected in take",
     "dump_stack_lvl check_noncircular __lock_acquire lock_acquire __mutex_lock"},
    {"linux-x86_64-mount-root", "62 panic cpu 1 swapper/0 6.1.0-56-amd64 +1800000 1:8",
     "panic: VFS: Unable to mount root fs on unknown-block(N,N) in mount_block_root",
     "dump_stack_lvl panic mount_block_root prepare_namespace"},
    {"linux-x86_64-null", "62 null-deref cpu 1 init 6.1.0-56-amd64 +0 1:17",
     "null pointer dereference in item_sum", "item_sum poke do_one_initcall do_init_module"},
    {"linux-x86_64-null-panic", "62 null-deref cpu 1 init 6.1.0-56-amd64 +0 1:21",
     "null pointer dereference in item_sum", "item_sum poke do_one_initcall do_init_module"},
    {"linux-x86_64-old", "62 null-deref cpu 2 courier 4.4.0-31-generic +0 1:4",
     "null pointer dereference in parcel_weigh", "parcel_weigh vfs_read SyS_read"},
    {"linux-x86_64-rcu-stall", "62 rcu-stall cpu 0 hardspinner 6.1.0-56-amd64 +0 1:4",
     "RCU stall in spin_hard", "spin_hard kthread ret_from_fork"},
    {"linux-x86_64-refcount", "62 warning cpu 0 init 6.1.192 +0 1:19",
     "WARNING in lkdtm_REFCOUNT_INC_ZERO",
     "refcount_warn_saturate lkdtm_REFCOUNT_INC_ZERO direct_entry.cold full_proxy_write vfs_write"},
    {"linux-x86_64-schedule-in-atomic", "62 atomic-sleep cpu 1 init 6.1.192 +0 1:30",
     "scheduling while atomic in msleep",
     "dump_stack_lvl __schedule_bug.cold __schedule schedule schedule_timeout"},
    {"linux-x86_64-slab", "62 slab cpu 1 init 6.1.0-56-amd64 +0 1:13",
     "slab: Object already free in oopser_init",
     "dump_stack_lvl object_err free_to_partial_list.cold oopser_init"},
    {"linux-x86_64-sleep-in-atomic", "62 atomic-sleep cpu 0 init 6.1.192 +0 1:32",
     "sleeping function called from invalid context in go_sleep",
     "dump_stack_lvl __might_resched.cold __mutex_lock go_sleep do_one_initcall"},
    {"linux-x86_64-soft-lockup", "62 soft-lockup cpu 0 spinner 6.1.0-56-amd64 +0 1:4",
     "soft lockup in spin", "spin kthread ret_from_fork"},
    {"linux-x86_64-stack-overflow", "62 stack-overflow cpu 0 init 6.1.192 +2ca00000 1:99",
     "stack overflow in recursive_loop",
     "recursive_loop recursive_loop recursive_loop recursive_loop recursive_loop"},
    {"linux-x86_64-sysrq-backtrace", "62 sysrq cpu 1 init 6.1.0-56-amd64 +0 2:18",
     "sysrq: backtrace of all CPUs",
     "dump_stack_lvl nmi_cpu_backtrace.cold nmi_trigger_cpumask_backtrace __handle_sysrq.cold"},
    {"linux-x86_64-sysrq-blocked", "62 sysrq cpu -1 - - +0 1:17", "sysrq: blocked tasks",
     "__schedule schedule direct_entry.cold full_proxy_write vfs_write"},
    {"linux-x86_64-sysrq-crash", "62 sysrq-crash cpu 0 init 6.1.0-56-amd64 +ee00000 1:16",
     "sysrq: crash", "dump_stack_lvl panic sysrq_handle_crash __handle_sysrq.cold"},
    {"linux-x86_64-sysrq-tasks", "62 sysrq cpu -1 - - +0 6:19", "sysrq: state of the tasks",
     "__schedule schedule do_wait kernel_wait4 __do_sys_wait4"},
    {"linux-x86_64-warning", "62 warning cpu 1 init 6.1.0-56-amd64 +0 1:10",
     "WARNING in oopser_init", "oopser_init do_one_initcall do_init_module __do_sys_finit_module"},
    {"redox", "0 panic cpu 2 courier - +0 1:5",
     "panic: called `Option::unwrap()` on a `None` value in "
     "<kernel::scheme::parcel::ParcelScheme as kernel::scheme::KernelScheme>::kopen",
     "rust_begin_unwind core::panicking::panic_fmt core::option::unwrap_failed "
     "<kernel::scheme::parcel::ParcelScheme as kernel::scheme::KernelScheme>::kopen"},
    {"zircon", "0 backtrace cpu -1 - - +0 1:3", "backtrace", "? ? ?"},
};
const size_t report_log_count = sizeof(report_logs) / sizeof(*report_logs);

struct text report_log(const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "tests/data/panics/%s.log", name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    struct text text = {calloc(1, (1 << 20) + 1), 0};
    text.length = fread(text.at, 1, 1 << 20, file);
    fclose(file);
    return text;
}

void report_read(struct text text, const struct report_sink *sink, bool live, size_t step)
{
    struct report_images *images = report_images_create();
    struct report_reader *reader = report_reader_create(images, sink, live);
    for (size_t at = 0; at < text.length; at += step)
        report_reader_feed(reader, text.at + at, text.length - at < step ? text.length - at : step);
    report_reader_end(reader);
    report_reader_destroy(reader);
    report_images_destroy(images);
}

static void see(void *context, const struct report *report)
{
    struct seen *seen = context;
    if (seen->count == 8)
        return;
    snprintf(seen->signatures[seen->count], 32, "%s", report->signature);
    snprintf(seen->titles[seen->count], 128, "%s", report->title);
    seen->corrupted[seen->count] = report->corrupted;
    const struct report_frame *frame = report->first_stack.first;
    for (; frame && !seen->count; frame = frame->next_in_stack) {
        seen->first.frames++;
        seen->first.exact += frame->role == REPORT_EXACT;
    }
    seen->count++;
}

struct seen report_look(struct text text)
{
    struct seen seen = {0};
    struct report_sink sink = {NULL, see, &seen};
    report_read(text, &sink, false, SIZE_MAX);
    return seen;
}

struct seen report_look_at(const char *words)
{
    return report_look((struct text){(char *)words, strlen(words)});
}
