// SPDX-License-Identifier: MIT
// The parser of the kernel command line and the listing of its parameters. Runs once, early, on
// the boot CPU, before there is any memory to allocate.
#include "kernel/boot/param.h"

#include <errno.h>
#include <string.h>

#include "kdebug/text.h"
#include "kernel/arch/boot.h"
#include "kernel/log/log.h"
#include "kernel/shell/command.h"

// String parameters point into it, so it lives for ever.
static char words[COMMAND_LINE_MAX];

static bool parse_number(const char *text, uint64_t *out)
{
    unsigned base = 10;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (*text == '\0')
        return false;
    uint64_t value = 0;
    for (; *text; text++) {
        unsigned digit = (unsigned char)*text | 0x20;
        digit = *text <= '9' ? (unsigned)(*text - '0') : digit - 'a' + 10;
        if (digit >= base || __builtin_mul_overflow(value, base, &value) ||
            __builtin_add_overflow(value, digit, &value))
            return false;
    }
    *out = value;
    return true;
}

static bool parse_flag(const char *text, bool *out)
{
    static const char *const yes[] = {"", "on", "1", "yes"};
    static const char *const no[] = {"off", "0", "no"};
    for (size_t i = 0; i < ARRAY_SIZE(yes); i++)
        if (strcmp(text, yes[i]) == 0)
            return *out = true;
    for (size_t i = 0; i < ARRAY_SIZE(no); i++)
        if (strcmp(text, no[i]) == 0) {
            *out = false;
            return true;
        }
    return false;
}

// `name` alone means "on", where that is one of the choices, as it does for a flag.
static bool parse_choice(const struct param *param, const char *text)
{
    if (*text == '\0')
        text = "on";
    for (unsigned i = 0; param->choices[i]; i++)
        if (strcmp(text, param->choices[i]) == 0) {
            *(unsigned *)param->value = i;
            return true;
        }
    return false;
}

static bool param_set(const struct param *param, const char *text)
{
    switch (param->kind) {
    case PARAM_FLAG_KIND:
        return parse_flag(text, param->value);
    case PARAM_NUMBER_KIND:
        return parse_number(text, param->value);
    case PARAM_STRING_KIND:
        *(const char **)param->value = text;
        return true;
    case PARAM_CHOICE_KIND:
        return parse_choice(param, text);
    }
    return false;
}

static const struct param *param_find(const char *name)
{
    TABLE_FOR_EACH (param, struct param, param)
        if (strcmp(param->name, name) == 0)
            return param;
    return NULL;
}

static void parse_word(char *word)
{
    char *value = strchr(word, '=');
    if (value)
        *value++ = '\0';
    const struct param *param = param_find(word);
    if (!param)
        log_warn("command line: unknown parameter \"%s\"", word);
    else if (!param_set(param, value ? value : ""))
        log_warn("command line: %s cannot be \"%s\" (%s)", word, value ? value : "", param->help);
}

void param_parse(const char *command_line)
{
    strlcpy(words, command_line, sizeof(words));
    for (char *at = words; *at;) {
        char *end = at;
        while (*end && *end != ' ')
            end++;
        bool last = *end == '\0';
        *end = '\0';
        if (end > at)
            parse_word(at);
        at = last ? end : end + 1;
    }
}

static void show_value(struct kd_text *out, const struct param *param)
{
    switch (param->kind) {
    case PARAM_FLAG_KIND:
        kd_text_string(out, *(bool *)param->value ? "on" : "off");
        break;
    case PARAM_NUMBER_KIND:
        kd_text_printf(out, "%llu", (unsigned long long)*(uint64_t *)param->value);
        break;
    case PARAM_STRING_KIND:
        if (*(const char **)param->value)
            kd_text_printf(out, "\"%s\"", *(const char **)param->value);
        else
            kd_text_string(out, "not given");
        break;
    case PARAM_CHOICE_KIND:
        kd_text_string(out, param->choices[*(unsigned *)param->value]);
        break;
    }
}

static int params_run(struct command_call *call)
{
    kd_text_printf(call->out, "command line: %s\n", boot_info.command_line);
    TABLE_FOR_EACH (param, struct param, param) {
        kd_text_printf(call->out, "  %-16s ", param->name);
        show_value(call->out, param);
        kd_text_printf(call->out, "\n%20s%s\n", "", param->help);
    }
    return 0;
}

COMMAND(params, "params", "params", "kernel command line parameters and their values", params_run,
        NULL);
