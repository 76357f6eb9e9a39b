/* The CPU backend: device memory is host memory, every operation is done when its call returns. */
#define _GNU_SOURCE /* sched_getaffinity */
#include "runtime/backend_cpu.h"

#include "kernels/onednn/onednn.h"
#include "kernels/own/own.h"
#include "runtime/timer.h"

#include <omp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* CACHED_IMAGES: images per thread whose activations stay in cache under the provider own, two blocks of 16. */
enum { ALIGNMENT = 64, THREADS_MAX = 1024, CACHED_IMAGES = 32 };

static mmc_status memory_alloc(mmc_backend *be, void **out, size_t size) {
    (void)be;
    *out = NULL;
    size_t rounded = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (rounded < size)
        return mmc_fail(MMC_ERR_MEMORY, "%zu bytes cannot be allocated", size);
    *out = aligned_alloc(ALIGNMENT, rounded ? rounded : ALIGNMENT);
    if (!*out)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %.1f MB were asked for; a smaller batch or width needs less",
                        (double)size / 1e6);
    return MMC_OK;
}

static void memory_free(mmc_backend *be, void *p) {
    (void)be;
    free(p);
}

static mmc_status memory_copy(mmc_backend *be, void *out, const void *in, size_t size) {
    (void)be;
    if (size)
        memcpy(out, in, size);
    return MMC_OK;
}

static mmc_status memory_zero(mmc_backend *be, void *out, size_t size) {
    (void)be;
    if (size)
        memset(out, 0, size);
    return MMC_OK;
}

static mmc_status memory_sync(mmc_backend *be) {
    (void)be;
    return MMC_OK;
}

static const mmc_memory_ops memory_ops = {
    .alloc = memory_alloc,
    .free = memory_free,
    .upload = memory_copy,
    .download = memory_copy,
    .copy = memory_copy,
    .zero = memory_zero,
    .sync = memory_sync,
};

/* Cores this process may run on. */
static int cores_allowed(void) {
    cpu_set_t *set = CPU_ALLOC(8192);
    size_t size = CPU_ALLOC_SIZE(8192);
    int count = 0;
    if (set && sched_getaffinity(0, size, set) == 0)
        count = CPU_COUNT_S(size, set);
    CPU_FREE(set);
    return count > 0 ? count : omp_get_num_procs();
}

/* First "model name" of /proc/cpuinfo; other systems name the architecture only. */
static void device_name(char *out, size_t size) {
    snprintf(out, size, "CPU");
    FILE *file = fopen("/proc/cpuinfo", "r");
    if (!file)
        return;
    char line[512];
    while (fgets(line, sizeof line, file)) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || !colon)
            continue;
        colon += strspn(colon, ": \t");
        snprintf(out, size, "%.*s", (int)strcspn(colon, "\n"), colon);
        break;
    }
    fclose(file);
}

/* The widest instruction set that a provider with run-time dispatch finds here. */
static const char *host_isa(void) {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw"))
        return "avx512";
    if (__builtin_cpu_supports("avx2"))
        return "avx2";
#endif
    return "baseline";
}

static mmc_status choose_provider(mmc_backend *be, const char *name) {
    const mmc_unit_ops *onednn = mmc_onednn_unit_ops();
    be->flat = mmc_own_flat_ops();
    be->assign = mmc_own_assign_ops();
    be->mlp = mmc_own_mlp_ops();
    if (strcmp(name, "auto") == 0 || strcmp(name, "own") == 0)
        be->unit = mmc_own_unit_ops();
    else if (strcmp(name, "reference") == 0) {
        be->unit = mmc_reference_unit_ops();
        be->flat = mmc_reference_flat_ops();
        be->assign = mmc_reference_assign_ops();
        be->mlp = mmc_reference_mlp_ops();
    } else if (strcmp(name, "onednn") == 0 && onednn)
        be->unit = onednn;
    else if (strcmp(name, "onednn") == 0)
        return mmc_fail(MMC_ERR_MISSING, "provider onednn: this build has no oneDNN; install libdnnl-dev and "
                                         "configure with -DMMC_ONEDNN=ON, or use --provider reference");
    else if (strcmp(name, "cudnn") == 0)
        return mmc_fail(MMC_ERR_UNSUPPORTED,
                        "provider cudnn belongs to backend cuda; cpu has own, onednn and reference");
    else
        return mmc_fail(MMC_ERR_USAGE, "provider '%s' is not known; backend cpu has: auto, own, onednn, reference",
                        name);
    if (!be->unit || !be->flat)
        return MMC_ERR_USAGE; /* the provider own said which instruction set is not there */
    if (be->unit == mmc_own_unit_ops())
        be->correlation = mmc_own_correlation_ops();
    else if (be->unit == mmc_reference_unit_ops())
        be->correlation = mmc_reference_correlation_ops();
    snprintf(be->provider, sizeof be->provider, "%s", be->unit->name);
    if (be->unit == mmc_reference_unit_ops())
        snprintf(be->isa, sizeof be->isa, "baseline");
    else
        snprintf(be->isa, sizeof be->isa, "%s", strcmp(be->provider, "own") == 0 ? mmc_own_isa() : host_isa());
    return MMC_OK;
}

static void close_backend(mmc_backend *be) {
    free(be);
}

mmc_status mmc_backend_cpu_open(mmc_backend **out, const mmc_backend_options *options) {
    *out = NULL;
    const char *provider = options->provider ? options->provider : "auto";
    const char *precision = options->precision ? options->precision : "fp32";
    if (strcmp(precision, "tf32") == 0 || strcmp(precision, "bf16") == 0)
        return mmc_fail(MMC_ERR_UNSUPPORTED, "precision %s: backend cpu computes in fp32 only; use --precision fp32",
                        precision);
    if (strcmp(precision, "fp32") != 0)
        return mmc_fail(MMC_ERR_USAGE, "precision '%s' is not known; known are: fp32, tf32, bf16", precision);
    if (options->device != 0)
        return mmc_fail(MMC_ERR_MISSING, "device %d: backend cpu has device 0 only", options->device);
    if (options->threads < 0 || options->threads > THREADS_MAX)
        return mmc_fail(MMC_ERR_RANGE, "%d threads: give 1 to %d, or 0 for all cores this process may use",
                        options->threads, THREADS_MAX);
    mmc_backend *be = calloc(1, sizeof *be);
    if (!be)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory opening the backend");
    mmc_status status = choose_provider(be, provider);
    if (status != MMC_OK) {
        free(be);
        return status;
    }
    be->memory = &memory_ops;
    be->timer = mmc_timer_cpu_ops();
    be->close = close_backend;
    be->threads = options->threads ? options->threads : cores_allowed();
    be->max_sets = 1;
    if (be->unit == mmc_own_unit_ops())
        be->pass_images = CACHED_IMAGES * be->threads;
    omp_set_num_threads(be->threads);
    snprintf(be->name, sizeof be->name, "cpu");
    snprintf(be->precision, sizeof be->precision, "fp32");
    device_name(be->device, sizeof be->device);
    if (be->unit == mmc_onednn_unit_ops())
        snprintf(be->libraries, sizeof be->libraries, "onednn %s", mmc_onednn_version());
    *out = be;
    return MMC_OK;
}
