#include "runtime/arena.h"

#include <stdbool.h>

static size_t aligned(size_t size) {
    return (size + MMC_ARENA_ALIGN - 1) / MMC_ARENA_ALIGN * MMC_ARENA_ALIGN;
}

/* Whether block a stands before block b in the order of placing: larger first, then by place in the array. */
static bool placed_before(const mmc_arena_block *a, const mmc_arena_block *b) {
    return a->size != b->size ? a->size > b->size : a < b;
}

static bool alive_together(const mmc_arena_block *a, const mmc_arena_block *b) {
    return a->first <= b->last && b->first <= a->last;
}

/* The next block in the order of placing after `last` (NULL: the first of all), or NULL. */
static mmc_arena_block *next_block(mmc_arena_block *blocks, int count, const mmc_arena_block *last) {
    mmc_arena_block *best = NULL;
    for (mmc_arena_block *b = blocks; b < blocks + count; b++)
        if ((!last || placed_before(last, b)) && (!best || placed_before(b, best)))
            best = b;
    return best;
}

/* Lowest offset at which `b` meets no placed block that is alive at the same time. */
static size_t lowest_offset(const mmc_arena_block *blocks, int count, const mmc_arena_block *b) {
    size_t offset = 0;
    bool moved = true;
    while (moved) {
        moved = false;
        for (const mmc_arena_block *o = blocks; o < blocks + count; o++)
            if (o->size && placed_before(o, b) && alive_together(o, b) && offset < o->offset + aligned(o->size) &&
                o->offset < offset + aligned(b->size)) {
                offset = o->offset + aligned(o->size);
                moved = true;
            }
    }
    return offset;
}

size_t mmc_arena_plan(mmc_arena_block *blocks, int count) {
    size_t total = 0;
    mmc_arena_block *b = NULL;
    while ((b = next_block(blocks, count, b))) {
        b->offset = b->size ? lowest_offset(blocks, count, b) : 0;
        if (b->offset + aligned(b->size) > total)
            total = b->offset + aligned(b->size);
    }
    return total;
}
