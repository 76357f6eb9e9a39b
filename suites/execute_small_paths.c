/* Linear paths between small models, before and after matching (Figure 13). */
#include "suites/execute_small.h"

#include "runtime/small_match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* One seed: its models, its data, and room for the points of a path. */
typedef struct paths {
    const mmc_execution *x;
    const mmc_job *job;
    mmc_small_config config;
    int seed, points;
    size_t weights;
    const float *w;          /* (models, weights) */
    mmc_small_data train;    /* of the model at t = 0: what matching correlates over */
    mmc_small_data test;     /* both attributes predictive */
    float *permuted, *curve; /* (weights), (points, weights) */
    float *fraction;         /* (models, test samples) */
    int32_t *permutation;
    mmc_small_score *score; /* (points) */
} paths;

static mmc_status row(const paths *p, const char *item, const char *metric, double t, double value, int64_t n) {
    mmc_small_row r = {.set = "D04", .metric = metric, .seed = p->seed, .t = t, .value = value, .n = n};
    snprintf(r.item, sizeof r.item, "%s", item);
    return mmc_small_row_write(p->x, p->job, &r);
}

/* Barrier: how far loss rises above the straight line between the ends; dip: how far accuracy falls below the worse
 * end. */
static mmc_status summary_rows(const paths *p, const char *item) {
    const mmc_small_score *first = &p->score[0], *last = &p->score[p->points - 1];
    double barrier = -INFINITY, lowest = INFINITY;
    for (int i = 0; i < p->points; i++) {
        const double t = i / (double)(p->points - 1);
        barrier = fmax(barrier, p->score[i].loss - ((1 - t) * first->loss + t * last->loss));
        lowest = fmin(lowest, p->score[i].accuracy);
    }
    MMC_TRY(row(p, item, "barrier", NAN, barrier, p->test.samples));
    return row(p, item, "dip", NAN, fmin(first->accuracy, last->accuracy) - lowest, p->test.samples);
}

static mmc_status path_rows(const paths *p, const char *item, const float *from, const float *to) {
    for (int i = 0; i < p->points; i++) {
        const double t = i / (double)(p->points - 1);
        for (size_t k = 0; k < p->weights; k++)
            p->curve[(size_t)i * p->weights + k] = (float)((1 - t) * (double)from[k] + t * (double)to[k]);
    }
    MMC_TRY(mmc_small_evaluate(p->score, p->x->be, &p->config, p->curve, p->points, &p->test, NULL));
    for (int i = 0; i < p->points; i++) {
        const double t = i / (double)(p->points - 1);
        MMC_TRY(row(p, item, "accuracy", t, p->score[i].accuracy, p->test.samples));
        MMC_TRY(row(p, item, "loss", t, p->score[i].loss, p->test.samples));
    }
    return summary_rows(p, item);
}

static mmc_status train_draw(paths *p, unsigned predictive) {
    mmc_small_data_close(&p->train);
    return mmc_small_data_draw(&p->train, p->config.train, p->config.inputs, p->config.margin,
                               p->job->seed + (uint64_t)p->seed, MMC_SMALL_TRAIN, predictive);
}

static mmc_status pair_rows(paths *p, int pair) {
    const int a = mmc_small_pairs[pair].from, b = mmc_small_pairs[pair].to;
    const float *from = p->w + (size_t)a * p->weights, *to = p->w + (size_t)b * p->weights;
    const size_t samples = (size_t)p->test.samples;
    char item[16], permuted[32];
    mmc_small_match_result match;
    mmc_small_pair_name(item, pair);
    snprintf(permuted, sizeof permuted, "%s-permuted", item);
    MMC_TRY(path_rows(p, item, from, to));
    MMC_TRY(row(p, item, "w1", NAN,
                mmc_small_pattern_distance(p->fraction + (size_t)a * samples, p->fraction + (size_t)b * samples,
                                           p->test.samples),
                p->test.samples));
    MMC_TRY(train_draw(p, mmc_small_models[a].predictive));
    MMC_TRY(mmc_small_match(&match, p->permuted, p->permutation, p->x->be, &p->config, from, to, &p->train));
    MMC_TRY(row(p, permuted, "score", NAN, match.score, match.samples));
    MMC_TRY(row(p, permuted, "duality_gap", NAN, match.duality_gap, match.samples));
    MMC_TRY(row(p, permuted, "max_logit_difference", NAN, match.max_output_difference, match.samples));
    return path_rows(p, permuted, from, p->permuted);
}

static mmc_status seed_open(paths *p, int seed) {
    const mmc_small_config *c = &p->config;
    p->seed = seed;
    mmc_small_data_close(&p->test);
    MMC_TRY(mmc_small_data_draw(&p->test, c->test, c->inputs, c->margin, p->job->seed + (uint64_t)seed, MMC_SMALL_TEST,
                                MMC_SMALL_BOTH));
    mmc_small_score score[MMC_SMALL_MODELS];
    return mmc_small_evaluate(score, p->x->be, c, p->w, MMC_SMALL_MODELS, &p->test, p->fraction);
}

static mmc_status interrupted(const mmc_execution *x) {
    if (x->request->interrupted && *x->request->interrupted)
        return mmc_fail(MMC_ERR_INTERRUPTED, "interrupted on the paths of the small model");
    return MMC_OK;
}

static mmc_status paths_open(paths *p, const mmc_execution *x, const mmc_job *job) {
    *p = (paths){.x = x, .job = job, .config = mmc_small_job_config(job, x->scale), .points = x->scale->points};
    const size_t points = (size_t)p->points, hidden = (size_t)p->config.hidden;
    p->weights = mmc_small_weights(&p->config);
    p->permuted = malloc(p->weights * sizeof *p->permuted);
    p->curve = malloc(points * p->weights * sizeof *p->curve);
    p->fraction = malloc((size_t)MMC_SMALL_MODELS * (size_t)p->config.test * sizeof *p->fraction);
    p->permutation = malloc(hidden * sizeof *p->permutation);
    p->score = malloc(points * sizeof *p->score);
    if (!p->permuted || !p->curve || !p->fraction || !p->permutation || !p->score)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d points between small models", p->points);
    return MMC_OK;
}

static void paths_close(paths *p) {
    mmc_small_data_close(&p->train);
    mmc_small_data_close(&p->test);
    free(p->permuted);
    free(p->curve);
    free(p->fraction);
    free(p->permutation);
    free(p->score);
}

mmc_status mmc_job_execute_small_paths(const mmc_execution *x, const mmc_job *job) {
    paths p;
    float *w = NULL;
    mmc_status status = paths_open(&p, x, job);
    if (status == MMC_OK)
        status = mmc_small_models_read(&w, x, job);
    for (int s = 0; status == MMC_OK && s < job->seeds; s++) {
        p.w = w + (size_t)s * MMC_SMALL_MODELS * p.weights;
        status = seed_open(&p, s);
        for (int i = 0; status == MMC_OK && i < MMC_SMALL_PAIRS; i++) {
            status = pair_rows(&p, i);
            if (status == MMC_OK)
                status = interrupted(x);
        }
    }
    free(w);
    paths_close(&p);
    return status;
}
