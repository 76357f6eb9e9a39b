#include "reports/page.h"

#include "reports/html.h"
#include "reports/report_tables.h"
#include "reports/select.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

void mmc_page_figure_close(mmc_page_figure *figure) {
    mmc_text_close(&figure->heading);
    mmc_text_close(&figure->headline);
    mmc_text_close(&figure->caption);
    mmc_text_close(&figure->body);
}

/* ---- config.json as facts -----------------------------------------------------------------------------------------
 */

/* A JSON value in words: text as it is, lists with commas, objects as "key value". */
static void say(mmc_text *out, const json_t *value, int depth) {
    const char *key;
    json_t *item;
    size_t index;
    if (json_is_string(value)) {
        mmc_text_add(out, json_string_value(value));
    } else if (json_is_integer(value)) {
        mmc_text_printf(out, "%lld", (long long)json_integer_value(value));
    } else if (json_is_real(value)) {
        mmc_text_number(out, json_real_value(value));
    } else if (json_is_boolean(value)) {
        mmc_text_add(out, json_is_true(value) ? "yes" : "no");
    } else if (json_is_array(value) && depth < 8) {
        json_array_foreach(value, index, item) {
            mmc_text_add(out, index ? ", " : "");
            say(out, item, depth + 1);
        }
    } else if (json_is_object(value) && depth < 8) {
        bool first = true;
        json_object_foreach((json_t *)value, key, item) {
            mmc_text_printf(out, "%s%s ", first ? "" : "; ", key);
            say(out, item, depth + 1);
            first = false;
        }
    } else {
        mmc_text_add(out, json_is_null(value) ? "none" : "...");
    }
}

static void fact_of(mmc_text *out, const json_t *config, const char *key, const char *term) {
    const json_t *value = json_object_get(config, key);
    mmc_text words = {0};
    if (value && !json_is_null(value))
        say(&words, value, 0);
    if (words.size || words.failed)
        mmc_html_fact(out, term, mmc_text_string(&words));
    out->failed = out->failed || words.failed;
    mmc_text_close(&words);
}

static void facts_of_all(mmc_text *out, const json_t *object) {
    const char *key;
    json_t *value;
    mmc_text_add(out, "<dl>\n");
    json_object_foreach((json_t *)object, key, value) fact_of(out, object, key, key);
    mmc_text_add(out, "</dl>\n");
}

/* ---- the top of the page ------------------------------------------------------------------------------------------
 */

static const struct {
    const char *key, *term;
} machine_facts[] = {
    {"created", "when"},        {"device", "device"},    {"backend", "backend"},     {"provider", "provider"},
    {"precision", "precision"}, {"threads", "threads"},  {"isa", "instruction set"}, {"libraries", "libraries"},
    {"version", "version"},     {"build_type", "build"}, {"compiler", "compiler"},   {"seed", "seed"},
    {"dataset", "data set"},
};

static void count_verdicts(const mmc_run_view *view, int counts[3]) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *r = &view->records.rows[i];
        if (mmc_same_text(r->metric, "claim"))
            counts[!isfinite(r->value) ? 2 : r->value > 0 ? 0 : 1]++;
    }
}

static void tile(mmc_text *out, const char *class, double value, const char *label) {
    mmc_text_printf(out, "<div class=\"tile\"><b%s%s%s>%.0f</b><span>", *class ? " class=\"" : "", class,
                    *class ? "\"" : "", value);
    mmc_text_html(out, label);
    mmc_text_add(out, "</span></div>\n");
}

static void tiles(const mmc_page *page, mmc_text *out) {
    int counts[3] = {0};
    count_verdicts(page->view, counts);
    mmc_text_add(out, "<div class=\"tiles\">\n");
    tile(out, counts[0] ? "holds" : "", counts[0], counts[0] == 1 ? "claim holds" : "claims hold");
    tile(out, counts[1] ? "fails" : "", counts[1], counts[1] == 1 ? "claim fails" : "claims fail");
    tile(out, counts[2] ? "undecided" : "", counts[2], "undecided at this size");
    tile(out, "", (double)page->view->records.count, "measured rows");
    tile(out, page->missing->row_count ? "undecided" : "", (double)page->missing->row_count, "without a value");
    mmc_text_add(out, "</div>\n");
}

static void nav_link(mmc_text *out, const char *id, const char *words) {
    mmc_text_add(out, "<a href=\"#");
    mmc_text_html(out, id);
    mmc_text_add(out, "\">");
    mmc_text_html(out, words);
    mmc_text_add(out, "</a>\n");
}

