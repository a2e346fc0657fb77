// SPDX-License-Identifier: MIT
// See address_word.h.
#include "fathom/address_word.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

struct wanted {
    const char *name;
    bool found;
    uint64_t address;
};

static bool take_first(const struct sym_symbol *symbol, void *argument)
{
    struct wanted *wanted = argument;
    wanted->found = true;
    wanted->address = symbol->place.address;
    return false;
}

static bool take_readable(const struct sym_symbol *symbol, void *argument)
{
    const struct wanted *wanted = argument;
    char *readable = sym_demangle(symbol->name);
    bool same = readable && !strcmp(readable, wanted->name);
    free(readable);
    return !same || take_first(symbol, argument);
}

// "name", "name+4", "name+0x10"; blanks around the name are none of it.
static uint64_t symbol_word(struct sym_module *module, const char *word)
{
    const char *plus = strchr(word, '+');
    size_t length = plus ? (size_t)(plus - word) : strcspn(word, " \t\r");
    while (length && isspace((unsigned char)word[length - 1]))
        length--;
    char *name = strndup(word, length);
    if (!name)
        abort();
    struct wanted wanted = {.name = name};
    struct error *error = sym_find(module, name, take_first, &wanted);
    if (!error && !wanted.found)
        error = sym_each_symbol(module, take_readable, &wanted);
    error_free(error); // a damaged symbol table has no such symbol
    free(name);
    if (!wanted.found)
        return 0;
    return wanted.address + (plus ? strtoull(plus + 1, NULL, 0) : 0);
}

uint64_t address_word(struct sym_module *module, const char *word)
{
    word += strspn(word, " \t");
    char *end;
    uint64_t number = strtoull(word, &end, 16);
    bool begins_as_number = end != word && *word != '-';
    if (begins_as_number && (!isalpha((unsigned char)*word) || !strchr(end, '+')))
        return number;
    return *word && *word != '\r' ? symbol_word(module, word) : 0;
}
