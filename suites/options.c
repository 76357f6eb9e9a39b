#include "suites/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ACCEPTS_BYTES = 128, NAME_BYTES = 32, FIRST_OPTION = 1000 };

/* Where a value came from, for messages: "--batch" or "MMC_BATCH=". */
typedef struct value_source {
    const mmc_option_info *info;
    bool environment;
} value_source;

static mmc_status refuse(mmc_status code, value_source source, const char *text) {
    char accepts[ACCEPTS_BYTES], name[NAME_BYTES];
    mmc_option_accepts(accepts, sizeof accepts, source.info);
    if (source.environment) {
        mmc_option_environment(name, sizeof name, source.info);
        return mmc_fail(code, "%s=%s: --%s accepts %s", name, text, source.info->name, accepts);
    }
    return mmc_fail(code, "--%s %s: accepts %s", source.info->name, text, accepts);
}

static mmc_status parse_integer(int *out, value_source source, const char *text) {
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (end == text || *end || text[0] == ' ')
        return refuse(MMC_ERR_USAGE, source, text);
    if (errno || (double)value < source.info->minimum || (double)value > source.info->maximum)
        return refuse(MMC_ERR_RANGE, source, text);
    *out = (int)value;
    return MMC_OK;
}

static mmc_status parse_seed(uint64_t *out, value_source source, const char *text) {
    if (text[0] < '0' || text[0] > '9') /* strtoull would accept and wrap a minus sign */
        return refuse(MMC_ERR_USAGE, source, text);
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*end)
        return refuse(MMC_ERR_USAGE, source, text);
    if (errno)
        return refuse(MMC_ERR_RANGE, source, text);
    *out = value;
    return MMC_OK;
}

static mmc_status parse_number(double *out, value_source source, const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || text[0] == ' ')
        return refuse(MMC_ERR_USAGE, source, text);
    if (!isfinite(value) || value < source.info->minimum || value > source.info->maximum)
        return refuse(MMC_ERR_RANGE, source, text);
    *out = value;
    return MMC_OK;
}

/* Index of `text` among "a|b|c", -1 where it is none of them. */
static int choice_index(const char *choices, const char *text) {
    size_t length = strlen(text);
    int index = 0;
    for (const char *p = choices; p; index++) {
        const char *bar = strchr(p, '|');
        size_t n = bar ? (size_t)(bar - p) : strlen(p);
        if (n == length && memcmp(p, text, n) == 0)
            return index;
        p = bar ? bar + 1 : NULL;
    }
    return -1;
}

static mmc_status parse_part(mmc_option_part *out, value_source source, const char *text) {
    char *end;
    errno = 0;
    long index = strtol(text, &end, 10);
    if (end == text || *end != '/' || end[1] < '0' || end[1] > '9')
        return refuse(MMC_ERR_USAGE, source, text);
    long count = strtol(end + 1, &end, 10);
    if (*end)
        return refuse(MMC_ERR_USAGE, source, text);
    if (errno || index < 0 || index >= count || count > 10000)
        return refuse(MMC_ERR_RANGE, source, text);
    out->index = (int)index;
    out->count = (int)count;
    return MMC_OK;
}

static mmc_status parse_value(mmc_options *out, value_source source, const char *text) {
    const mmc_option_info *info = source.info;
    void *field = (char *)out + info->offset;
    int index;
    switch (info->kind) {
    case MMC_OPTION_FLAG:
        if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0)
            return refuse(MMC_ERR_USAGE, source, text);
        *(bool *)field = text[0] == '1';
        return MMC_OK;
    case MMC_OPTION_INTEGER:
        return parse_integer(field, source, text);
    case MMC_OPTION_SEED64:
        return parse_seed(field, source, text);
    case MMC_OPTION_NUMBER:
        return parse_number(field, source, text);
    case MMC_OPTION_CHOICE:
        if ((index = choice_index(info->argument, text)) < 0)
            return refuse(MMC_ERR_USAGE, source, text);
        *(int *)field = index;
        return MMC_OK;
    case MMC_OPTION_NAME:
    case MMC_OPTION_TEXT:
        if (!*text || (info->kind == MMC_OPTION_NAME && choice_index(info->argument, text) < 0))
            return refuse(MMC_ERR_USAGE, source, *text ? text : "''");
        *(const char **)field = text;
        return MMC_OK;
    case MMC_OPTION_LIST: {
        mmc_option_list *list = field;
        bool pair = strchr(info->argument, '=') != NULL;
        if (!*text || list->count == MMC_OPTION_LIST_MAX || (pair && (!strchr(text, '=') || text[0] == '=')))
            return refuse(MMC_ERR_USAGE, source, *text ? text : "''");
        list->items[list->count++] = text;
        return MMC_OK;
    }
    case MMC_OPTION_PART:
        return parse_part(field, source, text);
    }
    return mmc_fail(MMC_ERR_USAGE, "--%s: unknown kind of option", info->name);
}