/* "fig15-test-loss" as "Figure 15 test loss". */
static void nav_figure(mmc_text *out, const mmc_page_figure *figure) {
    char words[80];
    const char *part = strchr(figure->id, '-');
    if (figure->number)
        snprintf(words, sizeof words, "Figure %d%s", figure->number, part ? part : "");
    else
        snprintf(words, sizeof words, "Table %s", figure->id + strlen("table"));
    for (char *c = words; *c; c++)
        *c = *c == '-' ? ' ' : *c;
    nav_link(out, figure->id, words);
}

/* "table1" as "Table 1". */
static void nav_paper_table(mmc_text *out, const char *id) {
    char words[48];
    snprintf(words, sizeof words, "Table %s", id + strlen("table"));
    nav_link(out, id, words);
}

static void nav(const mmc_page *page, mmc_text *out) {
    mmc_text_add(out, "<nav>\n");
    nav_link(out, "claims", "Claims");
    for (int i = 0; i < MMC_PAGE_TABLES; i++)
        if (*page->paper_tables[i].id)
            nav_paper_table(out, page->paper_tables[i].id);
    for (size_t i = 0; i < page->figure_count; i++)
        nav_figure(out, &page->figures[i]);
    const mmc_table *tables[] = {page->models, page->paths, page->speed, page->missing};
    static const char *const words[] = {"Models", "Dips and barriers", "Speed", "Missing"};
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (tables[i]->row_count)
            nav_link(out, tables[i]->name, words[i]);
    nav_link(out, "reproduce", "Run it again");
    mmc_text_add(out, "</nav>\n");
}

static void top(const mmc_page *page, mmc_text *out) {
    const mmc_run_view *view = page->view;
    mmc_text_add(out, "<h1>Mechanistic mode connectivity: ");
    mmc_text_html(out, view->scale);
    mmc_text_add(out, " run</h1>\n<p class=\"lead\">");
    mmc_text suites = {0};
    const json_t *list = json_object_get(view->config, "suites");
    if (list)
        say(&suites, list, 0);
    mmc_text_add(out, "Items of the paper: ");
    mmc_text_html(out, suites.size ? mmc_text_string(&suites) : "not said in config.json");
    mmc_text_add(out, ".");
    mmc_text_close(&suites);
    const char *device = mmc_run_text(view, "device");
    if (*device) {
        mmc_text_add(out, " Run on ");
        mmc_text_html(out, device);
        mmc_text_add(out, ".");
    }
    mmc_text_add(out, "</p>\n");
    if (view->reduced) {
        mmc_text_add(out, "<div class=\"banner\"><b>Reduced run (scale ");
        mmc_text_html(out, view->scale);
        mmc_text_add(
            out,
            ").</b> Narrower networks, less data or fewer epochs than the paper's protocol: what is "
            "compared with the paper is the shape of what one sees, through the claims below. The "
            "numbers themselves are not comparable with the paper's; where those stand in a table, they stand in grey as "
            "a reference.</div>\n");
    }
    if (json_is_true(json_object_get(view->config, "dirty")))
        mmc_text_add(out, "<div class=\"banner\">The program was built from a working tree with changes that are in no "
                          "commit: the commit below does not describe it fully.</div>\n");
    tiles(page, out);
    nav(page, out);
    mmc_text_add(out, "<div class=\"card\">\n<h2>What was run, and on what</h2>\n<dl>\n");
    mmc_html_fact(out, "scale", view->page_tag + strlen("scale "));
    for (size_t i = 0; i < sizeof machine_facts / sizeof *machine_facts; i++)
        fact_of(out, view->config, machine_facts[i].key, machine_facts[i].term);
    const char *commit = mmc_run_text(view, "commit");
    if (*commit) {
        mmc_text_add(out, "<div><dt>commit</dt><dd><code>");
        mmc_text_html(out, commit);
        mmc_text_printf(out, "</code>%s</dd></div>\n",
                        json_is_true(json_object_get(view->config, "dirty")) ? ", with uncommitted changes" : "");
    }
    mmc_text_add(out, "</dl>\n");
    const json_t *protocol = json_object_get(view->config, "protocol");
    if (json_is_object(protocol) && json_object_size(protocol)) {
        mmc_text_add(out, "<h3>Protocol of this scale</h3>\n");
        facts_of_all(out, protocol);
    }
    mmc_text_add(out, "</div>\n");
}

/* ---- the parts ----------------------------------------------------------------------------------------------------
 */

static mmc_status put_table(const mmc_table *table, mmc_text *out) {
    MMC_TRY(mmc_table_html(table, out));
    mmc_text_printf(out, "<p class=\"file\">tables/%s.csv, tables/%s.md</p>\n", table->name, table->name);
    return MMC_OK;
}

