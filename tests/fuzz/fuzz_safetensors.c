/* Safetensors: what is accepted lies inside the file, without overlap, and adds up. */
#include "runtime/safetensors.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>

static void check_tensor(const mmc_safetensors *file, const mmc_safetensor *t) {
    const unsigned char *begin = file->bytes, *data = t->data;
    size_t size = t->count * mmc_dtype_size(t->dtype), product = 1;
    FUZZ_CHECK(data >= begin + 8 && size <= file->size && data <= begin + (file->size - size));
    for (int d = 0; d < t->rank; d++)
        product *= (size_t)t->shape[d];
    FUZZ_CHECK(product == t->count);
    FUZZ_CHECK(mmc_safetensors_find(file, t->name) == t);
    float *values = malloc(t->count * sizeof *values + 1);
    if (values)
        mmc_safetensor_to_f32(values, t);
    free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    mmc_safetensors file;
    size_t used = 8;
    if (mmc_safetensors_parse(&file, bytes, size, "fuzz") != MMC_OK) {
        FUZZ_CHECK(file.tensors == NULL && file.bytes == NULL);
        FUZZ_CHECK(strncmp(mmc_error_message(), "fuzz: ", 6) == 0);
        return 0;
    }
    for (size_t i = 0; i < file.count; i++) {
        check_tensor(&file, &file.tensors[i]);
        used += file.tensors[i].count * mmc_dtype_size(file.tensors[i].dtype);
    }
    FUZZ_CHECK(used <= size); /* the rest is the header */
    for (size_t i = 0; i < file.metadata_count; i++)
        FUZZ_CHECK(mmc_safetensors_metadata(&file, file.keys[i]) != NULL);
    mmc_safetensors_close(&file);
    return 0;
}
