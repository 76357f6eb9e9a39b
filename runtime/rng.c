#include "runtime/rng.h"

enum { ROUNDS = 10 };

mmc_rng_block mmc_rng_philox(const uint32_t counter[4], const uint32_t key[2]) {
    mmc_rng_block b = {{counter[0], counter[1], counter[2], counter[3]}};
    uint32_t k0 = key[0];
    uint32_t k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t p0 = (uint64_t)0xD2511F53u * b.v[0];
        uint64_t p1 = (uint64_t)0xCD9E8D57u * b.v[2];
        b = (mmc_rng_block){
            {(uint32_t)(p1 >> 32) ^ b.v[1] ^ k0, (uint32_t)p1, (uint32_t)(p0 >> 32) ^ b.v[3] ^ k1, (uint32_t)p0}};
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    return b;
}

mmc_rng_block mmc_rng_words(uint64_t seed, mmc_rng_purpose purpose, uint32_t stream, uint64_t index) {
    const uint32_t counter[4] = {(uint32_t)index, (uint32_t)(index >> 32), stream, (uint32_t)purpose};
    const uint32_t key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    return mmc_rng_philox(counter, key);
}

uint32_t mmc_rng_at(uint64_t seed, mmc_rng_purpose purpose, uint32_t stream, uint64_t index) {
    return mmc_rng_words(seed, purpose, stream, index).v[0];
}

uint32_t mmc_rng_below(uint32_t word, uint32_t n) {
    return (uint32_t)(((uint64_t)word * n) >> 32);
}

float mmc_rng_uniform(uint32_t word) {
    return (float)(word >> 8) * 0x1p-24f;
}

double mmc_rng_uniform_double(uint32_t high, uint32_t low) {
    return (double)((((uint64_t)high << 32) | low) >> 11) * 0x1p-53;
}

void mmc_rng_permutation(int32_t *out, size_t n, uint64_t seed, mmc_rng_purpose purpose, uint32_t stream) {
    for (size_t i = 0; i < n; i++)
        out[i] = (int32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t j = mmc_rng_below(mmc_rng_at(seed, purpose, stream, i - 1), (uint32_t)i);
        int32_t swap = out[i - 1];
        out[i - 1] = out[j];
        out[j] = swap;
    }
}
