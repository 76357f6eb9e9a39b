/* `mmcbench bench`: every operation and path evaluation as a whole, timed, beside what the device could do. */
#define _POSIX_C_SOURCE 200809L
#include "reports/record.h"
#include "runtime/file.h"
#include "runtime/trace.h"
#include "runtime/version.h"
#include "suites/bench_operation.h"
#include "suites/bench_path.h"
#include "suites/command.h"
#include "suites/inputs.h"
#include "suites/interrupt.h"

#include <math.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { WIDTH_DEVICE = 64, WIDTH_CPU = 8, BATCH = 128, BN_IMAGES = 1024, TEST_IMAGES = 256 };

/* A bench in progress. */
typedef struct session {
    const mmc_options *options;
    mmc_output *out;
    mmc_backend *be, *reference;
    mmc_timer *timer;
    mmc_peaks peaks;
    mmc_record_writer *writer; /* NULL: no --out */
    mmc_dataset_kind dataset;
    int batch;
    bool verifies;
    char job[64];
    int measured, failed;
    char first_failure[512];
} session;

/* One case with its outcome. */
typedef struct outcome {
    const mmc_bench_case *c;
    mmc_bench_result result;
    double error, flop, image_forwards;
    const char *reason; /* why something is null; NULL: nothing is */
} outcome;

/* --- what is asked for --- */

static mmc_status check_options(const mmc_options *o) {
    static const mmc_option_id sampling[] = {MMC_OPTION_MIN_SAMPLES, MMC_OPTION_MAX_NOISE, MMC_OPTION_TIMEOUT};
    mmc_bench_op op;
    if (o->argument_count)
        return mmc_fail(MMC_ERR_USAGE, "bench takes no argument, such as '%s'; choose by --op and --case",
                        o->arguments[0]);
    for (int i = 0; i < o->op.count; i++) {
        mmc_status status = mmc_bench_op_parse(&op, o->op.items[i]);
        if (status != MMC_OK)
            return mmc_fail_context(status, "--op");
    }
    for (size_t i = 0; i < sizeof sampling / sizeof *sampling; i++)
        if ((o->iters || o->profile) && mmc_option_given(o, sampling[i]))
            return mmc_fail(MMC_ERR_USAGE, "--%s and --%s contradict each other: a given number of runs needs no rule",
                            o->profile ? "profile" : "iters", mmc_option_find(sampling[i])->name);
    return MMC_OK;
}

static bool wanted(const mmc_options *o, const mmc_bench_case *c) {
    bool op = o->op.count == 0, name = o->cases.count == 0;
    for (int i = 0; i < o->op.count; i++)
        op |= strcmp(o->op.items[i], mmc_bench_op_name(c->op)) == 0;
    for (int i = 0; i < o->cases.count; i++)
        name |= strstr(c->name, o->cases.items[i]) != NULL;
    return op && name;
}

static mmc_bench_scope scope_of(const session *s) {
    const mmc_options *o = s->options;
    const bool device = strcmp(s->be->name, "cpu") != 0;
    return (mmc_bench_scope){
        .archs = mmc_option_given(o, MMC_OPTION_ARCH) ? 1u << o->arch : (1u << MMC_ARCH_COUNT) - 1,
        .width = o->width ? o->width
                 : device ? WIDTH_DEVICE
                          : WIDTH_CPU,
        .classes = mmc_dataset_classes(s->dataset),
        .height = mmc_dataset_height(s->dataset),
        .batch = s->batch,
        .sets = s->be->max_sets,
        .element_bytes = strcmp(s->be->precision, "bf16") == 0 ? 2 : 4,
        .points = o->points,
        .bn_images = o->limit_train ? o->limit_train : BN_IMAGES,
        .images = o->limit_test ? o->limit_test : TEST_IMAGES,
    };
}

static mmc_bench_options sampling_of(const mmc_options *o) {
    return (mmc_bench_options){.min_samples = o->min_samples,
                               .max_noise = o->max_noise / 100,
                               .timeout_s = o->timeout,
                               .iterations = o->iters ? o->iters : o->profile,
                               .interrupted = mmc_interrupt_flag()};
}

/* --- rows --- */