static mmc_status put_claims(const mmc_page *page, mmc_text *out) {
    mmc_html_section(out, "claims", "Did the claims hold?", page->view->page_tag);
    if (page->claims->row_count) {
        mmc_text_add(out, "<p>What the paper's items must show, judged on this run's values. <i>Undecided</i> means "
                          "that a run of this size cannot tell, for the reason given.</p>\n");
        MMC_TRY(put_table(page->claims, out));
    } else {
        mmc_text_add(out, "<p>No claim was judged: the run has not come to its end, or none of its items makes one. "
                          "<code>mmcbench run --resume</code> continues it.</p>\n");
    }
    mmc_html_section_end(out);
    return MMC_OK;
}

static mmc_status put_paper_tables(const mmc_page *page, mmc_text *out) {
    for (const mmc_page_table *t = page->paper_tables; t < page->paper_tables + MMC_PAGE_TABLES; t++) {
        if (!*t->id)
            continue;
        mmc_html_section(out, t->id, mmc_text_string(&t->heading), page->view->page_tag);
        mmc_text_add(out, mmc_text_string(&t->intro));
        if (t->layout.row_count)
            MMC_TRY(put_table(&t->layout, out));
        mmc_html_section_end(out);
    }
    return MMC_OK;
}

static void put_figures(const mmc_page *page, mmc_text *out) {
    for (size_t i = 0; i < page->figure_count; i++) {
        const mmc_page_figure *f = &page->figures[i];
        mmc_html_section(out, f->id, mmc_text_string(&f->heading), page->view->page_tag);
        mmc_text_add(out, "<figure>\n");
        mmc_text_add(out, mmc_text_string(&f->body));
        mmc_text_add(out, "<figcaption>\n");
        mmc_text_add(out, mmc_text_string(&f->caption));
        if (f->drawn && f->sheet)
            mmc_text_printf(out, "<p class=\"file\">figures/%s.png</p>\n", f->id);
        else if (f->drawn)
            mmc_text_printf(out, "<p class=\"file\">figures/%s.svg, figures/%s.png, drawn from figures/%s.csv</p>\n",
                            f->id, f->id, f->id);
        mmc_text_add(out, "</figcaption>\n</figure>\n");
        mmc_html_section_end(out);
    }
}

/* The evaluation of paths summed up: the rate, and apart from it how much less was run than the procedure defines. */
static void speed_words(const mmc_run_view *view, mmc_text *out) {
    mmc_speed_total total = mmc_report_speed_total(view);
    mmc_text_add(out, "<p>Rates count image-forwards that were really run, start to end of the evaluation or training; "
                      "batch norm is estimated within them.");
    if (total.run > 0 && total.time_s > 0)
        mmc_text_printf(out, " All paths together: <b>%.0f images/s</b>, %.3g million image-forwards in %.1f s.",
                        total.run / total.time_s, total.run * 1e-6, total.time_s);
    if (total.run > 0 && total.defined > 0)
        mmc_text_printf(
            out,
            " The procedure is defined by %.3g million: points and sets that share their work are run once, "
            "which is a factor of <b>%.2f</b>, told apart from the rate and not multiplied into it.",
            total.defined * 1e-6, total.defined / total.run);
    mmc_text_add(out, "</p>\n");
}

static mmc_status put_tables(const mmc_page *page, mmc_text *out) {
    const char *tag = page->view->page_tag;
    if (page->models->row_count) {
        mmc_html_section(out, "models", "The models at the ends of the paths", tag);
        mmc_text_add(out, "<p>A model that uses the cue keeps its accuracy when the natural image is replaced (RI) and "
                          "loses it when the cue is drawn at random (RC); one that uses the image does the opposite. "
                          "Evaluated after the same batch-norm estimate as the points of the paths.</p>\n");
        MMC_TRY(put_table(page->models, out));
        mmc_html_section_end(out);
    }
    if (page->paths->row_count) {
        mmc_html_section(out, "paths", "Dips and barriers of the paths", tag);
        mmc_text_add(out, "<p>Dip: how far accuracy falls below the worse end. Barrier: how far loss rises above the "
                          "straight line between the losses of the ends.</p>\n");
        MMC_TRY(put_table(page->paths, out));
        mmc_html_section_end(out);
    }
    if (page->speed->row_count) {
        mmc_html_section(out, "speed", "Speed", tag);
        speed_words(page->view, out);
        MMC_TRY(put_table(page->speed, out));
        mmc_html_section_end(out);
    }
    if (page->missing->row_count) {
        mmc_html_section(out, "missing", "What has no value, and why", tag);
        MMC_TRY(put_table(page->missing, out));
        mmc_html_section_end(out);
    }
    return MMC_OK;
}

