#define _POSIX_C_SOURCE 200809L
#include "suites/output.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

mmc_cell mmc_cell_text(const char *key, const char *text) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_TEXT, .text = text};
}

mmc_cell mmc_cell_wide(const char *key, const char *text, int width) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_TEXT, .text = text, .width = width};
}

mmc_cell mmc_cell_number(const char *key, double number) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_NUMBER, .number = number};
}

mmc_cell mmc_cell_integer(const char *key, int64_t integer) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_INTEGER, .integer = integer};
}

mmc_cell mmc_cell_bool(const char *key, bool value) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_BOOL, .integer = value};
}

mmc_cell mmc_cell_group(const char *key, const mmc_cell *cells, size_t count) {
    return (mmc_cell){.key = key, .kind = MMC_CELL_GROUP, .cells = cells, .count = count};
}

mmc_cell mmc_cell_numbers(const char *key, const double *numbers, size_t count) {
    return (mmc_cell){
        .key = key, .kind = MMC_CELL_NUMBERS, .integer = (int64_t)count, .numbers = numbers, .count = count};
}

static double now_s(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

void mmc_output_init(mmc_output *out, FILE *rows, FILE *messages, bool json, bool quiet) {
    memset(out, 0, sizeof *out);
    out->rows = rows;
    out->messages = messages;
    out->json = json;
    out->quiet = quiet;
    out->terminal = isatty(fileno(messages)) == 1;
}

void mmc_number_format(char *out, size_t size, double number) {
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(out, size, "%.*g", digits, number);
        if (strtod(out, NULL) == number)
            return;
    }
}

/* --- JSON --- */

static void json_text(FILE *f, const char *text) {
    fputc('"', f);
    for (const unsigned char *p = (const unsigned char *)text; *p; p++) {
        if (*p == '"' || *p == '\\')
            fprintf(f, "\\%c", *p);
        else if (*p < 0x20 || *p == 0x7f)
            fprintf(f, "\\u%04x", *p);
        else
            fputc(*p, f);
    }
    fputc('"', f);
}

static bool cell_null(const mmc_cell *cell) {
    if (cell->kind == MMC_CELL_TEXT)
        return cell->text == NULL;
    return cell->kind == MMC_CELL_NUMBER && !isfinite(cell->number);
}

/* Returns whether a value of the object is null. */
static bool json_object(FILE *f, const mmc_cell *cells, size_t count, const char *reason) {
    bool missing = false;
    char number[32];
    fputc('{', f);
    for (size_t i = 0; i < count; i++) {
        const mmc_cell *cell = &cells[i];
        if (i)
            fputc(',', f);
        json_text(f, cell->key);
        fputc(':', f);
        if (cell_null(cell)) {
            fputs("null", f);
            missing = true;
            continue;
        }
        switch (cell->kind) {
        case MMC_CELL_TEXT:
            json_text(f, cell->text);
            break;
        case MMC_CELL_NUMBER:
            mmc_number_format(number, sizeof number, cell->number);
            fputs(number, f);
            break;
        case MMC_CELL_INTEGER:
            fprintf(f, "%" PRId64, cell->integer);
            break;
        case MMC_CELL_BOOL:
            fputs(cell->integer ? "true" : "false", f);
            break;
        case MMC_CELL_GROUP:
            missing |= json_object(f, cell->cells, cell->count, NULL);
            break;
        case MMC_CELL_NUMBERS:
            for (size_t j = 0; j < cell->count; j++) {
                mmc_number_format(number, sizeof number, cell->numbers[j]);
                fprintf(f, "%s%s", j ? "," : "[", number);
            }
            fputs(cell->count ? "]" : "[]", f);
            break;
        }
    }
    if (missing && reason) {
        fputs(",\"reason\":", f);
        json_text(f, reason);
    }
    fputc('}', f);
    return missing;
}

/* --- text --- */

