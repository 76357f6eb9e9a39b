/* The part of the driver's management library that the timer uses, with answers that a test sets. Its soname is the
 * library's own, so once a test has loaded it, a search for the library finds this one. */
#include "tests/simt/nvml_fake.h"

nvml_fake_answers nvml_fake = {0};

int nvmlInit_v2(void);
int nvmlInit_v2(void) {
    nvml_fake.open += nvml_fake.init == 0;
    return nvml_fake.init;
}

int nvmlShutdown(void);
int nvmlShutdown(void) {
    nvml_fake.open--;
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **device);
int nvmlDeviceGetHandleByPciBusId_v2(const char *id, void **device) {
    *device = &nvml_fake;
    return id[8] == ':' ? nvml_fake.handle : -1;
}

int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz);
int nvmlDeviceGetClockInfo(void *device, int type, unsigned *mhz) {
    *mhz = nvml_fake.clock_mhz;
    return device == &nvml_fake && type == 1 ? nvml_fake.clock : -1;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *bits) {
    *bits = nvml_fake.bits;
    return device == &nvml_fake ? nvml_fake.reasons : -1;
}