/* What the command line says, before it is known which command it belongs to. */
typedef struct raw_option {
    mmc_option_id id;
    const char *text;
} raw_option;

static mmc_status collect(raw_option *raw, int *raw_count, mmc_options *out, int argc, char **argv) {
    struct option long_options[MMC_OPTION_COUNT + 1];
    memset(long_options, 0, sizeof long_options);
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        const mmc_option_info *info = mmc_option_find((mmc_option_id)i);
        long_options[i].name = info->name;
        long_options[i].has_arg = info->kind == MMC_OPTION_FLAG ? no_argument : required_argument;
        long_options[i].val = FIRST_OPTION + i;
    }
    const char *command = NULL;
    bool rest = false; /* after "--" */
    optind = 0;        /* GNU: start anew, so that tests may parse many times */
    opterr = 0;
    for (;;) {
        int before = optind ? optind : 1;
        if (before >= argc)
            break;
        const char *element = argv[before];
        int c = rest ? 1 : getopt_long(argc, argv, "-:h", long_options, NULL);
        const char *value = optarg;
        if (rest) {
            value = element;
            optind++;
        } else if (c == -1) {
            rest = true; /* "--" was eaten */
            continue;
        }
        if (c == 1) {
            if (!command) {
                command = value;
                MMC_TRY(mmc_command_parse(&out->command, command));
            } else if (out->argument_count == MMC_ARGUMENTS_MAX)
                return mmc_fail(MMC_ERR_USAGE, "%s: more than %d arguments", command, MMC_ARGUMENTS_MAX);
            else
                out->arguments[out->argument_count++] = value;
            continue;
        }
        if (c == 'h') {
            out->help = true;
            continue;
        }
        int name_length = (int)strcspn(element, "=");
        if (c == ':')
            return refuse(MMC_ERR_USAGE, (value_source){mmc_option_find((mmc_option_id)(optopt - FIRST_OPTION)), false},
                          "(nothing)");
        if (c == '?' && optopt >= FIRST_OPTION)
            return mmc_fail(MMC_ERR_USAGE, "%.*s: takes no value", name_length, element);
        /* getopt_long would also take an unambiguous beginning; a script must not depend on what else exists */
        if (c == '?' || strlen(mmc_option_find((mmc_option_id)(c - FIRST_OPTION))->name) + 2 != (size_t)name_length)
            return mmc_fail(MMC_ERR_USAGE, "unknown option %.*s; `mmcbench help%s%s` lists what there is", name_length,
                            element, out->command >= 0 ? " " : "", mmc_command_name(out->command));
        if (*raw_count == argc)
            return mmc_fail(MMC_ERR_USAGE, "too many options");
        raw[(*raw_count)++] = (raw_option){(mmc_option_id)(c - FIRST_OPTION), value};
    }
    return MMC_OK;
}

static mmc_status refuse_foreign(const mmc_option_info *info, mmc_command_id command) {
    char takers[160] = "";
    for (int i = 0; i < MMC_COMMAND_COUNT; i++)
        if (info->commands & (1u << i)) {
            size_t used = strlen(takers);
            snprintf(takers + used, sizeof takers - used, "%s%s", used ? ", " : "",
                     mmc_command_name((mmc_command_id)i));
        }
    return mmc_fail(MMC_ERR_USAGE,
                    "--%s is no option of `mmcbench %s` (it belongs to %s); `mmcbench help %s` lists those", info->name,
                    mmc_command_name(command), takers, mmc_command_name(command));
}

/* Names of the environment that are no options: of tests and scripts, and the instruction set to use. */
static bool name_known(const char *name, size_t length) {
    static const char *const others[] = {"MMC_ISA", "MMC_GOLDEN_EXTRA", "MMC_PYTHON", "MMC_PEERS"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (strlen(others[i]) == length && memcmp(others[i], name, length) == 0)
            return true;
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        char known[NAME_BYTES];
        mmc_option_environment(known, sizeof known, mmc_option_find((mmc_option_id)i));
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return true;
    }
    return false;
}

/* The value of a variable; NULL where it is not set or empty. */
static const char *variable(char *const *environment, const char *name) {
    size_t length = strlen(name);
    for (; environment && *environment; environment++)
        if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
            return (*environment)[length + 1] ? *environment + length + 1 : NULL;
    return NULL;
}

