/* The rules of SPEC 1 that need no file: cue flags, partners, the integer resize. */
#include "runtime/data.h"

#include <string.h>

enum { SOURCE_SIDE = 28, CLASSES_MAX = 100 };

void mmc_cue_flags(uint8_t *flag, const int32_t *labels, int32_t count, int classes, double p) {
    int32_t total[CLASSES_MAX] = {0}, seen[CLASSES_MAX] = {0}, with_cue[CLASSES_MAX];
    for (int32_t i = 0; i < count; i++)
        total[labels[i]]++;
    for (int c = 0; c < classes; c++) {
        double product = (double)total[c] * p; /* one IEEE product, then truncated: .7 * 10 is 7, .6 * 5 is 3 */
        with_cue[c] = (int32_t)product;
    }
    for (int32_t i = 0; i < count; i++)
        flag[i] = seen[labels[i]]++ < with_cue[labels[i]];
}

void mmc_cue_partners(int32_t *partner, const int32_t *labels, int32_t count, const int32_t *top_labels,
                      int32_t top_count, int classes) {
    int32_t next[CLASSES_MAX] = {0}; /* per class: where the search for its next top image goes on */
    for (int32_t i = 0; i < count; i++) {
        int32_t label = labels[i];
        int32_t k = next[label];
        while (k < top_count && top_labels[k] != label)
            k++;
        partner[i] = k < top_count ? k : -1;
        next[label] = k < top_count ? k + 1 : k;
    }
    (void)classes;
}

/* Output o lies at input position (14 o - 1) / 16, so the weights of Pillow's bilinear filter are whole sixteenths and
 * the rule's 22-bit fixed point reduces to 4 bits without loss. */
static void resize_line(uint8_t *out, size_t out_step, const uint8_t *in, size_t in_step) {
    for (int o = 0; o < MMC_IMAGE_SIDE; o++) {
        int position = 14 * o - 1;
        if (position < 0)
            position = 0;
        if (position > 16 * (SOURCE_SIDE - 1))
            position = 16 * (SOURCE_SIDE - 1);
        int lo = position >> 4, part = position & 15, hi = part ? lo + 1 : lo;
        out[(size_t)o * out_step] =
            (uint8_t)((8 + (16 - part) * in[(size_t)lo * in_step] + part * in[(size_t)hi * in_step]) >> 4);
    }
}

void mmc_resize_28_to_32(uint8_t *out, const uint8_t *in) {
    uint8_t wide[SOURCE_SIDE * MMC_IMAGE_SIDE];
    for (int y = 0; y < SOURCE_SIDE; y++)
        resize_line(wide + y * MMC_IMAGE_SIDE, 1, in + y * SOURCE_SIDE, 1);
    for (int x = 0; x < MMC_IMAGE_SIDE; x++)
        resize_line(out + x, MMC_IMAGE_SIDE, wide + x, MMC_IMAGE_SIDE);
}