/* ---- the foot -----------------------------------------------------------------------------------------------------
 */

static void put_checksums(const json_t *config, mmc_text *out) {
    const json_t *datasets = json_object_get(config, "datasets");
    if (!json_array_size(datasets))
        return;
    mmc_text_add(out, "<h3>Data files</h3>\n<div class=\"scroll\" tabindex=\"0\"><table>\n<thead><tr><th>data set</th>"
                      "<th>file</th><th>SHA-256</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < json_array_size(datasets); i++) {
        const json_t *set = json_array_get(datasets, i);
        const json_t *files = json_object_get(set, "files");
        const char *name = json_string_value(json_object_get(set, "name"));
        for (size_t k = 0; k < json_array_size(files); k++) {
            const json_t *file = json_array_get(files, k);
            const char *path = json_string_value(json_object_get(file, "path"));
            const char *sum = json_string_value(json_object_get(file, "sha256"));
            mmc_text_add(out, "<tr><td>");
            mmc_text_html(out, name ? name : "not said");
            mmc_text_add(out, "</td><td>");
            mmc_text_html(out, path ? path : "not said");
            mmc_text_add(out, "</td><td><code>");
            mmc_text_html(out, sum ? sum : "not said");
            mmc_text_add(out, "</code></td></tr>\n");
        }
    }
    mmc_text_add(out, "</tbody></table></div>\n");
}

static void put_reproduce(const mmc_page *page, mmc_text *out) {
    const mmc_run_view *view = page->view;
    mmc_html_section(out, "reproduce", "How to run it again", NULL);
    mmc_text_add(out, "<pre>");
    const char *commit = mmc_run_text(view, "commit");
    if (*commit && strcmp(commit, "unknown") != 0) {
        mmc_text_add(out, "git checkout ");
        mmc_text_html(out, commit);
        mmc_text_add(out, "\n");
    }
    const char *command = mmc_run_text(view, "command");
    if (*command) {
        mmc_text_html(out, command);
    } else {
        mmc_text_add(out, "mmcbench run");
        const json_t *suites = json_object_get(view->config, "suites");
        for (size_t i = 0; i < json_array_size(suites); i++) {
            const char *name = json_string_value(json_array_get(suites, i));
            mmc_text_add(out, " ");
            mmc_text_html(out, name ? name : "");
        }
        mmc_text_add(out, " --scale ");
        mmc_text_html(out, view->scale);
        static const char *const given[] = {"arch", "dataset", "seed", "threads"};
        for (size_t i = 0; i < sizeof given / sizeof *given; i++) {
            const json_t *value = json_object_get(view->config, given[i]);
            mmc_text words = {0};
            if (json_is_string(value) || json_is_integer(value))
                say(&words, value, 0);
            if (words.size)
                mmc_text_printf(out, " --%s ", given[i]);
            mmc_text_html(out, mmc_text_string(&words));
            mmc_text_close(&words);
        }
    }
    mmc_text_add(out, "\nmmcbench report ");
    mmc_text_html(out, view->directory);
    mmc_text_add(out,
                 "      # draws this page again from its records\n</pre>\n<p>Equal seeds, threads, instruction set "
                 "and library versions give equal values. Settings given in place of the scale's own (epochs, limits "
                 "...) stand in the protocol above and in config.json; name them again.</p>\n");
    put_checksums(view->config, out);
    mmc_text_add(out, "<details><summary>All of config.json</summary>\n");
    facts_of_all(out, view->config);
    mmc_text_add(out, "</details>\n");
    mmc_html_section_end(out);
}

mmc_status mmc_page_compose(const mmc_page *page, mmc_text *out) {
    mmc_text title = {0};
    mmc_text_printf(&title, "mmcbench: %s", page->view->page_tag);
    mmc_html_begin(out, mmc_text_string(&title));
    mmc_text_close(&title);
    top(page, out);
    MMC_TRY(put_claims(page, out));
    MMC_TRY(put_paper_tables(page, out));
    put_figures(page, out);
    MMC_TRY(put_tables(page, out));
    put_reproduce(page, out);
    mmc_text_add(out, "<footer>Drawn from config.json and the records of the run directory alone. Paper: Lubana, "
                      "Bigelow, Dick, Krueger, Tanaka: Mechanistic Mode Connectivity, ICML 2023.</footer>\n");
    mmc_html_end(out);
    return mmc_text_check(out);
}
