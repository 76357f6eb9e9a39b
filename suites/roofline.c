#include "suites/roofline.h"

#include "runtime/bench.h"

/* A100 80 GB SXM: 156 TFLOP/s tf32, 2039 GB/s; H100 SXM: 494.7 TFLOP/s, 3350 GB/s (NVIDIA's data sheets, dense). */
static const mmc_roofline_device devices[MMC_ROOFLINE_DEVICES] = {
    {"A100", {.flop_per_s = 156e12, .bytes_per_s = 2039e9}},
    {"H100", {.flop_per_s = 494.7e12, .bytes_per_s = 3350e9}},
};

enum { ELEMENT = 4 };

typedef struct cost {
    double flop, bytes;
} cost;

/* Kernels of a unit, in the order in which they run. */
enum { FORWARD, BATCH_NORM_SUMS, BATCH_NORM_DZ, BY_DATA, BY_WEIGHTS, KERNELS };

static int unit_costs(cost out[KERNELS], const mmc_unit_info *u, mmc_pass pass) {
    const int rows = (u->h + u->stride - 1) / u->stride, columns = (u->w + u->stride - 1) / u->stride;
    const double pixels = (double)rows * columns;
    const double flop = 2.0 * u->r * u->r * u->c * u->k * pixels;
    const double in = ELEMENT * (double)u->c * u->h * u->w, made = ELEMENT * (double)u->k * pixels;
    out[FORWARD] = (cost){flop, in + made + (u->residual >= 0 ? made : 0)};
    if (pass != MMC_PASS_TRAIN)
        return FORWARD + 1;
    out[BATCH_NORM_SUMS] = (cost){0, 3 * made};
    out[BATCH_NORM_DZ] = (cost){0, 4 * made + (u->residual >= 0 ? made : 0)};
    out[BY_DATA] = u->input > 0 ? (cost){flop, in + made} : (cost){0, 0}; /* no gradient for the image */
    out[BY_WEIGHTS] = (cost){flop, in + made};
    return KERNELS;
}

static cost head_cost(const mmc_model *model, mmc_pass pass) {
    const double forwards = pass == MMC_PASS_TRAIN ? 3 : 1;
    return (cost){forwards * 2.0 * model->features * model->spec.classes, forwards * ELEMENT * model->features};
}

static double seconds(const mmc_roofline_device *device, cost c) {
    return mmc_bench_roofline_s(&device->peaks, c.flop, c.bytes);
}

const mmc_roofline_device *mmc_roofline_devices(void) {
    return devices;
}

/* Sums over the kernels; device NULL: no time. */
static cost sum(double *total_s, const mmc_roofline_device *device, const mmc_model *model, mmc_pass pass) {
    cost all = head_cost(model, pass);
    double time_s = device ? seconds(device, all) : 0;
    for (int i = 0; i < model->unit_count; i++) {
        cost kernel[KERNELS];
        const int count = unit_costs(kernel, &model->units[i], pass);
        for (int k = 0; k < count; k++) {
            all.flop += kernel[k].flop;
            all.bytes += kernel[k].bytes;
            time_s += device ? seconds(device, kernel[k]) : 0;
        }
    }
    if (total_s)
        *total_s = time_s;
    return all;
}

double mmc_roofline_image_flop(const mmc_model *model, mmc_pass pass) {
    return sum(NULL, NULL, model, pass).flop;
}

double mmc_roofline_image_bytes(const mmc_model *model, mmc_pass pass) {
    return sum(NULL, NULL, model, pass).bytes;
}

double mmc_roofline_image_s(const mmc_roofline_device *device, const mmc_model *model, mmc_pass pass) {
    double time_s;
    sum(&time_s, device, model, pass);
    return time_s;
}