static int cell_width(const mmc_cell *cell) {
    int key = (int)strlen(cell->key), least = cell->width;
    if (!least)
        least = cell->kind == MMC_CELL_NUMBER ? 10 : 6;
    int width = key > least ? key : least;
    return cell->kind == MMC_CELL_TEXT ? -width : width; /* printf: texts to the left, numbers to the right */
}

static void cell_format(char *out, size_t size, const mmc_cell *cell) {
    if (cell_null(cell))
        snprintf(out, size, "-");
    else if (cell->kind == MMC_CELL_TEXT)
        snprintf(out, size, "%s", cell->text);
    else if (cell->kind == MMC_CELL_NUMBER)
        snprintf(out, size, "%.6g", cell->number);
    else if (cell->kind == MMC_CELL_BOOL)
        snprintf(out, size, "%s", cell->integer ? "yes" : "no");
    else
        snprintf(out, size, "%" PRId64, cell->integer);
}

static void clear_line(mmc_output *out) {
    if (out->line_open)
        fputs("\r\033[K", out->messages);
    out->line_open = false;
}

static void text_row(mmc_output *out, const mmc_cell *cells, size_t count, const char *reason) {
    char heading[sizeof out->heading] = "";
    size_t used = 0;
    for (size_t i = 0; i < count && used < sizeof heading; i++)
        used += (size_t)snprintf(heading + used, sizeof heading - used, "%s%*s", i ? "  " : "", cell_width(&cells[i]),
                                 cells[i].key);
    if (strcmp(heading, out->heading) != 0) {
        fprintf(out->rows, "%s\n", heading);
        memcpy(out->heading, heading, sizeof heading);
    }
    bool missing = false;
    for (size_t i = 0; i < count; i++) {
        char value[512];
        cell_format(value, sizeof value, &cells[i]);
        fprintf(out->rows, "%s%*s", i ? "  " : "", cell_width(&cells[i]), value);
        missing |= cell_null(&cells[i]);
    }
    if (missing)
        fprintf(out->rows, "  (%s)", reason);
    fputc('\n', out->rows);
}

static void text_summary(mmc_output *out, const char *prefix, const mmc_cell *cells, size_t count, const char *reason) {
    for (size_t i = 0; i < count; i++) {
        char key[96], value[512];
        snprintf(key, sizeof key, "%s%s%s", prefix, *prefix ? " " : "", cells[i].key);
        if (cells[i].kind == MMC_CELL_GROUP) {
            text_summary(out, key, cells[i].cells, cells[i].count, reason);
            continue;
        }
        cell_format(value, sizeof value, &cells[i]);
        fprintf(out->rows, "%-24s %s", key, value);
        if (cell_null(&cells[i]))
            fprintf(out->rows, " (%s)", reason);
        fputc('\n', out->rows);
    }
}

/* --- rows and messages --- */

static const char *reason_or_default(const char *reason) {
    return reason ? reason : "not a finite number";
}

/* A row is there for its reader as soon as it is known; the first failure is kept for the end. */
static void flush_rows(mmc_output *out) {
    errno = 0;
    if (fflush(out->rows) != 0 && !out->write_error)
        out->write_error = errno ? errno : EIO;
}

void mmc_output_row(mmc_output *out, const mmc_cell *cells, size_t count, const char *reason) {
    clear_line(out);
    reason = reason_or_default(reason);
    if (out->json) {
        json_object(out->rows, cells, count, reason);
        fputc('\n', out->rows);
    } else
        text_row(out, cells, count, reason);
    flush_rows(out);
}

void mmc_output_summary(mmc_output *out, const mmc_cell *cells, size_t count, const char *reason) {
    if (out->json) {
        mmc_output_row(out, cells, count, reason);
        return;
    }
    clear_line(out);
    text_summary(out, "", cells, count, reason_or_default(reason));
    out->heading[0] = '\0';
    flush_rows(out);
}

