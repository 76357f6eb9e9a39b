/* CIFAR records: byte 0 chooses the classes, byte 1 the limit, the rest is the file. */
#include "runtime/cifar.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    mmc_stream *stream;
    mmc_cifar all = {0};
    if (size < 2)
        return 0;
    int classes = bytes[0] & 1 ? 100 : 10;
    int32_t limit = bytes[1] % 8;
    if (mmc_stream_open_memory(&stream, bytes + 2, size - 2, MMC_STREAM_PLAIN, "fuzz") != MMC_OK)
        return 0;
    if (mmc_cifar_append(&all, stream, classes, limit) == MMC_OK) {
        FUZZ_CHECK(all.count > 0 && (!limit || all.count <= limit));
        FUZZ_CHECK((size_t)all.count * MMC_CIFAR_IMAGE_BYTES < size);
    }
    for (int32_t i = 0; i < all.count; i++)
        FUZZ_CHECK(all.labels[i] >= 0 && all.labels[i] < classes);
    mmc_stream_close(stream);
    free(all.images);
    free(all.labels);
    return 0;
}
