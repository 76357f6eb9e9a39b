/* Checkpoints: what is accepted is a network whose every value is finite; what is refused leaves nothing behind.
 *
 * The first three bytes of an input are a number of zeros that follow the rest: weights take more room than a corpus
 * and a fuzzer have, headers do not. */
#include "runtime/checkpoint.h"
#include "tests/fuzz/fuzz.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT_BYTES = 3, ZEROS_MAX = 1 << 20 };

static void check_state(const mmc_model *model, const float *state) {
    for (int i = 0; i < model->tensor_count; i++) {
        const mmc_tensor_info *t = &model->tensors[i];
        FUZZ_CHECK(t->offset + t->count <= model->state_count);
        for (size_t k = t->offset; k < t->offset + t->count; k++)
            FUZZ_CHECK(isfinite(state[k]) && (t->role != MMC_ROLE_RUNNING_VAR || state[k] >= 0));
    }
}

static void check_accepted(const mmc_checkpoint *c) {
    const mmc_model_spec *spec = &c->model->spec;
    FUZZ_CHECK(spec->width >= MMC_WIDTH_MIN && spec->width <= MMC_WIDTH_MAX);
    FUZZ_CHECK(spec->classes >= 2 && spec->classes <= MMC_CLASSES_MAX);
    FUZZ_CHECK(c->bends >= 0 && c->bends <= MMC_BENDS_MAX && (c->state || c->bends > 0));
    if (c->state)
        check_state(c->model, c->state);
    for (int k = 0; k < MMC_BENDS_MAX; k++) {
        FUZZ_CHECK((c->bend[k] != NULL) == (k < c->bends));
        if (c->bend[k])
            check_state(c->model, c->bend[k]);
    }
}

static void check_refused(const mmc_checkpoint *c, mmc_status status) {
    FUZZ_CHECK(!c->model && !c->state && c->bends == 0 && !c->bend[0]);
    FUZZ_CHECK(status == MMC_ERR_FORMAT || status == MMC_ERR_MISMATCH);
    FUZZ_CHECK(strncmp(mmc_error_message(), "fuzz: ", 6) == 0);
    FUZZ_CHECK(strpbrk(mmc_error_message(), "\n\r") == NULL); /* one line, whatever a tensor's name holds */
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    if (size < COUNT_BYTES)
        return 0;
    size_t zeros = (size_t)bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16;
    if (zeros > ZEROS_MAX)
        return 0;
    size -= COUNT_BYTES;
    uint8_t *file = calloc(size + zeros + 1, 1);
    if (!file)
        return 0;
    memcpy(file, bytes + COUNT_BYTES, size);
    mmc_checkpoint c;
    mmc_status status = mmc_checkpoint_parse(&c, file, size + zeros, "fuzz");
    if (status == MMC_OK)
        check_accepted(&c);
    else
        check_refused(&c, status);
    mmc_checkpoint_close(&c);
    free(file);
    return 0;
}
