/* How a convolution is cut into blocks: by shape, and by the number of multiprocessors where that decides whether wide
 * blocks fill the device. The tiles of pixels depend on the shape alone, and with them the order of every sum. */
#include "kernels/cuda/conv.h"

enum {
    WIDTH_WIDE = 128,
    WIDTH_MEDIUM = 64,
    WIDTH_NARROW = 32,
    WIDTH_NARROWEST = 16,
    BANK_PIECES = 8,        /* pieces of 16 bytes in one row of the banks */
    HALO_BYTES_MAX = 64000, /* with its table: leaves room for three stages of weights within 99 KiB */
    TABLE_ENTRY_BYTES = 8,  /* of a halo pixel */
    GROUP_TILES = 32,       /* of partial statistics */
    GROUPS_MAX = 64
};

mmc_cuda_source mmc_cuda_source_plain(const mmc_activation *x) {
    return (mmc_cuda_source){.z = x->data, .shared = x->t == 1};
}

size_t mmc_cuda_pack_bytes(const mmc_queue *queue, int k, int c, int r) {
    return (size_t)mmc_cuda_pad(k) * (size_t)mmc_cuda_pad(c) * (size_t)(r * r) * mmc_cuda_element(queue);
}

static int ceil_div(int a, int b) {
    return (a + b - 1) / b;
}

static int pitch_pieces(void) {
    return MMC_CUDA_PITCH_BYTES / MMC_CUDA_PIECE_BYTES;
}

/* Pitches such that output pixel m of a tile lies pitch_pieces() m pieces from the first, modulo the banks: then the
 * eight rows of a matrix that ldmatrix fetches never meet in a bank, whatever the width of the plane. */
static void lay_out_halo(mmc_cuda_conv_plan *plan, const mmc_unit_shape *s) {
    plan->halo_h = (plan->rows - 1) * plan->step + s->r;
    plan->halo_w = (plan->columns - 1) * plan->step + s->r;
    const int slots = plan->step == 2 ? 2 * ceil_div(plan->halo_w, 2) : plan->halo_w;
    const int wanted_row = plan->columns * pitch_pieces(), wanted_image = plan->rows * wanted_row;
    plan->row_pitch = slots * pitch_pieces();
    for (int more = 0; more < BANK_PIECES; more++)
        if (((plan->row_pitch + more) * plan->step - wanted_row) % BANK_PIECES == 0) {
            plan->row_pitch += more;
            break;
        }
    plan->image_pitch = plan->halo_h * plan->row_pitch;
    while ((plan->image_pitch - wanted_image) % BANK_PIECES != 0)
        plan->image_pitch++;
}

static int halo_bytes(const mmc_cuda_conv_plan *plan) {
    return plan->images * (plan->image_pitch * MMC_CUDA_PIECE_BYTES + plan->halo_h * plan->halo_w * TABLE_ENTRY_BYTES);
}

/* Whole planes where they fit; else the rectangle with the fewest tiles and then the smallest halo. */
static void choose_tile(mmc_cuda_conv_plan *plan, const mmc_unit_shape *s) {
    const int plane = plan->out_h * plan->out_w;
    plan->images = 1;
    if (plan->out_w <= MMC_CUDA_TILE_PIXELS && plane <= MMC_CUDA_TILE_PIXELS) {
        plan->rows = plan->out_h;
        plan->columns = plan->out_w;
        plan->images = MMC_CUDA_TILE_PIXELS / plane;
        if (plan->images > s->n)
            plan->images = s->n;
    } else {
        long best_tiles = -1, best_halo = 0;
        for (int side = 8; side <= 32; side *= 2) {
            const int columns = side < plan->out_w ? side : plan->out_w;
            const int fit = MMC_CUDA_TILE_PIXELS / columns, rows = fit < plan->out_h ? fit : plan->out_h;
            const long tiles = (long)ceil_div(plan->out_h, rows) * ceil_div(plan->out_w, columns);
            const long halo = (long)((rows - 1) * plan->step + s->r) * ((columns - 1) * plan->step + s->r);
            if (best_tiles < 0 || tiles < best_tiles || (tiles == best_tiles && halo < best_halo)) {
                best_tiles = tiles;
                best_halo = halo;
                plan->rows = rows;
                plan->columns = columns;
            }
        }
    }
    lay_out_halo(plan, s);
    while (halo_bytes(plan) > HALO_BYTES_MAX) {
        if (plan->images > 1)
            plan->images--;
        else
            plan->rows--;
        lay_out_halo(plan, s);
    }
}

mmc_cuda_conv_plan mmc_cuda_conv_plan_make(const mmc_queue *queue, const mmc_unit_shape *s, int sets) {
    mmc_cuda_conv_plan plan = {.out_h = mmc_unit_out_h(s), .out_w = mmc_unit_out_w(s)};
    plan.step = s->r == 1 ? 1 : s->stride;
    plan.in_step = s->r == 1 ? s->stride : 1;
    choose_tile(&plan, s);
    plan.tiles_n = ceil_div(s->n, plan.images);
    plan.tiles_h = ceil_div(plan.out_h, plan.rows);
    plan.tiles_w = ceil_div(plan.out_w, plan.columns);
    plan.tiles = plan.tiles_n * plan.tiles_h * plan.tiles_w;

    plan.width = WIDTH_MEDIUM;
    const long wide_blocks = (long)plan.tiles * ceil_div(s->k, WIDTH_WIDE) * sets;
    if (s->k <= WIDTH_NARROWEST)
        plan.width = WIDTH_NARROWEST;
    else if (s->k <= WIDTH_NARROW)
        plan.width = WIDTH_NARROW;
    else if (s->k > WIDTH_MEDIUM && queue->precision != MMC_CUDA_FP32 && wide_blocks >= 2L * queue->sm_count)
        plan.width = WIDTH_WIDE; /* fp32 needs its registers for the second accumulators */
    plan.tiles_k = ceil_div(s->k, plan.width);

    int groups_max = MMC_CUDA_COUNTERS / plan.tiles_k - 1;
    if (groups_max > GROUPS_MAX)
        groups_max = GROUPS_MAX;
    plan.group_tiles = ceil_div(plan.tiles, groups_max);
    if (plan.group_tiles < GROUP_TILES)
        plan.group_tiles = GROUP_TILES;
    plan.groups = ceil_div(plan.tiles, plan.group_tiles);
    return plan;
}

/* For every set and block of channels the counts of tiles and groups, and for every channel (mean, squares) of the
 * same; with the most groups and the narrowest blocks that any n up to this one may get. */
size_t mmc_cuda_conv_workspace_bytes(const mmc_queue *queue, const mmc_unit_shape *s, int sets) {
    const mmc_cuda_conv_plan plan = mmc_cuda_conv_plan_make(queue, s, sets);
    int groups = ceil_div(plan.tiles, GROUP_TILES);
    if (groups > GROUPS_MAX)
        groups = GROUPS_MAX;
    const size_t rows = (size_t)sets * (size_t)(plan.tiles + groups);
    return rows * ((size_t)mmc_cuda_pad(s->k) * 2 + (size_t)ceil_div(s->k, WIDTH_NARROWEST)) * sizeof(float);
}
