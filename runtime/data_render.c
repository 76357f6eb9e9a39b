#include "runtime/data_render.h"

#include "runtime/file.h"
#include "runtime/safetensors.h"

#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TENSORS_MAX = MMC_SET_COUNT + 5, NAME_BYTES = 16, SHEET_ROWS = 10, SCALE = 3, GAP = 6, PAPER = 255 };

static const mmc_split *split_of(const mmc_data_render_options *o) {
    return o->split == MMC_SPLIT_TRAIN ? &o->data->train : &o->data->test;
}

static mmc_image_store store_of(const mmc_data_render_options *o) {
    const mmc_split *split = split_of(o);
    return (mmc_image_store){.natural = split->natural,
                             .top = split->top,
                             .count = split->count,
                             .top_count = split->top_count,
                             .channels = split->channels,
                             .height = o->data->height};
}

static bool has_set(const mmc_data_render_options *o, mmc_set set) {
    return o->sets >> set & 1u;
}

static mmc_status check_options(const mmc_data_render_options *o, int32_t *count) {
    int32_t all = split_of(o)->count;
    *count = o->count ? o->count : all;
    if (*count < 1 || *count > all)
        return mmc_fail(MMC_ERR_RANGE, "%d images asked for, the split holds %d; give 1 to that number", (int)o->count,
                        (int)all);
    if (!(o->sets & ((1u << MMC_SET_COUNT) - 1)))
        return mmc_fail(MMC_ERR_RANGE, "no set asked for; give some of NC, C, RC, RI");
    return MMC_OK;
}

/* Samples of the whole split for one set. Owns: the caller frees *out. */
static mmc_status make_samples(mmc_sample **out, const mmc_data_render_options *o, mmc_set set) {
    size_t size = (size_t)split_of(o)->count * sizeof **out;
    *out = malloc(size);
    if (!*out)
        return mmc_fail(MMC_ERR_MEMORY, "no memory for %zu bytes of samples", size);
    return mmc_counterfactual_samples(*out, o->data, o->split, set, o->flags, NULL, o->seed);
}

/* ---- safetensors ---- */

/* The tensors of a file under construction; every buffer is owned. */
typedef struct output {
    mmc_safetensor tensor[TENSORS_MAX];
    char name[TENSORS_MAX][NAME_BYTES];
    void *buffer[TENSORS_MAX];
    size_t count;
} output;

/* Adds a tensor of first extent n (and 3, height, 32 for images) and returns its memory, NULL where there is none. */
static void *add_tensor(output *out, const char *name, mmc_dtype dtype, int32_t n, int height) {
    mmc_safetensor *t = &out->tensor[out->count];
    *t = (mmc_safetensor){.dtype = dtype, .rank = height ? 4 : 1, .shape = {n, 3, height, MMC_IMAGE_SIDE}};
    snprintf(out->name[out->count], NAME_BYTES, "%s", name);
    t->name = out->name[out->count];
    t->count = (size_t)n * (height ? (size_t)height * 3 * MMC_IMAGE_SIDE : 1);
    t->data = out->buffer[out->count] = malloc(t->count * mmc_dtype_size(dtype));
    out->count++;
    if (!t->data)
        mmc_fail(MMC_ERR_MEMORY, "no memory for %s of %d images; ask for fewer (--limit-test, --limit-train)", name,
                 (int)n);
    return out->buffer[out->count - 1];
}

static mmc_status add_images(output *out, const mmc_data_render_options *o, mmc_set set, int32_t n) {
    char name[NAME_BYTES];
    snprintf(name, sizeof name, "images_%s", mmc_set_letter(set));
    float *images = add_tensor(out, name, MMC_DTYPE_F32, n, o->data->height);
    if (!images)
        return MMC_ERR_MEMORY;
    mmc_sample *samples;
    mmc_status status = make_samples(&samples, o, set);
    mmc_image_store store = store_of(o);
    size_t each = (size_t)o->data->height * 3 * MMC_IMAGE_SIDE;
    for (int32_t i = 0; status == MMC_OK && i < n; i++)
        mmc_render_one(images + (size_t)i * each, &store, &samples[i]);
    free(samples);
    return status;
}

