#include "reports/drawing.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Sizes in pixels of the SVG; the PNG is drawn at twice as many. */
typedef struct layout {
    double panel_width, panel_height, gap_x, gap_y, left, right, top, bottom, width, height;
} layout;

static const char ink_soft[] = "#7d8790", grid[] = "#9aa3ab";

/* Colours that people with any colour vision tell apart (after Okabe and Ito), from cold to warm with the proportion
 * of cues; a mark of its own for each as well. */
static const struct {
    double cue;
    const char *colour;
    int mark;
} palette[] = {
    {.0, "#8a8f94", 5},  {.6, "#56b4e9", 9},  {.7, "#0072b2", 11},
    {.8, "#009e73", 13}, {.9, "#e69f00", 15}, {1., "#d55e00", 7},
};
static const struct {
    const char *colour;
    int mark;
} spare[] = {{"#cc79a7", 6}, {"#b8a800", 8}, {"#7a5195", 10}, {"#a05a2c", 12}};

static void style_of(double cue, size_t index, const char **colour, int *mark) {
    for (size_t i = 0; i < sizeof palette / sizeof *palette; i++)
        if (fabs(palette[i].cue - cue) < 1e-9) {
            *colour = palette[i].colour;
            *mark = palette[i].mark;
            return;
        }
    *colour = spare[index % (sizeof spare / sizeof *spare)].colour;
    *mark = spare[index % (sizeof spare / sizeof *spare)].mark;
}

/* Text for a single-quoted gnuplot string: letters, digits and plain punctuation; anything else becomes a blank. */
static void plain(mmc_text *out, const char *text) {
    static const char allowed[] = " .,:;=+-()/%<>";
    for (const char *s = text; *s; s++) {
        unsigned char c = (unsigned char)*s;
        bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c >= 0x80 ||
                    strchr(allowed, c);
        mmc_text_bytes(out, good ? s : " ", 1);
    }
}

/* The same, cut to what fits into a panel. */
static void plain_short(mmc_text *out, const char *text, size_t limit) {
    size_t length = strlen(text), cut = length;
    if (length > limit)
        for (cut = limit; cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80; cut--)
            ;
    mmc_text piece = {0};
    mmc_text_bytes(&piece, text, cut);
    plain(out, mmc_text_string(&piece));
    if (cut < length)
        mmc_text_add(out, " ...");
    mmc_text_close(&piece);
}

static layout lay_out(const mmc_drawing *d) {
    bool paths = d->figure->kind == MMC_FIGURE_PATH;
    layout l = {.panel_width = paths ? 232 : 300,
                .panel_height = paths ? 168 : 200,
                .gap_x = 30,
                .gap_y = 26,
                .left = 116,
                .right = 26,
                .top = 84,
                .bottom = 104};
    l.width = l.left + l.right + (double)d->columns * l.panel_width + (double)(d->columns - 1) * l.gap_x;
    l.height = l.top + l.bottom + (double)d->rows * l.panel_height + (double)(d->rows - 1) * l.gap_y;
    return l;
}

static void data_blocks(const mmc_drawing *d, mmc_text *out) {
    double scale = strcmp(d->metric, "accuracy") == 0 ? 100 : 1;
    for (size_t r = 0; r < d->rows; r++)
        for (size_t c = 0; c < d->columns; c++)
            for (size_t s = 0; s < d->cue_count; s++) {
                const mmc_curve_values *curve = &d->panels[r][c].series[s];
                if (!curve->finite)
                    continue;
                mmc_text_printf(out, "$d%zu_%zu_%zu << EOD\n", r, c, s);
                for (size_t i = 0; i < curve->count; i++) {
                    const mmc_curve_point *p = &curve->points[i];
                    if (!p->values)
                        mmc_text_add(out, "\n"); /* a gap in the line */
                    else
                        mmc_text_printf(out, "%.9g %.9g %.9g %.9g\n", p->t, p->mean * scale, p->min * scale,
                                        p->max * scale);
                }
                mmc_text_add(out, "EOD\n");
            }
}

static void write_axis_ranges(const mmc_drawing *d, size_t row, mmc_text *out) {
    double top = 0, last = 1;
    for (size_t c = 0; c < d->columns; c++)
        for (size_t s = 0; s < d->cue_count; s++) {
            const mmc_curve_values *curve = &d->panels[row][c].series[s];
            for (size_t i = 0; i < curve->count; i++) {
                top = fmax(top, curve->points[i].max);
                last = fmax(last, curve->points[i].t);
            }
        }
    if (strcmp(d->metric, "accuracy") == 0)
        mmc_text_add(out, "set yrange [-3:103]\nset ytics 0,25,100\n");
    else
        mmc_text_printf(out, "set yrange [%.9g:%.9g]\nset ytics autofreq\n", -.03 * (top > 0 ? top : 1),
                        1.06 * (top > 0 ? top : 1));
    if (d->figure->kind == MMC_FIGURE_PATH)
        mmc_text_add(out, d->figure->mirrored ? "set xrange [1.03:-.03]\n" : "set xrange [-.03:1.03]\n");
    else
        mmc_text_printf(out, "set xrange [%.9g:%.9g]\n", last <= 10 ? 1 - .03 * last : -.02 * last, 1.03 * last);
}

