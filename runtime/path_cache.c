#include "runtime/path_cache.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct entry {
    mmc_point_key key;
    mmc_point_scores scores;
} entry;

struct mmc_path_cache {
    entry *entries;
    size_t count, room;
};

mmc_status mmc_path_cache_create(mmc_path_cache **out) {
    *out = calloc(1, sizeof **out);
    return *out ? MMC_OK : mmc_fail(MMC_ERR_MEMORY, "out of memory: a cache of path points");
}

void mmc_path_cache_free(mmc_path_cache *cache) {
    if (cache)
        free(cache->entries);
    free(cache);
}

const mmc_point_scores *mmc_path_cache_find(const mmc_path_cache *cache, const mmc_point_key *key) {
    for (size_t i = 0; i < cache->count; i++)
        if (memcmp(&cache->entries[i].key, key, sizeof *key) == 0)
            return &cache->entries[i].scores;
    return NULL;
}

mmc_status mmc_path_cache_add(mmc_path_cache *cache, const mmc_point_key *key, const mmc_point_scores *scores) {
    if (cache->count == cache->room) {
        size_t room = cache->room ? 2 * cache->room : 8;
        entry *entries = realloc(cache->entries, room * sizeof *entries);
        if (!entries)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory: a cache of %zu path points", room);
        cache->entries = entries;
        cache->room = room;
    }
    cache->entries[cache->count++] = (entry){.key = *key, .scores = *scores};
    return MMC_OK;
}

static void add(EVP_MD_CTX *hash, const void *data, size_t size) {
    if (data && size)
        EVP_DigestUpdate(hash, data, size);
}

static void add_split(EVP_MD_CTX *hash, const mmc_split *s) {
    const size_t count = (size_t)s->count, plane = (size_t)MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    add(hash, s->natural, count * (size_t)s->channels * plane);
    add(hash, s->labels, count * sizeof *s->labels);
    add(hash, s->top, (size_t)s->top_count * plane);
    add(hash, s->partner, count * sizeof *s->partner);
}

static mmc_status finish(mmc_point_key *out, EVP_MD_CTX *hash) {
    unsigned int size = sizeof out->digest;
    int good = EVP_DigestFinal_ex(hash, out->digest, &size);
    EVP_MD_CTX_free(hash);
    return good == 1 ? MMC_OK : mmc_fail(MMC_ERR_DEVICE, "SHA-256 of a path point failed in OpenSSL");
}

static mmc_status begin(EVP_MD_CTX **out) {
    *out = EVP_MD_CTX_new();
    if (*out && EVP_DigestInit_ex(*out, EVP_sha256(), NULL) == 1)
        return MMC_OK;
    EVP_MD_CTX_free(*out);
    return mmc_fail(MMC_ERR_DEVICE, "SHA-256 could not be started in OpenSSL");
}

mmc_status mmc_point_key_common(mmc_point_key *out, const mmc_backend *be, const mmc_model *model,
                                const mmc_dataset *data, const mmc_path_config *c) {
    EVP_MD_CTX *hash;
    char text[768];
    MMC_TRY(begin(&hash));
    int size = snprintf(text, sizeof text, "%d %d %d %d;%d %d %d;%d %d %d %d;%u %d %d %llu;%s %s %s %s %s %s %d",
                        (int)model->spec.arch, model->spec.width, model->spec.classes, model->spec.height,
                        (int)data->kind, (int)data->train.count, (int)data->test.count, (int)c->bn, c->bn_batch,
                        (int)c->bn_images, (int)c->train_images, c->sets, (int)c->split_test + 2 * (int)c->split_train,
                        c->batch, (unsigned long long)c->seed, be->name, be->provider, be->precision, be->device,
                        be->isa, be->libraries, be->threads);
    add(hash, text, (size_t)size < sizeof text ? (size_t)size : sizeof text);
    add_split(hash, &data->train);
    add_split(hash, &data->test);
    if (c->draws) {
        const size_t count = (size_t)data->test.count;
        add(hash, c->draws->place, count * sizeof *c->draws->place);
        add(hash, c->draws->hue, count * sizeof *c->draws->hue);
        add(hash, c->draws->cue_index, count * sizeof *c->draws->cue_index);
        add(hash, c->draws->image_index, count * sizeof *c->draws->image_index);
    }
    return finish(out, hash);
}

mmc_status mmc_point_key_state(mmc_point_key *out, const mmc_point_key *common, const mmc_model *model,
                               const float *state) {
    EVP_MD_CTX *hash;
    MMC_TRY(begin(&hash));
    add(hash, common->digest, sizeof common->digest);
    add(hash, state, model->state_count * sizeof *state);
    return finish(out, hash);
}
