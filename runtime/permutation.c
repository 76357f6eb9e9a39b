#include "runtime/permutation.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SLOTS = MMC_MODEL_UNITS + 1 };

/* The lowest slot whose channels are in the order of this slot's. */
static int find(const int *parent, int slot) {
    while (parent[slot] != slot)
        slot = parent[slot];
    return slot;
}

static void join(int *parent, int a, int b) {
    a = find(parent, a);
    b = find(parent, b);
    parent[a > b ? a : b] = a > b ? b : a;
}

void mmc_permutation_groups_of(mmc_permutation_groups *out, const mmc_model *model) {
    int parent[SLOTS], members[SLOTS] = {0}, stages = 0;
    memset(out, 0, sizeof *out);
    for (int s = 0; s <= model->unit_count; s++)
        parent[s] = s;
    for (int i = 0; i < model->unit_count; i++)
        if (model->units[i].residual >= 0)
            join(parent, i + 1, model->units[i].residual);
    for (int s = 1; s <= model->unit_count; s++)
        members[find(parent, s)]++;
    out->of_slot[0] = -1;
    for (int s = 1; s <= model->unit_count; s++) {
        const int root = find(parent, s);
        if (root != s) {
            out->of_slot[s] = out->of_slot[root];
            continue;
        }
        const mmc_unit_info *u = &model->units[s - 1];
        mmc_permutation_group *g = &out->group[out->count];
        if (members[s] > 1)
            snprintf(g->name, sizeof g->name, "stage%d", ++stages);
        else
            snprintf(g->name, sizeof g->name, "%s", u->conv);
        g->units = u->k;
        g->first = out->total;
        g->unit = s - 1;
        g->relu = !u->relu;
        out->of_slot[s] = out->count++;
        out->total += u->k;
    }
}

void mmc_permutation_identity(int32_t *permutation, const mmc_permutation_groups *groups) {
    for (int g = 0; g < groups->count; g++)
        for (int32_t i = 0; i < groups->group[g].units; i++)
            permutation[groups->group[g].first + i] = i;
}

void mmc_permutation_compose(int32_t *out, const mmc_permutation_groups *groups, const int32_t *first,
                             const int32_t *then) {
    for (int g = 0; g < groups->count; g++) {
        const int at = groups->group[g].first;
        for (int i = 0; i < groups->group[g].units; i++)
            out[at + i] = first[at + then[at + i]];
    }
}

static mmc_status check(const mmc_permutation_groups *groups, const int32_t *permutation) {
    mmc_status status = MMC_OK;
    bool *seen = malloc((size_t)groups->total * sizeof *seen);
    if (!seen)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory: %d units to permute", groups->total);
    memset(seen, 0, (size_t)groups->total * sizeof *seen);
    for (int g = 0; g < groups->count && status == MMC_OK; g++) {
        const mmc_permutation_group *group = &groups->group[g];
        for (int i = 0; i < group->units && status == MMC_OK; i++) {
            const int32_t from = permutation[group->first + i];
            if (from < 0 || from >= group->units || seen[group->first + from])
                status =
                    mmc_fail(MMC_ERR_WRONG, "group %s: unit %d is taken from %d, but each of 0..%d must be taken once",
                             group->name, i, (int)from, group->units - 1);
            else
                seen[group->first + from] = true;
        }
    }
    free(seen);
    return status;
}

/* `rows` x `columns` blocks of `size` floats; either order may be NULL: as it is. */
static void permute_block(float *out, const float *in, int rows, int columns, size_t size, const int32_t *row_order,
                          const int32_t *column_order) {
    for (int i = 0; i < rows; i++)
        for (int j = 0; j < columns; j++) {
            const size_t row = (size_t)(row_order ? row_order[i] : i),
                         column = (size_t)(column_order ? column_order[j] : j);
            memcpy(out + ((size_t)i * (size_t)columns + (size_t)j) * size, in + (row * (size_t)columns + column) * size,
                   size * sizeof *out);
        }
}

static const int32_t *order_of(const mmc_permutation_groups *groups, const int32_t *permutation, int slot) {
    const int g = groups->of_slot[slot];
    return g < 0 ? NULL : permutation + groups->group[g].first;
}

mmc_status mmc_permutation_apply(float *out, const float *state, const mmc_model *model,
                                 const mmc_permutation_groups *groups, const int32_t *permutation) {
    MMC_TRY(check(groups, permutation));
    for (int i = 0; i < model->unit_count; i++) {
        const mmc_unit_info *u = &model->units[i];
        const int32_t *rows = order_of(groups, permutation, i + 1);
        const size_t vectors[] = {u->gamma, u->beta, u->mean, u->var};
        permute_block(out + u->weight, state + u->weight, u->k, u->c, (size_t)u->r * (size_t)u->r, rows,
                      order_of(groups, permutation, u->input));
        for (size_t v = 0; v < sizeof vectors / sizeof vectors[0]; v++)
            permute_block(out + vectors[v], state + vectors[v], u->k, 1, 1, rows, NULL);
    }
    permute_block(out + model->head_weight, state + model->head_weight, model->spec.classes, model->features, 1, NULL,
                  order_of(groups, permutation, model->unit_count));
    memcpy(out + model->head_bias, state + model->head_bias, (size_t)model->spec.classes * sizeof *out);
    return MMC_OK;
}
