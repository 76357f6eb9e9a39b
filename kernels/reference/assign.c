/* The assignment problem by shortest augmenting paths, in plain loops: the definition of kernels/assign.h.
 *
 * One row after another is added to the matching along a shortest path of reduced costs c - u - v (R. Jonker and
 * A. Volgenant, Computing 38, 1987, without their starting heuristics), all in int64.
 */
#include "kernels/assign.h"

#include <math.h>
#include <string.h>

/* Working memory of one problem of n rows. */
typedef struct solver {
    int n;
    int64_t *cost;             /* (N,N), to be minimised */
    int64_t *u, *v, *distance; /* (N) */
    int32_t *column, *row;     /* (N) column of a row, row of a column; -1: none */
    int32_t *before;           /* (N) column: row from which it was reached */
    int32_t *queue;            /* (N) */
    bool *done;                /* (N) column: reached for good, or given away */
} solver;

static size_t solver_bytes(size_t n) {
    return n * (n * sizeof(int64_t) + 3 * sizeof(int64_t) + 4 * sizeof(int32_t) + sizeof(bool));
}

static solver solver_place(void *workspace, int n) {
    solver s = {.n = n, .cost = workspace};
    const size_t count = (size_t)n;
    s.u = s.cost + count * count;
    s.v = s.u + n;
    s.distance = s.v + n;
    s.column = (int32_t *)(s.distance + n);
    s.row = s.column + n;
    s.before = s.row + n;
    s.queue = s.before + n;
    s.done = (bool *)(s.queue + n);
    return s;
}

static double cost_at(const mmc_assign_call *call, size_t at) {
    switch (call->type) {
    case MMC_ASSIGN_I32:
        return (double)((const int32_t *)call->cost)[at];
    case MMC_ASSIGN_I64:
        return (double)((const int64_t *)call->cost)[at];
    case MMC_ASSIGN_F32:
        return (double)((const float *)call->cost)[at];
    default:
        return ((const double *)call->cost)[at];
    }
}

/* Fills s->cost with the integers to be minimised; false: an entry is refused. */
static bool costs_take(solver *s, mmc_assign_result *result, const mmc_assign_call *call,
                       const mmc_assign_problem *problem) {
    const int n = s->n;
    const bool floats = call->type == MMC_ASSIGN_F32 || call->type == MMC_ASSIGN_F64;
    const int64_t limit = mmc_assign_limit(n);
    double largest = 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const size_t at = problem->cost + (size_t)i * problem->stride + (size_t)j;
            bool refused;
            if (floats) {
                const double c = cost_at(call, at);
                refused = !isfinite(c);
                largest = fmax(largest, fabs(c));
            } else {
                const int64_t c = call->type == MMC_ASSIGN_I32 ? ((const int32_t *)call->cost)[at]
                                                               : ((const int64_t *)call->cost)[at];
                refused = c > limit || c < -limit;
                s->cost[(size_t)i * (size_t)n + (size_t)j] = call->maximise && !refused ? -c : c;
            }
            if (refused) {
                result->state = floats ? MMC_ASSIGN_NOT_FINITE : MMC_ASSIGN_TOO_LARGE;
                result->row = i;
                result->column = j;
                return false;
            }
        }
    if (!floats)
        return true;
    frexp(largest, &result->exponent); /* largest < 2^exponent */
    result->exponent = largest > 0 ? result->exponent - mmc_assign_bits(n) : 0;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            const double c = cost_at(call, problem->cost + (size_t)i * problem->stride + (size_t)j);
            const int64_t integer = (int64_t)rint(ldexp(c, -result->exponent));
            s->cost[(size_t)i * (size_t)n + (size_t)j] = call->maximise ? -integer : integer;
        }
    return true;
}

static int64_t reduced(const solver *s, int i, int j) {
    return s->cost[(size_t)i * (size_t)s->n + (size_t)j] - s->u[i] - s->v[j];
}

/* Adds row `start` to the matching. Distances run over columns; the nearest column that is not done comes next, until
 * one without a row is found. */
static void row_add(solver *s, int start) {
    const int n = s->n;
    int i = start, last = -1;
    int64_t distance = 0;
    memset(s->done, 0, (size_t)n * sizeof(bool));
    for (int j = 0; j < n; j++)
        s->distance[j] = INT64_MAX;
    for (;;) {
        int nearest = -1;
        for (int j = 0; j < n; j++) {
            if (s->done[j])
                continue;
            const int64_t d = distance + reduced(s, i, j);
            if (d < s->distance[j]) {
                s->distance[j] = d;
                s->before[j] = i;
            }
            if (nearest < 0 || s->distance[j] < s->distance[nearest])
                nearest = j;
        }
        distance = s->distance[nearest];
        s->done[nearest] = true;
        last = nearest;
        if (s->row[nearest] < 0)
            break;
        i = s->row[nearest];
    }
    s->u[start] += distance;
    for (int j = 0; j < n; j++)
        if (s->done[j] && j != last) {
            s->u[s->row[j]] += distance - s->distance[j];
            s->v[j] -= distance - s->distance[j];
        }
    for (int j = last; j >= 0;) {
        const int from = s->before[j], next = s->column[from];
        s->row[j] = from;
        s->column[from] = j;
        j = next;
    }
}

