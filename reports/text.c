#include "reports/text.h"

#include "runtime/file.h"

#include <math.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char replacement[] = "\xef\xbf\xbd"; /* U+FFFD */

/* ---- growing ---------------------------------------------------------------------------------------------------- */

static bool reserve(mmc_text *text, size_t extra) {
    if (text->failed || extra > SIZE_MAX / 4 || text->size > SIZE_MAX / 4) {
        text->failed = true;
        return false;
    }
    size_t needed = text->size + extra + 1;
    if (needed <= text->capacity)
        return true;
    size_t capacity = text->capacity ? text->capacity : 256;
    while (capacity < needed)
        capacity *= 2;
    char *data = realloc(text->data, capacity);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void mmc_text_close(mmc_text *text) {
    free(text->data);
    *text = (mmc_text){0};
}

void mmc_text_clear(mmc_text *text) {
    text->size = 0;
    if (text->data)
        text->data[0] = '\0';
}

const char *mmc_text_string(const mmc_text *text) {
    return text->data ? text->data : "";
}

void mmc_text_bytes(mmc_text *text, const char *bytes, size_t size) {
    if (!reserve(text, size))
        return;
    if (size)
        memcpy(text->data + text->size, bytes, size);
    text->size += size;
    text->data[text->size] = '\0';
}

void mmc_text_add(mmc_text *text, const char *string) {
    mmc_text_bytes(text, string, strlen(string));
}

void mmc_text_printf(mmc_text *text, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        text->failed = true;
    else if (reserve(text, (size_t)length)) {
        vsnprintf(text->data + text->size, (size_t)length + 1, format, again);
        text->size += (size_t)length;
    }
    va_end(again);
}

void mmc_text_number(mmc_text *text, double value) {
    if (!isfinite(value)) {
        mmc_text_add(text, "null");
        return;
    }
    char digits[40];
    for (int precision = 6; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    mmc_text_add(text, digits);
}

/* ---- escaping --------------------------------------------------------------------------------------------------- */

/* Length of the UTF-8 character at `s`, 0 where there is none (RFC 3629: shortest form, no surrogates). */
static size_t utf8_length(const unsigned char *s) {
    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        return (s[1] & 0xc0) == 0x80 ? 2 : 0;
    if (s[0] >= 0xe0 && s[0] <= 0xef) {
        unsigned char low = s[0] == 0xe0 ? 0xa0 : 0x80, high = s[0] == 0xed ? 0x9f : 0xbf;
        return s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 ? 3 : 0;
    }
    if (s[0] >= 0xf0 && s[0] <= 0xf4) {
        unsigned char low = s[0] == 0xf0 ? 0x90 : 0x80, high = s[0] == 0xf4 ? 0x8f : 0xbf;
        return s[1] >= low && s[1] <= high && (s[2] & 0xc0) == 0x80 && (s[3] & 0xc0) == 0x80 ? 4 : 0;
    }
    return 0;
}

/* What a single byte below 0x80 becomes; NULL: itself. */
typedef const char *(*escape)(unsigned char c, char buffer[8]);

static void append_escaped(mmc_text *text, const char *string, escape rule) {
    const unsigned char *s = (const unsigned char *)string;
    while (*s) {
        char buffer[8];
        size_t length = utf8_length(s);
        const char *instead = length == 1 ? rule(*s, buffer) : NULL;
        if (length == 0)
            mmc_text_add(text, replacement);
        else if (instead)
            mmc_text_add(text, instead);
        else
            mmc_text_bytes(text, (const char *)s, length);
        s += length ? length : 1;
    }
}

static const char *escape_json(unsigned char c, char buffer[8]) {
    if (c == '"')
        return "\\\"";
    if (c == '\\')
        return "\\\\";
    if (c == '\n')
        return "\\n";
    if (c == '\t')
        return "\\t";
    if (c >= 0x20 && c != 0x7f)
        return NULL;
    snprintf(buffer, 8, "\\u%04x", c);
    return buffer;
}

static const char *escape_html(unsigned char c, char buffer[8]) {
    (void)buffer;
    switch (c) {
    case '&':
        return "&amp;";
    case '<':
        return "&lt;";
    case '>':
        return "&gt;";
    case '"':
        return "&quot;";
    case '\'':
        return "&#39;";
    default:
        return (c < 0x20 && c != '\n' && c != '\t') || c == 0x7f ? replacement : NULL;
    }
}

static const char *escape_markdown(unsigned char c, char buffer[8]) {
    if (c < 0x20 || c == 0x7f)
        return " ";
    if (c == '<')
        return "&lt;";
    if (c == '>')
        return "&gt;";
    if (c == '&')
        return "&amp;";
    if (!strchr("\\`*_[]|#~", c))
        return NULL;
    snprintf(buffer, 8, "\\%c", c);
    return buffer;
}

static const char *escape_csv(unsigned char c, char buffer[8]) {
    (void)buffer;
    if (c == '"')
        return "\"\"";
    return c < 0x20 || c == 0x7f ? " " : NULL;
}

void mmc_text_json(mmc_text *text, const char *string) {
    if (!string) {
        mmc_text_add(text, "null");
        return;
    }
    mmc_text_add(text, "\"");
    append_escaped(text, string, escape_json);
    mmc_text_add(text, "\"");
}

void mmc_text_html(mmc_text *text, const char *string) {
    append_escaped(text, string, escape_html);
}

void mmc_text_markdown(mmc_text *text, const char *string) {
    append_escaped(text, string, escape_markdown);
}

void mmc_text_csv(mmc_text *text, const char *string) {
    char *end = NULL;
    bool formula = *string && strchr("=+-@", *string);
    if (formula) {
        (void)strtod(string, &end);
        formula = end == string || *end;
    }
    bool quoted = formula;
    for (const char *s = string; *s && !quoted; s++)
        quoted = *s == '"' || *s == ',' || (unsigned char)*s < 0x20;
    if (quoted)
        mmc_text_add(text, formula ? "\"'" : "\"");
    append_escaped(text, string, escape_csv);
    if (quoted)
        mmc_text_add(text, "\"");
}

void mmc_text_base64(mmc_text *text, const unsigned char *bytes, size_t size) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < size; i += 3) {
        uint32_t block = (uint32_t)bytes[i] << 16;
        if (i + 1 < size)
            block |= (uint32_t)bytes[i + 1] << 8;
        if (i + 2 < size)
            block |= bytes[i + 2];
        char quad[4] = {digits[block >> 18], digits[block >> 12 & 63], digits[block >> 6 & 63], digits[block & 63]};
        if (i + 2 >= size)
            quad[3] = '=';
        if (i + 1 >= size)
            quad[2] = '=';
        mmc_text_bytes(text, quad, 4);
    }
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

mmc_status mmc_text_check(const mmc_text *text) {
    return text->failed ? mmc_fail(MMC_ERR_MEMORY, "out of memory while writing %zu bytes of text", text->size)
                        : MMC_OK;
}

mmc_status mmc_text_write(const mmc_text *text, const char *path) {
    MMC_TRY(mmc_text_check(text));
    return mmc_file_write(path, mmc_text_string(text), text->size);
}

mmc_status mmc_text_read(mmc_text *text, const char *path, size_t limit) {
    void *bytes;
    size_t size;
    MMC_TRY(mmc_file_read(&bytes, &size, path, limit));
    mmc_text_bytes(text, bytes, size);
    free(bytes);
    return mmc_text_check(text);
}
