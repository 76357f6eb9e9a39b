#include "suites/bench_path.h"

#include "suites/bench_operation.h"

#include <stdlib.h>
#include <string.h>

enum { PLANE = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE, STREAM_IMAGES = 200, STREAM_TOPS };

static uint8_t *draw_bytes(size_t count, uint32_t stream) {
    float *drawn = malloc(count * sizeof *drawn);
    uint8_t *bytes = malloc(count);
    if (drawn && bytes) {
        mmc_bench_draw(drawn, count, stream, 0, 256);
        for (size_t i = 0; i < count; i++)
            bytes[i] = (uint8_t)drawn[i];
    } else {
        free(bytes);
        bytes = NULL;
    }
    free(drawn);
    return bytes;
}

/* Random images, labels in turn; for dominoes as many images to stand above them. */
static mmc_status make_split(mmc_split *split, const mmc_dataset *data, int count) {
    const bool tops = data->height != MMC_IMAGE_SIDE;
    split->count = count;
    split->channels = 3;
    split->natural = draw_bytes((size_t)count * 3 * PLANE, STREAM_IMAGES);
    split->labels = malloc((size_t)count * sizeof *split->labels);
    if (tops) {
        split->top_count = count;
        split->top = draw_bytes((size_t)count * PLANE, STREAM_TOPS);
        split->partner = malloc((size_t)count * sizeof *split->partner);
    }
    if (!split->natural || !split->labels || (tops && (!split->top || !split->partner)))
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %d images", count);
    for (int i = 0; i < count; i++) {
        split->labels[i] = i % data->classes;
        if (tops)
            split->partner[i] = i;
    }
    return MMC_OK;
}

mmc_status mmc_bench_path_open(mmc_bench_path *out, mmc_backend *be, const mmc_bench_case *c, mmc_dataset_kind kind,
                               int batch) {
    mmc_status status = MMC_OK;
    *out = (mmc_bench_path){.be = be};
    out->data.kind = kind;
    out->data.classes = c->spec.classes;
    out->data.height = c->spec.height;
    MMC_GOTO(fail, mmc_model_create(&out->model, &c->spec));
    MMC_GOTO(fail, make_split(&out->data.train, &out->data, c->bn_images));
    MMC_GOTO(fail, make_split(&out->data.test, &out->data, c->images));
    for (int i = 0; i < 2; i++) {
        out->end[i] = malloc(out->model->state_count * sizeof(float));
        if (!out->end[i])
            MMC_GOTO(fail, mmc_fail(MMC_ERR_MEMORY, "out of memory for %zu weights", out->model->state_count));
        mmc_model_init(out->model, out->end[i], (uint64_t)i + 1, MMC_RNG_INIT, 0);
    }
    out->curve = (mmc_curve){.kind = MMC_CURVE_LINEAR, .count = 2, .point = {out->end[0], out->end[1]}};
    out->config = mmc_path_defaults();
    out->config.points = c->points;
    out->config.batch = batch;
    return MMC_OK;
fail:
    mmc_bench_path_close(out);
    return mmc_fail_context(status, "path %s", c->name);
}

static void free_split(mmc_split *split) {
    free(split->natural);
    free(split->labels);
    free(split->top);
    free(split->partner);
}

void mmc_bench_path_close(mmc_bench_path *path) {
    free(path->end[0]);
    free(path->end[1]);
    free_split(&path->data.train);
    free_split(&path->data.test);
    if (path->model)
        mmc_model_free(path->model);
    memset(path, 0, sizeof *path);
}

static mmc_status run(void *user) {
    mmc_bench_path *path = user;
    mmc_path_result result;
    mmc_status status =
        mmc_path_evaluate(&result, path->be, path->model, &path->data, &path->curve, &path->config, NULL, &path->hooks);
    path->image_forwards = result.image_forwards;
    mmc_path_result_close(&result);
    return status;
}

mmc_bench_body mmc_bench_path_body(mmc_bench_path *path) {
    return (mmc_bench_body){.run = run, .user = path};
}
