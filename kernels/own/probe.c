/* How many multiply-adds the processor does at best with this instruction set: independent chains in registers. */
#include "kernels/own/lane.h"

enum { CHAINS = 12, STEPS = 16 };

/* One thread's share; `seed` is a value that no compiler knows, 0 at run time. */
static float chains(long steps, float seed) {
    vf sum[CHAINS];
    for (int i = 0; i < CHAINS; i++)
        for (int lane = 0; lane < LANES; lane++)
            sum[i][lane] = seed + (float)(i + lane);
    const vf factor = (vf){0} + (0.999f + seed), term = (vf){0} + (0.001f + seed);
    for (long s = 0; s < steps; s += STEPS)
        for (int step = 0; step < STEPS; step++) {
            UNROLL
            for (int i = 0; i < CHAINS; i++)
                sum[i] = sum[i] * factor + term;
        }
    float total = 0;
    for (int i = 0; i < CHAINS; i++)
        for (int lane = 0; lane < LANES; lane++)
            total += sum[i][lane];
    return total;
}

double OWN(probe_fma)(long steps, float seed, float *result);
double OWN(probe_fma)(long steps, float seed, float *result) {
    const long rounds = (steps + STEPS - 1) / STEPS;
    double flop = 0;
    float total = 0;
#pragma omp parallel reduction(+ : flop, total)
    {
        total += chains(steps, seed);
        flop += 2.0 * CHAINS * LANES * STEPS * (double)rounds;
    }
    *result = total;
    return flop;
}
