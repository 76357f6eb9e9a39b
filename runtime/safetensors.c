#define _POSIX_C_SOURCE 200809L
#include "runtime/safetensors.h"

#include "runtime/file.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { LENGTH_BYTES = 8, ALIGNMENT = 8, HEADER_MAX = 1 << 24 };
static const size_t file_max = (size_t)1 << 34; /* the widest ResNet-18 this program knows takes 11.4e9 bytes */
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "tensors are copied as they lie in the file");
static const char metadata_name[] = "__metadata__";

/* ---- data types ---- */

static const struct {
    const char *name;
    size_t size;
} dtypes[MMC_DTYPE_COUNT] = {
    [MMC_DTYPE_F32] = {"F32", 4},   [MMC_DTYPE_F64] = {"F64", 8}, [MMC_DTYPE_F16] = {"F16", 2},
    [MMC_DTYPE_BF16] = {"BF16", 2}, [MMC_DTYPE_I64] = {"I64", 8}, [MMC_DTYPE_I32] = {"I32", 4},
    [MMC_DTYPE_I16] = {"I16", 2},   [MMC_DTYPE_I8] = {"I8", 1},   [MMC_DTYPE_U8] = {"U8", 1},
    [MMC_DTYPE_BOOL] = {"BOOL", 1}, [MMC_DTYPE_U16] = {"U16", 2}, [MMC_DTYPE_U32] = {"U32", 4},
    [MMC_DTYPE_U64] = {"U64", 8},
};

size_t mmc_dtype_size(mmc_dtype dtype) {
    return (unsigned)dtype < MMC_DTYPE_COUNT ? dtypes[dtype].size : 0;
}

const char *mmc_dtype_name(mmc_dtype dtype) {
    return (unsigned)dtype < MMC_DTYPE_COUNT ? dtypes[dtype].name : "unknown";
}

static mmc_status parse_dtype(mmc_dtype *out, const char *text, const char *what, const char *name) {
    for (int i = 0; i < MMC_DTYPE_COUNT; i++)
        if (strcmp(text, dtypes[i].name) == 0) {
            *out = (mmc_dtype)i;
            return MMC_OK;
        }
    if (strncmp(text, "F8_", 3) == 0)
        return mmc_fail(MMC_ERR_MISMATCH, "%s: tensor %.100s has data type %.20s; convert it to F32 and save it again",
                        what, name, text);
    return mmc_fail(MMC_ERR_FORMAT, "%s: tensor %.100s has the unknown data type \"%.20s\"; save the file again", what,
                    name, text);
}

/* ---- reading ---- */

static uint64_t load_u64(const unsigned char *p) {
    uint64_t v = 0;
    for (int i = 7; i >= 0; i--)
        v = v << 8 | p[i];
    return v;
}

static mmc_status corrupt(const char *what, const char *name, const char *reason) {
    return mmc_fail(MMC_ERR_FORMAT, "%s: tensor %.100s: %s; the file is corrupt, save or copy it again", what, name,
                    reason);
}

/* One extent or offset: an integer in [0, INT64_MAX]. */
static bool read_extent(int64_t *out, const json_t *value) {
    if (!json_is_integer(value) || json_integer_value(value) < 0)
        return false;
    *out = json_integer_value(value);
    return true;
}

static mmc_status parse_shape(mmc_safetensor *t, const json_t *shape, const char *what) {
    if (!json_is_array(shape))
        return corrupt(what, t->name, "its shape is missing or no array");
    if (json_array_size(shape) > MMC_SAFETENSORS_RANK)
        return mmc_fail(MMC_ERR_FORMAT, "%s: tensor %.100s has %zu dimensions; at most %d are read", what, t->name,
                        json_array_size(shape), (int)MMC_SAFETENSORS_RANK);
    t->rank = (int)json_array_size(shape);
    t->count = 1;
    for (int d = 0; d < t->rank; d++) {
        if (!read_extent(&t->shape[d], json_array_get(shape, (size_t)d)))
            return corrupt(what, t->name, "a dimension is not a non-negative integer");
        if (__builtin_mul_overflow(t->count, (size_t)t->shape[d], &t->count))
            return corrupt(what, t->name, "the product of its dimensions overflows");
    }
    return MMC_OK;
}

