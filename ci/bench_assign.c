/* Times the assignment solver for bench_assign.py: matrices are named on the command line, what to time comes line by
 * line on standard input, so that the two sides can take turns.
 *
 *     bench_assign FILE...        FILE: n as int32, then n x n costs, int32 or float64
 *     INDEX SECONDS               solves matrix INDEX (maximising) again and again for SECONDS
 *     -> SECONDS_PER_SOLUTION TOTAL GAP
 */
#define _POSIX_C_SOURCE 199309L
#include "kernels/assign.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* BETWEEN: solutions between two readings of the clock, which take as long as a tenth of a small one. */
enum { FILES = 1024, BETWEEN = 8 };

typedef struct matrix {
    int n;
    mmc_assign_type type;
    void *cost;
} matrix;

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int matrix_read(matrix *out, const char *path) {
    FILE *file = fopen(path, "rb");
    int32_t n = 0;
    if (!file || fread(&n, sizeof n, 1, file) != 1 || n < 1 || n > MMC_ASSIGN_ROWS) {
        fprintf(stderr, "bench_assign: %s holds no matrix\n", path);
        return 1;
    }
    const size_t count = (size_t)n * (size_t)n;
    out->n = n;
    out->cost = malloc(count * 8 + 1);
    const size_t size = out->cost ? fread(out->cost, 1, count * 8 + 1, file) : 0;
    out->type = size == count * 8 ? MMC_ASSIGN_F64 : MMC_ASSIGN_I32;
    fclose(file);
    if (size != count * 8 && size != count * 4) {
        fprintf(stderr, "bench_assign: %s holds %zu bytes of costs; %zu or %zu are wanted\n", path, size, count * 4,
                count * 8);
        return 1;
    }
    return 0;
}

static int matrix_time(const matrix *m, double at_least_s) {
    const mmc_assign_problem problem = {m->n, m->n, 0, (size_t)m->n};
    mmc_assign_result result;
    mmc_assign_call call = {
        .problems = 1, .problem = &problem, .type = m->type, .maximise = true, .cost = m->cost, .result = &result};
    const mmc_assign_ops *ops = mmc_own_assign_ops();
    if (!ops)
        return 1;
    const size_t rows = (size_t)m->n;
    call.workspace_size = ops->workspace_size(NULL, &call);
    call.workspace = aligned_alloc(64, call.workspace_size);
    call.column = malloc(rows * sizeof(int32_t));
    call.u = malloc(rows * sizeof(int64_t));
    call.v = malloc(rows * sizeof(int64_t));
    int failed = !call.workspace || !call.column || !call.u || !call.v || ops->solve(NULL, &call) != MMC_OK;
    const double start = now_s();
    double end = start;
    long count = 0;
    while (!failed && (count == 0 || end - start < at_least_s)) {
        for (int i = 0; !failed && i < BETWEEN; i++, count++)
            failed = ops->solve(NULL, &call) != MMC_OK || mmc_assign_results_check(&result, 1) != MMC_OK;
        end = now_s();
    }
    if (!failed)
        printf("%.9g %.17g %lld\n", (end - start) / (double)count, result.value, (long long)result.gap);
    free(call.workspace);
    free(call.column);
    free(call.u);
    free(call.v);
    return failed;
}

int main(int argc, char **argv) {
    static matrix matrices[FILES];
    for (int i = 1; i < argc && i < FILES; i++)
        if (matrix_read(&matrices[i - 1], argv[i]))
            return 3;
    int index;
    double at_least_s;
    int status = 0;
    while (!status && scanf("%d %lf", &index, &at_least_s) == 2) {
        if (index < 0 || index >= argc - 1)
            status = 2;
        else if (matrix_time(&matrices[index], at_least_s)) {
            fprintf(stderr, "bench_assign: %s\n", mmc_error_message());
            status = 1;
        }
        fflush(stdout);
    }
    for (int i = 0; i < argc - 1 && i < FILES; i++)
        free(matrices[i].cost);
    return status;
}
