// The cases that every provider of every backend must agree on with the reference, and the providers: one line each.
#ifndef MMC_TESTS_PARITY_CASES_H
#define MMC_TESTS_PARITY_CASES_H

#include "kernels/unit.h"

#include <cstddef>
#include <cstring>
#include <ostream>
#include <string>
#include <vector>

namespace parity {

struct Provider {
    const char *backend, *provider, *precision;
    bool any_threads; // the same bits at any number of threads; else only from run to run

    bool cuda() const {
        return std::strcmp(backend, "cuda") == 0;
    }
    std::string name() const {
        std::string out = cuda() ? std::string(backend) + "_" + provider : provider;
        return std::strcmp(precision, "fp32") == 0 && !cuda() ? out : out + "_" + precision;
    }
};

inline void PrintTo(const Provider &p, std::ostream *out) {
    *out << p.name();
}

// Where CUDA is neither built nor emulated one entry stands for all: its tests say why they are skipped.
inline const Provider providers[] = {
#ifndef MMC_PARITY_EMULATED
    {"cpu", "reference", "fp32", true}, {"cpu", "onednn", "fp32", false}, {"cpu", "own", "fp32", true},
#endif
    {"cuda", "own", "fp32", true},
#if defined(MMC_PARITY_CUDA) || defined(MMC_PARITY_EMULATED)
    {"cuda", "own", "tf32", true},      {"cuda", "own", "bf16", true},
#endif
#ifdef MMC_PARITY_CUDNN
    {"cuda", "cudnn", "fp32", true},    {"cuda", "cudnn", "tf32", true},  {"cuda", "cudnn", "bf16", true},
#endif
};

// The providers that differ in their flat operations: those compute in float whatever the precision.
inline std::vector<Provider> flat_providers() {
    std::vector<Provider> out;
    for (const Provider &p : providers)
        if (!p.cuda() || (std::strcmp(p.provider, "own") == 0 && std::strcmp(p.precision, "fp32") == 0))
            out.push_back(p);
    return out;
}

enum Flags {
    PLAIN = 0,
    SHARED_X = 1,      // x holds one set for all
    DX_ADD = 2,        // dx += instead of dx =
    DRESIDUAL_ADD = 4, // dresidual += instead of dresidual =
    NO_DX = 8,         // the stem: no gradient by data
    SHORT_BATCH = 16,  // weights packed and memory planned for more images
};

struct UnitCase {
    const char *name;
    mmc_unit_shape shape; // n, c, h, w, k, r, stride, relu, residual
    int sets;
    unsigned flags;
    double tolerance; // of the largest value of each output

    double flop() const { // forward; backward twice that
        return 2.0 * sets * shape.n * shape.k * shape.c * shape.r * shape.r * mmc_unit_out_h(&shape) *
               mmc_unit_out_w(&shape);
    }
    double bytes() const { // activations read and written once, forward
        double in = double(shape.n) * shape.c * shape.h * shape.w * ((flags & SHARED_X) ? 1 : sets);
        double out = double(shape.n) * shape.k * mmc_unit_out_h(&shape) * mmc_unit_out_w(&shape) * sets;
        return sizeof(float) * (in + (shape.residual ? 2 : 1) * out);
    }
};

inline void PrintTo(const UnitCase &c, std::ostream *out) {
    *out << c.name << " (" << c.flop() / 1e6 << " MFLOP, " << c.bytes() / 1e6 << " MB)";
}

inline const UnitCase unit_cases[] = {
    {"stem", {7, 3, 32, 32, 8, 3, 1, true, false}, 1, NO_DX, 4e-6},
    {"stem_dominoes_shared", {2, 3, 64, 32, 5, 3, 1, true, false}, 3, SHARED_X | NO_DX, 4e-6},
    {"stem_paper_width", {1, 3, 32, 32, 64, 3, 1, true, false}, 1, NO_DX, 4e-6},
    {"block_join", {2, 8, 32, 32, 8, 3, 1, true, true}, 1, DX_ADD | DRESIDUAL_ADD, 4e-6},
    {"block_join_dominoes", {2, 5, 64, 32, 5, 3, 1, true, true}, 1, DRESIDUAL_ADD, 4e-6},
    {"down", {7, 16, 16, 16, 32, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"down_odd_channels", {7, 13, 16, 16, 26, 3, 2, true, false}, 1, DX_ADD, 4e-6},
    {"shortcut", {7, 16, 16, 16, 32, 1, 2, false, false}, 1, DX_ADD, 4e-6},
    {"shortcut_odd", {2, 5, 64, 32, 10, 1, 2, true, false}, 3, PLAIN, 4e-6},
    {"pointwise", {3, 13, 8, 8, 5, 1, 1, false, true}, 1, PLAIN, 4e-6},
    {"many_images", {131, 13, 4, 4, 13, 3, 1, true, true}, 1, PLAIN, 4e-6},
    {"one_image", {1, 26, 8, 8, 52, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"one_image_smallest", {1, 8, 2, 2, 8, 3, 1, true, true}, 1, DX_ADD, 4e-6},
    {"smallest_plane", {7, 40, 4, 4, 104, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"last_stage", {2, 104, 2, 2, 104, 3, 1, true, true}, 1, DRESIDUAL_ADD, 4e-6},
    {"wide", {3, 64, 8, 8, 64, 3, 1, true, true}, 3, DX_ADD, 4e-6},
    {"wide_down", {3, 128, 4, 4, 256, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"tall_plane", {3, 20, 8, 4, 20, 3, 1, false, false}, 1, PLAIN, 4e-6},
    {"short_batch", {2, 16, 8, 8, 16, 3, 1, true, true}, 1, SHORT_BATCH | DX_ADD, 4e-6},
    {"short_batch_down", {1, 24, 8, 8, 40, 3, 2, true, false}, 1, SHORT_BATCH, 4e-6},
    {"short_batch_sets", {3, 16, 16, 16, 32, 1, 2, false, false}, 3, SHORT_BATCH, 4e-6},
    {"odd_plane", {3, 6, 7, 5, 9, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"shortcut_odd_add", {3, 5, 16, 16, 10, 1, 2, false, false}, 1, DX_ADD, 4e-6},
    {"odd_width", {3, 5, 16, 16, 5, 3, 1, true, true}, 1, DX_ADD | DRESIDUAL_ADD, 4e-6},
    {"odd_down", {3, 10, 16, 16, 20, 3, 2, true, false}, 1, PLAIN, 4e-6},
    {"odd_last", {3, 40, 4, 4, 40, 3, 1, true, true}, 1, DX_ADD, 4e-6},
    {"uneven_blocks", {2, 8, 2, 2, 264, 1, 1, true, false}, 1, PLAIN, 4e-6},
};

} // namespace parity
#endif
