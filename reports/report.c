#define _GNU_SOURCE
#include "reports/report.h"

#include "reports/drawing.h"
#include "reports/html.h"
#include "reports/page.h"
#include "reports/report_tables.h"
#include "reports/small_report.h"
#include "runtime/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FIGURES_MAX = 96, PNG_LIMIT = 64 << 20, SVG_LIMIT = 64 << 20 };

typedef struct report {
    mmc_run_view view;
    mmc_text folder, tables, figures; /* paths of report.tmp and below */
    mmc_page_figure parts[FIGURES_MAX];
    size_t part_count;
} report;

/* ---- folders ------------------------------------------------------------------------------------------------------
 */

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where) {
    (void)info;
    (void)kind;
    (void)where;
    return remove(path);
}

static mmc_status remove_tree(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return MMC_OK;
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) != 0)
        return mmc_fail(MMC_ERR_IO, "%s: the old report cannot be removed: %s", path, strerror(errno));
    return MMC_OK;
}

/* One drawing at a time in a run directory: shards that end together draw one after the other. */
static mmc_status lock_directory(int *out, const char *directory) {
    *out = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*out < 0)
        return mmc_fail(MMC_ERR_MISSING, "%s: no run directory there", directory);
    while (flock(*out, LOCK_EX) != 0)
        if (errno != EINTR) {
            close(*out);
            return mmc_fail(MMC_ERR_IO, "%s: cannot be locked: %s", directory, strerror(errno));
        }
    return MMC_OK;
}

static mmc_status put_in_place(const char *directory, const char *folder) {
    mmc_text now = {0}, old = {0};
    mmc_text_printf(&now, "%s/report", directory);
    mmc_text_printf(&old, "%s/report.old", directory);
    const char *place = mmc_text_string(&now), *aside = mmc_text_string(&old);
    mmc_status status = mmc_text_check(&now);
    if (status == MMC_OK)
        status = mmc_text_check(&old);
    if (status == MMC_OK)
        status = remove_tree(aside);
    if (status == MMC_OK && rename(place, aside) != 0 && errno != ENOENT)
        status = mmc_fail(MMC_ERR_IO, "%s: the old report cannot be moved away: %s", place, strerror(errno));
    if (status == MMC_OK && rename(folder, place) != 0)
        status = mmc_fail(MMC_ERR_IO, "%s: the report cannot be put in place: %s", place, strerror(errno));
    if (status == MMC_OK)
        status = remove_tree(aside);
    mmc_text_close(&now);
    mmc_text_close(&old);
    return status;
}

static mmc_status make_folders(report *r) {
    mmc_text_printf(&r->folder, "%s/report.tmp", r->view.directory);
    mmc_text_printf(&r->tables, "%s/report.tmp/tables", r->view.directory);
    mmc_text_printf(&r->figures, "%s/report.tmp/figures", r->view.directory);
    MMC_TRY(mmc_text_check(&r->folder));
    MMC_TRY(mmc_text_check(&r->tables));
    MMC_TRY(mmc_text_check(&r->figures));
    MMC_TRY(remove_tree(r->folder.data));
    MMC_TRY(mmc_folder_create(r->tables.data));
    return mmc_folder_create(r->figures.data);
}

/* ---- figures ------------------------------------------------------------------------------------------------------
 */

static mmc_page_figure *new_part(report *r, const char *id, int number) {
    mmc_page_figure *part = &r->parts[r->part_count++];
    *part = (mmc_page_figure){.number = number};
    snprintf(part->id, sizeof part->id, "%s", id);
    return part;
}

static mmc_status write_figure_file(report *r, const char *id, const char *ending, const mmc_text *text) {
    mmc_text path = {0};
    mmc_text_printf(&path, "%s/%s.%s", r->figures.data, id, ending);
    mmc_status status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_write(text, path.data);
    mmc_text_close(&path);
    return status;
}

static mmc_status read_figure_file(report *r, const char *id, const char *ending, mmc_text *text) {
    mmc_text path = {0};
    mmc_text_printf(&path, "%s/%s.%s", r->figures.data, id, ending);
    mmc_status status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_read(text, path.data, SVG_LIMIT);
    mmc_text_close(&path);
    return status;
}