static void print_row(session *s, const outcome *x) {
    char shape[96];
    const mmc_bench_case *c = x->c;
    const mmc_bench_result *r = &x->result;
    const double time_s = r->count ? r->median_s : NAN;
    const double roof_s = mmc_bench_roofline_s(&s->peaks, x->flop, c->bytes);
    const double noise = r->count ? r->noise : NAN;
    const bool path = c->op == MMC_BENCH_PATH;
    const double bytes = path ? NAN : c->bytes;
    mmc_bench_case_shape(shape, sizeof shape, c);
    if (!s->out->json) {
        mmc_cell cells[] = {mmc_cell_wide("op", mmc_bench_op_name(c->op), 13),
                            mmc_cell_wide("case", c->name, 31),
                            mmc_cell_wide("shape", shape, 40),
                            mmc_cell_number("median_us", time_s * 1e6),
                            mmc_cell_number("noise_%", r->count > 1 ? noise * 100 : 0),
                            mmc_cell_integer("n", (int64_t)r->count),
                            mmc_cell_number("GFLOP/s", x->flop / time_s / 1e9),
                            mmc_cell_number("GB/s", bytes / time_s / 1e9),
                            mmc_cell_number("roof_%", 100 * roof_s / time_s)};
        mmc_output_row(s->out, cells, sizeof cells / sizeof *cells, x->reason);
        return;
    }
    mmc_cell cells[] = {
        mmc_cell_text("op", mmc_bench_op_name(c->op)),
        mmc_cell_text("case", c->name),
        mmc_cell_text("shape", shape),
        mmc_cell_integer("times", c->times),
        mmc_cell_number("median_s", time_s),
        mmc_cell_number("min_s", r->count ? r->min_s : NAN),
        mmc_cell_number("iqr_s", r->count ? r->iqr_s : NAN),
        mmc_cell_number("noise", noise),
        mmc_cell_text("end", r->count ? mmc_bench_end_name(r->end) : NULL),
        mmc_cell_number("flop", x->flop),
        mmc_cell_number("bytes", bytes),
        mmc_cell_number("flop_per_s", x->flop / time_s),
        mmc_cell_number("bytes_per_s", bytes / time_s),
        mmc_cell_number("roofline", roof_s / time_s),
        mmc_cell_text("bound", x->flop / s->peaks.flop_per_s < c->bytes / s->peaks.bytes_per_s ? "memory" : "compute"),
        mmc_cell_number("error", x->error),
        mmc_cell_number("clock_mhz", r->count ? r->clocks.clock_mhz : NAN),
        r->clocks.throttled < 0 || !r->count ? mmc_cell_text("throttled", NULL)
                                             : mmc_cell_bool("throttled", r->clocks.throttled),
        mmc_cell_text("backend", s->be->name),
        mmc_cell_text("provider", s->be->provider),
        mmc_cell_text("precision", s->be->precision),
        mmc_cell_numbers("samples", r->samples, r->count),
        mmc_cell_number("image_forwards", x->image_forwards), /* of a path */
        mmc_cell_number("images_per_s", x->image_forwards / time_s),
    };
    mmc_output_row(s->out, cells, sizeof cells / sizeof *cells - (path ? 0 : 2), x->reason);
}

/* The record of a case; a throttled or failed one says so and has no value. */
static mmc_status write_record(session *s, const outcome *x) {
    char item[96], time_text[32];
    const mmc_version *version = mmc_version_get();
    const mmc_bench_result *r = &x->result;
    const bool path = x->c->op == MMC_BENCH_PATH, valid = r->count && r->clocks.throttled != 1;
    const time_t now = time(NULL);
    struct tm utc;
    if (!s->writer)
        return MMC_OK;
    gmtime_r(&now, &utc);
    strftime(time_text, sizeof time_text, "%Y-%m-%dT%H:%M:%SZ", &utc);
    snprintf(item, sizeof item, "%s/%s", mmc_bench_op_name(x->c->op), x->c->name);
    mmc_record record = mmc_record_empty();
    record.suite = "bench";
    record.item = item;
    record.metric = path ? "images_per_s" : "time";
    record.unit = path ? "1/s" : "s";
    if (valid)
        record.value = path ? x->image_forwards / r->median_s : r->median_s;
    record.reason = valid ? r->clocks.reason : x->reason; /* why it is null, or its clock is missing */
    record.n = x->c->shape.n ? x->c->shape.n : -1;
    if (!x->c->small_model) {
        record.arch = mmc_arch_name(x->c->spec.arch);
        record.width = x->c->spec.width;
        record.dataset = mmc_dataset_name(s->dataset);
    }
    record.backend = s->be->name;
    record.provider = s->be->provider;
    record.precision = s->be->precision;
    record.device = s->be->device;
    record.threads = s->be->threads;
    record.commit = version->commit;
    record.dirty = version->dirty;
    record.job = s->job;
    record.time = time_text;
    if (r->count) {
        record.samples = r->samples;
        record.sample_count = r->count;
        record.median = r->median_s;
        record.min = r->min_s;
        record.iqr = r->iqr_s;
        record.roofline = mmc_bench_roofline_s(&s->peaks, x->flop, x->c->bytes) / r->median_s;
        record.clock_mhz = r->clocks.clock_mhz;
    }
    record.flop = x->flop;
    record.bytes = path ? NAN : x->c->bytes;
    record.image_forwards = x->image_forwards;
    return mmc_record_append(s->writer, &record);
}

