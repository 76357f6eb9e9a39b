#define _DEFAULT_SOURCE
#include "reports/record.h"
#include "reports/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { LINE_LIMIT = 16 << 20, BLOCK_BYTES = 1 << 16, TEXT_FIELDS = 18 };

/* Memory of a record set: blocks freed together. Equal strings are stored once per block only by chance; rows are
 * short and a paper-scale run has some 10^5 of them, so nothing cleverer is needed. */
typedef struct block {
    struct block *next;
    size_t used, size;
    _Alignas(max_align_t) char data[];
} block;

typedef struct owner {
    block *blocks;
} owner;

static void *take(owner *o, size_t size) {
    size = (size + 15) / 16 * 16;
    if (!o->blocks || o->blocks->size - o->blocks->used < size) {
        size_t capacity = size > BLOCK_BYTES ? size : BLOCK_BYTES;
        block *b = malloc(sizeof *b + capacity);
        if (!b)
            return NULL;
        *b = (block){.next = o->blocks, .size = capacity};
        o->blocks = b;
    }
    void *memory = o->blocks->data + o->blocks->used;
    o->blocks->used += size;
    return memory;
}

static mmc_status keep_text(owner *o, const char **out, const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = take(o, size);
    if (!copy)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while reading records");
    memcpy(copy, text, size);
    *out = copy;
    return MMC_OK;
}

/* ---- one line --------------------------------------------------------------------------------------------------- */

static mmc_status read_text(owner *o, const json_t *row, const char *name, const char **out) {
    const json_t *value = json_object_get(row, name);
    if (!value || json_is_null(value))
        return MMC_OK;
    if (!json_is_string(value))
        return mmc_fail(MMC_ERR_FORMAT, "\"%s\" is neither text nor null", name);
    return keep_text(o, out, json_string_value(value));
}

static mmc_status read_number(const json_t *row, const char *name, double *out) {
    const json_t *value = json_object_get(row, name);
    if (!value || json_is_null(value))
        return MMC_OK;
    if (!json_is_number(value))
        return mmc_fail(MMC_ERR_FORMAT, "\"%s\" is neither a number nor null", name);
    *out = json_number_value(value);
    return MMC_OK;
}

static mmc_status read_integer(const json_t *row, const char *name, int64_t low, int64_t high, int64_t *out) {
    const json_t *value = json_object_get(row, name);
    if (!value || json_is_null(value))
        return MMC_OK;
    if (!json_is_integer(value) || json_integer_value(value) < low || json_integer_value(value) > high)
        return mmc_fail(MMC_ERR_FORMAT, "\"%s\" is neither a whole number from %lld to %lld nor null", name,
                        (long long)low, (long long)high);
    *out = json_integer_value(value);
    return MMC_OK;
}

static mmc_status read_samples(owner *o, const json_t *row, mmc_record *r) {
    const json_t *samples = json_object_get(row, "samples");
    if (!samples || json_is_null(samples))
        return MMC_OK;
    if (!json_is_array(samples))
        return mmc_fail(MMC_ERR_FORMAT, "\"samples\" is not a list");
    size_t count = json_array_size(samples);
    double *values = take(o, (count + 1) * sizeof *values);
    if (!values)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while reading records");
    for (size_t i = 0; i < count; i++) {
        const json_t *value = json_array_get(samples, i);
        if (!json_is_number(value) && !json_is_null(value))
            return mmc_fail(MMC_ERR_FORMAT, "\"samples\" holds something that is no number");
        values[i] = json_is_null(value) ? NAN : json_number_value(value);
    }
    r->samples = values;
    r->sample_count = count;
    return MMC_OK;
}

static mmc_status read_tags(owner *o, json_t *row, mmc_record *r) {
    json_t *tags = json_object_get(row, "tags");
    if (!tags || json_is_null(tags))
        return MMC_OK;
    if (!json_is_object(tags))
        return mmc_fail(MMC_ERR_FORMAT, "\"tags\" is not an object");
    size_t count = json_object_size(tags);
    const char **keys = take(o, (count + 1) * sizeof *keys), **values = take(o, (count + 1) * sizeof *values);
    if (!keys || !values)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while reading records");
    size_t i = 0;
    const char *name;
    json_t *value;
    json_object_foreach(tags, name, value) {
        if (!json_is_string(value))
            return mmc_fail(MMC_ERR_FORMAT, "tag \"%s\" is not text", name);
        MMC_TRY(keep_text(o, &keys[i], name));
        MMC_TRY(keep_text(o, &values[i], json_string_value(value)));
        i++;
    }
    r->tag_keys = keys;
    r->tag_values = values;
    r->tag_count = count;
    return MMC_OK;
}