/* Fills one tensor from its header entry. */
static mmc_status parse_tensor(mmc_safetensor *t, const char *name, const json_t *entry, const unsigned char *data,
                               size_t data_size, const char *what) {
    t->name = strdup(name);
    if (!t->name)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its header", what);
    const char *dtype = json_string_value(json_object_get(entry, "dtype"));
    if (!dtype)
        return corrupt(what, name, "its dtype is missing or no string");
    MMC_TRY(parse_dtype(&t->dtype, dtype, what, name));
    MMC_TRY(parse_shape(t, json_object_get(entry, "shape"), what));
    const json_t *offsets = json_object_get(entry, "data_offsets");
    int64_t begin, end;
    if (json_array_size(offsets) != 2 || !read_extent(&begin, json_array_get(offsets, 0)) ||
        !read_extent(&end, json_array_get(offsets, 1)))
        return corrupt(what, name, "its data_offsets are not two non-negative integers");
    if (begin > end || (uint64_t)end > data_size)
        return corrupt(what, name, "its data_offsets lie outside the file");
    size_t size;
    if (__builtin_mul_overflow(t->count, mmc_dtype_size(t->dtype), &size) || size != (size_t)(end - begin))
        return corrupt(what, name, "its shape and data type do not fit the size of its data");
    t->data = data + begin;
    return MMC_OK;
}

static mmc_status parse_metadata(mmc_safetensors *out, const json_t *metadata, const char *what) {
    if (!json_is_object(metadata))
        return mmc_fail(MMC_ERR_FORMAT, "%s: its __metadata__ is no object; save the file again", what);
    size_t count = json_object_size(metadata);
    out->keys = calloc(count + 1, sizeof *out->keys);
    out->values = calloc(count + 1, sizeof *out->values);
    if (!out->keys || !out->values)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its metadata", what);
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)metadata, key, value) {
        if (!json_is_string(value))
            return mmc_fail(MMC_ERR_FORMAT, "%s: metadata \"%.100s\" is no string; save the file again", what, key);
        size_t i = out->metadata_count++; /* counted before the copies, so that closing frees both */
        out->keys[i] = strdup(key);
        out->values[i] = strdup(json_string_value(value));
        if (!out->keys[i] || !out->values[i])
            return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its metadata", what);
    }
    return MMC_OK;
}

static int by_place(const void *a, const void *b) {
    const mmc_safetensor *x = *(const mmc_safetensor *const *)a, *y = *(const mmc_safetensor *const *)b;
    uintptr_t p = (uintptr_t)x->data, q = (uintptr_t)y->data;
    if (p != q)
        return p < q ? -1 : 1;
    return x->count == y->count ? 0 : x->count < y->count ? -1 : 1; /* empty tensors before the one they touch */
}

/* Every byte after the header belongs to exactly one tensor. */
static mmc_status check_cover(const mmc_safetensors *file, const unsigned char *data, size_t data_size,
                              const char *what) {
    const mmc_safetensor **order = malloc((file->count + 1) * sizeof *order);
    if (!order)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory to check its header", what);
    for (size_t i = 0; i < file->count; i++)
        order[i] = &file->tensors[i];
    qsort(order, file->count, sizeof *order, by_place);
    const unsigned char *next = data;
    mmc_status status = MMC_OK;
    for (size_t i = 0; i < file->count && status == MMC_OK; i++) {
        const unsigned char *p = order[i]->data;
        if (p != next)
            status = corrupt(what, order[i]->name, p < next ? "overlaps another tensor" : "unused bytes before it");
        next = p + order[i]->count * mmc_dtype_size(order[i]->dtype);
    }
    if (status == MMC_OK && next != data + data_size)
        status = mmc_fail(MMC_ERR_FORMAT, "%s: %zu bytes after the last tensor; the file is corrupt, copy it again",
                          what, (size_t)(data + data_size - next));
    free(order);
    return status;
}

static mmc_status parse_header(mmc_safetensors *out, const json_t *root, const unsigned char *data, size_t data_size,
                               const char *what) {
    out->tensors = calloc(json_object_size(root) + 1, sizeof *out->tensors);
    if (!out->tensors)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its header", what);
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)root, name, entry) {
        if (strcmp(name, metadata_name) == 0) {
            MMC_TRY(parse_metadata(out, entry, what));
            continue;
        }
        if (!json_is_object(entry))
            return corrupt(what, name, "its header entry is no object");
        mmc_safetensor *t = &out->tensors[out->count++];
        MMC_TRY(parse_tensor(t, name, entry, data, data_size, what));
    }
    return check_cover(out, data, data_size, what);
}