static void write_x_tics(const mmc_drawing *d, bool labelled, mmc_text *out) {
    if (d->figure->kind == MMC_FIGURE_PATH) {
        if (labelled)
            mmc_text_printf(out,
                            "set xtics ('{/:Italic θ}_C' 0, '' .25, '0.5' .5, '' .75, '{/:Italic θ}_{%s}' 1)\n"
                            "set xlabel '{/:Italic t}' offset 0,.45\n",
                            d->figure->end);
        else
            mmc_text_add(out, "set xtics ('' 0, '' .25, '' .5, '' .75, '' 1)\nunset xlabel\n");
        return;
    }
    double last = 1;
    for (size_t s = 0; s < d->cue_count; s++)
        for (size_t r = 0; r < d->rows; r++)
            for (size_t c = 0; c < d->columns; c++) {
                const mmc_curve_values *curve = &d->panels[r][c].series[s];
                if (curve->count)
                    last = fmax(last, curve->points[curve->count - 1].t);
            }
    mmc_text_printf(out, "set xtics %s\n", last <= 10 ? "1" : "autofreq");
    mmc_text_printf(out, "set format x '%s'\n", labelled ? "%g" : "");
    mmc_text_add(out, labelled ? "set xlabel 'epoch' offset 0,.3\n" : "unset xlabel\n");
}

static void write_panel(const mmc_drawing *d, const layout *l, size_t row, size_t column, mmc_text *out) {
    double x0 = l->left + (double)column * (l->panel_width + l->gap_x);
    double y1 = l->height - l->top - (double)row * (l->panel_height + l->gap_y), y0 = y1 - l->panel_height;
    const mmc_panel *panel = &d->panels[row][column];
    mmc_text_printf(out, "set lmargin at screen %.6f\nset rmargin at screen %.6f\n", x0 / l->width,
                    (x0 + l->panel_width) / l->width);
    mmc_text_printf(out, "set bmargin at screen %.6f\nset tmargin at screen %.6f\nunset label\n", y0 / l->height,
                    y1 / l->height);
    write_axis_ranges(d, row, out);
    write_x_tics(d, row + 1 == d->rows, out);
    mmc_text_printf(out, "set format y '%s'\n", column == 0 ? "%g" : "");
    if (row == 0) {
        mmc_text_printf(out, "set label 1 '{/:Bold %s}' at screen %.6f,%.6f center\n", d->column_label[column],
                        (x0 + l->panel_width / 2) / l->width, (y1 + 16) / l->height);
    }
    if (column == 0) {
        mmc_text_printf(out, "set label 2 '%s' at screen %.6f,%.6f center rotate by 90\n",
                        strcmp(d->metric, "accuracy") == 0 ? "accuracy (%)" : "loss (nats)", 70 / l->width,
                        (y0 + y1) / 2 / l->height);
        mmc_text_add(out, "set label 3 '");
        plain(out, d->row_label[row]);
        mmc_text_printf(out, "' at screen %.6f,%.6f center rotate by 90 font ',15' noenhanced\n", 24 / l->width,
                        (y0 + y1) / 2 / l->height);
        if (d->row_note[row]) {
            mmc_text_add(out, "set label 4 '");
            plain(out, d->row_note[row]);
            mmc_text_printf(out, "' at screen %.6f,%.6f center rotate by 90 font ',12' noenhanced tc rgb '%s'\n",
                            43 / l->width, (y0 + y1) / 2 / l->height, ink_soft);
        }
    }
    if (panel->reason) {
        mmc_text_printf(out, "set label 5 'not measured' at screen %.6f,%.6f center tc rgb '%s'\nset label 6 '",
                        (x0 + l->panel_width / 2) / l->width, ((y0 + y1) / 2 + 8) / l->height, ink_soft);
        plain_short(out, panel->reason, 34);
        mmc_text_printf(out, "' at screen %.6f,%.6f center font ',10' noenhanced tc rgb '%s'\n",
                        (x0 + l->panel_width / 2) / l->width, ((y0 + y1) / 2 - 10) / l->height, ink_soft);
    }
    mmc_text_add(out, "plot -1e30 with lines lc rgb 'white' notitle");
    size_t many = 0;
    for (size_t s = 0; s < d->cue_count; s++)
        many = panel->series[s].count > many ? panel->series[s].count : many;
    for (int layer = 0; layer < 2; layer++) /* bands below all lines */
        for (size_t s = 0; s < d->cue_count; s++) {
            const char *colour;
            int mark;
            style_of(d->cues[s], s, &colour, &mark);
            if (!panel->series[s].finite)
                continue;
            if (layer == 0 && d->spread)
                mmc_text_printf(out,
                                ", \\\n  $d%zu_%zu_%zu using 1:3:4 with filledcurves fc rgb '%s' fs transparent solid "
                                ".22 noborder notitle",
                                row, column, s, colour);
            if (layer == 1)
                mmc_text_printf(out,
                                ", \\\n  $d%zu_%zu_%zu using 1:2 with linespoints lc rgb '%s' lw 2 pt %d ps .55 pi %zu "
                                "notitle",
                                row, column, s, colour, mark, many > 24 ? many / 12 : (size_t)1);
        }
    mmc_text_add(out, "\n");
}

