/* Planning of one block of memory that several tensors share: two tensors may lie in the same place if they are never
 * needed at the same time.
 *
 *     mmc_arena_block blocks[] = {{.size = 4096, .first = 0, .last = 1}, {.size = 4096, .first = 2, .last = 3}};
 *     size_t size = mmc_arena_plan(blocks, 2);        4096: both at offset 0
 */
#ifndef MMC_RUNTIME_ARENA_H
#define MMC_RUNTIME_ARENA_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_ARENA_ALIGN = 64 };

typedef struct mmc_arena_block {
    size_t size;     /* bytes; 0: not wanted, gets offset 0 */
    int first, last; /* steps between which the contents must survive, both included */
    size_t offset;   /* out: multiple of MMC_ARENA_ALIGN */
} mmc_arena_block;

/* Sets the offsets, largest block first, each as low as the blocks alive at the same time allow; returns the size of
 * the arena in bytes. The order among equal sizes is that of the array, so a plan depends on its input alone. */
size_t mmc_arena_plan(mmc_arena_block *blocks, int count);

#ifdef __cplusplus
}
#endif
#endif
