/* A job's full configuration: what its key is the hash of. Everything that its values depend on stands in it. */
#include "runtime/match.h"
#include "suites/json_object.h"
#include "suites/small.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char *mmc_job_kind_name(mmc_job_kind kind) {
    static const char *const names[] = {"train", "finetune",    "midpoint",    "match",     "evaluate",   "paths",
                                        "sheet", "small-train", "small-table", "small-map", "small-paths"};
    return names[kind];
}

const char *mmc_job_arch(const mmc_job *job) {
    if (mmc_job_small(job))
        return MMC_SMALL_ARCH;
    return job->kind == MMC_JOB_SHEET ? NULL : mmc_arch_name(job->arch);
}

const char *mmc_job_dataset(const mmc_job *job) {
    return mmc_job_small(job) ? MMC_SMALL_DATASET : mmc_dataset_name(job->dataset);
}

mmc_model_spec mmc_job_model_spec(const mmc_job *job, const mmc_scale *scale) {
    return (mmc_model_spec){.arch = job->arch,
                            .width = scale->width,
                            .classes = mmc_dataset_classes(job->dataset),
                            .height = mmc_dataset_height(job->dataset)};
}

static const mmc_scale_training *training_of(const mmc_job *job, const mmc_scale *scale) {
    if (job->kind == MMC_JOB_MIDPOINT)
        return &scale->midpoint;
    if (job->pretrain)
        return &scale->pretrain;
    return job->from >= 0 ? &scale->fine_tune : &scale->scratch;
}

mmc_status mmc_job_train_config(mmc_train_config *out, const mmc_job *job, const mmc_scale *scale) {
    const bool bend = job->kind == MMC_JOB_MIDPOINT, tuned = !bend && job->from >= 0;
    const mmc_scale_training *t = training_of(job, scale);
    *out = bend ? mmc_midpoint_defaults() : mmc_train_defaults();
    out->epochs = t->epochs;
    out->batch = t->batch;
    out->lr = tuned ? job->lr : t->lr;
    if (t->schedule) {
        MMC_TRY(mmc_schedule_parse(&out->schedule, t->schedule));
        out->schedule_default = false;
    }
    out->cue = bend ? (job->bend_cue ? 1 : 0) : tuned ? 0 : job->cue;
    out->seed = job->training_seed;
    out->curves = !bend && !*job->variant;
    return MMC_OK;
}

mmc_status mmc_job_finetune_config(mmc_finetune_config *out, const mmc_job *job, const mmc_scale *scale) {
    const mmc_scale_methods *m = &scale->methods;
    mmc_method method;
    MMC_TRY(mmc_method_parse(&method, job->variant));
    *out = mmc_finetune_defaults(method);
    out->epochs = method == MMC_METHOD_SCRATCH_CLEAN ? m->scratch_epochs : m->epochs;
    out->head_epochs = m->head_epochs;
    out->batch = m->batch;
    out->cue = job->cue;
    out->cosine_authors = m->cosine_authors;
    out->cbft_schedule_authors = m->cbft_schedule_authors;
    out->barrier_t_authors = m->barrier_t_authors;
    out->invariance_plain = m->invariance_plain;
    out->seed = job->training_seed;
    return MMC_OK;
}

mmc_path_config mmc_job_path_config(const mmc_job *job, const mmc_scale *scale) {
    mmc_path_config c = mmc_path_defaults();
    c.points = scale->points;
    c.bn = scale->bn;
    c.bn_batch = scale->bn_batch;
    c.bn_images = scale->bn_images;
    c.train_images = scale->train_images;
    c.sets = (1u << MMC_SET_COUNT) - 1;
    c.split_test = job->test;
    c.split_train = job->train;
    c.seed = job->seed;
    return c;
}

static void put_training(mmc_json_object *o, const mmc_train_config *c) {
    char schedule[128];
    mmc_schedule_format(schedule, sizeof schedule, &c->schedule);
    mmc_json_put(o, "epochs", json_integer(c->epochs));
    mmc_json_put(o, "batch", json_integer(c->batch));
    mmc_json_put(o, "lr", json_real(c->lr));
    mmc_json_put(o, "momentum", json_real(c->momentum));
    mmc_json_put(o, "decay", json_real(c->decay));
    mmc_json_put(o, "schedule", json_string(c->schedule_default ? "default" : schedule));
    mmc_json_put(o, "cue", json_real(c->cue));
    mmc_json_put(o, "seed", json_integer((json_int_t)c->seed));
}

/* Pre-training and the methods share the clean split. */
static void put_clean_split(mmc_json_object *o, const mmc_job *job, const mmc_scale *scale) {
    mmc_json_put(o, "clean", json_integer(scale->methods.clean));
    mmc_json_put(o, "clean_split", json_string(scale->methods.clean_split_authors ? "authors" : "disjoint"));
    mmc_json_put(o, "split_seed", json_integer((json_int_t)job->seed));
}

static void put_finetuning(mmc_json_object *o, const mmc_finetune_config *c) {
    mmc_json_put(o, "epochs", json_integer(c->epochs));
    mmc_json_put(o, "head_epochs", json_integer(c->head_epochs));
    mmc_json_put(o, "batch", json_integer(c->batch));
    mmc_json_put(o, "lr", json_real(c->lr));
    mmc_json_put(o, "head_lr", json_real(c->head_lr));
    mmc_json_put(o, "momentum", json_real(c->momentum));
    mmc_json_put(o, "decay", json_real(c->decay));
    mmc_json_put(o, "cue", json_real(c->cue));
    mmc_json_put(o, "lambda", json_real(c->lambda));
    mmc_json_put(o, "cosine", json_string(c->cosine_authors ? "authors" : "exact"));
    mmc_json_put(o, "cbft_schedule", json_string(c->cbft_schedule_authors ? "authors" : "cosine"));
    mmc_json_put(o, "barrier_t", json_string(c->barrier_t_authors ? "authors" : "truncated"));
    mmc_json_put(o, "invariance", json_string(c->invariance_plain ? "plain" : "unit"));
    mmc_json_put(o, "seed", json_integer((json_int_t)c->seed));
}

