#include "suites/run_data.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

mmc_status mmc_run_digest(char out[17], const char *text) {
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned size;
    if (EVP_Digest(text, strlen(text), hash, &size, EVP_sha256(), NULL) != 1)
        return mmc_fail(MMC_ERR_DEVICE, "OpenSSL cannot compute a SHA-256");
    for (int i = 0; i < 8; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
    return MMC_OK;
}

static bool listed(const char *const *list, const char *name) {
    for (; *list; list++)
        if (strcmp(*list, name) == 0)
            return true;
    return false;
}

void mmc_run_data_limit(mmc_run_data *data, const mmc_scale *scale) {
    for (int k = 0; k < MMC_DATASET_COUNT; k++) {
        const char *name = mmc_dataset_name((mmc_dataset_kind)k);
        const bool stands_in = scale->stand_in[1] && strcmp(scale->stand_in[1], name) == 0;
        const bool other = scale->other_train && !stands_in && !listed(scale->datasets, name);
        data->limit_train[k] = other ? scale->other_train : scale->limit_train;
        data->limit_test[k] = other ? scale->other_test : scale->limit_test;
    }
}

mmc_status mmc_run_data_open(mmc_run_data *data, mmc_dataset_kind kind) {
    if (data->open[kind])
        return MMC_OK;
    mmc_dataset *set = &data->sets[kind];
    const mmc_dataset_options options = {.kind = kind,
                                         .folder = data->folder,
                                         .limit_train = data->limit_train[kind],
                                         .limit_test = data->limit_test[kind]};
    MMC_TRY(mmc_dataset_open(set, &options));
    data->open[kind] = true;
    MMC_TRY(mmc_dataset_checksum(set));
    char text[MMC_DATASET_FILES_MAX * 65 + 1] = "";
    size_t used = 0;
    for (int i = 0; i < set->file_count; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\n", set->files[i].sha256);
    return mmc_run_digest(data->digest[kind], text);
}

void mmc_run_data_close(mmc_run_data *data) {
    for (int i = 0; i < MMC_DATASET_COUNT; i++) {
        if (data->open[i])
            mmc_dataset_close(&data->sets[i]);
        data->open[i] = false;
    }
}
