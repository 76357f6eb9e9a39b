#include "runtime/finetune_lpft.h"

#include "runtime/frozen.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Hooks of a stage that count on from the stages before it. */
typedef struct stage_hooks {
    const mmc_train_hooks *outer;
    int epochs_before, epochs; /* of all stages */
    int32_t images;            /* of an epoch */
    int64_t steps_before;
} stage_hooks;

static void stage_report(void *user, const mmc_progress_event *event) {
    const stage_hooks *s = user;
    mmc_progress_event shifted = *event;
    if (event->epochs > 0) {
        shifted.epoch += s->epochs_before;
        shifted.epochs = s->epochs;
        shifted.done += (int64_t)s->epochs_before * s->images;
        shifted.total = (int64_t)s->epochs * s->images;
    }
    s->outer->progress.report(s->outer->progress.user, &shifted);
}

static void stage_epoch(void *user, const mmc_epoch_row *row) {
    const stage_hooks *s = user;
    mmc_epoch_row shifted = *row;
    shifted.epoch += s->epochs_before;
    s->outer->on_epoch(s->outer->user, &shifted);
}

static void stage_step(void *user, int64_t step, double loss, double lr) {
    const stage_hooks *s = user;
    s->outer->on_step(s->outer->user, s->steps_before + step, loss, lr);
}

static mmc_train_hooks wrap(stage_hooks *s) {
    mmc_train_hooks hooks = {.user = s};
    if (!s->outer)
        return hooks;
    hooks.progress = s->outer->progress;
    hooks.progress.user = s;
    if (s->outer->progress.report)
        hooks.progress.report = stage_report;
    if (s->outer->on_epoch)
        hooks.on_epoch = stage_epoch;
    if (s->outer->on_step)
        hooks.on_step = stage_step;
    return hooks;
}

mmc_status mmc_finetune_state_path(char **out, const char *state_path, mmc_method method, int stage) {
    const size_t size = strlen(state_path) + 16;
    *out = malloc(size);
    if (!*out)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for the name of the training state");
    if (method != MMC_METHOD_LPFT)
        snprintf(*out, size, "%s", state_path);
    else if (stage == 0)
        snprintf(*out, size, "%s.head", state_path);
    else
        snprintf(*out, size, "%s.rate%d", state_path, stage);
    return MMC_OK;
}

/* The stages so far. */
typedef struct lpft {
    const mmc_finetune_job *job;
    stage_hooks counted;
    mmc_train_result head, best;
    mmc_score score; /* of best */
    mmc_epoch_row *rows;
    int row_count;
} lpft;

static void add_rows(lpft *l, const mmc_train_result *stage) {
    for (int i = 0; i < stage->epoch_count; i++) {
        l->rows[l->row_count] = stage->epochs[i];
        l->rows[l->row_count].epoch = l->row_count + 1;
        l->row_count++;
    }
}

static mmc_status run_stage(lpft *l, mmc_train_result *out, int stage, const float *start, double rate) {
    const mmc_clean_split *split = l->job->config->split;
    mmc_train_hooks hooks = wrap(&l->counted);
    mmc_finetune_job job = *l->job;
    char *path = NULL;
    if (job.state_path)
        MMC_TRY(mmc_finetune_state_path(&path, job.state_path, MMC_METHOD_LPFT, stage));
    job.state_path = path;
    job.start = start;
    job.hooks = &hooks;
    job.item_count = split->clean_count - split->validation_count;
    mmc_status status = stage == 0 ? mmc_head_run(out, &job) : mmc_finetune_whole(out, &job, rate);
    free(path);
    if (status != MMC_OK)
        return status;
    const int batch = job.config->batch < job.item_count ? job.config->batch : job.item_count;
    add_rows(l, out);
    l->counted.epochs_before += out->epoch_count;
    l->counted.steps_before += (int64_t)out->epoch_count * ((job.item_count + batch - 1) / batch);
    return MMC_OK;
}

/* Keeps the better of the best so far and `next`, whose state it takes over. */
static mmc_status compare(lpft *l, mmc_train_result *next) {
    const mmc_finetune_job *job = l->job;
    const mmc_clean_split *split = job->config->split;
    const mmc_frozen_pass pass = {.be = job->be,
                                  .model = job->model,
                                  .data = job->data,
                                  .items = split->clean + split->clean_count - split->validation_count,
                                  .count = split->validation_count};
    mmc_score score;
    MMC_TRY(mmc_frozen_run(&pass, next->state, NULL, &score));
    if (l->best.state &&
        (score.accuracy < l->score.accuracy || (score.accuracy == l->score.accuracy && score.loss >= l->score.loss)))
        return MMC_OK;
    const mmc_train_result before = l->best;
    l->best = *next;
    l->score = score;
    *next = before;
    return MMC_OK;
}

static mmc_status run_stages(lpft *l, int64_t *images) {
    static const double share[MMC_LPFT_RATES] = {1, 10, 100};
    MMC_TRY(run_stage(l, &l->head, 0, l->job->start, 0));
    *images = l->head.images;
    for (int i = 0; i < MMC_LPFT_RATES; i++) {
        mmc_train_result next = {0};
        mmc_status status = run_stage(l, &next, 1 + i, l->head.state, l->job->config->lr / share[i]);
        *images += next.images;
        if (status == MMC_OK)
            status = compare(l, &next);
        mmc_train_result_close(&next);
        MMC_TRY(status);
    }
    return MMC_OK;
}

mmc_status mmc_lpft_run(mmc_train_result *out, const mmc_finetune_job *job) {
    mmc_status status = MMC_OK;
    const mmc_clean_split *split = job->config->split;
    const int epochs = mmc_finetune_epochs(job->config);
    lpft l = {
        .job = job,
        .counted = {.outer = job->hooks, .epochs = epochs, .images = split->clean_count - split->validation_count}};
    l.rows = malloc(((size_t)epochs + 1) * sizeof *l.rows);
    if (!l.rows) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory: rows of %d epochs", epochs);
        goto cleanup;
    }
    MMC_GOTO(cleanup, run_stages(&l, &out->images));
    out->state = l.best.state;
    out->rate = l.best.rate;
    out->validation = l.score.accuracy;
    out->epochs = l.rows;
    out->epoch_count = l.row_count;
    l.best.state = NULL;
    l.rows = NULL;
cleanup:
    mmc_train_result_close(&l.head);
    mmc_train_result_close(&l.best);
    free(l.rows);
    return status;
}
