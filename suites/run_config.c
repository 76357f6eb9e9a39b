#define _GNU_SOURCE
#include "suites/run_config.h"

#include "runtime/file.h"
#include "runtime/version.h"
#include "suites/json_object.h"
#include "suites/small.h"

#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

enum { CONFIG_LIMIT_BYTES = 4 << 20, RUN_CONFIG_SCHEMA = 1 };

void mmc_run_fingerprint(char *out, size_t size, const mmc_backend *be, int devices) {
    snprintf(out, size, "threads %d; devices %d; isa %s; provider %s; precision %s; libraries %s", be->threads, devices,
             be->isa, be->provider, be->precision, be->libraries);
}

mmc_status mmc_run_directory_check(const char *directory) {
    char path[4096];
    snprintf(path, sizeof path, "%s/config.json", directory);
    if (access(path, F_OK) == 0)
        return MMC_OK;
    DIR *folder = opendir(directory);
    if (!folder)
        return errno == ENOENT ? MMC_OK
                               : mmc_fail(MMC_ERR_IO, "--out %s: cannot be read: %s", directory, strerror(errno));
    bool foreign = false;
    for (const struct dirent *e; (e = readdir(folder)) != NULL;)
        foreign = foreign || (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
                              strncmp(e->d_name, "records", 7) != 0 && !strstr(e->d_name, "config.json"));
    closedir(folder);
    if (foreign)
        return mmc_fail(MMC_ERR_USAGE, "--out %s: the folder holds other files and is no run directory; name a new one",
                        directory);
    return MMC_OK;
}

/* --- what is written ---------------------------------------------------------------------------------------------- */

static json_t *text(const char *format, ...) __attribute__((format(printf, 1, 2)));

static json_t *text(const char *format, ...) {
    char buffer[512];
    va_list args;
    va_start(args, format);
    vsnprintf(buffer, sizeof buffer, format, args);
    va_end(args);
    return json_string(buffer);
}

static json_t *training_text(const mmc_scale_training *t, const char *usual) {
    return text("%d epochs, batch %d, lr %g, %s", t->epochs, t->batch, t->lr, t->schedule ? t->schedule : usual);
}

static json_t *fine_tuning_text(const mmc_scale_training *t) {
    return text("%d epochs, batch %d, the figure's lr, %s", t->epochs, t->batch,
                t->schedule ? t->schedule : "x0.1 after 40% and 80% of the epochs");
}

static json_t *methods_text(const mmc_scale_methods *m) {
    return text("%d clean images, %d epochs, batch %d, a new last layer %d epochs, from scratch %d epochs",
                (int)m->clean, m->epochs, m->batch, m->head_epochs, m->scratch_epochs);
}

/* Where the paper and the authors' program differ. */
static json_t *ways_text(const mmc_scale_methods *m) {
    return text("clean split %s, cosine %s, CBFT's schedule %s, t of the barrier %s, invariance %s",
                m->clean_split_authors ? "authors" : "disjoint", m->cosine_authors ? "authors" : "exact",
                m->cbft_schedule_authors ? "authors" : "cosine", m->barrier_t_authors ? "authors" : "truncated",
                m->invariance_plain ? "plain" : "unit");
}

/* What was asked for, else the scale's choice, else all. */
static json_t *cues_text(const mmc_plan_settings *s, const double chosen[MMC_SCALE_CUES_MAX]) {
    char cues[128] = "";
    size_t used = 0;
    int count = s->cue_count ? s->cue_count : MMC_SCALE_CUES_MAX;
    const double *list = s->cue_count ? s->cues : chosen;
    for (int i = 0; i < count && list[i] > 0; i++)
        used += (size_t)snprintf(cues + used, sizeof cues - used, "%s%g", i ? ", " : "", list[i]);
    return json_string(used ? cues : "all of the paper's");
}

static json_t *images_text(int32_t limit, const char *all) {
    return limit ? text("the first %d", limit) : json_string(all);
}

