#define _POSIX_C_SOURCE 200809L
#include "suites/rates.h"

#include "reports/record.h"
#include "reports/select.h"
#include "runtime/clock.h"
#include "runtime/data.h"
#include "runtime/network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PROBE_IMAGES = 64, PROBE_TRIES = 20, RATES_MAX = 8 };
#define PROBE_S 0.3 /* tried again until this long, for the best: a busy machine must not tell the rate */

typedef struct known_rate {
    mmc_model_spec spec;
    double flop_per_s;
    char source[224];
} known_rate;

struct mmc_rates {
    mmc_backend *be;
    const char *bench;
    mmc_record_set records; /* of bench */
    known_rate known[RATES_MAX];
    int count;
};

/* --- one forward ---------------------------------------------------------------------------------------------------
 */

typedef struct probe {
    mmc_model *model;
    mmc_network *net;
    float *state, *images;
    void *device;
} probe;

static mmc_status probe_open(probe *p, mmc_backend *be, const mmc_model_spec *spec) {
    MMC_TRY(mmc_model_create(&p->model, spec));
    size_t size = p->model->state_count * sizeof(float);
    p->state = malloc(size);
    p->images = calloc((size_t)PROBE_IMAGES * 3 * (size_t)spec->height * MMC_IMAGE_SIDE, sizeof(float));
    if (!p->state || !p->images)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a probe of %zu bytes", size);
    mmc_model_init(p->model, p->state, 1, MMC_RNG_INIT, 0);
    MMC_TRY(be->memory->alloc(be, &p->device, size));
    MMC_TRY(be->memory->upload(be, p->device, p->state, size));
    MMC_TRY(mmc_network_create(&p->net, be, p->model, MMC_NETWORK_EVAL, PROBE_IMAGES, 1));
    MMC_TRY(mmc_network_load(p->net, p->device, 1));
    return mmc_network_images(p->net, p->images, PROBE_IMAGES);
}

static void probe_close(probe *p, mmc_backend *be) {
    mmc_network_free(p->net);
    be->memory->free(be, p->device);
    mmc_model_free(p->model);
    free(p->state);
    free(p->images);
}

/* The fastest of some forwards. */
static mmc_status probe_rate(known_rate *out, mmc_backend *be, const mmc_model_spec *spec) {
    probe p = {0};
    mmc_status status = MMC_OK;
    MMC_GOTO(cleanup, probe_open(&p, be, spec));
    double best_s = INFINITY, begin_s = mmc_clock_s();
    for (int i = 0; i < PROBE_TRIES && (i < 2 || mmc_clock_s() - begin_s < PROBE_S); i++) {
        double start_s = mmc_clock_s();
        MMC_GOTO(cleanup, mmc_network_forward(p.net));
        MMC_GOTO(cleanup, be->memory->sync(be));
        best_s = fmin(best_s, mmc_clock_s() - start_s);
    }
    out->flop_per_s = PROBE_IMAGES * mmc_model_flop(p.model) / fmax(best_s, 1e-9);
    snprintf(out->source, sizeof out->source,
             "measured: one forward of %d images, %s width %d, %d threads; training counts as three forwards",
             PROBE_IMAGES, mmc_arch_name(spec->arch), spec->width, be->threads);
cleanup:
    probe_close(&p, be);
    return status;
}

/* --- what bench measured -------------------------------------------------------------------------------------------
 */

/* A path evaluation, timed under the conditions of this run. */
static bool usable(const mmc_record *r, const mmc_backend *be) {
    return mmc_same_text(r->suite, "bench") && mmc_same_text(r->metric, "images_per_s") && r->value > 0 &&
           mmc_same_text(r->backend, be->name) && mmc_same_text(r->provider, be->provider) &&
           mmc_same_text(r->precision, be->precision) && mmc_same_text(r->device, be->device) &&
           r->threads == be->threads;
}

static mmc_status bench_rate(known_rate *out, const mmc_rates *rates, const mmc_model_spec *spec) {
    mmc_model *model;
    const mmc_record *found = NULL;
    for (size_t i = 0; i < rates->records.count; i++) {
        const mmc_record *r = &rates->records.rows[i];
        mmc_dataset_kind kind;
        if (usable(r, rates->be) && mmc_same_text(r->arch, mmc_arch_name(spec->arch)) && r->width == spec->width &&
            mmc_dataset_parse(&kind, r->dataset) == MMC_OK && mmc_dataset_height(kind) == spec->height)
            found = r;
    }
    if (!found)
        return mmc_fail(MMC_ERR_MISMATCH,
                        "--rates %s: no path evaluation of %s width %d on %d rows there; measure it with mmcbench "
                        "bench --op path --arch %s --width %d --out DIR",
                        rates->bench, mmc_arch_name(spec->arch), spec->width, spec->height, mmc_arch_name(spec->arch),
                        spec->width);
    MMC_TRY(mmc_model_create(&model, spec));
    out->flop_per_s = found->value * mmc_model_flop(model);
    mmc_model_free(model);
    snprintf(out->source, sizeof out->source,
             "measured: bench's path evaluation, %s width %d, %s, %d threads, %s; training counts as three forwards",
             found->arch, found->width, found->device, found->threads, found->time);
    return MMC_OK;
}

/* --- the rates -----------------------------------------------------------------------------------------------------
 */

mmc_status mmc_rates_open(mmc_rates **out, mmc_backend *be, const char *bench) {
    mmc_status status = MMC_OK;
    *out = NULL;
    mmc_rates *rates = calloc(1, sizeof *rates);
    if (!rates)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu bytes of rates", sizeof *rates);
    rates->be = be;
    rates->bench = bench;
    if (bench) {
        bool any = false;
        MMC_GOTO(fail, mmc_record_set_read(&rates->records, bench));
        for (size_t i = 0; i < rates->records.count; i++)
            any = any || usable(&rates->records.rows[i], be);
        if (!any)
            MMC_GOTO(fail,
                     mmc_fail(MMC_ERR_MISMATCH,
                              "--rates %s: no path evaluation with %s/%s %s on %d threads of %s was measured there; "
                              "run mmcbench bench --op path --out DIR on this machine",
                              bench, be->name, be->provider, be->precision, be->threads, be->device));
    }
    *out = rates;
    return MMC_OK;
fail:
    mmc_rates_close(rates);
    return status;
}

void mmc_rates_close(mmc_rates *rates) {
    if (!rates)
        return;
    mmc_record_set_close(&rates->records);
    free(rates);
}

static bool spec_same(const mmc_model_spec *a, const mmc_model_spec *b) {
    return a->arch == b->arch && a->width == b->width && a->height == b->height;
}

mmc_status mmc_rates_of(mmc_rate *out, mmc_rates *rates, const mmc_model_spec *spec) {
    for (int i = 0; i < rates->count; i++)
        if (spec_same(&rates->known[i].spec, spec)) {
            *out = (mmc_rate){rates->known[i].flop_per_s, rates->known[i].source};
            return MMC_OK;
        }
    if (rates->count == RATES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "more than %d networks of different kinds at once; give fewer suites",
                        RATES_MAX);
    known_rate *rate = &rates->known[rates->count];
    rate->spec = *spec;
    MMC_TRY(rates->bench ? bench_rate(rate, rates, spec) : probe_rate(rate, rates->be, spec));
    rates->count++;
    *out = (mmc_rate){rate->flop_per_s, rate->source};
    return MMC_OK;
}
