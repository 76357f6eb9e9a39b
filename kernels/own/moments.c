#include "kernels/own/moments.h"

void OWN(moments_part)(double *part, const float *sums, int co, int pixels, int n, int block0, int blocks) {
    double count[LANES], total = 0;
    for (int lane = 0; lane < LANES; lane++) {
        int holds = 0;
        for (int b = 0; b < blocks; b++)
            holds += lane < block_images(n, block0 + b);
        count[lane] = (double)holds * pixels;
        total += count[lane];
    }
    for (int k = 0; k < co; k++, sums += 3 * LANES) {
        double mean[LANES], m2[LANES], sum = 0, squares = 0;
        for (int lane = 0; lane < LANES; lane++) {
            const double inverse = count[lane] > 0 ? 1.0 / count[lane] : 0;
            const double s1 = sums[LANES + lane];
            mean[lane] = (double)sums[lane] + s1 * inverse;
            m2[lane] = (double)sums[2 * LANES + lane] - s1 * s1 * inverse;
        }
        for (int lane = 0; lane < LANES; lane++)
            sum += count[lane] > 0 ? count[lane] * mean[lane] : 0;
        const double centre = sum / total;
        for (int lane = 0; lane < LANES; lane++)
            squares += count[lane] > 0 ? m2[lane] + count[lane] * (mean[lane] - centre) * (mean[lane] - centre) : 0;
        part[3 * k] = total;
        part[3 * k + 1] = centre;
        part[3 * k + 2] = squares;
    }
}

void OWN(moments_merge)(float *mean, float *var, const double *parts, int part_count, int k) {
#pragma omp parallel for schedule(static)
    for (int i = 0; i < k; i++) {
        double total = 0, sum = 0, squares = 0;
        for (int j = 0; j < part_count; j++) {
            const double *part = parts + ((size_t)j * (size_t)k + (size_t)i) * 3;
            total += part[0];
            sum += part[0] * part[1];
        }
        const double centre = sum / total;
        for (int j = 0; j < part_count; j++) {
            const double *part = parts + ((size_t)j * (size_t)k + (size_t)i) * 3;
            squares += part[2] + part[0] * (part[1] - centre) * (part[1] - centre);
        }
        mean[i] = (float)centre;
        var[i] = (float)(squares > 0 || squares != squares ? squares / total : 0.0);
    }
}