void mmc_output_line(mmc_output *out, const char *format, ...) {
    if (out->json)
        return;
    clear_line(out);
    va_list args;
    va_start(args, format);
    vfprintf(out->rows, format, args);
    va_end(args);
    fputc('\n', out->rows);
}

void mmc_output_message(mmc_output *out, const char *format, ...) {
    clear_line(out);
    fputs("mmcbench: ", out->messages);
    va_list args;
    va_start(args, format);
    vfprintf(out->messages, format, args);
    va_end(args);
    fputc('\n', out->messages);
}

/* --- progress --- */

static void format_time(char *text, size_t size, double time_s) {
    long s = (long)(time_s + .5);
    if (s >= 3600)
        snprintf(text, size, "%ldh%02ldm", s / 3600, s / 60 % 60);
    else if (s >= 60)
        snprintf(text, size, "%ldm%02lds", s / 60, s % 60);
    else
        snprintf(text, size, "%lds", s);
}

void mmc_output_progress(mmc_output *out, const char *label, const mmc_progress_event *event) {
    if (out->quiet)
        return;
    if (event->phase && strcmp(event->phase, "memory") == 0) {
        mmc_output_message(out, "%s%s%.1f MB of the device's memory are planned, %.1f MB are free", label ? label : "",
                           label ? ": " : "", (double)event->done / 1e6, (double)event->total / 1e6);
        return;
    }
    double now = now_s();
    const char *phase = label ? label : event->phase ? event->phase : "work";
    if (strncmp(phase, out->phase, sizeof out->phase - 1) != 0 || event->done < out->phase_done) {
        snprintf(out->phase, sizeof out->phase, "%s", phase);
        out->started_s = out->shown_s = now;
        out->phase_done = event->done;
        return; /* no rate yet */
    }
    if (now - out->shown_s < (out->terminal ? .2 : 10))
        return;
    out->shown_s = now;

    char line[256];
    int used = snprintf(line, sizeof line, "%.100s", phase);
    if (event->epochs > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " epoch %d/%d", event->epoch, event->epochs);
    if (isfinite(event->t))
        used += snprintf(line + used, sizeof line - (size_t)used, " t=%.3g", event->t);
    if (isfinite(event->loss))
        used += snprintf(line + used, sizeof line - (size_t)used, " loss %.4f", event->loss);
    double elapsed = now - out->started_s, rate = (double)(event->done - out->phase_done) / elapsed;
    if (event->total > 0)
        used += snprintf(line + used, sizeof line - (size_t)used, " %3.0f%%",
                         100. * (double)event->done / (double)event->total);
    if (rate > 0) {
        used += snprintf(line + used, sizeof line - (size_t)used, " %.0f images/s", rate);
        if (event->total > event->done) {
            char left[32];
            format_time(left, sizeof left, (double)(event->total - event->done) / rate);
            snprintf(line + used, sizeof line - (size_t)used, ", %s left", left);
        }
    }
    if (out->terminal) {
        fprintf(out->messages, "\r\033[K%s", line);
        fflush(out->messages);
        out->line_open = true;
    } else
        fprintf(out->messages, "mmcbench: %s\n", line);
}

void mmc_output_report(void *user, const mmc_progress_event *event) {
    mmc_output_progress(user, NULL, event);
}

mmc_status mmc_output_close(mmc_output *out) {
    clear_line(out);
    flush_rows(out);
    int copy = dup(fileno(out->rows)); /* network file systems report a full disk on close only */
    if (copy >= 0 && close(copy) != 0 && !out->write_error)
        out->write_error = errno;
    if (ferror(out->rows) && !out->write_error)
        out->write_error = EIO;
    if (!out->write_error || out->write_error == EPIPE)
        return MMC_OK;
    return mmc_fail(MMC_ERR_IO, "standard output: %s; rows are missing: free space or send it elsewhere",
                    strerror(out->write_error));
}
