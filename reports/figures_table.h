/* The paper's figures as constant data: what each shows, of which network and data set, in which panels. A figure is
 * drawn when a run holds records that fit; it does not matter which suite measured them.
 *
 *     for (size_t i = 0; i < mmc_figure_count; i++)
 *         draw(&mmc_figures[i]);
 */
#ifndef MMC_REPORTS_FIGURES_TABLE_H
#define MMC_REPORTS_FIGURES_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_figure_kind {
    MMC_FIGURE_PATH,     /* rows: paths from theta_C; columns: evaluation sets; x: t; a colour a cue proportion */
    MMC_FIGURE_LEARNING, /* rows: data sets; columns: train, test NC, test C; x: epoch */
    MMC_FIGURE_SHEET     /* samples: classes down, the four sets across */
} mmc_figure_kind;

enum { MMC_FIGURE_LISTS = 5, MMC_FIGURE_PANELS = 4 };

/* One row of panels of a path figure, or one column of a learning figure. */
typedef struct mmc_figure_curve {
    const char *item;  /* the records' item */
    const char *name;  /* in a sentence */
    const char *label; /* on the figure */
    const char *note;  /* second line on the figure */
    const char *set;   /* where the claim on it is judged (SPEC: "judged on C", "on NC"); NULL */
} mmc_figure_curve;

typedef struct mmc_figure_set {
    const char *name, *label, *meaning;
} mmc_figure_set;

typedef struct mmc_figure {
    int number;
    mmc_figure_kind kind;
    const char *arch;                       /* NULL: of no network */
    const char *datasets[MMC_FIGURE_LISTS]; /* ends with NULL; path figures and sheets: one */
    const char *splits[3], *metrics[3];     /* end with NULL; a drawing for each pair; learning figures: one */
    const mmc_figure_curve *curves;         /* rows of a path figure, columns of a learning figure */
    size_t sets;                            /* path figures: the first so many evaluation sets are columns */
    const char *end;                        /* path figures: where the paths lead, "NC" or "FT" */
    bool mirrored;                          /* path figures: drawn from t = 1 on the left to t = 0 */
    bool one_of_networks;                   /* the paper's figure shows several networks; this is one of them */
    const char *suite;                      /* how a run asks for it */
    const char *title;
} mmc_figure;

extern const mmc_figure mmc_figures[];
extern const size_t mmc_figure_count;

/* The paths from theta_C to theta_NC, and to theta_FT as they are and after matching neurons; columns of a learning
 * figure. Each list ends with a NULL item. */
extern const mmc_figure_curve mmc_figure_paths[];
extern const mmc_figure_curve mmc_figure_fine_tuning[];
extern const mmc_figure_curve mmc_figure_fine_tuning_matched[];
extern const mmc_figure_curve mmc_figure_learning[];

/* NC, C, RC, RI. */
extern const mmc_figure_set mmc_figure_sets[MMC_FIGURE_PANELS];

/* The path of this item among the lists above, NULL: none. */
const mmc_figure_curve *mmc_figure_path_find(const char *item);

/* Data set that may stand in for another where that was not measured; NULL: none. */
const char *mmc_figure_stand_in(const char *dataset);

/* Names as the paper prints them; an unknown one is returned as it is. */
const char *mmc_figure_arch_name(const char *arch);

#ifdef __cplusplus
}
#endif
#endif