static mmc_status read_row(owner *o, json_t *row, mmc_record *r) {
    if (!json_is_object(row))
        return mmc_fail(MMC_ERR_FORMAT, "not a JSON object");
    int64_t schema = -1, width = 0, threads = 0;
    MMC_TRY(read_integer(row, "schema", 0, INT64_MAX, &schema));
    if (schema > MMC_RECORD_SCHEMA)
        return mmc_fail(MMC_ERR_FORMAT, "schema %lld was written by a newer program; this one reads schema %d",
                        (long long)schema, MMC_RECORD_SCHEMA);
    if (schema != MMC_RECORD_SCHEMA)
        return mmc_fail(MMC_ERR_FORMAT, "no record: \"schema\" is not %d", MMC_RECORD_SCHEMA);
    *r = mmc_record_empty();
    struct {
        const char *name;
        const char **out;
    } texts[TEXT_FIELDS] = {
        {"suite", &r->suite},
        {"item", &r->item},
        {"metric", &r->metric},
        {"reason", &r->reason},
        {"set", &r->set},
        {"split", &r->split},
        {"arch", &r->arch},
        {"dataset", &r->dataset},
        {"method", &r->method},
        {"scale", &r->scale},
        {"backend", &r->backend},
        {"provider", &r->provider},
        {"precision", &r->precision},
        {"device", &r->device},
        {"commit", &r->commit},
        {"job", &r->job},
        {"time", &r->time},
        {"unit", &r->unit},
    };
    for (size_t i = 0; i < TEXT_FIELDS; i++)
        MMC_TRY(read_text(o, row, texts[i].name, texts[i].out));
    struct {
        const char *name;
        double *out;
    } numbers[] = {{"value", &r->value},
                   {"t", &r->t},
                   {"cue", &r->cue},
                   {"median", &r->median},
                   {"min", &r->min},
                   {"iqr", &r->iqr},
                   {"image_forwards", &r->image_forwards},
                   {"flop", &r->flop},
                   {"bytes", &r->bytes},
                   {"peak_memory", &r->peak_memory},
                   {"roofline", &r->roofline},
                   {"clock_mhz", &r->clock_mhz}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        MMC_TRY(read_number(row, numbers[i].name, numbers[i].out));
    MMC_TRY(read_integer(row, "n", 0, INT64_MAX, &r->n));
    MMC_TRY(read_integer(row, "seed", 0, INT64_MAX, &r->seed));
    MMC_TRY(read_integer(row, "width", 1, 1 << 20, &width));
    MMC_TRY(read_integer(row, "threads", 1, 1 << 20, &threads));
    r->width = (int)width;
    r->threads = (int)threads;
    const json_t *dirty = json_object_get(row, "dirty");
    if (dirty && !json_is_boolean(dirty) && !json_is_null(dirty))
        return mmc_fail(MMC_ERR_FORMAT, "\"dirty\" is neither true nor false");
    r->dirty = json_is_true(dirty);
    if (!r->metric)
        return mmc_fail(MMC_ERR_FORMAT, "no record: \"metric\" is missing");
    MMC_TRY(read_samples(o, row, r));
    return read_tags(o, row, r);
}

/* ---- duplicates ------------------------------------------------------------------------------------------------- */

static uint64_t hash_bytes(uint64_t hash, const void *bytes, size_t size) {
    const unsigned char *b = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ b[i]) * 0x100000001b3u; /* FNV-1a */
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text) {
    return hash_bytes(hash, text ? text : "\xff", text ? strlen(text) + 1 : 1);
}

uint64_t mmc_record_hash(const mmc_record *r) {
    double t = isfinite(r->t) ? r->t + 0.0 : -1; /* -0.0 and 0.0 are one t */
    uint64_t hash = 0xcbf29ce484222325u;
    hash = hash_text(hash_text(hash_text(hash, r->job), r->item), r->metric);
    hash = hash_text(hash_text(hash, r->set), r->split);
    return hash_bytes(hash_bytes(hash, &t, sizeof t), &r->seed, sizeof r->seed);
}

static bool same_text(const char *a, const char *b) {
    return a == b || (a && b && strcmp(a, b) == 0);
}

static bool same_measurement(const mmc_record *a, const mmc_record *b) {
    bool same_t = a->t == b->t || (isnan(a->t) && isnan(b->t));
    return same_t && a->seed == b->seed && same_text(a->job, b->job) && same_text(a->item, b->item) &&
           same_text(a->metric, b->metric) && same_text(a->set, b->set) && same_text(a->split, b->split);
}

