# SPDX-License-Identifier: MIT
kernel.sources += \
    kernel/sync/held.c \
    kernel/sync/spinlock.c \
    kernel/sync/wait.c \
    kernel/sync/mutex.c \
    kernel/sync/rwlock.c \
    kernel/sync/condition.c \
    kernel/sync/patience.c \
    kernel/sync/locks_command.c \
    kernel/sync/lock_test.c
plain.sources += kernel/sync/patience.c

# Wrong orders must not compile: nothing to run, so not a program like the other unit tests.
lock-order.arch := $(firstword $(ARCHES))
.PHONY: test-lock-order
test-unit: test-lock-order
test-lock-order: $(BUILD)/$(lock-order.arch)$(if $(CONFIG),-$(CONFIG))/gen/offsets.h
	@echo "== lock order"
	@tests/unit/lock_order_test.sh $(cc.$(lock-order.arch)) $(all-cflags.$(lock-order.arch))