/* Takes over `bytes`, also on failure. */
static mmc_status parse_owned(mmc_safetensors *out, void *bytes, size_t size, const char *what) {
    *out = (mmc_safetensors){.bytes = bytes, .size = size};
    const unsigned char *p = bytes;
    json_t *root = NULL;
    json_error_t error;
    mmc_status status;
    if (size < LENGTH_BYTES) {
        status = mmc_fail(MMC_ERR_FORMAT, "%s: only %zu bytes, too short for a safetensors file; copy or save it again",
                          what, size);
        goto cleanup;
    }
    uint64_t header = load_u64(p);
    if (header > HEADER_MAX || header > size - LENGTH_BYTES) {
        status = mmc_fail(MMC_ERR_FORMAT,
                          "%s: header of %llu bytes in a file of %zu; truncated, or not a safetensors file (a PyTorch "
                          ".pt file is converted by safetensors.torch.save_file)",
                          what, (unsigned long long)header, size);
        goto cleanup;
    }
    /* jansson rejects invalid UTF-8, names with a zero byte, too big integers and text after the object. */
    root = json_loadb((const char *)p + LENGTH_BYTES, (size_t)header, JSON_REJECT_DUPLICATES, &error);
    if (!root || !json_is_object(root)) {
        status = mmc_fail(MMC_ERR_FORMAT, "%s: the header is no JSON object (%.120s, byte %d); save or copy it again",
                          what, root ? "another kind of value" : error.text, root ? 0 : error.position);
        goto cleanup;
    }
    status = parse_header(out, root, p + LENGTH_BYTES + header, size - LENGTH_BYTES - (size_t)header, what);
cleanup:
    json_decref(root);
    if (status != MMC_OK)
        mmc_safetensors_close(out);
    return status;
}

mmc_status mmc_safetensors_open(mmc_safetensors *out, const char *path) {
    *out = (mmc_safetensors){0};
    void *bytes;
    size_t size;
    MMC_TRY(mmc_file_read(&bytes, &size, path, file_max));
    return parse_owned(out, bytes, size, path);
}

mmc_status mmc_safetensors_parse(mmc_safetensors *out, const void *bytes, size_t size, const char *what) {
    *out = (mmc_safetensors){0};
    void *copy = malloc(size + 1);
    if (!copy)
        return mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its %zu bytes", what, size);
    if (size)
        memcpy(copy, bytes, size);
    return parse_owned(out, copy, size, what);
}

void mmc_safetensors_close(mmc_safetensors *file) {
    for (size_t i = 0; i < file->count; i++)
        free(file->tensors[i].name);
    for (size_t i = 0; i < file->metadata_count; i++) {
        free(file->keys[i]);
        free(file->values[i]);
    }
    free(file->tensors);
    free(file->keys);
    free(file->values);
    free(file->bytes);
    *file = (mmc_safetensors){0};
}

const mmc_safetensor *mmc_safetensors_find(const mmc_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->tensors[i].name, name) == 0)
            return &file->tensors[i];
    return NULL;
}

const char *mmc_safetensors_metadata(const mmc_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->metadata_count; i++)
        if (strcmp(file->keys[i], key) == 0)
            return file->values[i];
    return NULL;
}

/* ---- conversion ---- */

static float from_bits(uint32_t bits) {
    float v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static float from_half(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000u) << 16, exponent = (h >> 10) & 31u, fraction = h & 1023u;
    if (exponent == 31)
        return from_bits(sign | 0x7f800000u | fraction << 13);
    if (exponent == 0) {
        float v = (float)fraction * 0x1p-24f; /* subnormal halves are normal floats */
        return sign ? -v : v;
    }
    return from_bits(sign | (exponent + 112u) << 23 | fraction << 13);
}

mmc_status mmc_safetensor_to_f32(float *out, const mmc_safetensor *t) {
    const unsigned char *p = t->data;
    switch (t->dtype) {
    case MMC_DTYPE_F32:
        if (t->count)
            memcpy(out, p, t->count * sizeof *out);
        return MMC_OK;
    case MMC_DTYPE_F64:
        for (size_t i = 0; i < t->count; i++) {
            double v;
            memcpy(&v, p + i * sizeof v, sizeof v);
            out[i] = (float)v;
        }
        return MMC_OK;
    case MMC_DTYPE_F16:
    case MMC_DTYPE_BF16:
        for (size_t i = 0; i < t->count; i++) {
            uint16_t v;
            memcpy(&v, p + i * sizeof v, sizeof v);
            out[i] = t->dtype == MMC_DTYPE_F16 ? from_half(v) : from_bits((uint32_t)v << 16);
        }
        return MMC_OK;
    default:
        return mmc_fail(MMC_ERR_MISMATCH, "tensor %.100s has data type %s; F32, F64, F16 or BF16 is needed", t->name,
                        mmc_dtype_name(t->dtype));
    }
}

/* ---- writing ---- */

static mmc_status tensor_size(size_t *size, const mmc_safetensor *t) {
    *size = mmc_dtype_size(t->dtype);
    bool good = *size != 0 && t->rank >= 0 && t->rank <= MMC_SAFETENSORS_RANK;
    for (int d = 0; good && d < t->rank; d++)
        good = t->shape[d] >= 0 && !__builtin_mul_overflow(*size, (size_t)t->shape[d], size);
    if (!good)
        return mmc_fail(MMC_ERR_SHAPE, "tensor %.100s: its data type or shape cannot be written", t->name);
    return MMC_OK;
}

