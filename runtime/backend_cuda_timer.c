/* The timer of the CUDA backend: events of its stream; peaks from the device's properties; clocks from the driver's
 * management library (NVML), which is asked for at run time and may be missing. */
#include "kernels/cuda/queue.h"
#include "runtime/backend_cuda.h"
#include "runtime/backend_cuda/state.h"
#include "runtime/timer.h"

#include <cuda_profiler_api.h>
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* What is used of NVML's interface; its header is not needed to build. */
enum { NVML_CLOCK_SM = 1 };
#define NVML_POWER_CAP 0x4ULL
#define NVML_SLOWDOWN (0x8ULL | 0x20ULL | 0x40ULL | 0x80ULL) /* hardware; heat by software, hardware; power brake */

typedef struct nvml {
    void *library; /* NULL: there is none */
    void *device;
    int (*shutdown)(void);
    int (*clock)(void *device, int type, unsigned *mhz);
    int (*reasons)(void *device, unsigned long long *bits);
} nvml;

struct mmc_timer {
    mmc_queue *queue;
    cudaEvent_t start, stop;
    void *sweep;
    size_t bytes;
    nvml nvml;
};

/* --- clocks --- */

static void nvml_close(nvml *n) {
    if (n->shutdown)
        (void)n->shutdown();
    if (n->library)
        dlclose(n->library);
    *n = (nvml){.library = NULL};
}

static bool find(void *function, void *library, const char *name) {
    return (*(void **)function = dlsym(library, name)) != NULL;
}

/* Finds the device by its place on the bus: NVML counts devices without regard to CUDA_VISIBLE_DEVICES. */
static void nvml_open(nvml *n, int index) {
    int (*init)(void), (*by_bus)(const char *id, void **device);
    int domain = 0, bus = 0, slot = 0;
    char id[32];
    *n = (nvml){.library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)};
    if (!n->library)
        return;
    bool good = find(&init, n->library, "nvmlInit_v2") &&
                find(&by_bus, n->library, "nvmlDeviceGetHandleByPciBusId_v2") &&
                find(&n->clock, n->library, "nvmlDeviceGetClockInfo") &&
                find(&n->reasons, n->library, "nvmlDeviceGetCurrentClocksThrottleReasons") && init() == 0 &&
                find(&n->shutdown, n->library, "nvmlShutdown");
    good = good && cudaDeviceGetAttribute(&domain, cudaDevAttrPciDomainId, index) == cudaSuccess &&
           cudaDeviceGetAttribute(&bus, cudaDevAttrPciBusId, index) == cudaSuccess &&
           cudaDeviceGetAttribute(&slot, cudaDevAttrPciDeviceId, index) == cudaSuccess;
    snprintf(id, sizeof id, "%08x:%02x:%02x.0", (unsigned)domain, (unsigned)bus, (unsigned)slot);
    if (!good || by_bus(id, &n->device) != 0)
        nvml_close(n);
}

static mmc_clocks clocks(mmc_timer *t) {
    mmc_clocks c = {.clock_mhz = NAN, .throttled = -1};
    unsigned mhz = 0;
    unsigned long long bits = 0;
    if (!t->nvml.library) {
        c.reason = "the driver's management library (libnvidia-ml.so.1) tells no clocks here";
        return c;
    }
    if (t->nvml.clock(t->nvml.device, NVML_CLOCK_SM, &mhz) == 0)
        c.clock_mhz = mhz;
    else
        c.reason = "the driver does not tell this device's clock";
    if (t->nvml.reasons(t->nvml.device, &bits) != 0) {
        c.reason = "the driver does not tell what holds this device back";
        return c;
    }
    c.throttled = (bits & NVML_SLOWDOWN) != 0;
    if (c.throttled)
        c.reason = "throttled by heat or a power brake";
    else if (bits & NVML_POWER_CAP)
        c.reason = "held at its power limit";
    return c;
}

/* --- peaks --- */

/* FLOP that a multiprocessor of a compute capability does a clock: dense, sums in fp32. For GeForce and RTX the rates
 * of the gaming chips; professional chips of the same capability may do twice as much in tf32 and bf16. */