static mmc_status add_labels(output *out, const mmc_split *split, int32_t n) {
    int64_t *labels = add_tensor(out, "labels", MMC_DTYPE_I64, n, 0);
    for (int32_t i = 0; labels && i < n; i++)
        labels[i] = split->labels[i];
    return labels ? MMC_OK : MMC_ERR_MEMORY;
}

/* The draws that the sets asked for depend on. They are made for the whole split; the first n are written. */
static mmc_status add_draws(output *out, const mmc_data_render_options *o, int32_t n) {
    mmc_draws draws = {0};
    mmc_dataset_kind kind = o->data->kind;
    bool random_cue = has_set(o, MMC_SET_RC), boxes = kind != MMC_DATASET_DOMINOES;
    int32_t all = split_of(o)->count;
    size_t first = out->count;
    if (random_cue && boxes && !(draws.place = add_tensor(out, "place", MMC_DTYPE_I32, all, 0)))
        return MMC_ERR_MEMORY;
    if (random_cue && kind == MMC_DATASET_CIFAR100_BOX && !(draws.hue = add_tensor(out, "hue", MMC_DTYPE_F32, all, 0)))
        return MMC_ERR_MEMORY;
    if (random_cue && !boxes && !(draws.cue_index = add_tensor(out, "cue_index", MMC_DTYPE_I32, all, 0)))
        return MMC_ERR_MEMORY;
    if (has_set(o, MMC_SET_RI) && !(draws.image_index = add_tensor(out, "image_index", MMC_DTYPE_I32, all, 0)))
        return MMC_ERR_MEMORY;
    mmc_draws_make(&draws, o->data, o->split, o->seed);
    for (size_t i = first; i < out->count; i++) {
        out->tensor[i].shape[0] = n;
        out->tensor[i].count = (size_t)n;
    }
    return MMC_OK;
}

mmc_status mmc_data_render(const mmc_data_render_options *options, const char *path) {
    output out = {.count = 0};
    int32_t n;
    char seed[24];
    mmc_status status;
    MMC_TRY(check_options(options, &n));
    for (int set = 0; set < MMC_SET_COUNT; set++)
        if (has_set(options, (mmc_set)set))
            MMC_GOTO(cleanup, add_images(&out, options, (mmc_set)set, n));
    MMC_GOTO(cleanup, add_labels(&out, split_of(options), n));
    MMC_GOTO(cleanup, add_draws(&out, options, n));
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)options->seed);
    const char *keys[] = {"dataset", "split", "seed", "program"};
    const char *values[] = {mmc_dataset_name(options->data->kind), options->split == MMC_SPLIT_TRAIN ? "train" : "test",
                            seed, "mmcbench"};
    status = mmc_safetensors_write(path, out.tensor, out.count, keys, values, 4);
cleanup:
    for (size_t i = 0; i < out.count; i++)
        free(out.buffer[i]);
    return status; /* NOLINT(clang-analyzer-unix.Malloc): every buffer was freed above */
}

/* ---- the sheet ---- */

typedef struct sheet {
    int width, height; /* pixels */
    uint8_t *pixels;   /* (height, width, 3) */
} sheet;

static bool in_cue(const mmc_data_render_options *o, const mmc_sample *s, int y, int x) {
    if (o->data->kind == MMC_DATASET_DOMINOES)
        return y < MMC_IMAGE_SIDE;
    if (s->cue < 0)
        return false;
    int top = mmc_box_corner[s->cue][0], left = mmc_box_corner[s->cue][1];
    return y >= top && y < top + MMC_BOX_SIDE && x >= left && x < left + MMC_BOX_SIDE;
}