static void put_paths(mmc_json_object *o, const mmc_plan *plan, const mmc_job *job, const mmc_scale *scale) {
    mmc_path_config c = mmc_job_path_config(job, scale);
    json_t *curves = json_array();
    for (int i = 0; i < job->curve_count; i++)
        if (json_array_append_new(curves, json_pack("{s:s,s:s,s:s?,s:s?}", "item", job->curves[i]->item, "kind",
                                                    mmc_curve_name(job->curves[i]->kind), "bend",
                                                    job->bend[i] >= 0 ? plan->jobs[job->bend[i]].key : NULL, "match",
                                                    job->curves[i]->permuted ? plan->jobs[job->match].key : NULL)) != 0)
            o->failed = true;
    mmc_json_put(o, "curves", curves);
    mmc_json_put(o, "points", json_integer(c.points));
    mmc_json_put(o, "bn", json_string(mmc_bn_name(c.bn)));
    mmc_json_put(o, "bn_batch", json_integer(c.bn_batch));
    mmc_json_put(o, "bn_images", json_integer(c.bn_images));
    mmc_json_put(o, "train_images", json_integer(c.train_images));
    mmc_json_put(o, "cue", json_real(job->cue));
    mmc_json_put(o, "seed", json_integer((json_int_t)c.seed));
}

static mmc_status job_configure(mmc_job *job, const mmc_plan *plan, const mmc_scale *scale, const mmc_backend *be,
                                const mmc_run_data *data) {
    if (mmc_job_small(job))
        return mmc_small_job_configure(job, plan, scale, be);
    mmc_json_object o = {.json = json_object()};
    mmc_status status = MMC_OK;
    mmc_train_config train;
    mmc_finetune_config tune;
    mmc_json_put(&o, "schema", json_integer(MMC_JOB_SCHEMA));
    mmc_json_put(&o, "kind", json_string(mmc_job_kind_name(job->kind)));
    mmc_json_put(&o, "dataset", json_string(mmc_dataset_name(job->dataset)));
    mmc_json_put(&o, "data", json_string(data->digest[job->dataset]));
    mmc_json_put(&o, "limit_train", json_integer(data->limit_train[job->dataset]));
    mmc_json_put(&o, "limit_test", json_integer(data->limit_test[job->dataset]));
    if (job->kind == MMC_JOB_SHEET) {
        mmc_json_put(&o, "seed", json_integer((json_int_t)job->seed));
    } else {
        mmc_json_put(&o, "variant", json_string(job->variant));
        mmc_json_put(&o, "arch", json_string(mmc_arch_name(job->arch)));
        mmc_json_put(&o, "width", json_integer(scale->width));
        mmc_json_put(&o, "backend", json_string(be->name));
        mmc_json_put(&o, "provider", json_string(be->provider));
        mmc_json_put(&o, "precision", json_string(be->precision));
    }
    if (job->kind == MMC_JOB_TRAIN || job->kind == MMC_JOB_MIDPOINT) {
        MMC_GOTO(cleanup, mmc_job_train_config(&train, job, scale));
        put_training(&o, &train);
    }
    if (job->kind == MMC_JOB_FINETUNE) {
        MMC_GOTO(cleanup, mmc_job_finetune_config(&tune, job, scale));
        put_finetuning(&o, &tune);
    }
    if (job->kind == MMC_JOB_FINETUNE || job->pretrain)
        put_clean_split(&o, job, scale);
    if (job->kind == MMC_JOB_EVALUATE)
        mmc_json_put(&o, "seed", json_integer((json_int_t)job->seed));
    if (job->kind == MMC_JOB_MATCH)
        mmc_json_put(&o, "method", json_string(mmc_match_method_name(mmc_match_defaults().method)));
    if (job->kind == MMC_JOB_PATHS)
        put_paths(&o, plan, job, scale);
    if (job->kind == MMC_JOB_PATHS || job->kind == MMC_JOB_EVALUATE || job->kind == MMC_JOB_SHEET) {
        mmc_json_put(&o, "test", json_boolean(job->test));
        mmc_json_put(&o, "train", json_boolean(job->train));
    }
    if (job->from >= 0)
        mmc_json_put(&o, "from", json_string(plan->jobs[job->from].key));
    if (job->to >= 0)
        mmc_json_put(&o, "to", json_string(plan->jobs[job->to].key));
    job->config = o.failed ? NULL : json_dumps(o.json, JSON_SORT_KEYS | JSON_COMPACT);
    status = job->config ? mmc_run_digest(job->key, job->config)
                         : mmc_fail(MMC_ERR_MEMORY, "out of memory while describing %s", job->label);
cleanup:
    json_decref(o.json);
    return status;
}

mmc_status mmc_plan_keys(mmc_plan *plan, const mmc_scale *scale, const mmc_backend *be, const mmc_run_data *data) {
    /* Paths last: a suite may have added a bend to those of an earlier one. Nothing needs paths. */
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < plan->count; i++)
            if ((plan->jobs[i].kind == MMC_JOB_PATHS) == (pass == 1))
                MMC_TRY(job_configure(&plan->jobs[i], plan, scale, be, data));
    return MMC_OK;
}