/* Keeps the first of equal rows, in order. Open addressing over the row numbers. */
static mmc_status drop_duplicates(mmc_record_set *set) {
    size_t slots = 16;
    while (slots < set->count * 2)
        slots *= 2;
    size_t *table = calloc(slots, sizeof *table); /* row + 1; 0: free */
    if (!table)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory while comparing %zu records", set->count);
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        size_t slot = mmc_record_hash(&set->rows[i]) & (slots - 1);
        while (table[slot] && !same_measurement(&set->rows[table[slot] - 1], &set->rows[i]))
            slot = (slot + 1) & (slots - 1);
        if (table[slot])
            continue;
        set->rows[kept] = set->rows[i];
        table[slot] = ++kept;
    }
    set->count = kept;
    free(table);
    return MMC_OK;
}

/* A failed attempt: a row without value that stands for all values of its job, item and metric; without item, of its
 * job. */
static bool is_failure(const mmc_record *r) {
    return !isfinite(r->value) && !isfinite(r->t) && r->job && !r->set && !r->split && !same_text(r->metric, "claim");
}

/* Drops the failed attempts of what a later attempt has measured. */
static void drop_superseded(mmc_record_set *set) {
    size_t kept = 0;
    for (size_t i = 0; i < set->count; i++) {
        const mmc_record *r = &set->rows[i];
        bool superseded = false;
        for (size_t k = i + 1; is_failure(r) && k < set->count && !superseded; k++) {
            const mmc_record *later = &set->rows[k];
            superseded = isfinite(later->value) && same_text(later->job, r->job) &&
                         (!r->item || (same_text(later->item, r->item) && same_text(later->metric, r->metric)));
        }
        if (!superseded)
            set->rows[kept++] = *r;
    }
    set->count = kept;
}

/* ---- files ------------------------------------------------------------------------------------------------------ */

typedef struct reader {
    mmc_record_set *set;
    owner *memory;
    size_t capacity;
} reader;

static mmc_status read_line(reader *r, const char *line, size_t size) {
    if (size > LINE_LIMIT)
        return mmc_fail(MMC_ERR_FORMAT, "%zu bytes, longer than any record", size);
    if (r->set->count == r->capacity) {
        size_t capacity = r->capacity ? r->capacity * 2 : 256;
        mmc_record *rows = realloc(r->set->rows, capacity * sizeof *rows);
        if (!rows)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory after %zu records", r->set->count);
        r->set->rows = rows;
        r->capacity = capacity;
    }
    json_error_t error;
    json_t *row = json_loadb(line, size, JSON_REJECT_DUPLICATES, &error);
    if (!row)
        return mmc_fail(MMC_ERR_FORMAT, "no JSON: %s", error.text);
    mmc_status status = read_row(r->memory, row, &r->set->rows[r->set->count]);
    if (status == MMC_OK)
        r->set->count++;
    json_decref(row);
    return status;
}

typedef struct mmc_record_place {
    long shard;
    off_t bytes; /* of whole lines */
    size_t lines;
} mmc_record_place;

static mmc_status read_lines(reader *r, mmc_record_place *place, FILE *file, const char *path) {
    struct stat info;
    if (fstat(fileno(file), &info) != 0 || fseeko(file, place->bytes, SEEK_SET) != 0)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    if (info.st_size < place->bytes)
        return mmc_fail(
            MMC_ERR_FORMAT,
            "%s: %lld bytes are left of %lld that were read before; nothing may be taken from the records of "
            "a run that goes on",
            path, (long long)info.st_size, (long long)place->bytes);
    mmc_status status = MMC_OK;
    char *line = NULL;
    size_t capacity = 0;
    ssize_t length;
    while ((length = getline(&line, &capacity, file)) > 0) {
        if (line[length - 1] != '\n')
            break; /* the torn last row of a killed run, or one that is being written */
        status = read_line(r, line, (size_t)length - 1);
        if (status != MMC_OK) {
            mmc_fail_context(status, "%s, line %zu", path, place->lines + 1);
            break;
        }
        place->bytes += length;
        place->lines++;
    }
    if (status == MMC_OK && ferror(file))
        status = mmc_fail(MMC_ERR_IO, "%s: cannot be read: %s", path, strerror(errno));
    free(line);
    return status;
}

static mmc_status read_file(reader *r, mmc_record_place *place, const char *path) {
    FILE *file = fopen(path, "re");
    if (!file)
        return mmc_fail(MMC_ERR_IO, "%s: cannot be opened: %s", path, strerror(errno));
    mmc_status status = read_lines(r, place, file, path);
    fclose(file);
    return status;
}

