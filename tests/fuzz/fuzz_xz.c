/* .xz streams: byte 0 chooses the size of the reads, the rest is the file. */
#include "tests/fuzz/drain.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    drain(bytes, size, MMC_STREAM_XZ);
    return 0;
}
