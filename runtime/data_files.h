/* Where the files of the data sets lie: below --data, or where Debian puts Fashion-MNIST.
 *
 *     char path[MMC_DATA_PATH_BYTES];
 *     MMC_TRY(mmc_data_find(path, "data", "fashion-mnist", "t10k-images-idx3-ubyte"));
 */
#ifndef MMC_RUNTIME_DATA_FILES_H
#define MMC_RUNTIME_DATA_FILES_H

#include "runtime/status.h"

#include <stdbool.h>

#ifdef __cplusplus
extern "C" {
#endif

enum { MMC_DATA_PATH_BYTES = 512, MMC_CIFAR10_BATCHES = 5 };

/* Debian's package dataset-fashion-mnist. */
#define MMC_DATA_DEBIAN_FASHION "/usr/share/datasets/fashion-mnist"
#define MMC_DATA_CIFAR10_FOLDER "cifar-10-batches-bin"
#define MMC_DATA_CIFAR100_FOLDER "cifar-100-binary"
#define MMC_DATA_FASHION_FOLDER "fashion-mnist"

/* Written beside the files of an archive that was verified, in the format of md5sum; `data check` compares with it. */
#define MMC_DATA_SUMS "MD5SUMS"

/* The first of folder/sub/name, folder/name, each plain, .gz, .xz; true where there is one. folder may be NULL. */
bool mmc_data_find(char path[MMC_DATA_PATH_BYTES], const char *folder, const char *sub, const char *name);

/* A CIFAR file by its name ("test_batch.bin"). Errors: MMC_ERR_MISSING: paths tried, how to get the data. */
mmc_status mmc_data_find_cifar(char path[MMC_DATA_PATH_BYTES], const char *folder, int classes, const char *name);

/* Both Fashion-MNIST files of a split ("train", "t10k"), from the first of folder/fashion-mnist, folder and Debian's
 * folder that has one of them. Errors: MMC_ERR_MISSING: paths tried, how to get the data. */
mmc_status mmc_data_find_fashion(char images[MMC_DATA_PATH_BYTES], char labels[MMC_DATA_PATH_BYTES], const char *folder,
                                 const char *split);

#ifdef __cplusplus
}
#endif
#endif
