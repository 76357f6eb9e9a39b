/* Scales: how much of the paper's protocol a run does (DESIGN, decision 9), one constant struct each.
 *
 *     const mmc_scale *quick = mmc_scale_find("quick");
 */
#ifndef MMC_SUITES_SCALE_H
#define MMC_SUITES_SCALE_H

#include "runtime/path.h"
#include "runtime/small.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_SCALE_CUES_MAX = 8, MMC_SCALE_DATASETS_MAX = 4, MMC_SCALE_SUITES_MAX = 48 };

/* Training of one kind of job; batch size, learning rate and its steps (SPEC 3, 4). */
typedef struct mmc_scale_training {
    int epochs, batch;
    double lr;
    const char *schedule; /* "step:40,80:0.1", ...; NULL: the protocol's own steps for these epochs */
} mmc_scale_training;

/* The fine-tuning methods of Tables 1, 3 and 4; rates and all else are SPEC 3's. */
typedef struct mmc_scale_methods {
    int epochs;         /* of the whole network: FT, CBFT, the second part of LPFT */
    int head_epochs;    /* of a new linear layer: LLRT, the first part of LPFT */
    int scratch_epochs; /* from scratch on the clean samples */
    int batch;
    int32_t clean; /* samples without cue; pre-training has the rest of the train split */
    /* The authors' ways (SPEC 3) in place of the paper's: of drawing the split, of the cosine, of CBFT. */
    bool clean_split_authors, cosine_authors, cbft_schedule_authors, barrier_t_authors;
    bool invariance_plain; /* the paper's formula in place of the authors' */
} mmc_scale_methods;

typedef struct mmc_scale {
    const char *name, *about;
    bool reduced; /* not the paper's protocol: reports never set its numbers beside the paper's as if alike */
    int width;    /* channels of the first stage */
    int32_t limit_train, limit_test; /* 0: the whole split */
    int32_t other_train, other_test; /* of data sets that are not among `datasets`; 0: as limit_train, limit_test */
    int seeds;                       /* of figures */
    int table_seeds;                 /* of Tables 1, 3 and 4 */
    mmc_scale_training scratch, midpoint;
    mmc_scale_training fine_tune; /* on the full split from theta_C; its rate is the figure's */
    mmc_scale_training pretrain;  /* on the train split less the clean samples */
    mmc_scale_methods methods;
    /* Cue proportions of the suite's that are run here; 0 ends the list; none: all. Of figures, of figures with
     * fine-tuned models, of tables. */
    double cues[MMC_SCALE_CUES_MAX], fine_tune_cues[MMC_SCALE_CUES_MAX], table_cues[MMC_SCALE_CUES_MAX];
    int points;
    mmc_bn_mode bn;
    int bn_batch;
    int32_t bn_images;       /* of the train split; 0: all */
    int32_t train_images;    /* of the train split where it is evaluated; 0: all */
    const char *stand_in[2]; /* where the first is not found under --data, the second; NULL: none */
    const char *datasets[MMC_SCALE_DATASETS_MAX]; /* of a suite with several, those run here; none: all */
    const char *suites[MMC_SCALE_SUITES_MAX];     /* the default set */
    mmc_small_config small;                       /* of the small model; its seeds */
    int small_seeds;
    double connected_dip;  /* "connected": dip at most this (SPEC 4) */
    double claim_margin;   /* a value nearer to its limit than this decides nothing */
    double claim_accuracy; /* end points below this on their own data decide nothing: not trained far enough */
} mmc_scale;

const mmc_scale *const *mmc_scale_all(size_t *count);

/* NULL: there is none of this name. */
const mmc_scale *mmc_scale_find(const char *name);

#ifdef __cplusplus
}
#endif
#endif
