/* A backend: device memory and a table of fused operations (DESIGN, decision 2). cpu is complete; cuda fills the same
 * table.
 *
 * Everything above this header is the same for both: it never reads or writes device memory except through
 * upload/download. Operations are enqueued in order; download, sync and the close function wait.
 *
 *     mmc_backend *be;
 *     MMC_TRY(mmc_backend_open(&be, &(mmc_backend_options){.backend = "cpu", .provider = "auto"}));
 *     MMC_TRY(be->memory->alloc(be, &p, bytes));
 *     ...
 *     mmc_backend_close(be);
 */
#ifndef MMC_RUNTIME_BACKEND_H
#define MMC_RUNTIME_BACKEND_H

#include "kernels/assign.h"
#include "kernels/correlation.h"
#include "kernels/flat.h"
#include "kernels/mlp.h"
#include "kernels/unit.h"
#include "runtime/status.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_backend mmc_backend;

typedef struct mmc_backend_options {
    const char *backend;   /* "auto", "cpu", "cuda"; NULL: auto */
    const char *provider;  /* "auto", "own", "onednn", "reference", "cudnn"; NULL: auto */
    const char *precision; /* "fp32", "tf32", "bf16"; NULL: the backend's default (cpu: fp32 only) */
    int device;
    int threads; /* 0: all cores this process may use */
} mmc_backend_options;

/* Memory of the device. `upload` returns when the host's bytes may change again, `download` when they are there.
 * Errors: MMC_ERR_MEMORY says how much was asked for and, where known, how much is missing. Work that failed after its
 * call had returned is reported by the next download or sync. */
typedef struct mmc_memory_ops {
    mmc_status (*alloc)(mmc_backend *be, void **out,
                        size_t size);       /* 64-byte aligned, contents undefined. Owns: the caller */
    void (*free)(mmc_backend *be, void *p); /* NULL is fine */
    mmc_status (*upload)(mmc_backend *be, void *device, const void *host, size_t size);
    mmc_status (*download)(mmc_backend *be, void *host, const void *device, size_t size);
    mmc_status (*copy)(mmc_backend *be, void *out, const void *in, size_t size);
    mmc_status (*zero)(mmc_backend *be, void *out, size_t size);
    mmc_status (*sync)(mmc_backend *be);
    mmc_status (*available)(mmc_backend *be, size_t *out); /* bytes that are free now; NULL: not known */
} mmc_memory_ops;

/* Recorded work that is launched again as a whole: a step whose kernels, shapes and addresses repeat. Between begin and
 * end only operations, copy and zero are allowed; alloc, free, upload, download and sync are not. After begin the
 * caller calls end, also where an operation in between failed. */
typedef struct mmc_graph mmc_graph;
typedef struct mmc_graph_ops {
    mmc_status (*begin)(mmc_backend *be);                /* what is enqueued from here on is recorded, not run */
    mmc_status (*end)(mmc_backend *be, mmc_graph **out); /* Owns: the caller */
    mmc_status (*launch)(mmc_backend *be, mmc_graph *graph);
    void (*free)(mmc_backend *be, mmc_graph *graph); /* NULL is fine */
} mmc_graph_ops;

struct mmc_timer_ops; /* runtime/timer.h */

struct mmc_backend {
    const mmc_memory_ops *memory;
    const mmc_unit_ops *unit;
    const mmc_flat_ops *flat;
    const mmc_assign_ops *assign;
    const mmc_mlp_ops *mlp;
    const mmc_correlation_ops *correlation; /* in the layout of `unit`; NULL: this provider has none */
    const mmc_graph_ops *graph;             /* NULL: work is never recorded */
    const struct mmc_timer_ops *timer;      /* NULL: nothing can be timed here */
    mmc_queue *queue;                       /* first argument of every operation */
    void (*close)(mmc_backend *be);
    void *state;       /* the backend's own */
    char name[8];      /* "cpu", "cuda" */
    char provider[16]; /* resolved: never "auto" */
    char precision[8];
    char device[96];     /* as in every record: CPU or GPU name */
    char isa[16];        /* instruction set the kernels run with: "avx512", "avx2", "baseline", "sm_90", ... */
    char libraries[128]; /* libraries in use with versions, "onednn 2.6.3; ..." */
    char why[256];       /* why `auto` chose this backend and no device; "" where it was asked for */
    int threads;
    bool defers;     /* unit->train may put off y until it is read (kernels/unit.h) */
    int max_sets;    /* weight sets that are worth evaluating together; 1 on a CPU */
    int pass_images; /* images of an evaluation pass whose activations stay in cache; 0: no preference */
};

/* Opens a backend. Errors: MMC_ERR_USAGE for an unknown name (lists the known ones), MMC_ERR_MISSING where the library
 * or device is not there (what to install), MMC_ERR_UNSUPPORTED for a precision that the backend lacks. Owns: the
 * caller closes. */
mmc_status mmc_backend_open(mmc_backend **out, const mmc_backend_options *options);

/* Makes the backend's device the calling thread's: before a program with several devices turns from one of its backends
 * to another. A backend that has just been opened is selected. */
mmc_status mmc_backend_select(mmc_backend *be);

/* Waits for the work in hand and frees the backend; NULL is fine. Memory allocated from it must be freed before. */
void mmc_backend_close(mmc_backend *be);

#ifdef __cplusplus
}
#endif
#endif