/* The scale in words, as the report shows it; also what two runs are compared by. */
static json_t *protocol(const mmc_plan_settings *s) {
    const mmc_scale *c = &s->scale;
    mmc_json_object p = {.json = json_object()};
    mmc_json_put(&p, "about", json_string(c->about));
    mmc_json_put(&p, "width", text("%d", c->width));
    mmc_json_put(&p, "train images", images_text(c->limit_train, "all"));
    mmc_json_put(&p, "test images", images_text(c->limit_test, "all"));
    mmc_json_put(&p, "training", training_text(&c->scratch, "x0.1 after 40% and 80% of the epochs"));
    mmc_json_put(&p, "fine-tuning without cues", fine_tuning_text(&c->fine_tune));
    mmc_json_put(&p, "pre-training", training_text(&c->pretrain, "x0.1 after 40% and 80% of the epochs"));
    mmc_json_put(&p, "methods", methods_text(&c->methods));
    mmc_json_put(&p, "ways", ways_text(&c->methods));
    mmc_json_put(&p, "seeds of tables", text("%d", c->table_seeds));
    mmc_json_put(&p, "cue proportions of tables", cues_text(s, c->table_cues));
    mmc_json_put(&p, "bends", training_text(&c->midpoint, "x0.1 every 10 epochs"));
    mmc_json_put(&p, "points", text("%d", c->points));
    mmc_json_put(&p, "batch norm", text("%s, batches of %d", mmc_bn_name(c->bn), c->bn_batch));
    mmc_json_put(&p, "batch norm images", images_text(c->bn_images, "the train split"));
    mmc_json_put(&p, "train images evaluated", images_text(c->train_images, "the train split"));
    if (c->other_train)
        mmc_json_put(&p, "images of other data sets",
                     text("the first %d of train, %d of test", (int)c->other_train, (int)c->other_test));
    mmc_json_put(&p, "seeds", text("%d", c->seeds));
    for (int i = 0; i < s->suite_count; i++)
        if (mmc_suite_small(s->suites[i])) {
            char small[400];
            mmc_small_config_text(small, sizeof small, &c->small, c->small_seeds);
            mmc_json_put(&p, "small model", json_string(small));
        }
    mmc_json_put(&p, "connected", text("dip at most %g points", 100 * c->connected_dip));
    mmc_json_put(&p, "cue proportions", cues_text(s, c->cues));
    mmc_json_put(&p, "cue proportions of fine-tuned models", cues_text(s, c->fine_tune_cues));
    return mmc_json_finish(&p);
}

static json_t *datasets(const mmc_run_data *data) {
    json_t *list = json_array();
    for (int k = 0; k < MMC_DATASET_COUNT; k++) {
        if (!data->open[k])
            continue;
        const mmc_dataset *set = &data->sets[k];
        json_t *files = json_array();
        for (int i = 0; i < set->file_count; i++)
            json_array_append_new(files,
                                  json_pack("{s:s,s:s}", "path", set->files[i].path, "sha256", set->files[i].sha256));
        json_array_append_new(list, json_pack("{s:s,s:s,s:i,s:i,s:o}", "name", mmc_dataset_name((mmc_dataset_kind)k),
                                              "digest", data->digest[k], "train", (int)set->train.count, "test",
                                              (int)set->test.count, "files", files));
    }
    return list;
}

/* The paper's data sets have 50,000 and 10,000 images. */
static bool data_partial(const mmc_run_data *data) {
    for (int k = 0; k < MMC_DATASET_COUNT; k++)
        if (data->open[k] && (data->sets[k].train.count < 50000 || data->sets[k].test.count < 10000))
            return true;
    return false;
}

static json_t *suite_names(const mmc_plan_settings *s) {
    json_t *list = json_array();
    for (int i = 0; i < s->suite_count; i++)
        json_array_append_new(list, json_string(s->suites[i]->name));
    return list;
}

