// SPDX-License-Identifier: MIT
// Groups of reports by signature, for `fathom decode --dedup`. See writers.h.
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "symbolizer/report/writers.h"

struct group {
    const char *signature, *title, *kind;
    const char **logs; // each once
    size_t log_count;
    size_t count;
};

struct report_groups {
    struct group *at;
    size_t count;
    const char *log; // being read
    struct report_arena texts;
};

struct report_groups *report_groups_create(void)
{
    struct report_groups *groups = calloc(1, sizeof(*groups));
    if (!groups)
        abort();
    return groups;
}

void report_groups_destroy(struct report_groups *groups)
{
    if (!groups)
        return;
    for (size_t i = 0; i < groups->count; i++)
        free(groups->at[i].logs);
    free(groups->at);
    report_arena_deinit(&groups->texts);
    free(groups);
}

static const char *keep(struct report_groups *groups, const char *text)
{
    return report_printable(&groups->texts, text, strlen(text), NULL);
}

static struct group *group_of(struct report_groups *groups, const struct report *report)
{
    for (size_t i = 0; i < groups->count; i++)
        if (!strcmp(groups->at[i].signature, report->signature))
            return &groups->at[i];
    groups->at = reallocarray(groups->at, groups->count + 1, sizeof(*groups->at));
    if (!groups->at)
        abort();
    struct group *group = &groups->at[groups->count++];
    *group = (struct group){.signature = keep(groups, report->signature),
                            .title = keep(groups, report->title),
                            .kind = keep(groups, report->kind)};
    return group;
}

static void groups_report(void *context, const struct report *report)
{
    struct report_groups *groups = context;
    struct group *group = group_of(groups, report);
    group->count++;
    if (group->log_count && !strcmp(group->logs[group->log_count - 1], groups->log))
        return;
    group->logs = reallocarray(group->logs, group->log_count + 1, sizeof(*group->logs));
    if (!group->logs)
        abort();
    group->logs[group->log_count++] = groups->log;
}

struct report_sink report_groups_sink(struct report_groups *groups, const char *name)
{
    groups->log = keep(groups, name);
    return (struct report_sink){NULL, groups_report, groups};
}

static int by_count(const void *a, const void *b)
{
    const struct group *left = a, *right = b;
    if (left->count != right->count)
        return left->count < right->count ? 1 : -1;
    return strcmp(left->signature, right->signature);
}

static void write_json(const struct group *group, FILE *to)
{
    json_t *logs = json_array();
    for (size_t i = 0; i < group->log_count; i++)
        json_array_append_new(logs, json_string(group->logs[i]));
    json_t *object = json_pack("{s:s, s:I, s:s, s:s, s:o}", "sig", group->signature, "count",
                               (json_int_t)group->count, "kind", group->kind, "title", group->title,
                               "logs", logs);
    json_dumpf(object, to, JSON_COMPACT | JSON_PRESERVE_ORDER);
    fputc('\n', to);
    json_decref(object);
}

static void write_text(const struct group *group, FILE *to)
{
    fprintf(to, "%6zu  %s  %s\n", group->count, group->signature, group->title);
    for (size_t i = 0; i < group->log_count; i++)
        fprintf(to, "        %s\n", group->logs[i]);
}

void report_groups_write(const struct report_groups *groups, FILE *to, bool json)
{
    if (groups->count)
        qsort(groups->at, groups->count, sizeof(*groups->at), by_count);
    for (size_t i = 0; i < groups->count; i++)
        (json ? write_json : write_text)(&groups->at[i], to);
}