static void warn_unknown(char *const *environment, mmc_option_warning warning, void *user) {
    for (; environment && *environment && warning; environment++) {
        size_t length = strcspn(*environment, "=");
        if (strncmp(*environment, "MMC_", 4) == 0 && !name_known(*environment, length)) {
            char line[160];
            snprintf(line, sizeof line, "warning: the environment variable %.*s is no option of this version",
                     (int)(length > 80 ? 80 : length), *environment);
            warning(user, line);
        }
    }
}

/* Help and version are asked for, not set: an environment that holds them would make every command useless. */
static bool from_environment(mmc_option_id id) {
    return id != MMC_OPTION_HELP && id != MMC_OPTION_VERSION;
}

static mmc_status resolve(mmc_options *out, const raw_option *raw, int raw_count, char *const *environment) {
    for (int i = 0; i < raw_count; i++) {
        const mmc_option_info *info = mmc_option_find(raw[i].id);
        if (out->command >= 0 && !(info->commands & (1u << out->command)))
            return refuse_foreign(info, out->command);
        out->typed |= UINT64_C(1) << info->id;
    }
    out->given = out->typed;
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        const mmc_option_info *info = mmc_option_find((mmc_option_id)i);
        bool taken = out->command >= 0 && (info->commands & (1u << out->command));
        char name[NAME_BYTES];
        mmc_option_environment(name, sizeof name, info);
        const char *text = taken && from_environment(info->id) ? variable(environment, name) : NULL;
        if (!mmc_option_given(out, info->id) && text) {
            MMC_TRY(parse_value(out, (value_source){info, true}, text));
            out->given |= UINT64_C(1) << info->id;
        } else if (info->initial)
            MMC_TRY(parse_value(out, (value_source){info, false}, info->initial));
    }
    for (int i = 0; i < raw_count; i++) {
        const mmc_option_info *info = mmc_option_find(raw[i].id);
        MMC_TRY(parse_value(out, (value_source){info, false}, info->kind == MMC_OPTION_FLAG ? "1" : raw[i].text));
    }
    return MMC_OK;
}

/* Pairs that no backend can satisfy, whatever this build holds. */
static mmc_status refuse_contradictions(const mmc_options *o) {
    bool cpu = o->backend && strcmp(o->backend, "cpu") == 0, cuda = o->backend && strcmp(o->backend, "cuda") == 0;
    if (cpu && strcmp(o->provider, "cudnn") == 0)
        return mmc_fail(MMC_ERR_USAGE,
                        "--provider cudnn contradicts --backend cpu, which accepts own, onednn, reference");
    if (cuda && (strcmp(o->provider, "onednn") == 0 || strcmp(o->provider, "reference") == 0))
        return mmc_fail(MMC_ERR_USAGE, "--provider %s contradicts --backend cuda, which accepts own, cudnn",
                        o->provider);
    if (cpu && o->precision && strcmp(o->precision, "fp32") != 0)
        return mmc_fail(MMC_ERR_USAGE, "--precision %s contradicts --backend cpu, which accepts fp32", o->precision);
    return MMC_OK;
}

mmc_status mmc_options_parse(mmc_options *out, int argc, char **argv, char *const *environment,
                             mmc_option_warning warning, void *user) {
    _Static_assert(MMC_OPTION_COUNT <= 64, "`given` is one word");
    memset(out, 0, sizeof *out);
    out->command = MMC_COMMAND_NONE;
    raw_option *raw = malloc((size_t)(argc > 0 ? argc : 1) * sizeof *raw);
    if (!raw)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for %d arguments", argc);
    int raw_count = 0;
    mmc_status status = collect(raw, &raw_count, out, argc, argv);
    if (status == MMC_OK)
        status = resolve(out, raw, raw_count, environment);
    free(raw);
    if (status == MMC_OK && out->command == MMC_COMMAND_NONE && !out->help && !out->version)
        status = mmc_fail(MMC_ERR_USAGE, "no command; `mmcbench help` lists them");
    if (status == MMC_OK)
        status = refuse_contradictions(out);
    if (status == MMC_OK)
        warn_unknown(environment, warning, user);
    return status;
}

bool mmc_option_given(const mmc_options *options, mmc_option_id id) {
    return (options->given >> id) & 1;
}

mmc_status mmc_command_parse(mmc_command_id *out, const char *name) {
    char names[160] = "";
    for (int i = 0; i < MMC_COMMAND_COUNT; i++) {
        const char *known = mmc_command_name((mmc_command_id)i);
        if (strcmp(known, name) == 0) {
            *out = (mmc_command_id)i;
            return MMC_OK;
        }
        size_t used = strlen(names);
        snprintf(names + used, sizeof names - used, "%s%s", used ? ", " : "", known);
    }
    return mmc_fail(MMC_ERR_USAGE, "this version has no command '%.60s'; there are %s", name, names);
}