static void print_summary(session *s) {
    mmc_cell cells[] = {
        mmc_cell_bool("summary", true),
        mmc_cell_integer("cases", s->measured),
        mmc_cell_integer("failed", s->failed),
        mmc_cell_number("peak_flop_per_s", s->peaks.flop_per_s),
        mmc_cell_number("peak_bytes_per_s", s->peaks.bytes_per_s),
        mmc_cell_text("peaks", s->peaks.source),
        mmc_cell_text("backend", s->be->name),
        mmc_cell_text("provider", s->be->provider),
        mmc_cell_text("precision", s->be->precision),
        mmc_cell_integer("threads", s->be->threads),
        mmc_cell_text("isa", s->be->isa),
        mmc_cell_text("device", s->be->device),
    };
    const size_t first = s->out->json ? 0 : 1; /* "summary" marks the row for programs */
    mmc_output_line(s->out, "%s", "");
    mmc_output_summary(s->out, cells + first, sizeof cells / sizeof *cells - first, NULL);
    mmc_output_line(s->out, "%s", "");
}

/* --- measuring --- */

static mmc_status measure(session *s, outcome *x, const mmc_bench_body *body) {
    const mmc_bench_options sampling = sampling_of(s->options);
    char name[96];
    snprintf(name, sizeof name, "%s %s", mmc_bench_op_name(x->c->op), x->c->name);
    if (s->options->profile)
        MMC_TRY(s->be->timer->profile(s->timer, true));
    mmc_trace_begin(MMC_TRACE_JOB, name);
    mmc_status status = mmc_trace_end(mmc_bench_measure(&x->result, s->timer, s->be->timer, body, &sampling));
    if (s->options->profile)
        MMC_TRY(s->be->timer->profile(s->timer, false));
    return status;
}

static mmc_status measure_path(session *s, outcome *x) {
    mmc_bench_path path;
    MMC_TRY(mmc_bench_path_open(&path, s->be, x->c, s->dataset, s->batch));
    path.hooks.progress.interrupted = mmc_interrupt_flag();
    const mmc_bench_body body = mmc_bench_path_body(&path);
    mmc_status status = measure(s, x, &body);
    x->image_forwards = (double)path.image_forwards;
    x->flop = x->image_forwards * mmc_model_flop(path.model);
    x->reason = "a path's bytes are not counted; its operations are verified";
    mmc_bench_path_close(&path);
    return status;
}

static mmc_status measure_operation(session *s, outcome *x) {
    mmc_bench_operation *op;
    if (s->verifies) {
        MMC_TRY(mmc_bench_operation_verify(&x->error, s->be, s->reference, x->c));
        if (isnan(x->error))
            x->reason = "the packed form is the provider's own; conv_* verify it";
    } else
        x->reason = "a given number of runs is not verified, so that a profiler sees these runs alone";
    MMC_TRY(mmc_bench_operation_create(&op, s->be, x->c));
    const mmc_bench_body body = mmc_bench_operation_body(op);
    mmc_status status = measure(s, x, &body);
    mmc_bench_operation_free(op);
    return status;
}

/* A case that fails is a row that says so; the bench goes on unless the device or the user ended it. */
static mmc_status run_case(session *s, const mmc_bench_case *c) {
    outcome x = {.c = c, .error = NAN, .flop = c->flop, .image_forwards = NAN};
    char reason[512];
    if (s->measured == 0 && !mmc_version_get()->optimised)
        mmc_output_message(s->out, "warning: this build is not optimised; its timings mean nothing");
    mmc_status status = c->op == MMC_BENCH_PATH ? measure_path(s, &x) : measure_operation(s, &x);
    if (status == MMC_ERR_INTERRUPTED || status == MMC_ERR_DEVICE)
        return status;
    s->measured++;
    if (status != MMC_OK) {
        snprintf(reason, sizeof reason, "%s", mmc_error_message());
        x.reason = reason;
        if (s->failed++ == 0)
            memcpy(s->first_failure, reason, sizeof reason);
    } else if (x.result.clocks.reason) {
        snprintf(reason, sizeof reason, "%s%s%s", x.reason ? x.reason : "", x.reason ? "; " : "",
                 x.result.clocks.reason);
        x.reason = reason;
    }
    print_row(s, &x);
    status = write_record(s, &x);
    mmc_bench_result_close(&x.result);
    return status;
}

