/* What the program prints: rows on stdout, as aligned text for a person or as one JSON object a line (`--json`);
 * messages and progress on stderr (INTERFACE, "What the commands print").
 *
 *     mmc_cell cells[] = {mmc_cell_text("set", "NC"), mmc_cell_number("accuracy", .8124), mmc_cell_integer("n", 100)};
 *     mmc_output_row(out, cells, 3);
 */
#ifndef MMC_SUITES_OUTPUT_H
#define MMC_SUITES_OUTPUT_H

#include "runtime/progress.h"
#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum mmc_cell_kind {
    MMC_CELL_TEXT,    /* a NULL text is null */
    MMC_CELL_NUMBER,  /* NaN and infinity are null */
    MMC_CELL_INTEGER, /* int64_t */
    MMC_CELL_BOOL,
    MMC_CELL_GROUP,  /* cells of its own: {"NC":0.41,...} */
    MMC_CELL_NUMBERS /* an array of numbers, none of them null; as text how many there are */
} mmc_cell_kind;

/* One named value of a row. */
typedef struct mmc_cell {
    const char *key;
    mmc_cell_kind kind;
    const char *text;
    double number;
    int64_t integer;
    int width;                    /* of its column in a text row; 0: from key and kind */
    const struct mmc_cell *cells; /* GROUP */
    const double *numbers;        /* NUMBERS */
    size_t count;
} mmc_cell;

mmc_cell mmc_cell_text(const char *key, const char *text);
/* The same, in a column of that many characters, so that rows of a table line up whatever they hold. */
mmc_cell mmc_cell_wide(const char *key, const char *text, int width);
mmc_cell mmc_cell_number(const char *key, double number);
mmc_cell mmc_cell_integer(const char *key, int64_t integer);
mmc_cell mmc_cell_bool(const char *key, bool value);
mmc_cell mmc_cell_numbers(const char *key, const double *numbers, size_t count);
mmc_cell mmc_cell_group(const char *key, const mmc_cell *cells, size_t count);

typedef struct mmc_output {
    FILE *rows, *messages; /* stdout, stderr */
    bool json, quiet;
    bool terminal;     /* `messages` is a terminal: progress is one line rewritten */
    bool line_open;    /* a progress line stands unfinished */
    char heading[256]; /* of the last table row */
    int write_error;   /* errno of the first row that could not be written */
    double started_s, shown_s;
    char phase[32];
    int64_t phase_done; /* work done when the phase began */
} mmc_output;

void mmc_output_init(mmc_output *out, FILE *rows, FILE *messages, bool json, bool quiet);

/* A row of a table: text is one line under a heading that is printed when the keys change. A null value carries
 * `reason` (NULL: "not a finite number"). */
void mmc_output_row(mmc_output *out, const mmc_cell *cells, size_t count, const char *reason);

/* A row of its own kind (a summary): text is one line "key value" a cell. */
void mmc_output_summary(mmc_output *out, const mmc_cell *cells, size_t count, const char *reason);

/* A line of text for a person, or under --json nothing. */
void mmc_output_line(mmc_output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* One line on stderr, after the name of the program; not silenced by --quiet. */
void mmc_output_message(mmc_output *out, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A progress event: rate and time left, on a terminal one line rewritten at most five times a second, elsewhere a
 * plain line every ten seconds; nothing under --quiet. `label` may be NULL. */
void mmc_output_progress(mmc_output *out, const char *label, const mmc_progress_event *event);

/* A callback of mmc_progress; `user` is the mmc_output. */
void mmc_output_report(void *user, const mmc_progress_event *event);

/* Flushes the rows. Errors: MMC_ERR_IO if any of them could not be written (a full disk); a reader that went away
 * early (a closed pipe) is no error. */
mmc_status mmc_output_close(mmc_output *out);

/* A number as JSON: the fewest digits that read back as the same double. `out` of 32 bytes is enough. */
void mmc_number_format(char *out, size_t size, double number);

#ifdef __cplusplus
}
#endif
#endif