static json_t *filter_texts(const mmc_plan_settings *s) {
    json_t *list = json_array();
    for (size_t i = 0; i < s->filter_count; i++)
        json_array_append_new(list, json_string(s->filters[i]));
    return list;
}

/* What the results depend on: two runs may share a directory when these parts are equal. */
static json_t *resolved(const mmc_plan_settings *s, const mmc_backend *be, const mmc_run_data *data) {
    const mmc_version *version = mmc_version_get();
    mmc_json_object o = {.json = json_object()};
    mmc_json_put(&o, "schema", json_integer(RUN_CONFIG_SCHEMA));
    mmc_json_put(&o, "program", json_string("mmcbench"));
    mmc_json_put(&o, "version", json_string(version->version));
    mmc_json_put(&o, "scale", json_string(s->scale.name));
    mmc_json_put(&o, "reduced", json_boolean(s->scale.reduced || data_partial(data)));
    mmc_json_put(&o, "suites", suite_names(s));
    mmc_json_put(&o, "filters", filter_texts(s));
    mmc_json_put(&o, "seed", json_integer((json_int_t)s->seed));
    mmc_json_put(&o, "arch", s->arch ? json_string(s->arch) : json_null());
    mmc_json_put(&o, "dataset", s->dataset ? json_string(s->dataset) : json_null());
    mmc_json_put(&o, "protocol", protocol(s));
    mmc_json_put(&o, "datasets", datasets(data));
    mmc_json_put(&o, "backend", json_string(be->name));
    mmc_json_put(&o, "provider", json_string(be->provider));
    mmc_json_put(&o, "precision", json_string(be->precision));
    mmc_json_put(&o, "threads", json_integer(be->threads));
    mmc_json_put(&o, "devices", json_integer(s->devices));
    mmc_json_put(&o, "isa", json_string(be->isa));
    mmc_json_put(&o, "libraries", json_string(be->libraries));
    return mmc_json_finish(&o);
}

/* Where and when: may differ between the processes of a run. */
static void add_circumstances(mmc_json_object *o, const mmc_backend *be) {
    const mmc_version *version = mmc_version_get();
    struct utsname machine;
    char host[256] = "", created[32];
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(created, sizeof created, "%Y-%m-%dT%H:%M:%SZ", &utc);
    gethostname(host, sizeof host - 1);
    mmc_json_put(o, "created", json_string(created));
    mmc_json_put(o, "commit", json_string(version->commit));
    mmc_json_put(o, "dirty", json_boolean(version->dirty));
    mmc_json_put(o, "compiler", json_string(version->compiler));
    mmc_json_put(o, "flags", json_string(version->flags));
    mmc_json_put(o, "build_type", json_string(version->build_type));
    mmc_json_put(o, "device", json_string(be->device));
    if (*be->why)
        mmc_json_put(o, "backend_reason", json_string(be->why));
    mmc_json_put(o, "host", json_string(host));
    if (uname(&machine) == 0)
        mmc_json_put(o, "system", text("%s %s %s", machine.sysname, machine.release, machine.machine));
    mmc_json_put(o, "memory_bytes", json_integer((json_int_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE)));
}

/* --- joining ------------------------------------------------------------------------------------------------------ */

static mmc_status differs(const char *directory, const char *key, const json_t *there, const json_t *here) {
    static const char *const bits[] = {"threads", "devices", "isa", "libraries", "provider", "precision", "backend"};
    char *a = there ? json_dumps(there, JSON_ENCODE_ANY | JSON_COMPACT) : NULL;
    char *b = json_dumps(here, JSON_ENCODE_ANY | JSON_COMPACT);
    bool machine = false;
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++)
        machine = machine || strcmp(bits[i], key) == 0;
    mmc_status status =
        machine
            ? mmc_fail(
                  MMC_ERR_MISMATCH,
                  "%s: the run was begun with %s %.200s, here it is %.200s: results would not be bit-identical. "
                  "Go on with the same %s (--threads, --devices, --provider, MMC_ISA, the same libraries), or begin anew "
                  "with another --out",
                  directory, key, a ? a : "unknown", b ? b : "unknown", key)
            : mmc_fail(MMC_ERR_MISMATCH,
                       "%s: the run was begun with another configuration: %s was %.200s, is %.200s. Give the same "
                       "options, or begin anew with another --out",
                       directory, key, a ? a : "absent", b ? b : "unknown");
    free(a);
    free(b);
    return status;
}

