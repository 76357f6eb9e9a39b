/* What the management library of tests/simt/nvml_fake.c answers; a test finds `nvml_fake` by dlsym. */
#ifndef MMC_TESTS_SIMT_NVML_FAKE_H
#define MMC_TESTS_SIMT_NVML_FAKE_H

#ifdef __cplusplus
extern "C" {
#endif

typedef struct nvml_fake_answers {
    int init, handle, clock, reasons; /* return codes; 0: good */
    unsigned clock_mhz;
    unsigned long long bits; /* what holds the device back */
    int open;                /* out: initialised and not shut down */
} nvml_fake_answers;
extern nvml_fake_answers nvml_fake;

#ifdef __cplusplus
}
#endif
#endif