static const struct {
    int capability;
    double fp32, tf32, bf16;
} rates[] = {
    {80, 128, 1024, 2048}, {86, 256, 256, 512},    {89, 256, 256, 512},
    {90, 256, 2048, 4096}, {100, 256, 4096, 8192}, {120, 256, 256, 512},
};

static mmc_status peaks(mmc_timer *t, mmc_peaks *out) {
    const mmc_queue *q = t->queue;
    int clock_khz = 0, memory_khz = 0, bus_bits = 0;
    size_t row = 0;
    MMC_CUDA(cudaDeviceGetAttribute(&clock_khz, cudaDevAttrClockRate, q->device));
    MMC_CUDA(cudaDeviceGetAttribute(&memory_khz, cudaDevAttrMemoryClockRate, q->device));
    MMC_CUDA(cudaDeviceGetAttribute(&bus_bits, cudaDevAttrGlobalMemoryBusWidth, q->device));
    while (row + 1 < sizeof rates / sizeof *rates && rates[row + 1].capability <= q->capability)
        row++;
    const double per_clock = q->precision == MMC_CUDA_BF16   ? rates[row].bf16
                             : q->precision == MMC_CUDA_TF32 ? rates[row].tf32
                                                             : fmax(rates[row].fp32, rates[row].tf32 / 3);
    out->flop_per_s = per_clock * q->sm_count * clock_khz * 1e3;
    out->bytes_per_s = 2.0 * memory_khz * 1e3 * bus_bits / 8; /* two transfers a clock */
    snprintf(out->source, sizeof out->source, "properties: %d SMs at %d MHz, %d bits at %d MHz", q->sm_count,
             clock_khz / 1000, bus_bits, memory_khz / 1000);
    return MMC_OK;
}

/* --- timing --- */

static void close_timer(mmc_timer *t) {
    if (!t)
        return;
    nvml_close(&t->nvml);
    (void)cudaFree(t->sweep);
    if (t->stop)
        (void)cudaEventDestroy(t->stop);
    if (t->start)
        (void)cudaEventDestroy(t->start);
    free(t);
}

static mmc_status create(mmc_timer *t) {
    MMC_CUDA(cudaEventCreate(&t->start));
    MMC_CUDA(cudaEventCreate(&t->stop));
    MMC_CUDA(cudaMalloc(&t->sweep, t->bytes));
    return MMC_OK;
}

static mmc_status open_timer(mmc_timer **out, mmc_backend *be) {
    *out = NULL;
    mmc_timer *t = calloc(1, sizeof *t);
    if (!t)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for a timer");
    t->queue = be->queue;
    t->bytes = 2 * be->queue->l2_bytes;
    mmc_status status = mmc_backend_cuda_select(be);
    if (status == MMC_OK)
        status = create(t);
    if (status != MMC_OK) {
        close_timer(t);
        return status;
    }
    nvml_open(&t->nvml, be->queue->device);
    *out = t;
    return MMC_OK;
}

/* It also gives the host the time to enqueue the sample behind it, so that launches are not timed. */
static mmc_status flush(mmc_timer *t) {
    MMC_CUDA(cudaMemsetAsync(t->sweep, 0, t->bytes, t->queue->stream));
    return MMC_OK;
}

static mmc_status start(mmc_timer *t) {
    MMC_CUDA(cudaEventRecord(t->start, t->queue->stream));
    return MMC_OK;
}

static mmc_status stop(mmc_timer *t, double *elapsed_s) {
    float ms = 0;
    MMC_CUDA(cudaEventRecord(t->stop, t->queue->stream));
    MMC_CUDA(cudaEventSynchronize(t->stop));
    MMC_CUDA(cudaEventElapsedTime(&ms, t->start, t->stop));
    *elapsed_s = (double)ms / 1e3;
    return MMC_OK;
}

static mmc_status profile(mmc_timer *t, bool on) {
    MMC_CUDA(cudaStreamSynchronize(t->queue->stream));
    MMC_CUDA(on ? cudaProfilerStart() : cudaProfilerStop());
    return MMC_OK;
}

const struct mmc_timer_ops *mmc_cuda_timer_ops(void) {
    static const struct mmc_timer_ops ops = {
        .open = open_timer,
        .close = close_timer,
        .flush = flush,
        .start = start,
        .stop = stop,
        .peaks = peaks,
        .clocks = clocks,
        .profile = profile,
    };
    return &ops;
}
