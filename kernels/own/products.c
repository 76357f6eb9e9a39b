/* Inner products of the rows of two matrices in double. Rows are packed, DEPTH values at a time, into panels whose
 * values lie unit after unit: ROWS units of a, VECTORS vectors of units of b. Each pair of panels is a register tile of
 * ROWS x VECTORS vectors; a panel of b stays in the first-level cache while all of a passes. */
#include "kernels/own/products.h"
#include "kernels/own/lane.h"

#include <omp.h>
#include <string.h>

typedef double vd __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));

/* The tile and its operands fill the register file. */
#if defined(__AVX512F__)
enum { ROWS = 8, VECTORS = 3 };
#else
enum { ROWS = 4, VECTORS = 3 };
#endif
enum { DEPTH = PRODUCTS_DEPTH, WIDE = LANES / 2, COLUMNS = VECTORS * WIDE };
_Static_assert((int)ROWS <= (int)PRODUCTS_PANEL_MAX && (int)COLUMNS <= (int)PRODUCTS_PANEL_MAX,
               "the workspace holds no panel");

/* `count` values of `width` rows from `first` on, transposed; rows beyond the last are zeros. */
INLINE void panel_pack(double *out, const float *in, int rows, size_t length, int panel, const int width, int count) {
    const float *row = in + (size_t)panel * (size_t)width * length;
    const int units = rows - panel * width < width ? rows - panel * width : width;
    for (int i = 0; i < width; i++, row += length)
        for (int k = 0; k < count; k++)
            out[k * width + i] = i < units ? (double)row[k] : 0;
}

/* out += the products of a panel of a and a panel of b. */
static void tile_add(double *out, const double *a, const double *b, int rows, int panel_a, int panel_b, int count) {
    vd sum[ROWS][VECTORS] = {{{0}}};
    for (int k = 0; k < count; k++, a += ROWS, b += COLUMNS) {
        vd y[VECTORS];
        UNROLL
        for (int j = 0; j < VECTORS; j++)
            y[j] = *(const vd *)(b + j * WIDE);
        UNROLL
        for (int i = 0; i < ROWS; i++) {
            UNROLL
            for (int j = 0; j < VECTORS; j++)
                sum[i][j] += a[i] * y[j];
        }
    }
    const int first = panel_b * COLUMNS, columns = rows - first < COLUMNS ? rows - first : COLUMNS;
    UNROLL
    for (int i = 0; i < ROWS; i++) {
        double line[COLUMNS], *to = out + (size_t)(panel_a * ROWS + i) * (size_t)rows + first;
        if (panel_a * ROWS + i >= rows)
            break;
        memcpy(line, sum[i], sizeof line);
        for (int j = 0; j < columns; j++)
            to[j] += line[j];
    }
}

void OWN(products)(double *out, const float *a, const float *b, int rows, size_t length, void *workspace);
void OWN(products)(double *out, const float *a, const float *b, int rows, size_t length, void *workspace) {
    const int panels_a = ceil_div(rows, ROWS), panels_b = ceil_div(rows, COLUMNS);
    double *packed_b = workspace, *packed_a = packed_b + (size_t)panels_b * (DEPTH * COLUMNS);
    memset(out, 0, (size_t)rows * (size_t)rows * sizeof *out);
#pragma omp parallel
    for (size_t first = 0; first < length; first += DEPTH) {
        const int count = length - first < DEPTH ? (int)(length - first) : DEPTH;
#pragma omp for schedule(static)
        for (int panel = 0; panel < panels_a + panels_b; panel++)
            if (panel < panels_a)
                panel_pack(packed_a + (size_t)panel * (DEPTH * ROWS), a + first, rows, length, panel, ROWS, count);
            else
                panel_pack(packed_b + (size_t)(panel - panels_a) * (DEPTH * COLUMNS), b + first, rows, length,
                           panel - panels_a, COLUMNS, count);
#pragma omp for schedule(static)
        for (int j = 0; j < panels_b; j++)
            for (int i = 0; i < panels_a; i++)
                tile_add(out, packed_a + (size_t)i * (DEPTH * ROWS), packed_b + (size_t)j * (DEPTH * COLUMNS), rows, i,
                         j, count);
    }
}
