// What the timer says of a device's clocks, with and without the driver's management library.
#include "kernels/cuda/queue.h"
#include "runtime/backend.h"
#include "runtime/timer.h"
#include "tests/simt/control.h"
#include "tests/simt/nvml_fake.h"

#include <cmath>
#include <cstring>
#include <dlfcn.h>
#include <gtest/gtest.h>

namespace {

mmc_clocks clocks() {
    mmc_backend_options options = {};
    options.backend = "cuda";
    mmc_backend *be = nullptr;
    mmc_timer *timer = nullptr;
    mmc_clocks out = {};
    EXPECT_EQ(mmc_backend_open(&be, &options), MMC_OK) << mmc_error_message();
    if (!be)
        return out;
    be->queue->l2_bytes = 4096;
    EXPECT_EQ(be->timer->open(&timer, be), MMC_OK) << mmc_error_message();
    if (timer)
        out = be->timer->clocks(timer);
    be->timer->close(timer);
    mmc_backend_close(be);
    return out;
}

bool says(const mmc_clocks &c, const char *text) {
    return c.reason && std::strstr(c.reason, text);
}

TEST(Clocks, ComeFromTheManagementLibraryOrSayWhyNot) {
    void *library = dlopen(MMC_SIMT_NVML, RTLD_NOW | RTLD_LOCAL);
    ASSERT_NE(library, nullptr) << dlerror();
    auto *fake = static_cast<nvml_fake_answers *>(dlsym(library, "nvml_fake"));
    ASSERT_NE(fake, nullptr);

    fake->clock_mhz = 1410;
    mmc_clocks c = clocks();
    EXPECT_EQ(c.clock_mhz, 1410);
    EXPECT_EQ(c.throttled, 0);
    EXPECT_EQ(c.reason, nullptr);
    EXPECT_EQ(fake->open, 0) << "shut down with the timer";

    fake->bits = 0x4;
    c = clocks();
    EXPECT_EQ(c.throttled, 0);
    EXPECT_TRUE(says(c, "power limit"));
    fake->bits = 0x40;
    c = clocks();
    EXPECT_EQ(c.throttled, 1);
    EXPECT_TRUE(says(c, "heat"));

    fake->bits = 0;
    fake->clock = 3;
    c = clocks();
    EXPECT_TRUE(std::isnan(c.clock_mhz));
    EXPECT_EQ(c.throttled, 0);
    EXPECT_TRUE(says(c, "clock"));
    fake->clock = 0;
    fake->reasons = 3;
    c = clocks();
    EXPECT_EQ(c.clock_mhz, 1410);
    EXPECT_EQ(c.throttled, -1);
    EXPECT_TRUE(says(c, "holds this device back"));

    fake->handle = 6; // another machine's device
    c = clocks();
    EXPECT_TRUE(std::isnan(c.clock_mhz));
    EXPECT_TRUE(says(c, "libnvidia-ml.so.1"));
    fake->init = 9;
    EXPECT_TRUE(says(clocks(), "libnvidia-ml.so.1"));
    EXPECT_EQ(fake->open, 0);
    EXPECT_EQ(simt_leaks(), 0);
    dlclose(library);
}

} // namespace