/* Writes the values, lets gnuplot draw, and puts the picture into the part. */
static mmc_status draw_picture(report *r, mmc_page_figure *part, const mmc_text *csv, const mmc_text *script) {
    mmc_text svg = {0};
    mmc_status status = write_figure_file(r, part->id, "csv", csv);
    if (status == MMC_OK)
        status = mmc_gnuplot_run(r->figures.data, script);
    if (status == MMC_OK)
        status = read_figure_file(r, part->id, "svg", &svg);
    if (status == MMC_OK) {
        mmc_text_add(&part->body, "<div class=\"plot\" tabindex=\"0\">\n");
        status = mmc_html_svg(&part->body, mmc_text_string(&svg), part->id, mmc_text_string(&part->headline));
        mmc_text_add(&part->body, "</div>\n");
        part->drawn = true;
    }
    mmc_text_close(&svg);
    return status;
}

static mmc_status draw(report *r, const mmc_drawing *d) {
    mmc_text csv = {0}, script = {0};
    mmc_page_figure *part = new_part(r, d->id, d->figure->number);
    mmc_text_printf(&part->heading, "Figure %d: %s", d->figure->number, d->figure->title);
    if (d->figure->one_of_networks)
        mmc_text_printf(&part->heading, " (%s)", mmc_figure_arch_name(d->figure->arch));
    else if (strchr(d->id, '-'))
        mmc_text_printf(&part->heading, " (%s %s)", d->split, d->metric);
    mmc_drawing_headline(d, &part->headline);
    mmc_status status = mmc_drawing_csv(d, &csv);
    if (status == MMC_OK)
        status = mmc_drawing_script(d, &script);
    if (status == MMC_OK)
        status = draw_picture(r, part, &csv, &script);
    if (status == MMC_OK)
        status = mmc_drawing_caption(d, &part->caption);
    if (status == MMC_OK)
        status = mmc_text_check(&part->heading);
    if (status == MMC_OK)
        status = mmc_text_check(&part->headline);
    if (status == MMC_OK)
        status = mmc_text_check(&part->body);
    mmc_text_close(&csv);
    mmc_text_close(&script);
    return status;
}

/* Why a figure has nothing to show: the first reason among its rows. */
static const char *reason_of(const mmc_run_view *view, const mmc_figure *figure) {
    for (size_t i = 0; i < view->records.count; i++) {
        const mmc_record *row = &view->records.rows[i];
        if (!isfinite(row->value) && row->reason && mmc_same_text(row->suite, figure->suite) &&
            !mmc_same_text(row->metric, "claim") &&
            (!row->arch || !figure->arch || mmc_same_text(row->arch, figure->arch)))
            return row->reason;
    }
    return "the run holds no value of it yet; mmcbench run --resume continues a run that was interrupted";
}

/* A figure that was asked for and has no value says so, with the reason. */
static mmc_status tell_absent(report *r, const mmc_figure *figure) {
    if (r->part_count == FIGURES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "more than %d figures in one report", FIGURES_MAX);
    char id[64];
    if (figure->one_of_networks)
        snprintf(id, sizeof id, "fig%d-%s", figure->number, figure->arch);
    else
        snprintf(id, sizeof id, "fig%d", figure->number);
    mmc_page_figure *part = new_part(r, id, figure->number);
    mmc_text_printf(&part->heading, "Figure %d: not measured", figure->number);
    mmc_text_add(&part->body, "<p class=\"warn\">");
    mmc_text_html(&part->body, figure->title);
    mmc_text_add(&part->body, ", ");
    if (figure->arch) {
        mmc_text_html(&part->body, mmc_figure_arch_name(figure->arch));
        mmc_text_add(&part->body, ", ");
    }
    mmc_text_html(&part->body, figure->datasets[0]);
    mmc_text_add(&part->body, ": ");
    mmc_text_html(&part->body, reason_of(&r->view, figure));
    mmc_text_add(&part->body, "</p>\n");
    MMC_TRY(mmc_text_check(&part->heading));
    return mmc_text_check(&part->body);
}

/* Figure 4 is the test accuracy of figure 15: drawn once where both are there. */
static bool drawn_as_figure_4(const report *r, const mmc_drawing *d) {
    bool same = d->figure->number == 15 && mmc_same_text(d->split, "test") && mmc_same_text(d->metric, "accuracy");
    for (size_t i = 0; same && i < r->part_count; i++)
        if (r->parts[i].number == 4 && r->parts[i].drawn)
            return true;
    return false;
}

