#define _POSIX_C_SOURCE 200809L
#include "runtime/backend.h"
#include "runtime/backend_cuda.h"
#include "runtime/comm.h"
#include "runtime/trace.h"
#include "runtime/version.h"
#include "suites/command.h"

#include <jansson.h>
#include <lzma.h>
#include <openssl/crypto.h>
#include <png.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

/* One thing that the program can use. remedy: how to get it where it is missing. */
static void print(mmc_output *out, const char *kind, const char *name, bool found, const char *detail,
                  const char *remedy) {
    mmc_cell cells[] = {mmc_cell_text("kind", kind), mmc_cell_text("name", name), mmc_cell_bool("found", found),
                        mmc_cell_text("detail", detail), mmc_cell_text("remedy", remedy)};
    size_t count = sizeof cells / sizeof *cells - (found || !remedy);
    if (out->json)
        mmc_output_row(out, cells, count, NULL);
    else
        mmc_output_line(out, "%-9s %-11s %-8s %s%s%s", kind, name, found ? "" : "missing", detail,
                        found || !remedy ? "" : "; ", found || !remedy ? "" : remedy);
}

static void print_build(mmc_output *out) {
    const mmc_version *v = mmc_version_get();
    char commit[64];
    snprintf(commit, sizeof commit, "%.40s%s", v->commit, v->dirty ? ", dirty" : "");
    print(out, "build", "version", true, v->version, NULL);
    print(out, "build", "commit", true, commit, NULL);
    print(out, "build", "compiler", true, v->compiler, NULL);
    print(out, "build", "flags", true, v->flags, NULL);
    print(out, "build", "type", true, v->build_type, NULL);
    if (*v->sanitize)
        print(out, "build", "sanitizers", true, v->sanitize, NULL);
    if (!v->optimised)
        print(out, "build", "timings", false, "not optimised: timings of this build mean nothing",
              "build with `cmake --preset release`");
}

static void print_backend(mmc_output *out, const char *kind, const char *name, const mmc_backend_options *options) {
    mmc_backend *be = NULL;
    if (mmc_backend_open(&be, options) != MMC_OK) {
        print(out, kind, name, false, mmc_error_message(), NULL);
        return;
    }
    char detail[320];
    if (strcmp(kind, "device") == 0)
        snprintf(detail, sizeof detail, "%s, %d threads, %s, %s", be->device, be->threads, be->isa, be->precision);
    else
        snprintf(detail, sizeof detail, "%s%s%s", be->isa, *be->libraries ? ", " : "", be->libraries);
    print(out, kind, name, true, detail, NULL);
    mmc_backend_close(be);
}

/* The CUDA devices, or why there is none that can be used. */
static void print_devices(mmc_output *out) {
    char name[24], detail[256];
    const int count = mmc_backend_cuda_count();
    if (count == 0 && mmc_backend_cuda_usable(0) != MMC_OK)
        print(out, "device", "cuda", false, mmc_error_message(), NULL);
    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof name, "cuda %d", i);
        if (mmc_backend_cuda_usable(i) == MMC_OK && mmc_backend_cuda_describe(detail, sizeof detail, i) == MMC_OK)
            print(out, "device", name, true, detail, NULL);
        else
            print(out, "device", name, false, mmc_error_message(), NULL);
    }
}

static void print_libraries(mmc_output *out) {
    char cuda[128];
    mmc_backend_cuda_libraries(cuda, sizeof cuda);
    print(out, "library", "cuda", *cuda, *cuda ? cuda : "not in this build",
          "install the CUDA toolkit and configure with -DMMC_CUDA=ON");
    print(out, "library", "nccl", *mmc_comm_version(), *mmc_comm_version() ? mmc_comm_version() : "not in this build",
          "several devices need it: install NCCL 2 and configure with -DMMC_NCCL=ON");
    print(out, "library", "nvtx", mmc_trace_built(), mmc_trace_built() ? "3" : "not in this build",
          "comes with the CUDA toolkit; configure with -DMMC_NVTX=ON");
    print(out, "library", "zlib", true, zlibVersion(), NULL);
    print(out, "library", "liblzma", true, lzma_version_string(), NULL);
    print(out, "library", "libpng", true, png_get_libpng_ver(NULL), NULL);
    print(out, "library", "jansson", true, JANSSON_VERSION, NULL);
    print(out, "library", "openssl", true, OpenSSL_version(OPENSSL_VERSION), NULL);
}

/* Looks a program up as the shell does. */
static bool find_program(char *path, size_t size, const char *name) {
    const char *folders = getenv("PATH");
    for (const char *p = folders ? folders : "/usr/bin:/bin"; *p;) {
        size_t length = strcspn(p, ":");
        int used = snprintf(path, size, "%.*s/%s", (int)length, p, name);
        if (length && used > 0 && (size_t)used < size && access(path, X_OK) == 0)
            return true;
        p += length + (p[length] == ':');
    }
    return false;
}

static void print_program(mmc_output *out, const char *name, const char *remedy) {
    char path[512];
    bool found = find_program(path, sizeof path, name);
    print(out, "program", name, found, found ? path : "not in PATH", remedy);
}

mmc_status mmc_command_info(const mmc_options *options, mmc_output *out) {
    if (options->argument_count)
        return mmc_fail(MMC_ERR_USAGE, "info takes no argument '%s'", options->arguments[0]);
    print_build(out);
    print_backend(out, "device", "cpu", &(mmc_backend_options){.backend = "cpu"});
    print_devices(out);
    static const char *const providers[] = {"own", "onednn", "reference"};
    static const char *const cuda_providers[] = {"cuda own", "cuda cudnn"};
    for (size_t i = 0; i < sizeof providers / sizeof *providers; i++)
        print_backend(out, "provider", providers[i],
                      &(mmc_backend_options){.backend = "cpu", .provider = providers[i]});
    if (mmc_backend_cuda_usable(0) == MMC_OK)
        for (size_t i = 0; i < sizeof cuda_providers / sizeof *cuda_providers; i++)
            print_backend(out, "provider", cuda_providers[i],
                          &(mmc_backend_options){.backend = "cuda", .provider = cuda_providers[i] + strlen("cuda ")});
    print_libraries(out);
    print_program(out, "gnuplot", "figures need it: apt-get install gnuplot-nox");
    print_program(out, "curl", "`data fetch` needs it or wget: apt-get install curl");
    static const char fashion[] = "/usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz";
    print(out, "data", "fashion-box", access(fashion, R_OK) == 0, "Debian's Fashion-MNIST",
          "apt-get install dataset-fashion-mnist");
    return MMC_OK;
}