/* The cursor's place in a shard's file, its begin where none is known. */
static mmc_status cursor_place(mmc_record_place **out, mmc_record_cursor *cursor, long shard) {
    for (size_t i = 0; i < cursor->count; i++)
        if (cursor->places[i].shard == shard) {
            *out = &cursor->places[i];
            return MMC_OK;
        }
    mmc_record_place *more = realloc(cursor->places, (cursor->count + 1) * sizeof *more);
    if (!more)
        return mmc_fail(MMC_ERR_MEMORY, "out of memory for the places of %zu files of records", cursor->count + 1);
    cursor->places = more;
    *out = &more[cursor->count++];
    **out = (mmc_record_place){.shard = shard};
    return MMC_OK;
}

void mmc_record_cursor_close(mmc_record_cursor *cursor) {
    free(cursor->places);
    *cursor = (mmc_record_cursor){0};
}

/* Shard number of a records file's name, -1 for any other name. */
static long shard_of(const char *name) {
    if (strcmp(name, "records.jsonl") == 0)
        return 0;
    if (strncmp(name, "records-", 8) != 0 || !isdigit((unsigned char)name[8]) || name[8] == '0')
        return -1;
    char *end;
    errno = 0;
    long shard = strtol(name + 8, &end, 10);
    return errno == 0 && strcmp(end, ".jsonl") == 0 ? shard : -1;
}

static int by_number(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static mmc_status list_shards(const char *run_directory, long **shards, size_t *count) {
    DIR *folder = opendir(run_directory);
    if (!folder)
        return mmc_fail(errno == ENOENT || errno == ENOTDIR ? MMC_ERR_MISSING : MMC_ERR_IO, "%s: no run directory: %s",
                        run_directory, strerror(errno));
    mmc_status status = MMC_OK;
    size_t capacity = 0;
    for (struct dirent *entry; (entry = readdir(folder));) {
        long shard = shard_of(entry->d_name);
        if (shard < 0)
            continue;
        if (*count == capacity) {
            capacity = capacity ? capacity * 2 : 16;
            long *more = realloc(*shards, capacity * sizeof *more);
            if (!more) {
                status = mmc_fail(MMC_ERR_MEMORY, "out of memory while listing %s", run_directory);
                break;
            }
            *shards = more;
        }
        (*shards)[(*count)++] = shard;
    }
    closedir(folder);
    if (*count)
        qsort(*shards, *count, sizeof **shards, by_number);
    return status;
}

mmc_status mmc_record_set_read(mmc_record_set *out, const char *run_directory) {
    mmc_record_cursor cursor = {0};
    mmc_status status = mmc_record_set_read_new(out, &cursor, run_directory);
    mmc_record_cursor_close(&cursor);
    return status;
}

mmc_status mmc_record_set_read_new(mmc_record_set *out, mmc_record_cursor *cursor, const char *run_directory) {
    *out = (mmc_record_set){0};
    long *shards = NULL;
    size_t shard_count = 0;
    mmc_text path = {0};
    owner *memory = calloc(1, sizeof *memory);
    mmc_status status = memory ? list_shards(run_directory, &shards, &shard_count)
                               : mmc_fail(MMC_ERR_MEMORY, "out of memory while reading %s", run_directory);
    out->owner = memory;
    reader r = {.set = out, .memory = memory};
    for (size_t i = 0; status == MMC_OK && i < shard_count; i++) {
        mmc_text_clear(&path);
        if (shards[i] == 0)
            mmc_text_printf(&path, "%s/records.jsonl", run_directory);
        else
            mmc_text_printf(&path, "%s/records-%ld.jsonl", run_directory, shards[i]);
        status = mmc_text_check(&path);
        mmc_record_place *place = NULL;
        if (status == MMC_OK)
            status = cursor_place(&place, cursor, shards[i]);
        if (status == MMC_OK)
            status = read_file(&r, place, path.data);
    }
    if (status == MMC_OK)
        status = drop_duplicates(out);
    if (status == MMC_OK)
        drop_superseded(out);
    free(shards);
    mmc_text_close(&path);
    if (status != MMC_OK)
        mmc_record_set_close(out);
    return status;
}

void mmc_record_set_close(mmc_record_set *set) {
    owner *memory = set->owner;
    if (memory) {
        while (memory->blocks) {
            block *next = memory->blocks->next;
            free(memory->blocks);
            memory->blocks = next;
        }
        free(memory);
    }
    free(set->rows);
    *set = (mmc_record_set){0};
}