/* `shared`: an earlier provider has measured what does not depend on it. Not every provider correlates its own layout.
 */
static void keep_wanted(mmc_bench_list *list, const mmc_options *o, const mmc_backend *be, bool shared) {
    size_t kept = 0;
    for (size_t i = 0; i < list->count; i++) {
        const mmc_bench_op op = list->cases[i].op;
        const bool differs = op <= MMC_BENCH_POOL_BACKWARD || op == MMC_BENCH_CORRELATE || op == MMC_BENCH_PATH;
        const bool there = op != MMC_BENCH_CORRELATE || be->correlation;
        if (there && wanted(o, &list->cases[i]) && (differs || !shared))
            list->cases[kept++] = list->cases[i];
    }
    list->count = kept;
}

/* All cases of one provider. */
static mmc_status run_provider(session *s, const char *provider, bool shared) {
    mmc_status status = MMC_OK;
    mmc_bench_list list = {.cases = NULL};
    mmc_backend_options backend = mmc_inputs_backend(s->options);
    backend.provider = provider;
    MMC_TRY(mmc_backend_open(&s->be, &backend));
    if (!s->be->timer)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_UNSUPPORTED, "backend %s has no timer", s->be->name));
    backend = (mmc_backend_options){.backend = "cpu", .provider = "reference", .threads = s->options->threads};
    MMC_GOTO(cleanup, mmc_backend_open(&s->reference, &backend));
    const mmc_bench_scope scope = scope_of(s);
    MMC_GOTO(cleanup, mmc_bench_list_create(&list, &scope));
    keep_wanted(&list, s->options, s->be, shared);
    if (list.count == 0)
        goto cleanup;
    MMC_GOTO(cleanup, s->be->timer->open(&s->timer, s->be));
    MMC_GOTO(cleanup, s->be->timer->peaks(s->timer, &s->peaks));
    for (size_t i = 0; i < list.count; i++)
        MMC_GOTO(cleanup, run_case(s, &list.cases[i]));
    print_summary(s);
cleanup:
    mmc_bench_list_close(&list);
    if (s->be->timer)
        s->be->timer->close(s->timer);
    mmc_backend_close(s->reference);
    mmc_backend_close(s->be);
    s->timer = NULL;
    s->reference = s->be = NULL;
    return status;
}

/* The providers of the backend that --backend stands for; those that are not there are passed over. */
static mmc_status run_providers(session *s) {
    static const char *const known[] = {"own", "onednn", "cudnn"};
    if (mmc_option_given(s->options, MMC_OPTION_PROVIDER))
        return run_provider(s, s->options->provider, false);
    bool shared = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        mmc_backend *be;
        mmc_backend_options backend = mmc_inputs_backend(s->options);
        backend.provider = known[i];
        mmc_status status = mmc_backend_open(&be, &backend);
        if (i > 0 && (status == MMC_ERR_MISSING || status == MMC_ERR_UNSUPPORTED))
            continue; /* not of this backend, or not in this build */
        MMC_TRY(status);
        mmc_backend_close(be);
        MMC_TRY(run_provider(s, known[i], shared));
        shared = true;
    }
    return MMC_OK;
}

mmc_status mmc_command_bench(const mmc_options *options, mmc_output *out) {
    mmc_status status = MMC_OK;
    MMC_TRY(check_options(options));
    session s = {.options = options,
                 .out = out,
                 .dataset = mmc_option_given(options, MMC_OPTION_DATASET) ? (mmc_dataset_kind)options->dataset
                                                                          : MMC_DATASET_CIFAR10_BOX,
                 .batch = mmc_option_given(options, MMC_OPTION_BATCH) ? options->batch : BATCH,
                 .verifies = !options->iters && !options->profile};
    snprintf(s.job, sizeof s.job, "bench-%lld-%d", (long long)time(NULL), (int)getpid());
    if (options->out) {
        MMC_TRY(mmc_folder_create(options->out));
        MMC_TRY(mmc_record_writer_open(&s.writer, options->out, 0));
    }
    MMC_GOTO(cleanup, run_providers(&s));
    if (s.measured == 0)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_USAGE, "--op and --case: no case has that operation and name; without "
                                                  "them all cases are measured and listed"));
    if (s.failed)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_WRONG, "%d of %d cases failed; the first: %s", s.failed, s.measured,
                                   s.first_failure));
cleanup:
    if (s.writer)
        mmc_record_writer_close(s.writer);
    return status;
}
