/* A growing piece of text: lines of records, tables, gnuplot scripts and the page are built in one and written whole.
 *
 *     mmc_text text = {0};
 *     mmc_text_printf(&text, "%d,", 7);
 *     mmc_text_number(&text, .1);                           the shortest digits that read back the same: 0.1
 *     MMC_TRY(mmc_text_write(&text, "tables/table.csv"));   temporary name, then rename
 *     mmc_text_close(&text);
 *
 * Running out of memory is remembered and told by mmc_text_check and mmc_text_write, so that appending needs no check.
 */
#ifndef MMC_REPORTS_TEXT_H
#define MMC_REPORTS_TEXT_H

#include "runtime/status.h"

#include <stdbool.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct mmc_text {
    char *data; /* ends with a 0 byte once anything was appended; NULL before */
    size_t size, capacity;
    bool failed;
} mmc_text;

void mmc_text_close(mmc_text *text);

/* Empties the text and keeps its memory. */
void mmc_text_clear(mmc_text *text);

/* The text as a string, never NULL. Owned by the text. */
const char *mmc_text_string(const mmc_text *text);

void mmc_text_bytes(mmc_text *text, const char *bytes, size_t size);
void mmc_text_add(mmc_text *text, const char *string);
void mmc_text_printf(mmc_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Appends the shortest decimal digits that read back as `value`; "null" for a value that is not finite. */
void mmc_text_number(mmc_text *text, double value);

/* Appends a JSON string, quotes included; "null" for NULL. Bytes that are no UTF-8 become U+FFFD. */
void mmc_text_json(mmc_text *text, const char *string);

/* Appends text for HTML (and SVG, XML), in elements as in attributes: the five special characters escaped, control
 * characters and bytes that are no UTF-8 replaced by U+FFFD. */
void mmc_text_html(mmc_text *text, const char *string);

/* Appends one CSV field, quoted where RFC 4180 asks for it. A leading = + - @ that is no number is quoted and set
 * apart with a ', so that a spreadsheet takes no text for a formula. */
void mmc_text_csv(mmc_text *text, const char *string);

/* Appends one cell of a Markdown table: pipes, line breaks and markup characters made harmless. */
void mmc_text_markdown(mmc_text *text, const char *string);

/* Appends bytes in base64. */
void mmc_text_base64(mmc_text *text, const unsigned char *bytes, size_t size);

/* Errors: MMC_ERR_MEMORY if an append ran out of memory. */
mmc_status mmc_text_check(const mmc_text *text);

/* Writes the text to `path` as a whole (runtime/file.h). Errors: MMC_ERR_MEMORY, MMC_ERR_IO. */
mmc_status mmc_text_write(const mmc_text *text, const char *path);

/* Reads a whole file of at most `limit` bytes and appends it.
 * Errors: MMC_ERR_MISSING if there is none, MMC_ERR_FORMAT if it is larger, MMC_ERR_IO, MMC_ERR_MEMORY. */
mmc_status mmc_text_read(mmc_text *text, const char *path, size_t limit);

#ifdef __cplusplus
}
#endif
#endif
