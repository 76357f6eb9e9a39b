#include "runtime/recording.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

/* Field by field: padding between them may hold anything. */
static bool same_key(const mmc_recording_key *a, const mmc_recording_key *b) {
    bool same = a->kind == b->kind;
    for (int i = 0; i < MMC_RECORDING_SHAPE; i++)
        same &= a->shape[i] == b->shape[i];
    for (int i = 0; i < MMC_RECORDING_ADDRESSES; i++)
        same &= a->address[i] == b->address[i];
    return same;
}

static mmc_recording *find(mmc_recordings *r, const mmc_recording_key *key) {
    for (int i = 0; i < MMC_RECORDINGS; i++)
        if (r->entry[i].used && same_key(&r->entry[i].key, key))
            return &r->entry[i];
    return NULL;
}

/* A free entry, or the one unused for longest, emptied: what it recorded may still be running. */
static mmc_status make_room(mmc_recordings *r, mmc_backend *be, mmc_recording **out) {
    mmc_recording *oldest = &r->entry[0];
    for (int i = 1; i < MMC_RECORDINGS; i++)
        if (r->entry[i].used < oldest->used)
            oldest = &r->entry[i];
    if (oldest->graph) {
        MMC_TRY(be->memory->sync(be));
        be->graph->free(be, oldest->graph);
    }
    *oldest = (mmc_recording){0};
    *out = oldest;
    return MMC_OK;
}

/* Records the body. Where it fails the recording is ended all the same, and its own message is kept. */
static mmc_status record(mmc_backend *be, mmc_graph **out, mmc_recording_body body, void *user) {
    mmc_graph *graph = NULL;
    MMC_TRY(be->graph->begin(be));
    mmc_status status = body(user);
    if (status != MMC_OK) {
        char message[MESSAGE_BYTES];
        snprintf(message, sizeof message, "%s", mmc_error_message());
        if (be->graph->end(be, &graph) == MMC_OK)
            be->graph->free(be, graph);
        return mmc_fail(status, "%s", message);
    }
    MMC_TRY(be->graph->end(be, &graph));
    *out = graph;
    return MMC_OK;
}

mmc_status mmc_recordings_run(mmc_recordings *r, mmc_backend *be, const mmc_recording_key *key, mmc_recording_body body,
                              void *user) {
    if (!be->graph)
        return body(user);
    mmc_recording *entry = find(r, key);
    if (!entry) {
        MMC_TRY(make_room(r, be, &entry));
        MMC_TRY(body(user));
        entry->key = *key;
        entry->used = ++r->clock;
        return MMC_OK;
    }
    entry->used = ++r->clock;
    if (!entry->graph)
        MMC_TRY(record(be, &entry->graph, body, user));
    return be->graph->launch(be, entry->graph);
}

void mmc_recordings_close(mmc_recordings *r, mmc_backend *be) {
    bool waited = false;
    for (int i = 0; i < MMC_RECORDINGS; i++) {
        if (!r->entry[i].graph)
            continue;
        if (!waited)
            (void)be->memory->sync(be); /* a failure of earlier work is reported by whoever reads its result */
        waited = true;
        be->graph->free(be, r->entry[i].graph);
    }
    memset(r, 0, sizeof *r);
}