static mmc_status draw_pair(report *r, const mmc_figure *figure, const char *split, const char *metric, bool *any) {
    if (r->part_count == FIGURES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "more than %d figures in one report", FIGURES_MAX);
    mmc_drawing d;
    MMC_TRY(mmc_drawing_collect(&d, &r->view, figure, split, metric));
    mmc_status status = MMC_OK;
    if (d.measured) {
        *any = true;
        if (!drawn_as_figure_4(r, &d))
            status = draw(r, &d);
    }
    mmc_drawing_close(&d);
    return status;
}

static mmc_status draw_figure(report *r, const mmc_figure *figure) {
    bool any = false;
    if (figure->kind == MMC_FIGURE_LEARNING) {
        MMC_TRY(draw_pair(r, figure, NULL, figure->metrics[0], &any));
    } else {
        for (size_t s = 0; figure->splits[s]; s++)
            for (size_t m = 0; figure->metrics[m]; m++)
                MMC_TRY(draw_pair(r, figure, figure->splits[s], figure->metrics[m], &any));
    }
    const char *chosen = mmc_run_text(&r->view, "arch"); /* in place of the suites' own */
    bool left_out = figure->one_of_networks && *chosen && !mmc_same_text(chosen, figure->arch);
    return any || left_out || !mmc_run_asked(&r->view, figure->suite) ? MMC_OK : tell_absent(r, figure);
}

/* ---- sheets -------------------------------------------------------------------------------------------------------
 */

/* The sheet of a data set lies in the artifact of the job that drew it: artifacts/KEY/sheet.png beside a config.json
 * that names the data set. */
static bool sheet_of(const report *r, const char *key, const char *dataset, mmc_text *png) {
    mmc_text path = {0}, text = {0};
    bool found = false;
    mmc_text_printf(&path, "%s/artifacts/%s/config.json", r->view.directory, key);
    json_t *config = NULL;
    if (!path.failed && access(path.data, R_OK) == 0 && mmc_text_read(&text, path.data, 1 << 20) == MMC_OK)
        config = json_loadb(mmc_text_string(&text), text.size, 0, NULL);
    if (mmc_same_text(json_string_value(json_object_get(config, "dataset")), dataset)) {
        mmc_text_clear(&path);
        mmc_text_printf(&path, "%s/artifacts/%s/sheet.png", r->view.directory, key);
        found = !path.failed && access(path.data, R_OK) == 0 && mmc_text_read(png, path.data, PNG_LIMIT) == MMC_OK &&
                png->size > 8 && memcmp(png->data, "\x89PNG\r\n\x1a\n", 8) == 0;
    }
    json_decref(config);
    mmc_text_close(&path);
    mmc_text_close(&text);
    if (!found)
        mmc_text_clear(png);
    return found;
}

static bool find_sheet(const report *r, const char *dataset, mmc_text *png) {
    mmc_text path = {0};
    mmc_text_printf(&path, "%s/artifacts", r->view.directory);
    DIR *folder = path.failed ? NULL : opendir(path.data);
    bool found = false;
    for (struct dirent *entry; folder && !found && (entry = readdir(folder));)
        found = entry->d_name[0] != '.' && sheet_of(r, entry->d_name, dataset, png);
    if (folder)
        closedir(folder);
    mmc_text_close(&path);
    return found;
}

