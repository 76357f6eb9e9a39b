#include "runtime/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MESSAGE_BYTES = 1024 };

static _Thread_local char message[MESSAGE_BYTES];

static void one_line(char *text) {
    for (char *p = text; *p; p++)
        if (*p == '\n' || *p == '\r')
            *p = ' ';
}

mmc_status mmc_fail(mmc_status code, const char *format, ...) {
    char text[MESSAGE_BYTES]; /* an argument may be the old message itself */
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    one_line(text);
    memcpy(message, text, sizeof message);
    return code;
}

mmc_status mmc_fail_context(mmc_status code, const char *format, ...) {
    char context[MESSAGE_BYTES / 2];
    char text[MESSAGE_BYTES * 2];
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof context, format, args);
    va_end(args);
    snprintf(text, sizeof text, "%s: %s", context, message);
    one_line(text);
    text[MESSAGE_BYTES - 1] = '\0';
    memcpy(message, text, sizeof message);
    return code;
}

const char *mmc_error_message(void) {
    return message;
}

int mmc_status_exit_code(mmc_status status) {
    switch (status) {
#define X(name, code, text)                                                                                            \
    case name:                                                                                                         \
        return code;
        MMC_STATUS_MAP(X)
#undef X
    default:
        return 1;
    }
}

const char *mmc_status_text(mmc_status status) {
    switch (status) {
#define X(name, code, text)                                                                                            \
    case name:                                                                                                         \
        return text;
        MMC_STATUS_MAP(X)
#undef X
    default:
        return "unknown status";
    }
}

const char *mmc_status_name(mmc_status status) {
    switch (status) {
#define X(name, code, text)                                                                                            \
    case name:                                                                                                         \
        return #name;
        MMC_STATUS_MAP(X)
#undef X
    default:
        return "unknown";
    }
}
