#include "runtime/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const double PI = 3.14159265358979323846;

static mmc_status wrong(const char *text) {
    return mmc_fail(MMC_ERR_USAGE,
                    "unknown schedule '%s'; give step:40,80:0.1 (epochs ascending, then the factor), "
                    "cosine or constant",
                    text);
}

mmc_status mmc_schedule_parse(mmc_schedule *out, const char *text) {
    *out = (mmc_schedule){.kind = MMC_SCHEDULE_CONSTANT, .factor = 1};
    if (strcmp(text, "constant") == 0)
        return MMC_OK;
    if (strcmp(text, "cosine") == 0) {
        out->kind = MMC_SCHEDULE_COSINE;
        return MMC_OK;
    }
    if (strncmp(text, "step:", 5) != 0)
        return wrong(text);
    out->kind = MMC_SCHEDULE_STEP;
    const char *p = text + 4;
    char *end;
    do {
        if (p[1] < '0' || p[1] > '9')
            return wrong(text);
        long epoch = strtol(p + 1, &end, 10);
        if (epoch > 1000000 || out->step_count == MMC_SCHEDULE_STEPS ||
            (out->step_count > 0 && epoch <= out->step_epoch[out->step_count - 1]))
            return wrong(text);
        out->step_epoch[out->step_count++] = (int)epoch;
        p = end;
    } while (*p == ',');
    if (*p != ':' || p[1] < '0' || p[1] > '9')
        return wrong(text);
    out->factor = strtod(p + 1, &end);
    if (*end != '\0' || !(out->factor > 0) || !isfinite(out->factor))
        return wrong(text);
    return MMC_OK;
}

void mmc_schedule_format(char *out, size_t size, const mmc_schedule *s) {
    if (s->kind != MMC_SCHEDULE_STEP) {
        snprintf(out, size, "%s", s->kind == MMC_SCHEDULE_COSINE ? "cosine" : "constant");
        return;
    }
    char text[16 * MMC_SCHEDULE_STEPS + 48];
    int n = snprintf(text, sizeof text, "step");
    for (int i = 0; i < s->step_count; i++)
        n += snprintf(text + n, sizeof text - (size_t)n, "%c%d", i ? ',' : ':', s->step_epoch[i]);
    snprintf(text + n, sizeof text - (size_t)n, ":%.15g", s->factor);
    snprintf(out, size, "%s", text);
}

mmc_schedule mmc_schedule_scratch(int epochs) {
    mmc_schedule s = {.kind = MMC_SCHEDULE_STEP, .factor = 0.1, .step_count = 2};
    s.step_epoch[0] = (int)((int64_t)epochs * 4 / 10);
    s.step_epoch[1] = (int)((int64_t)epochs * 8 / 10);
    return s;
}

mmc_schedule mmc_schedule_bends(int epochs) {
    mmc_schedule s = {.kind = MMC_SCHEDULE_STEP, .factor = 0.1};
    for (int e = 10; e < epochs && s.step_count < MMC_SCHEDULE_STEPS; e += 10)
        s.step_epoch[s.step_count++] = e;
    return s;
}

double mmc_schedule_rate(const mmc_schedule *s, double base, int64_t step, int epochs, int64_t steps_per_epoch) {
    switch (s->kind) {
    case MMC_SCHEDULE_CONSTANT:
        return base;
    case MMC_SCHEDULE_COSINE: {
        int64_t i = s->cosine_authors && step > 0 ? step - 1 : step;
        return 0.5 * base * (1 + cos(PI * (double)i / (double)(epochs * steps_per_epoch)));
    }
    case MMC_SCHEDULE_STEP:
        break;
    }
    int passed = 0;
    while (passed < s->step_count && step / steps_per_epoch >= s->step_epoch[passed])
        passed++;
    return base * pow(s->factor, passed);
}