static mmc_status put_sheet(report *r, const mmc_figure *figure, const char *dataset, const mmc_text *png) {
    char id[32];
    snprintf(id, sizeof id, "fig%d", figure->number);
    MMC_TRY(write_figure_file(r, id, "png", png));
    mmc_page_figure *part = new_part(r, id, figure->number);
    part->drawn = part->sheet = true;
    mmc_text_printf(&part->heading, "Figure %d: %s", figure->number, figure->title);
    mmc_text_printf(&part->headline, "Samples of %s", dataset);
    mmc_text_add(&part->body, "<div class=\"plot sheet\" tabindex=\"0\">\n<div>");
    for (size_t i = 0; i < MMC_FIGURE_PANELS; i++)
        mmc_text_printf(&part->body, "<span>%s</span>", mmc_figure_sets[i].name);
    mmc_text_add(&part->body, "</div>\n<img alt=\"");
    mmc_text_html(&part->body, mmc_text_string(&part->headline));
    mmc_text_add(&part->body, "\" src=\"data:image/png;base64,");
    mmc_text_base64(&part->body, (const unsigned char *)png->data, png->size);
    mmc_text_add(&part->body, "\"></div>\n");
    mmc_text_add(&part->caption, "<p>Test images of ");
    mmc_text_html(&part->caption, dataset);
    mmc_text_add(&part->caption, " as the networks see them: classes down, the sets across. ");
    for (size_t i = 0; i < MMC_FIGURE_PANELS; i++) {
        mmc_text_printf(&part->caption, "%s<b>%s</b> ", i ? "; " : "", mmc_figure_sets[i].name);
        mmc_text_html(&part->caption, mmc_figure_sets[i].meaning);
    }
    mmc_text_add(&part->caption, ".</p>\n");
    if (strcmp(dataset, figure->datasets[0]) != 0) {
        mmc_text_add(&part->caption, "<p class=\"warn\">");
        mmc_text_html(&part->caption, dataset);
        mmc_text_add(&part->caption, " stands in for the paper's ");
        mmc_text_html(&part->caption, figure->datasets[0]);
        mmc_text_add(&part->caption, ", which this run did not measure.</p>\n");
    }
    MMC_TRY(mmc_text_check(&part->heading));
    MMC_TRY(mmc_text_check(&part->headline));
    MMC_TRY(mmc_text_check(&part->caption));
    return mmc_text_check(&part->body);
}

static mmc_status show_sheet(report *r, const mmc_figure *figure) {
    if (r->part_count == FIGURES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "more than %d figures in one report", FIGURES_MAX);
    mmc_text png = {0};
    const char *dataset = figure->datasets[0];
    mmc_status status = MMC_OK;
    bool found = find_sheet(r, dataset, &png);
    if (!found && mmc_figure_stand_in(dataset)) {
        dataset = mmc_figure_stand_in(dataset);
        found = find_sheet(r, dataset, &png);
    }
    if (found)
        status = put_sheet(r, figure, dataset, &png);
    else if (mmc_run_asked(&r->view, figure->suite))
        status = tell_absent(r, figure);
    mmc_text_close(&png);
    return status;
}

/* ---- the small model -----------------------------------------------------------------------------------------------
 */

/* Why a part has no value: the first reason that a row of its suite gives. */
static mmc_status tell_small_absent(report *r, const char *suite, const char *heading, int number) {
    const mmc_figure figure = {.number = number, .suite = suite, .title = heading, .datasets = {"attributes"}};
    return mmc_run_asked(&r->view, suite) ? tell_absent(r, &figure) : MMC_OK;
}

static mmc_status put_small_table(report *r) {
    mmc_table table;
    mmc_status status = mmc_report_table5(&table, &r->view);
    if (status == MMC_OK && table.row_count) {
        mmc_page_figure *part = new_part(r, "table5", 0);
        mmc_text_add(&part->heading, "Table 5: what the small model relies on");
        status = mmc_table_write(&table, r->tables.data);
        if (status == MMC_OK)
            status = mmc_table_html(&table, &part->body);
        mmc_text_add(&part->body, "<p class=\"file\">tables/table5.csv, tables/table5.md</p>\n");
        if (status == MMC_OK)
            status = mmc_report_table5_notes(&part->caption, &r->view);
    }
    mmc_table_close(&table);
    return status;
}

static mmc_status draw_small(report *r, int number, const char *suite) {
    mmc_small_drawing d;
    mmc_status status = mmc_small_drawing_collect(&d, &r->view, number);
    if (status == MMC_OK && d.measured) {
        mmc_page_figure *part = new_part(r, d.id, number);
        mmc_text_add(&part->heading, mmc_text_string(&d.heading));
        mmc_text_add(&part->headline, mmc_text_string(&d.headline));
        mmc_text_add(&part->caption, mmc_text_string(&d.caption));
        status = draw_picture(r, part, &d.csv, &d.script);
    } else if (status == MMC_OK) {
        status = tell_small_absent(r, suite, mmc_text_string(&d.headline), number);
    }
    mmc_small_drawing_close(&d);
    return status;
}