/* The colours of the cue proportions, below the panels: an empty plot that has nothing but its key. */
static void write_legend(const mmc_drawing *d, const layout *l, mmc_text *out) {
    mmc_text_printf(out,
                    "unset label\nunset xlabel\nunset xtics\nunset ytics\nunset border\nunset grid\n"
                    "set lmargin at screen 0\nset rmargin at screen 1\nset bmargin at screen 0\n"
                    "set tmargin at screen %.6f\nset xrange [0:1]\nset yrange [0:1]\n",
                    44 / l->height);
    mmc_text_add(
        out, "set key center center horizontal maxrows 1 reverse Left samplen 2 spacing 1 width 2 font ',14'\nplot ");
    for (size_t s = 0; s < d->cue_count; s++) {
        const char *colour;
        int mark;
        style_of(d->cues[s], s, &colour, &mark);
        mmc_text_printf(out, "%s-1e30 with linespoints lc rgb '%s' lw 2 pt %d ps .8 title ", s ? ", \\\n  " : "",
                        colour, mark);
        if (d->cues[s] == 0)
            mmc_text_add(out, "'no cue'");
        else
            mmc_text_printf(out, "'{/:Italic p} = %g'", d->cues[s]);
    }
    mmc_text_add(out, "\nunset key\n");
}

static void write_page(const mmc_drawing *d, const layout *l, mmc_text *out) {
    mmc_text_add(out, "set multiplot\n");
    mmc_text_printf(out, "set border 3 lc rgb '%s' lw 1\nset grid x y lc rgb '%s' lw .6 dt (4,4)\n", ink_soft, grid);
    mmc_text_add(out, "set tics nomirror out scale .5 font ',12'\nset xlabel font ',13'\nunset key\n");
    for (size_t r = 0; r < d->rows; r++)
        for (size_t c = 0; c < d->columns; c++)
            write_panel(d, l, r, c, out);
    write_legend(d, l, out);
    /* the headline: on the picture itself, since pictures are passed on without their page */
    mmc_text headline = {0};
    mmc_drawing_headline(d, &headline);
    mmc_text_add(out, "set label 1 '");
    plain(out, mmc_text_string(&headline));
    mmc_text_printf(out, "' at screen %.6f,%.6f left noenhanced font ',17'\nset label 2 '", 24 / l->width,
                    (l->height - 26) / l->height);
    mmc_text_close(&headline);
    plain(out, d->page_tag);
    mmc_text_printf(out, "' at screen %.6f,%.6f right noenhanced font ',13' tc rgb '%s'\n", (l->width - 24) / l->width,
                    (l->height - 26) / l->height, d->reduced ? "#c2621c" : ink_soft);
    mmc_text_add(out, "plot -1e30 with lines lc rgb 'white' notitle\nunset multiplot\nunset output\nreset\n");
}

mmc_status mmc_drawing_script(const mmc_drawing *d, mmc_text *out) {
    layout l = lay_out(d);
    mmc_text_add(out, "set encoding utf8\n");
    data_blocks(d, out);
    mmc_text_printf(out,
                    "set terminal svg size %.0f,%.0f dynamic enhanced font 'sans-serif,14' background rgb "
                    "'white'\nset output '%s.svg'\n",
                    l.width, l.height, d->id);
    write_page(d, &l, out);
    mmc_text_printf(out,
                    "set terminal pngcairo size %.0f,%.0f enhanced font 'DejaVu Sans,14' fontscale 1.5 linewidth 2 "
                    "pointscale 2 background rgb 'white'\nset output '%s.png'\n",
                    2 * l.width, 2 * l.height, d->id);
    write_page(d, &l, out);
    return mmc_text_check(out);
}
