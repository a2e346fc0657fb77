// SPDX-License-Identifier: MIT
// panic() and the compiler's own ways to end. The report itself is kdebug's.
#include "kernel/panic.h"

#include "kdebug/kdebug.h"
#include "kernel/cpu/cpu.h"

_Noreturn __debugger_text void panic(const char *format, ...)
{
    cpu_pointers_repair((uintptr_t)__builtin_frame_address(0));
    va_list arguments;
    va_start(arguments, format);
    kd_vpanic(NULL, NULL, format, arguments);
}

_Noreturn void __stack_chk_fail(void);

// Called by code compiled with -fstack-protector-strong when a frame's canary has changed.
_Noreturn __debugger_text void __stack_chk_fail(void)
{
    panic("stack smashed: the canary of the calling frame has changed");
}