static mmc_status show_small(report *r) {
    if (r->part_count + 3 > FIGURES_MAX)
        return mmc_fail(MMC_ERR_RANGE, "more than %d figures in one report", FIGURES_MAX);
    MMC_TRY(put_small_table(r));
    MMC_TRY(draw_small(r, 12, "fig12"));
    return draw_small(r, 13, "fig13");
}

/* ---- all of it ----------------------------------------------------------------------------------------------------
 */

static mmc_status compose(report *r) {
    typedef mmc_status (*filler)(mmc_table *, const mmc_run_view *);
    static const filler fillers[5] = {mmc_report_claims, mmc_report_models, mmc_report_paths, mmc_report_speed,
                                      mmc_report_missing};
    mmc_table tables[5] = {0};
    mmc_page_table paper[MMC_PAGE_TABLES] = {0};
    mmc_text page = {0}, path = {0};
    mmc_status status = mmc_page_tables_fill(paper, &r->view);
    if (status == MMC_OK)
        status = mmc_page_tables_write(paper, r->tables.data);
    for (size_t i = 0; status == MMC_OK && i < 5; i++) {
        status = fillers[i](&tables[i], &r->view);
        if (status == MMC_OK && tables[i].row_count)
            status = mmc_table_write(&tables[i], r->tables.data);
    }
    mmc_page whole = {.view = &r->view,
                      .figures = r->parts,
                      .figure_count = r->part_count,
                      .paper_tables = paper,
                      .claims = &tables[0],
                      .models = &tables[1],
                      .paths = &tables[2],
                      .speed = &tables[3],
                      .missing = &tables[4]};
    if (status == MMC_OK)
        status = mmc_page_compose(&whole, &page);
    mmc_text_printf(&path, "%s/index.html", r->folder.data);
    if (status == MMC_OK)
        status = mmc_text_check(&path);
    if (status == MMC_OK)
        status = mmc_text_write(&page, path.data);
    for (size_t i = 0; i < 5; i++)
        mmc_table_close(&tables[i]);
    for (size_t i = 0; i < MMC_PAGE_TABLES; i++)
        mmc_page_table_close(&paper[i]);
    mmc_text_close(&page);
    mmc_text_close(&path);
    return status;
}

mmc_status mmc_report_draw(char *page, size_t size, const char *run_directory) {
    if (snprintf(page, size, "%s/report/index.html", run_directory) >= (int)size)
        return mmc_fail(MMC_ERR_RANGE, "%s: the path of the report is longer than %zu bytes", run_directory, size);
    int lock;
    MMC_TRY(lock_directory(&lock, run_directory));
    report *r = calloc(1, sizeof *r);
    mmc_status status = r ? mmc_run_view_open(&r->view, run_directory)
                          : mmc_fail(MMC_ERR_MEMORY, "out of memory while drawing the report of %s", run_directory);
    if (status != MMC_OK)
        goto cleanup;
    MMC_GOTO(cleanup, make_folders(r));
    for (size_t i = 0; status == MMC_OK && i < mmc_figure_count; i++)
        status =
            mmc_figures[i].kind == MMC_FIGURE_SHEET ? show_sheet(r, &mmc_figures[i]) : draw_figure(r, &mmc_figures[i]);
    if (status == MMC_OK)
        status = show_small(r);
    if (status == MMC_OK)
        status = compose(r);
    if (status == MMC_OK)
        status = put_in_place(run_directory, r->folder.data);
cleanup:
    if (r) {
        if (status != MMC_OK && r->folder.data) {
            char kept[1024]; /* the first failure is the one to tell */
            snprintf(kept, sizeof kept, "%s", mmc_error_message());
            (void)remove_tree(r->folder.data);
            mmc_fail(status, "%s", kept);
        }
        for (size_t i = 0; i < r->part_count; i++)
            mmc_page_figure_close(&r->parts[i]);
        mmc_text_close(&r->folder);
        mmc_text_close(&r->tables);
        mmc_text_close(&r->figures);
        mmc_run_view_close(&r->view);
        free(r);
    }
    close(lock);
    return status;
}
