// SPDX-License-Identifier: MIT
// Doubly linked circular lists with the links inside the elements. The caller holds whatever lock
// protects the list; nothing here allocates or locks.
#pragma once

#include "kernel/lib/base.h"

struct list {
    struct list *next, *prev;
};

#define LIST_INIT(name)                                                                            \
    {                                                                                              \
        &(name), &(name)                                                                           \
    }

static inline void list_init(struct list *list)
{
    list->next = list->prev = list;
}

static inline bool list_empty(const struct list *list)
{
    return list->next == list;
}

static inline void list_insert_after(struct list *where, struct list *element)
{
    element->prev = where;
    element->next = where->next;
    where->next->prev = element;
    where->next = element;
}

static inline void list_push_front(struct list *list, struct list *element)
{
    list_insert_after(list, element);
}

static inline void list_push_back(struct list *list, struct list *element)
{
    list_insert_after(list->prev, element);
}

// Leaves the element pointing at itself, so that removing it twice is harmless.
static inline void list_remove(struct list *element)
{
    element->prev->next = element->next;
    element->next->prev = element->prev;
    list_init(element);
}

#define LIST_ENTRY(link, type, member) CONTAINER_OF(link, type, member)

// The current element must not be removed inside the loop.
#define LIST_FOR_EACH(list, type, member, var)                                                     \
    for (type *var = LIST_ENTRY((list)->next, type, member); &var->member != (list);               \
         var = LIST_ENTRY(var->member.next, type, member))
