#include "reports/html.h"

#include <string.h>

static const char style[] =
    ":root{color-scheme:light dark;--ink:#1b2127;--soft:#59636e;--page:#f6f7f8;--card:#fff;--line:#d9dee3;"
    "--accent:#0b5c8f;--good:#0a7a45;--bad:#b3261e;--open:#8a5a00;--warn:#fff4e5;--warnline:#e2a85b}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e4e8ec;--soft:#9aa5b1;--page:#12161a;--card:#1a2026;"
    "--line:#313a43;--accent:#7cc4f0;--good:#5fd39a;--bad:#ff8a80;--open:#f0bf62;--warn:#2e2415;"
    "--warnline:#8a6526}}\n"
    "*{box-sizing:border-box}\n"
    "html{font-size:clamp(16px,.55vw + 12px,24px);-webkit-text-size-adjust:100%}\n"
    "body{margin:0;background:var(--page);color:var(--ink);line-height:1.55;"
    "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'DejaVu Sans',sans-serif}\n"
    "main{max-width:76rem;margin:0 auto;padding:1.2rem clamp(.8rem,3vw,2.4rem) 4rem}\n"
    "h1{font-size:1.7rem;line-height:1.2;margin:.6rem 0 .3rem}\n"
    "h2{font-size:1.25rem;margin:0;line-height:1.3}\n"
    "h3{font-size:1.02rem;margin:1.4rem 0 .4rem}\n"
    "p{margin:.5rem 0;max-width:64rem}\n"
    "ul{margin:.3rem 0 .6rem;padding-left:1.2rem}\n"
    "a{color:var(--accent)}\n"
    "code,pre{font-family:ui-monospace,'DejaVu Sans Mono',Consolas,monospace;font-size:.88em}\n"
    "pre{background:var(--page);border:1px solid var(--line);border-radius:.4rem;padding:.7rem .9rem;overflow-x:auto}\n"
    "code{overflow-wrap:anywhere}\n"
    ".lead{color:var(--soft);font-size:1.05rem;margin-top:0}\n"
    ".banner{background:var(--warn);border-left:.35rem solid var(--warnline);border-radius:.3rem;"
    "padding:.6rem .9rem;margin:1rem 0}\n"
    "section,.card{background:var(--card);border:1px solid var(--line);border-radius:.6rem;"
    "padding:1rem clamp(.7rem,2vw,1.4rem);margin:1.1rem 0}\n"
    ".head{display:flex;flex-wrap:wrap;align-items:baseline;gap:.3rem .8rem;margin-bottom:.5rem}\n"
    ".badge{font-size:.78rem;color:var(--open);border:1px solid currentColor;border-radius:1rem;padding:0 .6rem;"
    "white-space:nowrap}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(8.5rem,1fr));gap:.7rem;margin:1rem 0}\n"
    ".tile{background:var(--card);border:1px solid var(--line);border-radius:.6rem;padding:.6rem .9rem}\n"
    ".tile b{display:block;font-size:1.55rem;line-height:1.25;font-variant-numeric:tabular-nums}\n"
    ".tile span{color:var(--soft);font-size:.86rem}\n"
    "nav{display:flex;flex-wrap:wrap;gap:.2rem .9rem;margin:.4rem 0 1rem;font-size:.92rem}\n"
    "dl{columns:2 26rem;column-gap:2.4rem;margin:.4rem 0}\n"
    "dl div{display:grid;grid-template-columns:8.5rem 1fr;gap:0 1rem;break-inside:avoid;padding:.1rem 0}\n"
    "dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}\n"
    "@media(max-width:36rem){dl div{grid-template-columns:6.4rem 1fr}}\n"
    ".scroll{overflow-x:auto;-webkit-overflow-scrolling:touch;margin:.5rem 0}\n"
    "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums;min-width:100%}\n"
    "th,td{text-align:left;padding:.32rem .65rem;border-bottom:1px solid var(--line);vertical-align:top}\n"
    "th{font-weight:600;border-bottom:2px solid var(--line);vertical-align:bottom;white-space:nowrap}\n"
    "th .unit{display:block;font-weight:400;color:var(--soft);font-size:.82em}\n"
    ".number{text-align:right;white-space:nowrap}\n"
    ".short{white-space:nowrap}.long{min-width:16rem}\n"
    ".note{display:block;color:var(--soft);font-size:.84em;font-weight:400;opacity:.85}\n"
    ".verdict{font-weight:650;white-space:nowrap}\n"
    ".holds{color:var(--good)}.fails{color:var(--bad)}.undecided{color:var(--open)}\n"
    "figure{margin:.8rem 0 0}\n"
    "figcaption{font-size:.92rem}\n"
    "figcaption p{margin:.35rem 0}\n"
    ".plot{overflow-x:auto;-webkit-overflow-scrolling:touch}\n"
    ".plot svg{display:block;width:100%;min-width:46rem;height:auto;color:var(--ink)}\n"
    ".plot svg .gridline{opacity:.5}\n"
    ".plot img{display:block;width:min(100%,34rem);height:auto}\n"
    ".sheet div{display:grid;grid-template-columns:repeat(4,1fr);width:min(100%,34rem);text-align:center;"
    "font-weight:600}\n"
    ".see{color:var(--soft);margin-bottom:0}\n"
    ".warn{color:var(--open)}\n"
    ".file{color:var(--soft);font-size:.82rem}\n"
    "summary{cursor:pointer;color:var(--accent)}\n"
    "footer{color:var(--soft);font-size:.85rem;margin-top:2rem}\n"
    "@media print{section,.card,.tile{break-inside:avoid;border-color:#bbb}body{background:#fff}}\n";

