/* The fine-tuning methods of Tables 1, 3 and 4 (SPEC 3): from theta_C to a model that should no longer hang on the cue.
 *
 *     mmc_finetune_config config = mmc_finetune_defaults(MMC_METHOD_CBFT);
 *     config.cue = 0.9, config.split = &split, config.seed = seed;
 *     MMC_TRY(mmc_finetune(&result, be, model, &data, &config, theta_c, &hooks));
 *
 * method              trained on             what
 * ft-medium           clean                  SGD, lr .01, 20 epochs, cosine
 * ft-small            clean                  the same, lr .001
 * llrt                clean                  body frozen in eval mode, new random linear layer: lr 30, 100 epochs
 * lpft                clean less validation  llrt, then the whole network, lr .01, .001, .0001, the best kept
 * cbft                clean and cue          two SGD steps an iteration (below)
 * cbft-no-barrier     clean and cue          cbft without step 1
 * cbft-no-invariance  clean and cue          cbft without the invariance term
 * scratch-clean       clean                  from random weights, lr .1, 100 epochs, cosine
 *
 * An iteration of CBFT, one batch of clean and one of cue images, one momentum state for both steps:
 *     1. gamma = t theta_C + (1-t) theta;  loss |1 - CE(f(x_C; gamma), y)|;  theta's gradient is gamma's times 1-t
 *     2. CE(f(x_NC; theta), y) + (lambda/K) sum_k |m_k(x_C) - m_k(x_NC)|^2
 * BN in training mode; theta's running values move in step 2 only, by the clean batch, then by the cue batch. In the
 * first epoch the invariance term and its pass are left out.
 */
#ifndef MMC_RUNTIME_FINETUNE_H
#define MMC_RUNTIME_FINETUNE_H

#include "runtime/clean_split.h"
#include "runtime/train.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_method {
    MMC_METHOD_FT_MEDIUM,
    MMC_METHOD_FT_SMALL,
    MMC_METHOD_LLRT,
    MMC_METHOD_LPFT,
    MMC_METHOD_CBFT,
    MMC_METHOD_CBFT_NO_BARRIER,
    MMC_METHOD_CBFT_NO_INVARIANCE,
    MMC_METHOD_SCRATCH_CLEAN,
    MMC_METHOD_COUNT
} mmc_method;

const char *mmc_method_name(mmc_method method); /* "ft-medium", ... */
const char *mmc_method_text(mmc_method method); /* what it is, in a few words */
/* Errors: MMC_ERR_USAGE lists the methods. */
mmc_status mmc_method_parse(mmc_method *out, const char *name);
bool mmc_method_is_cbft(mmc_method method);  /* cbft or one of its ablations */
bool mmc_method_has_head(mmc_method method); /* trains a new linear layer: llrt, lpft */

enum { MMC_LPFT_RATES = 3 };

/* What an iteration of CBFT measured. */
typedef struct mmc_cbft_row {
    double barrier;    /* |1 - CE(gamma(t))| of step 1, NAN without it */
    double fit;        /* CE of the clean batch in step 2 */
    double invariance; /* (1/K) sum |m_k(x_C) - m_k(x_NC)|^2; 0 where the term is left out */
    double lr;
} mmc_cbft_row;

typedef struct mmc_finetune_config {
    mmc_method method;
    int epochs;      /* of the whole network (llrt: none) */
    int head_epochs; /* of the new linear layer: llrt, and lpft's first stage */
    int batch;       /* clean images and, for CBFT, cue images of a step */
    double lr;       /* of the whole network; lpft tries lr, lr/10 and lr/100 */
    double head_lr;  /* of the new linear layer, which has no weight decay */
    double momentum, decay;
    double cue;    /* cue proportion p of the pre-training set: CBFT's cue batches */
    double lambda; /* weight of the invariance term */
    const mmc_clean_split *split;
    bool cosine_authors;        /* the cosine lags by one iteration (all methods but CBFT) */
    bool cbft_schedule_authors; /* base rate through epochs 0 and 1 and one iteration, then the cosine from its start */
    bool barrier_t_authors;     /* t = .5 + .5 clip(N(0,1), -.5, .5) instead of the truncated Gaussian */
    bool invariance_plain;      /* class means as they are instead of scaled to unit length */
    uint64_t seed;
    bool sequential; /* clean batches in the order of the split instead of reshuffled each epoch */
    bool log_steps;  /* call on_step */
    /* The state is kept at state_path (lpft: in files whose names start with it), as mmc_train keeps it; the caller
     * removes it by mmc_finetune_state_remove. NULL: kept nowhere. */
    const char *state_path;
    bool resume;
    const char *fingerprint; /* what else must be equal for a bit-identical resume; NULL: nothing */

    /* CBFT, given instead of drawn (tests); NULL: drawn */
    const double *barrier_t;    /* (epochs, iterations) */
    const int32_t *clean_order; /* (epochs, clean images): indices into the train split */
    const int32_t *cue_order;   /* (epochs, iterations, batch) */
    mmc_cbft_row *trace;        /* out: (epochs, iterations), of the iterations that ran here; NULL: not wanted */
    const float *head; /* llrt, lpft: start of the linear layer (weight, bias) instead of a random one (tests) */
} mmc_finetune_config;

/* SPEC 3's values of a method: epochs, rates, momentum .9, decay 1e-4, batch 256, lambda 1, seed 1; split NULL. */
mmc_finetune_config mmc_finetune_defaults(mmc_method method);

/* Epochs that a method trains in all: what result->epochs holds one row of each (lpft: its stages one after another).
 */
int mmc_finetune_epochs(const mmc_finetune_config *config);

/* Fine-tunes. start: theta_C (state_count), which scratch-clean ignores. The rows' loss is that of the clean batches as
 * trained (cross-entropy alone); out->rate says which rate lpft chose, out->validation how it did.
 * Errors: those of mmc_train; MMC_ERR_USAGE without split or start; MMC_ERR_RANGE where lpft has no validation images.
 * Order: bit-identical from run to run, interrupted or not, at the same thread count and libraries. */
mmc_status mmc_finetune(mmc_train_result *out, mmc_backend *be, const mmc_model *model, const mmc_dataset *data,
                        const mmc_finetune_config *config, const float *start, const mmc_train_hooks *hooks);

/* Removes what mmc_finetune kept at state_path; nothing there is fine. Errors: MMC_ERR_IO. */
mmc_status mmc_finetune_state_remove(const char *state_path, mmc_method method);

#ifdef __cplusplus
}
#endif
#endif
