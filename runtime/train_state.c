#include "runtime/train_state.h"

#include "runtime/safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROW_FIELDS = 7, TENSORS = 4 };

static void pack_row(double out[ROW_FIELDS], const mmc_epoch_row *row) {
    const double v[ROW_FIELDS] = {row->epoch,        row->loss,    row->accuracy, row->lr,
                                  row->images_per_s, row->test_nc, row->test_c};
    memcpy(out, v, sizeof v);
}

static mmc_epoch_row unpack_row(const double v[ROW_FIELDS]) {
    return (mmc_epoch_row){.epoch = (int)v[0],
                           .loss = v[1],
                           .accuracy = v[2],
                           .lr = v[3],
                           .images_per_s = v[4],
                           .test_nc = v[5],
                           .test_c = v[6]};
}

static mmc_safetensor matrix(const char *name, mmc_dtype dtype, int64_t rows, int64_t columns, const void *data) {
    return (mmc_safetensor){.name = (char *)name,
                            .dtype = dtype,
                            .rank = 2,
                            .shape = {rows, columns},
                            .count = (size_t)(rows * columns),
                            .data = data};
}

mmc_status mmc_train_state_write(const mmc_train_state *s, const char *path, const char *fingerprint) {
    double *rows = malloc(((size_t)s->epochs_done + 1) * ROW_FIELDS * sizeof *rows);
    if (!rows)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d rows of the training state", s->epochs_done);
    for (int i = 0; i < s->epochs_done; i++)
        pack_row(rows + ROW_FIELDS * i, &s->rows[i]);
    const mmc_safetensor tensors[TENSORS] = {
        matrix("weights", MMC_DTYPE_F32, s->vectors, (int64_t)s->state_count, s->weights),
        matrix("velocity", MMC_DTYPE_F32, s->vectors, (int64_t)s->parameter_count, s->velocity),
        matrix("epochs", MMC_DTYPE_F64, s->epochs_done, ROW_FIELDS, rows),
        matrix("steps", MMC_DTYPE_F64, s->steps_done, 2, s->tally),
    };
    const char *keys[] = {"content", "fingerprint"};
    const char *values[] = {"training state", fingerprint};
    mmc_status status = mmc_safetensors_write(path, tensors, TENSORS, keys, values, 2);
    free(rows);
    return status;
}

/* Says which word of the two fingerprints differs first. */
static mmc_status mismatch(const char *path, const char *kept, const char *wanted) {
    while (*kept && *wanted) {
        size_t a = strcspn(kept, ";"), b = strcspn(wanted, ";");
        if (a != b || memcmp(kept, wanted, a) != 0)
            break;
        kept += a + (kept[a] == ';');
        wanted += b + (wanted[b] == ';');
    }
    return mmc_fail(MMC_ERR_MISMATCH,
                    "%s is the state of another run (it says \"%.*s\", this run says \"%.*s\"), so going on would not "
                    "give the same weights; use the same options, threads and libraries, or remove the file",
                    path, (int)strcspn(kept, ";"), kept, (int)strcspn(wanted, ";"), wanted);
}

static mmc_status take(void *out, const mmc_safetensors *file, const char *path, const char *name, mmc_dtype dtype,
                       int64_t rows_min, int64_t rows_max, int64_t columns, int64_t *rows) {
    const mmc_safetensor *t = mmc_safetensors_find(file, name);
    if (!t || t->dtype != dtype || t->rank != 2 || t->shape[0] < rows_min || t->shape[0] > rows_max ||
        t->shape[1] != columns)
        return mmc_fail(MMC_ERR_FORMAT, "%s: tensor %s is missing or has another shape; remove the file to start anew",
                        path, name);
    if (t->count)
        memcpy(out, t->data, t->count * mmc_dtype_size(dtype));
    *rows = t->shape[0];
    return MMC_OK;
}

mmc_status mmc_train_state_read(mmc_train_state *s, bool *found, const char *path, const char *fingerprint) {
    mmc_safetensors file = {0};
    double *rows = NULL;
    int64_t count = 0;
    *found = false;
    mmc_status status = mmc_safetensors_open(&file, path);
    if (status == MMC_ERR_MISSING)
        return MMC_OK;
    if (status != MMC_OK)
        return status;
    const char *kept = mmc_safetensors_metadata(&file, "fingerprint");
    if (!kept || strcmp(kept, fingerprint) != 0) {
        status = mismatch(path, kept ? kept : "", fingerprint);
        goto cleanup;
    }
    rows = malloc(((size_t)s->rows_max + 1) * ROW_FIELDS * sizeof *rows);
    if (!rows) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: %d rows of the training state", s->rows_max);
        goto cleanup;
    }
    MMC_GOTO(cleanup, take(s->weights, &file, path, "weights", MMC_DTYPE_F32, s->vectors, s->vectors,
                           (int64_t)s->state_count, &count));
    MMC_GOTO(cleanup, take(s->velocity, &file, path, "velocity", MMC_DTYPE_F32, s->vectors, s->vectors,
                           (int64_t)s->parameter_count, &count));
    MMC_GOTO(cleanup, take(rows, &file, path, "epochs", MMC_DTYPE_F64, 0, s->rows_max, ROW_FIELDS, &count));
    s->epochs_done = (int)count;
    for (int i = 0; i < s->epochs_done; i++)
        s->rows[i] = unpack_row(rows + ROW_FIELDS * i);
    MMC_GOTO(cleanup, take(s->tally, &file, path, "steps", MMC_DTYPE_F64, 0, s->steps_max, 2, &count));
    s->steps_done = count;
    *found = true;
cleanup:
    free(rows);
    mmc_safetensors_close(&file);
    return status;
}

static size_t bytes_of(const mmc_train_state *s, size_t count) {
    return (size_t)s->vectors * count * sizeof(float);
}

mmc_status mmc_train_state_download(mmc_train_state *s, mmc_backend *be, const void *weights, const void *velocity) {
    MMC_TRY(be->memory->download(be, s->weights, weights, bytes_of(s, s->state_count)));
    return be->memory->download(be, s->velocity, velocity, bytes_of(s, s->parameter_count));
}

mmc_status mmc_train_state_upload(const mmc_train_state *s, mmc_backend *be, void *weights, void *velocity) {
    MMC_TRY(be->memory->upload(be, weights, s->weights, bytes_of(s, s->state_count)));
    return be->memory->upload(be, velocity, s->velocity, bytes_of(s, s->parameter_count));
}