void mmc_html_begin(mmc_text *page, const char *title) {
    mmc_text_add(page, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                       "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>");
    mmc_text_html(page, title);
    mmc_text_add(page, "</title>\n<style>\n");
    mmc_text_add(page, style);
    mmc_text_add(page, "</style>\n</head>\n<body>\n<main>\n");
}

void mmc_html_end(mmc_text *page) {
    mmc_text_add(page, "</main>\n</body>\n</html>\n");
}

void mmc_html_section(mmc_text *page, const char *id, const char *heading, const char *badge) {
    mmc_text_add(page, "<section id=\"");
    mmc_text_html(page, id);
    mmc_text_add(page, "\">\n<div class=\"head\"><h2>");
    mmc_text_html(page, heading);
    mmc_text_add(page, "</h2>");
    if (badge) {
        mmc_text_add(page, "<span class=\"badge\">");
        mmc_text_html(page, badge);
        mmc_text_add(page, "</span>");
    }
    mmc_text_add(page, "</div>\n");
}

void mmc_html_section_end(mmc_text *page) {
    mmc_text_add(page, "</section>\n");
}

void mmc_html_fact(mmc_text *page, const char *term, const char *value) {
    mmc_text_add(page, "<div><dt>");
    mmc_text_html(page, term);
    mmc_text_add(page, "</dt><dd>");
    mmc_text_html(page, value);
    mmc_text_add(page, "</dd></div>\n");
}

/* ---- SVG ----------------------------------------------------------------------------------------------------------
 */

/* What stands in gnuplot's SVG and what takes its place; ID in the replacement is the figure's. */
static const struct {
    const char *from, *before, *after;
} rewrites[] = {
    {"id='gp", "id='", "-gp"},
    {"href='#gp", "href='#", "-gp"},
    {"id='textbox'", "id='", "-textbox'"},
    {"id='greybox'", "id='", "-greybox'"},
    {"id=\"gnuplot_canvas\"", "id=\"", "-canvas\""},
    {"'black'", "'currentColor'", NULL},
    {"\"black\"", "\"currentColor\"", NULL},
    {"fill=\"#ffffff\"", "fill=\"none\"", NULL},
    {" xmlns=\"http://www.w3.org/2000/svg\"", "", NULL},
    {" xmlns:xlink=\"http://www.w3.org/1999/xlink\"", "", NULL},
    {"xlink:href", "href", NULL},
    {" stroke-linecap=\"butt\" stroke-linejoin=\"miter\"", "", NULL}, /* SVG's own defaults */
    {" font-family=\"sans-serif\"", "", NULL},                        /* the page's font instead */
    {" id=\"gnuplot_plot_", " data-plot=\"", NULL},
};

static bool starts(const char *text, const char *with) {
    return strncmp(text, with, strlen(with)) == 0;
}

/* Rewrites one place; returns how much of the SVG it covered, 0 where nothing stands that needs it. */
static size_t rewrite(mmc_text *page, const char *at, const char *id) {
    /* titles that are mere identifiers would show as tooltips */
    if (starts(at, "<title>")) {
        const char *end = strstr(at, "</title>");
        return end ? (size_t)(end - at) + strlen("</title>") : 0;
    }
    if (starts(at, "xlink:href='#gp")) {
        mmc_text_printf(page, "href='#%s-gp", id);
        return strlen("xlink:href='#gp");
    }
    for (size_t i = 0; i < sizeof rewrites / sizeof *rewrites; i++)
        if (starts(at, rewrites[i].from)) {
            mmc_text_add(page, rewrites[i].before);
            if (rewrites[i].after)
                mmc_text_printf(page, "%s%s", id, rewrites[i].after);
            return strlen(rewrites[i].from);
        }
    return 0;
}

mmc_status mmc_html_svg(mmc_text *page, const char *svg, const char *id, const char *label) {
    const char *open = strstr(svg, "<svg"), *box = open ? strstr(open, "viewBox=") : NULL;
    if (!box)
        return mmc_fail(MMC_ERR_FORMAT, "the drawing of %s is no SVG with a viewBox", id);
    mmc_text_add(page, "<svg role=\"img\" aria-label=\"");
    mmc_text_html(page, label);
    mmc_text_add(page, "\" ");
    for (const char *at = box; *at;) {
        size_t covered = rewrite(page, at, id);
        if (!covered) {
            size_t plain = 1; /* copy up to the next character that a rewrite may begin with */
            while (at[plain] && !strchr("ihfx'\"< ", at[plain]))
                plain++;
            mmc_text_bytes(page, at, plain);
            covered = plain;
        }
        at += covered;
    }
    return mmc_text_check(page);
}
