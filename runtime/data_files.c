#define _POSIX_C_SOURCE 200809L
#include "runtime/data_files.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool find_in(char path[MMC_DATA_PATH_BYTES], const char *folder, const char *sub, const char *name) {
    static const char *const endings[] = {"", ".gz", ".xz"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++) {
        int n = snprintf(path, MMC_DATA_PATH_BYTES, "%s%s%s/%s%s", folder, *sub ? "/" : "", sub, name, endings[i]);
        if (n > 0 && n < MMC_DATA_PATH_BYTES && access(path, F_OK) == 0)
            return true;
    }
    return false;
}

bool mmc_data_find(char path[MMC_DATA_PATH_BYTES], const char *folder, const char *sub, const char *name) {
    return folder && *folder && (find_in(path, folder, sub, name) || find_in(path, folder, "", name));
}

mmc_status mmc_data_find_cifar(char path[MMC_DATA_PATH_BYTES], const char *folder, int classes, const char *name) {
    const char *sub = classes == 100 ? MMC_DATA_CIFAR100_FOLDER : MMC_DATA_CIFAR10_FOLDER;
    if (mmc_data_find(path, folder, sub, name))
        return MMC_OK;
    if (!folder || !*folder)
        return mmc_fail(MMC_ERR_MISSING,
                        "CIFAR-%d is needed, but no data folder was named; give --data DIR (or MMC_DATA) with %s/%s, "
                        "or get it by: mmcbench data fetch --data DIR",
                        classes, sub, name);
    return mmc_fail(MMC_ERR_MISSING,
                    "no %s/%s/%s and no %s/%s (plain, .gz or .xz); get CIFAR-%d by: mmcbench data fetch --data %s",
                    folder, sub, name, folder, name, classes, folder);
}

/* True where the folder has one of the two files; which of them it lacks shows in the empty path. */
static bool fashion_in(char images[MMC_DATA_PATH_BYTES], char labels[MMC_DATA_PATH_BYTES], const char *folder,
                       const char *sub, const char *split) {
    char name[40];
    snprintf(name, sizeof name, "%.8s-images-idx3-ubyte", split);
    if (!find_in(images, folder, sub, name))
        images[0] = '\0';
    snprintf(name, sizeof name, "%.8s-labels-idx1-ubyte", split);
    if (!find_in(labels, folder, sub, name))
        labels[0] = '\0';
    return images[0] || labels[0];
}

mmc_status mmc_data_find_fashion(char images[MMC_DATA_PATH_BYTES], char labels[MMC_DATA_PATH_BYTES], const char *folder,
                                 const char *split) {
    bool named = folder && *folder;
    bool found = (named && (fashion_in(images, labels, folder, MMC_DATA_FASHION_FOLDER, split) ||
                            fashion_in(images, labels, folder, "", split))) ||
                 fashion_in(images, labels, MMC_DATA_DEBIAN_FASHION, "", split);
    if (found && images[0] && labels[0])
        return MMC_OK;
    if (found)
        return mmc_fail(MMC_ERR_MISSING, "%s is there, but its %s file (%s-%s) is not; get both: mmcbench data fetch",
                        images[0] ? images : labels, images[0] ? "label" : "image", split,
                        images[0] ? "labels-idx1-ubyte" : "images-idx3-ubyte");
    return mmc_fail(MMC_ERR_MISSING,
                    "no %s-images-idx3-ubyte (plain, .gz or .xz) in %s%s%s; install Debian's dataset-fashion-mnist or "
                    "use: mmcbench data fetch --data DIR",
                    split, named ? folder : "", named ? "/" MMC_DATA_FASHION_FOLDER " or " : "",
                    MMC_DATA_DEBIAN_FASHION);
}
