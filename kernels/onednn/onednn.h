/* What the library needs to know about the oneDNN provider besides its table. */
#ifndef MMC_KERNELS_ONEDNN_ONEDNN_H
#define MMC_KERNELS_ONEDNN_ONEDNN_H

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the oneDNN in use, "2.6.3"; NULL in a build without it. */
const char *mmc_onednn_version(void);

#ifdef __cplusplus
}
#endif
#endif