/* Data may lie elsewhere now: only names and digests count. */
static bool datasets_equal(const json_t *a, const json_t *b) {
    if (json_array_size(a) != json_array_size(b))
        return false;
    for (size_t i = 0; i < json_array_size(a); i++)
        for (int k = 0; k < 2; k++) {
            const char *name = k == 0 ? "name" : "digest";
            if (!json_equal(json_object_get(json_array_get(a, i), name), json_object_get(json_array_get(b, i), name)))
                return false;
        }
    return true;
}

static mmc_status config_compare(const char *directory, const char *path, json_t *mine) {
    void *bytes = NULL;
    size_t size;
    json_error_t error;
    MMC_TRY(mmc_file_read(&bytes, &size, path, CONFIG_LIMIT_BYTES));
    json_t *there = json_loadb(bytes, size, JSON_REJECT_DUPLICATES, &error);
    free(bytes);
    if (!json_is_object(there)) {
        json_decref(there);
        return mmc_fail(MMC_ERR_FORMAT, "%s: no JSON object (line %d: %s); begin anew with another --out", path,
                        error.line, error.text);
    }
    mmc_status status = MMC_OK;
    const char *key;
    json_t *value;
    json_object_foreach(mine, key, value) {
        const json_t *other = json_object_get(there, key);
        bool equal = strcmp(key, "datasets") == 0 ? datasets_equal(other, value) : json_equal(other, value);
        if (!equal && status == MMC_OK)
            status = differs(directory, key, other, value);
    }
    json_decref(there);
    return status;
}

/* Links a complete file into place, so that of several processes exactly one creates it. */
static mmc_status config_create(bool *created, const char *path, const char *json) {
    char temporary[4200];
    snprintf(temporary, sizeof temporary, "%s.%ld", path, (long)getpid());
    MMC_TRY(mmc_file_write(temporary, json, strlen(json)));
    *created = link(temporary, path) == 0;
    int error = errno;
    unlink(temporary);
    if (!*created && error != EEXIST)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be created: %s", path, strerror(error));
    return MMC_OK;
}

mmc_status mmc_run_config_join(const char *directory, const mmc_plan_settings *settings, const mmc_backend *be,
                               const mmc_run_data *data, bool join) {
    char path[4096], *json = NULL;
    snprintf(path, sizeof path, "%s/config.json", directory);
    json_t *mine = resolved(settings, be, data);
    mmc_json_object whole = {.json = json_deep_copy(mine)};
    mmc_status status = MMC_OK;
    bool created = false;
    if (whole.json)
        add_circumstances(&whole, be);
    if (whole.json && !whole.failed)
        json = json_dumps(whole.json, JSON_INDENT(1));
    if (!json) {
        status = mmc_fail(MMC_ERR_MEMORY, "out of memory for %s", path);
        goto cleanup;
    }
    if (access(path, F_OK) != 0)
        MMC_GOTO(cleanup, config_create(&created, path, json));
    if (created)
        goto cleanup;
    if (!join)
        MMC_GOTO(cleanup, mmc_fail(MMC_ERR_USAGE,
                                   "--out %s: holds a run already; give --resume to go on with it, or "
                                   "another folder",
                                   directory));
    MMC_GOTO(cleanup, config_compare(directory, path, mine));
cleanup:
    free(json);
    json_decref(whole.json);
    json_decref(mine);
    return status;
}
