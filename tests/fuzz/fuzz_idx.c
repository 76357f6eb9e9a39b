/* idx files: byte 0 chooses labels or images, byte 1 how many images are kept, the rest is the file. */
#include "runtime/idx.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

static void read_labels(mmc_stream *stream, size_t size) {
    int32_t *labels, count;
    if (mmc_idx_labels(&labels, &count, stream) != MMC_OK) {
        FUZZ_CHECK(labels == NULL);
        return;
    }
    FUZZ_CHECK(count > 0 && (size_t)count + 8 == size);
    for (int32_t i = 0; i < count; i++)
        FUZZ_CHECK(labels[i] >= 0 && labels[i] < MMC_IDX_CLASSES);
    free(labels);
}

static void read_images(mmc_stream *stream, const uint8_t *file, size_t size, int32_t keep) {
    uint8_t *images;
    int32_t count = size < 8 ? 1 : file[7];
    if (keep > count)
        keep = count;
    if (mmc_idx_images(&images, stream, count, keep) != MMC_OK) {
        FUZZ_CHECK(images == NULL);
        return;
    }
    FUZZ_CHECK((size_t)count * MMC_IDX_IMAGE_BYTES + 16 == size);
    free(images);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    mmc_stream *stream;
    if (size < 2 || mmc_stream_open_memory(&stream, bytes + 2, size - 2, MMC_STREAM_PLAIN, "fuzz") != MMC_OK)
        return 0;
    if (bytes[0] & 1)
        read_images(stream, bytes + 2, size - 2, bytes[1]);
    else
        read_labels(stream, size - 2);
    mmc_stream_close(stream);
    return 0;
}
