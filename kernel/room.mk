# SPDX-License-Identifier: MIT
# The operating system. It knows the debugger by its public headers; nothing of gdbstub.
kernel.includes := kernel kdebug
