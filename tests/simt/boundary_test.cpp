// Activations in and out of the device, the mean over space and the rendering, at odd sizes, every access checked.
#include "tests/parity/device.h"

namespace parity {
namespace {

struct Shape {
    int t, n, c, h, w;
};

class Boundary : public testing::TestWithParam<const char *> {};

TEST_P(Boundary, CarriesPoolsAndSpreads) {
    Backend reference("cpu", "reference", 1), be("cuda", "own", 1, GetParam());
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    const double rounding = be.unit_roundoff() == 0 ? 4e-6 : be.unit_roundoff();
    for (const Shape &s : {Shape{2, 3, 13, 7, 5}, Shape{1, 1, 3, 2, 2}, Shape{1, 131, 40, 1, 1}}) {
        const size_t images = size_t(s.t) * s.n, count = images * s.c * s.h * s.w;
        const Floats x = be.rounded(uniform(count, 3)), drep = uniform(images * s.c, 4);
        Floats rep[2], dx[2];
        for (int i = 0; i < 2; i++) {
            const Backend &b = i ? be : reference;
            Activation a(b, s.t, s.n, s.c, s.h, s.w), spread(b, s.t, s.n, s.c, s.h, s.w);
            a.put(x);
            EXPECT_TRUE(same_bits(a.get(), x));
            Buffer mean(b, images * s.c * sizeof(float)), gradient(b, drep);
            ASSERT_EQ(b->unit->pool(b->queue, mean.f(), &a), MMC_OK);
            ASSERT_EQ(b->unit->pool_backward(b->queue, &spread, gradient.f()), MMC_OK);
            rep[i] = mean.read<float>();
            dx[i] = spread.get();
        }
        expect_close(rep[1], rep[0], 4e-6, "pool");
        expect_close(dx[1], dx[0], rounding, "pool_backward");
    }
}

TEST_P(Boundary, RendersEveryKindOfImage) {
    Backend be("cuda", "own", 1, GetParam());
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    const int natural = 3, plane = 32 * 32;
    std::vector<uint8_t> pixels(size_t(natural) * 3 * plane), top(size_t(natural) * plane);
    for (size_t i = 0; i < pixels.size(); i++)
        pixels[i] = uint8_t(i * 37 % 251);
    for (size_t i = 0; i < top.size(); i++)
        top[i] = uint8_t(i * 11 % 241);
    Buffer device_pixels(be, pixels), device_top(be, top);
    for (bool stacked : {false, true}) {
        mmc_image_store store = {};
        store.channels = 3;
        store.count = natural;
        store.height = stacked ? 64 : 32;
        store.top_count = stacked ? natural : 0;
        std::vector<mmc_sample> samples(5);
        for (int i = 0; i < 5; i++) {
            samples[i] = {};
            samples[i].image = i % natural;
            samples[i].cue = stacked ? i % natural : i % 3 - 1;
            samples[i].colour[i % 3] = 0.5f;
        }
        store.natural = pixels.data();
        store.top = stacked ? top.data() : nullptr;
        Floats expected(samples.size() * 3 * store.height * 32);
        for (size_t i = 0; i < samples.size(); i++)
            mmc_render_one(&expected[i * 3 * store.height * 32], &store, &samples[i]);
        store.natural = static_cast<const uint8_t *>(device_pixels.raw());
        store.top = stacked ? static_cast<const uint8_t *>(device_top.raw()) : nullptr;
        Buffer device_samples(be, samples);
        Activation out(be, 1, int(samples.size()), 3, store.height, 32);
        ASSERT_EQ(be->unit->render(be->queue, &out, &store, static_cast<const mmc_sample *>(device_samples.raw())),
                  MMC_OK);
        expect_close(out.get(), expected, be.unit_roundoff() == 0 ? 1e-6 : be.unit_roundoff(), "render");
        samples[3].image = natural; // behind the last: a black image and an error, no access
        Buffer wrong(be, samples);
        ASSERT_EQ(be->unit->render(be->queue, &out, &store, static_cast<const mmc_sample *>(wrong.raw())), MMC_OK);
        EXPECT_EQ(be->memory->sync(be.be), MMC_ERR_RANGE);
        std::fill_n(expected.begin() + 3 * 3 * store.height * 32, 3 * store.height * 32, 0.0f);
        expect_close(out.get(), expected, be.unit_roundoff() == 0 ? 1e-6 : be.unit_roundoff(), "render black");
    }
}

INSTANTIATE_TEST_SUITE_P(, Boundary, testing::Values("fp32", "bf16"),
                         [](const testing::TestParamInfo<const char *> &info) { return std::string(info.param); });

} // namespace
} // namespace parity
