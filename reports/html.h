/* Pieces of the page: one self-contained HTML file, no script, no network.
 *
 *     mmc_html_begin(&page, "mmcbench: quick run");
 *     mmc_html_section(&page, "claims", "Claims", "scale quick, reduced");
 *     ...
 *     mmc_html_end(&page);
 */
#ifndef MMC_REPORTS_HTML_H
#define MMC_REPORTS_HTML_H

#include "reports/text.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Head, style and the opening of the page; `title` is escaped. */
void mmc_html_begin(mmc_text *page, const char *title);
void mmc_html_end(mmc_text *page);

/* Opens a section; `badge` (NULL: none) stands beside its heading. Close with mmc_html_section_end. */
void mmc_html_section(mmc_text *page, const char *id, const char *heading, const char *badge);
void mmc_html_section_end(mmc_text *page);

/* One term with its value in a list of facts, both escaped. */
void mmc_html_fact(mmc_text *page, const char *term, const char *value);

/* Puts a gnuplot SVG into the page: its identifiers made unique by `id`, its black made the text's colour so that it
 * follows light and dark. `label` is read aloud. Errors: MMC_ERR_FORMAT if it is no SVG. */
mmc_status mmc_html_svg(mmc_text *page, const char *svg, const char *id, const char *label);

#ifdef __cplusplus
}
#endif
#endif
