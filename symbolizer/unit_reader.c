// SPDX-License-Identifier: MIT
// See unit_reader.h. Unit n is read into slot n modulo their number, once the caller is done with
// what was there before: between `given` and `given` + SLOTS are the units that are being read or
// wait to be given. `lock` guards the numbers and `full`; a slot's unit belongs to the thread that
// reads it until `full` is set, and to the caller then.
#include "symbolizer/unit_reader.h"

#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

enum { SLOTS = 8, THREADS_MAX = 3 };

struct slot {
    struct sym_unit unit;
    struct error *error;
    bool full;
};

struct unit_reader {
    struct sym_dwarf *dwarf;
    unsigned parts;
    size_t count;
    size_t begun; // units below are read or being read
    size_t given; // units below are done with
    bool stop;
    bool giving; // the caller has unit `given`
    struct slot slots[SLOTS];
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
};

static void read_slot(struct unit_reader *reader, size_t number)
{
    struct slot *slot = &reader->slots[number % SLOTS];
    slot->error = sym_unit_read(reader->dwarf, number, reader->parts, &slot->unit);
}

static void *read_units(void *argument)
{
    struct unit_reader *reader = argument;
    pthread_mutex_lock(&reader->lock);
    while (!reader->stop && reader->begun < reader->count) {
        if (reader->begun >= reader->given + SLOTS) {
            pthread_cond_wait(&reader->changed, &reader->lock);
            continue;
        }
        size_t number = reader->begun++;
        pthread_mutex_unlock(&reader->lock);
        read_slot(reader, number);
        pthread_mutex_lock(&reader->lock);
        reader->slots[number % SLOTS].full = true;
        pthread_cond_broadcast(&reader->changed);
    }
    pthread_mutex_unlock(&reader->lock);
    return NULL;
}

struct unit_reader *unit_reader_create(struct sym_dwarf *dwarf, unsigned parts)
{
    struct unit_reader *reader = calloc(1, sizeof(*reader));
    if (!reader)
        return NULL;
    reader->dwarf = dwarf;
    reader->parts = parts;
    reader->count = sym_dwarf_unit_count(dwarf);
    pthread_mutex_init(&reader->lock, NULL);
    pthread_cond_init(&reader->changed, NULL);
    // The caller is busy too. One that cannot be started is done without, and all of them.
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t wanted = processors > THREADS_MAX ? THREADS_MAX : processors > 2 ? 2 : 1;
    while (reader->count > 1 && reader->thread_count < wanted &&
           !pthread_create(&reader->threads[reader->thread_count], NULL, read_units, reader))
        reader->thread_count++;
    return reader;
}

void unit_reader_destroy(struct unit_reader *reader)
{
    if (!reader)
        return;
    pthread_mutex_lock(&reader->lock);
    reader->stop = true;
    pthread_cond_broadcast(&reader->changed);
    pthread_mutex_unlock(&reader->lock);
    for (size_t i = 0; i < reader->thread_count; i++)
        pthread_join(reader->threads[i], NULL);
    for (size_t i = 0; i < SLOTS; i++) {
        error_free(reader->slots[i].error);
        sym_unit_deinit(&reader->slots[i].unit);
    }
    pthread_cond_destroy(&reader->changed);
    pthread_mutex_destroy(&reader->lock);
    free(reader);
}

struct sym_unit *unit_reader_next(struct unit_reader *reader, struct error **error)
{
    pthread_mutex_lock(&reader->lock);
    if (reader->giving) {
        reader->slots[reader->given++ % SLOTS].full = false;
        pthread_cond_broadcast(&reader->changed);
    }
    reader->giving = reader->given < reader->count;
    struct slot *slot = &reader->slots[reader->given % SLOTS];
    if (reader->giving && !reader->thread_count)
        read_slot(reader, reader->given);
    while (reader->giving && reader->thread_count && !slot->full)
        pthread_cond_wait(&reader->changed, &reader->lock);
    pthread_mutex_unlock(&reader->lock);
    if (!reader->giving)
        return NULL;
    *error = slot->error;
    slot->error = NULL;
    return &slot->unit;
}
