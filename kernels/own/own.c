/* Choice of the instruction set. */
#include "kernels/own/own.h"

#include "kernels/assign.h"
#include "kernels/correlation.h"
#include "kernels/mlp.h"
#include "kernels/own/products.h"
#include "kernels/products.h"

#include <stdlib.h>
#include <string.h>

typedef struct own_variant {
    const char *isa;
    const mmc_unit_ops *unit;
    const mmc_flat_ops *flat;
    const mmc_assign_ops *assign;
    const mmc_correlation_ops *correlation;
    const mmc_mlp_ops *mlp;
    void (*products)(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);
    double (*probe_fma)(long steps, float seed, float *result);
} own_variant;

extern const mmc_unit_ops mmc_own_unit_table_baseline;
extern const mmc_flat_ops mmc_own_flat_table_baseline;
extern const mmc_assign_ops mmc_own_assign_table_baseline;
extern const mmc_correlation_ops mmc_own_correlation_table_baseline;
extern const mmc_mlp_ops mmc_own_mlp_table_baseline;
void mmc_own_products_baseline(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);
double mmc_own_probe_fma_baseline(long steps, float seed, float *result);
#ifdef MMC_OWN_X86
extern const mmc_unit_ops mmc_own_unit_table_avx512, mmc_own_unit_table_avx2;
extern const mmc_flat_ops mmc_own_flat_table_avx512, mmc_own_flat_table_avx2;
extern const mmc_assign_ops mmc_own_assign_table_avx512, mmc_own_assign_table_avx2;
extern const mmc_correlation_ops mmc_own_correlation_table_avx512, mmc_own_correlation_table_avx2;
extern const mmc_mlp_ops mmc_own_mlp_table_avx512, mmc_own_mlp_table_avx2;
void mmc_own_products_avx512(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);
void mmc_own_products_avx2(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);
double mmc_own_probe_fma_avx512(long steps, float seed, float *result);
double mmc_own_probe_fma_avx2(long steps, float seed, float *result);
#endif

/* Best first. */
static const own_variant own_variants[] = {
#ifdef MMC_OWN_X86
    {"avx512", &mmc_own_unit_table_avx512, &mmc_own_flat_table_avx512, &mmc_own_assign_table_avx512,
     &mmc_own_correlation_table_avx512, &mmc_own_mlp_table_avx512, mmc_own_products_avx512, mmc_own_probe_fma_avx512},
    {"avx2", &mmc_own_unit_table_avx2, &mmc_own_flat_table_avx2, &mmc_own_assign_table_avx2,
     &mmc_own_correlation_table_avx2, &mmc_own_mlp_table_avx2, mmc_own_products_avx2, mmc_own_probe_fma_avx2},
#endif
    {"baseline", &mmc_own_unit_table_baseline, &mmc_own_flat_table_baseline, &mmc_own_assign_table_baseline,
     &mmc_own_correlation_table_baseline, &mmc_own_mlp_table_baseline, mmc_own_products_baseline,
     mmc_own_probe_fma_baseline},
};
enum { OWN_VARIANTS = sizeof own_variants / sizeof own_variants[0] };

static int variant_supported(const own_variant *v) {
#ifdef MMC_OWN_X86
    if (strcmp(v->isa, "avx512") == 0)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
               __builtin_cpu_supports("fma");
    if (strcmp(v->isa, "avx2") == 0)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
    return strcmp(v->isa, "baseline") == 0;
}

static const own_variant *variant_choose(void) {
    const char *wish = getenv("MMC_ISA");
    for (int i = 0; i < OWN_VARIANTS; i++) {
        const own_variant *v = &own_variants[i];
        if (wish && strcmp(wish, v->isa) != 0)
            continue;
        if (variant_supported(v))
            return v;
        if (wish) {
            mmc_fail(MMC_ERR_USAGE, "MMC_ISA=%s: this processor does not support it; unset MMC_ISA", wish);
            return NULL;
        }
    }
    mmc_fail(MMC_ERR_USAGE, "MMC_ISA=%s: unknown instruction set; give avx512, avx2 or baseline", wish ? wish : "");
    return NULL;
}

const char *mmc_own_isa(void) {
    const own_variant *v = variant_choose();
    return v ? v->isa : NULL;
}

const mmc_unit_ops *mmc_own_unit_ops(void) {
    const own_variant *v = variant_choose();
    return v ? v->unit : NULL;
}

const mmc_flat_ops *mmc_own_flat_ops(void) {
    const own_variant *v = variant_choose();
    return v ? v->flat : NULL;
}

const mmc_assign_ops *mmc_own_assign_ops(void) {
    const own_variant *v = variant_choose();
    return v ? v->assign : NULL;
}

const mmc_correlation_ops *mmc_own_correlation_ops(void) {
    const own_variant *v = variant_choose();
    return v ? v->correlation : NULL;
}

const mmc_mlp_ops *mmc_own_mlp_ops(void) {
    const own_variant *v = variant_choose();
    return v ? v->mlp : NULL;
}

size_t mmc_products_workspace_size(int rows) {
    const size_t padded = (size_t)rows + PRODUCTS_PANEL_MAX;
    return (2 * padded * PRODUCTS_DEPTH * sizeof(double) + 63) / 64 * 64;
}

mmc_status mmc_own_products(double *out, const float *a, const float *b, int rows, size_t length, void *workspace) {
    const own_variant *v = variant_choose();
    if (!v)
        return MMC_ERR_USAGE;
    v->products(out, a, b, rows, length, workspace);
    return MMC_OK;
}

double mmc_own_probe_fma(long steps) {
    const own_variant *v = variant_choose();
    static volatile float zero, result; /* what the compiler may neither foresee nor leave out */
    float total;
    const double flop = (v ? v : &own_variants[OWN_VARIANTS - 1])->probe_fma(steps, zero, &total);
    result = total;
    (void)result;
    return flop;
}
