#define _POSIX_C_SOURCE 200809L
#include "reports/run_view.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { CONFIG_LIMIT = 64 << 20 };

static mmc_status read_config(mmc_run_view *view) {
    mmc_text path = {0}, text = {0};
    mmc_text_printf(&path, "%s/config.json", view->directory);
    mmc_status status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_read(&text, path.data, CONFIG_LIMIT);
    if (status == MMC_ERR_MISSING)
        mmc_fail_context(status, "%s is no run directory, or its run ended before it began", view->directory);
    if (status == MMC_OK) {
        json_error_t error;
        view->config = json_loadb(mmc_text_string(&text), text.size, JSON_REJECT_DUPLICATES, &error);
        if (!view->config)
            status = mmc_fail(MMC_ERR_FORMAT, "%s, line %d: no JSON: %s", path.data, error.line, error.text);
        else if (!json_is_object(view->config))
            status = mmc_fail(MMC_ERR_FORMAT, "%s: not a JSON object", path.data);
    }
    mmc_text_close(&path);
    mmc_text_close(&text);
    return status;
}

mmc_status mmc_run_view_open(mmc_run_view *out, const char *directory) {
    *out = (mmc_run_view){0};
    struct stat info;
    if (stat(directory, &info) != 0 || !S_ISDIR(info.st_mode))
        return mmc_fail(MMC_ERR_MISSING, "%s: no run directory there", directory);
    out->directory = strdup(directory);
    if (!out->directory)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while reading %s", directory);
    mmc_status status = read_config(out);
    if (status == MMC_OK)
        status = mmc_record_set_read(&out->records, directory);
    if (status == MMC_OK) {
        const char *scale = mmc_run_text(out, "scale");
        const json_t *reduced = json_object_get(out->config, "reduced");
        out->scale = *scale ? scale : "unknown";
        /* a run that does not say is not set beside the paper */
        out->reduced = json_is_boolean(reduced) ? json_is_true(reduced) : true;
        mmc_text_printf(&out->tag_text, "scale %s%s", out->scale, out->reduced ? ", reduced" : "");
        out->page_tag = mmc_text_string(&out->tag_text);
        status = mmc_text_check(&out->tag_text);
    }
    if (status != MMC_OK)
        mmc_run_view_close(out);
    return status;
}

void mmc_run_view_close(mmc_run_view *view) {
    mmc_record_set_close(&view->records);
    json_decref(view->config);
    mmc_text_close(&view->tag_text);
    free(view->directory);
    *view = (mmc_run_view){0};
}

const char *mmc_run_text(const mmc_run_view *view, const char *key) {
    const char *text = json_string_value(json_object_get(view->config, key));
    return text ? text : "";
}

bool mmc_run_asked(const mmc_run_view *view, const char *suite) {
    const json_t *suites = json_object_get(view->config, "suites");
    for (size_t i = 0; i < json_array_size(suites); i++) {
        const char *name = json_string_value(json_array_get(suites, i));
        if (name && (strcmp(name, suite) == 0 || strcmp(name, "all") == 0))
            return true;
    }
    return false;
}
