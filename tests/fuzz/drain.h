/* Reads a compressed stream to its end or first error, in steps that the first byte chooses. */
#ifndef MMC_TESTS_FUZZ_DRAIN_H
#define MMC_TESTS_FUZZ_DRAIN_H

#include "runtime/stream.h"
#include "tests/fuzz/fuzz.h"

enum { DRAIN_MAX = 1 << 20 };

static inline void drain(const uint8_t *bytes, size_t size, mmc_stream_kind kind) {
    mmc_stream *stream;
    uint8_t out[4096];
    if (size < 1 || mmc_stream_open_memory(&stream, bytes + 1, size - 1, kind, "fuzz") != MMC_OK)
        return;
    size_t step = (size_t)bytes[0] * 16 + 1, got = step, total = 0;
    mmc_status status = MMC_OK;
    while (status == MMC_OK && got == step && total < DRAIN_MAX) {
        status = mmc_stream_read(stream, out, step, &got);
        FUZZ_CHECK(got <= step);
        total += got;
    }
    if (status == MMC_OK && total < DRAIN_MAX)
        FUZZ_CHECK(mmc_stream_end(stream) == MMC_OK); /* fewer bytes than asked for: the end was checked already */
    FUZZ_CHECK(status == MMC_OK || status == MMC_ERR_FORMAT || status == MMC_ERR_MEMORY);
    mmc_stream_close(stream);
}

#endif