/* Whether row i can have column `taken` in another optimum that leaves the rows before i as they are: the row that has
 * it needs a chain of entries of reduced cost 0 that ends in row i's present column. `change`: goes over to that
 * optimum. */
static bool column_free(solver *s, int i, int taken, bool change) {
    const int n = s->n, mine = s->column[i];
    int count = 0;
    for (int j = 0; j < n; j++)
        s->done[j] = s->row[j] < i;
    s->done[taken] = true;
    s->queue[count++] = s->row[taken];
    for (int at = 0; at < count; at++)
        for (int j = 0; j < n; j++) {
            if (s->done[j] || reduced(s, s->queue[at], j) != 0)
                continue;
            s->done[j] = true;
            s->before[j] = s->queue[at];
            if (j != mine) {
                s->queue[count++] = s->row[j];
                continue;
            }
            for (int c = mine; change && c != taken;) {
                const int from = s->before[c], next = s->column[from];
                s->row[c] = from;
                s->column[from] = c;
                c = next;
            }
            if (change) {
                s->row[taken] = i;
                s->column[i] = taken;
            }
            return true;
        }
    return false;
}

/* Turns the optimum into the lexicographically smallest one; true: it is the only one. */
static bool order_smallest(solver *s) {
    const int n = s->n;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < s->column[i]; j++)
            if (s->row[j] > i && reduced(s, i, j) == 0 && column_free(s, i, j, true))
                break;
    for (int i = 0; i < n; i++)
        for (int j = s->column[i] + 1; j < n; j++)
            if (s->row[j] > i && reduced(s, i, j) == 0 && column_free(s, i, j, false))
                return false;
    return true;
}

static void problem_solve(const mmc_assign_call *call, int p, size_t first) {
    const mmc_assign_problem *problem = &call->problem[p];
    const int n = problem->rows;
    mmc_assign_result *result = &call->result[p];
    *result = (mmc_assign_result){.state = MMC_ASSIGN_SOLVED};
    solver s = solver_place(call->workspace, n);
    if (!costs_take(&s, result, call, problem))
        return;
    for (int i = 0; i < n; i++) {
        s.u[i] = s.v[i] = 0;
        s.row[i] = s.column[i] = -1;
    }
    for (int i = 0; i < n; i++)
        row_add(&s, i);
    result->unique = order_smallest(&s);

    const int64_t sign = call->maximise ? -1 : 1;
    uint64_t dual = 0; /* modulo 2^64, for 2n potentials may be larger than the total */
    result->slack = INT64_MAX;
    for (int i = 0; i < n; i++) {
        for (int j = 0; j < n; j++)
            if (reduced(&s, i, j) < result->slack)
                result->slack = reduced(&s, i, j);
        dual += (uint64_t)(sign * (s.u[i] + s.v[i]));
        result->total += sign * s.cost[(size_t)i * (size_t)n + (size_t)s.column[i]];
        result->value += cost_at(call, problem->cost + (size_t)i * problem->stride + (size_t)s.column[i]);
        call->column[first + (size_t)i] = s.column[i];
        call->u[first + (size_t)i] = sign * s.u[i];
        call->v[first + (size_t)i] = sign * s.v[i];
    }
    const int64_t gap = (int64_t)((uint64_t)result->total - dual);
    result->gap = gap < 0 ? -gap : gap;
}

static size_t reference_workspace_size(mmc_queue *queue, const mmc_assign_call *call) {
    (void)queue;
    size_t most = 0;
    for (int p = 0; p < call->problems; p++)
        if (solver_bytes((size_t)call->problem[p].rows) > most)
            most = solver_bytes((size_t)call->problem[p].rows);
    return most;
}

static mmc_status reference_solve(mmc_queue *queue, const mmc_assign_call *call) {
    MMC_TRY(mmc_assign_call_check(call));
    if (call->workspace_size < reference_workspace_size(queue, call))
        return mmc_fail(MMC_ERR_MEMORY,
                        "assignment: a workspace of %zu bytes is too small; give workspace_size() bytes",
                        call->workspace_size);
    size_t first = 0;
    for (int p = 0; p < call->problems; p++) {
        problem_solve(call, p, first);
        first += (size_t)call->problem[p].rows;
    }
    return MMC_OK;
}

static const mmc_assign_ops reference_assign_table = {
    .name = "reference",
    .workspace_size = reference_workspace_size,
    .solve = reference_solve,
};

const mmc_assign_ops *mmc_reference_assign_ops(void) {
    return &reference_assign_table;
}
