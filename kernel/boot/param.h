// SPDX-License-Identifier: MIT
// Parameters of the kernel command line: name=value words, parsed once, one row each:
//
//     static uint64_t failnth;
//     PARAM_NUMBER(failnth, "failnth", &failnth, "make the N-th allocation fail");
//
// `help params` in the shell and docs/kernel-parameters.md list the same rows.
#pragma once

#include "kernel/lib/base.h"
#include "kernel/lib/table.h"

enum param_kind { PARAM_FLAG_KIND, PARAM_NUMBER_KIND, PARAM_STRING_KIND, PARAM_CHOICE_KIND };

struct param {
    const char *name;
    enum param_kind kind;
    void *value;                // bool, uint64_t, const char * or unsigned, by kind
    const char *const *choices; // PARAM_CHOICE: NULL-terminated; the value is the index
    const char *help;
};
TABLE_DECLARE(param, struct param);

// `name` alone sets the flag; name=on|off|1|0 too.
#define PARAM_FLAG(ident, name, value, help)                                                       \
    TABLE_ROW(param, struct param, param_##ident) = {name, PARAM_FLAG_KIND, value, NULL, help}
#define PARAM_NUMBER(ident, name, value, help)                                                     \
    TABLE_ROW(param, struct param, param_##ident) = {name, PARAM_NUMBER_KIND, value, NULL, help}
// The string lives for ever. `name` alone gives "".
#define PARAM_STRING(ident, name, value, help)                                                     \
    TABLE_ROW(param, struct param, param_##ident) = {name, PARAM_STRING_KIND, value, NULL, help}
// `name` alone means "on" where that is a choice, and is refused where it is not.
#define PARAM_CHOICE(ident, name, value, choices, help)                                            \
    TABLE_ROW(param, struct param, param_##ident) = {name, PARAM_CHOICE_KIND, value, choices, help}

// Parses boot_info.command_line; unknown names and bad values are logged by name and skipped.
void param_parse(const char *command_line);