/* Natural pixels are shown from [-1,1], cues from [0,1]: what the eye takes for the picture and the paint. */
static void draw_image(sheet *to, const mmc_data_render_options *o, const mmc_sample *s, int top, int left,
                       float *scratch) {
    mmc_image_store store = store_of(o);
    int height = o->data->height;
    mmc_render_one(scratch, &store, s);
    for (int y = 0; y < height * SCALE; y++)
        for (int x = 0; x < MMC_IMAGE_SIDE * SCALE; x++) {
            int iy = y / SCALE, ix = x / SCALE;
            uint8_t *pixel = to->pixels + 3 * ((size_t)(top + y) * (size_t)to->width + (size_t)(left + x));
            for (int c = 0; c < 3; c++) {
                float v = scratch[(c * height + iy) * MMC_IMAGE_SIDE + ix];
                pixel[c] = (uint8_t)(in_cue(o, s, iy, ix) ? v * 255.0f + 0.5f : (v + 1.0f) * 127.5f + 0.5f);
            }
        }
}

static int32_t first_of_class(const mmc_split *split, int32_t count, int label) {
    for (int32_t i = 0; i < count; i++)
        if (split->labels[i] == label)
            return i;
    return -1;
}

static mmc_status draw_sheet(sheet *to, const mmc_data_render_options *o, int32_t count) {
    const mmc_split *split = split_of(o);
    int rows = SHEET_ROWS, step = o->data->classes == 100 ? 11 : 1, column = 0;
    float *scratch = malloc((size_t)o->data->height * 3 * MMC_IMAGE_SIDE * sizeof *scratch);
    if (!scratch)
        return mmc_fail(MMC_ERR_MEMORY, "no memory for one image");
    mmc_status status = MMC_OK;
    for (int set = 0; set < MMC_SET_COUNT && status == MMC_OK; set++) {
        if (!has_set(o, (mmc_set)set))
            continue;
        mmc_sample *samples;
        status = make_samples(&samples, o, (mmc_set)set);
        for (int row = 0; row < rows && status == MMC_OK; row++) {
            int32_t i = first_of_class(split, count, row * step);
            if (i >= 0)
                draw_image(to, o, &samples[i], GAP + row * (o->data->height * SCALE + GAP),
                           GAP + column * (MMC_IMAGE_SIDE * SCALE + GAP), scratch);
        }
        free(samples);
        column++;
    }
    free(scratch);
    return status;
}

static mmc_status write_png(const sheet *s, const char *path) {
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)s->width,
                       .height = (png_uint_32)s->height,
                       .format = PNG_FORMAT_RGB};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *bytes = malloc(size);
    if (!bytes)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for the picture", path);
    mmc_status status;
    if (png_image_write_to_memory(&image, bytes, &size, 0, s->pixels, 0, NULL))
        status = mmc_file_write(path, bytes, size);
    else
        status = mmc_fail(MMC_ERR_DEVICE, "%s: libpng cannot encode the picture (%s)", path, image.message);
    free(bytes);
    png_image_free(&image);
    return status;
}

mmc_status mmc_data_sheet(const mmc_data_render_options *options, const char *path) {
    int32_t count;
    MMC_TRY(check_options(options, &count));
    int columns = 0;
    for (int set = 0; set < MMC_SET_COUNT; set++)
        columns += has_set(options, (mmc_set)set);
    sheet s = {.width = GAP + columns * (MMC_IMAGE_SIDE * SCALE + GAP),
               .height = GAP + SHEET_ROWS * (options->data->height * SCALE + GAP)};
    size_t size = (size_t)s.width * (size_t)s.height * 3;
    s.pixels = malloc(size);
    if (!s.pixels)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for the picture", path);
    memset(s.pixels, PAPER, size);
    mmc_status status = draw_sheet(&s, options, count);
    if (status == MMC_OK)
        status = write_png(&s, path);
    free(s.pixels);
    return status;
}