/* Lays the tensors out by falling element size; parts[1..count] and begin[] in that order of tensors. */
static mmc_status lay_out(mmc_file_part *parts, size_t *begin, const mmc_safetensor *tensors, size_t count) {
    size_t next = 0, part = 1;
    for (size_t element = 8; element; element /= 2)
        for (size_t i = 0; i < count; i++) {
            size_t size;
            MMC_TRY(tensor_size(&size, &tensors[i]));
            if (mmc_dtype_size(tensors[i].dtype) != element)
                continue;
            begin[i] = next;
            parts[part++] = (mmc_file_part){tensors[i].data, size};
            if (__builtin_add_overflow(next, size, &next) || next > INT64_MAX)
                return mmc_fail(MMC_ERR_SHAPE, "tensor %.100s: the file would be too large", tensors[i].name);
        }
    return MMC_OK;
}

static mmc_status put(json_t *object, const char *key, json_t *value, const char *path) {
    if (key && json_object_get(object, key)) {
        json_decref(value);
        return mmc_fail(MMC_ERR_FORMAT, "%s: the name %.100s is given twice", path, key);
    }
    if (!value || !key || json_object_set_new(object, key, value) != 0)
        return mmc_fail(MMC_ERR_FORMAT, "%s: the name or value of %.100s is not UTF-8, or out of memory", path,
                        key ? key : "(null)");
    return MMC_OK;
}

static mmc_status build_header(json_t *root, const mmc_safetensor *tensors, const size_t *begin, size_t count,
                               const char *const *keys, const char *const *values, size_t metadata_count,
                               const char *path) {
    if (metadata_count) {
        json_t *metadata = json_object();
        MMC_TRY(put(root, metadata_name, metadata, path));
        for (size_t i = 0; i < metadata_count; i++)
            MMC_TRY(put(metadata, keys[i], json_string(values[i]), path));
    }
    for (size_t i = 0; i < count; i++) {
        const mmc_safetensor *t = &tensors[i];
        if (strcmp(t->name, metadata_name) == 0)
            return mmc_fail(MMC_ERR_FORMAT, "%s: a tensor cannot be called %s", path, metadata_name);
        size_t size;
        MMC_TRY(tensor_size(&size, t));
        json_t *shape = json_array();
        for (int d = 0; shape && d < t->rank; d++)
            json_array_append_new(shape, json_integer(t->shape[d]));
        MMC_TRY(put(root, t->name,
                    json_pack("{s:s, s:o, s:[I,I]}", "dtype", mmc_dtype_name(t->dtype), "shape", shape, "data_offsets",
                              (json_int_t)begin[i], (json_int_t)(begin[i] + size)),
                    path));
    }
    return MMC_OK;
}

/* The header's text with its length before it, padded with blanks. Owns: the caller frees *out. */
static mmc_status encode_header(unsigned char **out, size_t *size, const json_t *root, const char *path) {
    char *text = json_dumps(root, JSON_COMPACT);
    size_t length = text ? strlen(text) : 0;
    size_t padded = (length + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    *size = LENGTH_BYTES + padded;
    *out = text ? malloc(*size) : NULL;
    if (!*out || padded > HEADER_MAX) {
        free(text);
        free(*out);
        *out = NULL;
        return mmc_fail(MMC_ERR_MEMORY, "%s: the header is too large (%zu bytes)", path, padded);
    }
    for (int i = 0; i < LENGTH_BYTES; i++)
        (*out)[i] = (unsigned char)((uint64_t)padded >> (8 * i));
    memset(*out + LENGTH_BYTES, ' ', padded);
    memcpy(*out + LENGTH_BYTES, text, length);
    free(text);
    return MMC_OK;
}

mmc_status mmc_safetensors_write(const char *path, const mmc_safetensor *tensors, size_t count, const char *const *keys,
                                 const char *const *values, size_t metadata_count) {
    mmc_status status;
    unsigned char *header = NULL;
    size_t *begin = calloc(count + 1, sizeof *begin);
    mmc_file_part *parts = calloc(count + 1, sizeof *parts);
    json_t *root = json_object();
    if (!begin || !parts || !root) {
        status = mmc_fail(MMC_ERR_MEMORY, "%s: no memory for its header", path);
        goto cleanup;
    }
    MMC_GOTO(cleanup, lay_out(parts, begin, tensors, count));
    MMC_GOTO(cleanup, build_header(root, tensors, begin, count, keys, values, metadata_count, path));
    MMC_GOTO(cleanup, encode_header(&header, &parts[0].size, root, path));
    parts[0].bytes = header;
    status = mmc_file_write_parts(path, parts, count + 1);
cleanup:
    json_decref(root);
    free(header);
    free(parts);
    free(begin);
    return status;
}
