// Class means: every provider against the reference, the reference against differences of its own distance.
#include "tests/parity/device.h"

#include <cstdint>

namespace parity {
namespace {

using Ints = std::vector<int32_t>;

// The backends and the providers that have operations of their own.
struct Where {
    const char *backend, *provider;
};

const Where everywhere[] = {
#ifndef MMC_PARITY_EMULATED
    {"cpu", "reference"},
    {"cpu", "own"},
#endif
    {"cuda", "own"},
};

struct Case {
    int classes, c, n0, n1;
    bool unit, add;
};

// Odd widths, more channels and samples than a block has threads, one sample, classes that a batch lacks.
const Case cases[] = {
    {10, 64, 16, 12, true, true}, {10, 40, 7, 131, false, false}, {3, 5, 2, 1, true, false},
    {5, 1, 4, 4, false, true},    {4, 300, 3, 300, true, false},
};

// Labels go round, some outside the classes; class 1 is missing from the second batch.
Ints labels(int n, int classes, int side) {
    Ints out(n);
    for (int i = 0; i < n; i++) {
        out[i] = int(mmc_rng_at(11, MMC_RNG_TOY, 70 + uint32_t(side), uint64_t(i)) % uint32_t(classes + 1));
        if (out[i] == classes)
            out[i] = i % 2 ? classes : -1;
        if (side == 1 && out[i] == 1)
            out[i] = 0;
    }
    return out;
}

struct Result {
    double distance;
    Floats drep[2];
};

Result run(const Backend &be, const Case &c, const Floats rep[2], bool wanted = true) {
    const int n[2] = {c.n0, c.n1};
    const Floats before = uniform(size_t(std::max(c.n0, c.n1)) * c.c, 75);
    Buffer distance(be, sizeof(double)), workspace(be, mmc_class_means_workspace_size(c.classes, c.c));
    std::unique_ptr<Buffer> reps[2], label[2], drep[2];
    mmc_class_means_call call = {};
    call.classes = c.classes;
    call.c = c.c;
    call.unit = c.unit;
    call.weight = 0.75f;
    call.distance = distance.d();
    call.workspace = workspace.raw();
    for (int side = 0; side < 2; side++) {
        reps[side] = std::make_unique<Buffer>(be, rep[side]);
        label[side] = std::make_unique<Buffer>(be, labels(n[side], c.classes, side));
        const size_t count = size_t(n[side]) * c.c;
        drep[side] = c.add ? std::make_unique<Buffer>(be, Floats(before.begin(), before.begin() + long(count)))
                           : std::make_unique<Buffer>(be, count * sizeof(float));
        call.batch[side] = {n[side], reps[side]->f(), label[side]->i(), wanted ? drep[side]->f() : nullptr, c.add};
    }
    EXPECT_EQ(be->flat->class_means(be->queue, &call), MMC_OK) << mmc_error_message();
    return {distance.read<double>()[0], {drep[0]->read<float>(), drep[1]->read<float>()}};
}

class ClassMeansParity : public testing::TestWithParam<Where> {};

TEST_P(ClassMeansParity, AgreesWithTheReference) {
    Backend reference("cpu", "reference", 1);
    for (const Case &c : cases) {
        SCOPED_TRACE(std::to_string(c.classes) + " classes, " + std::to_string(c.c) + " channels");
        const Floats rep[2] = {uniform(size_t(c.n0) * c.c, 71), uniform(size_t(c.n1) * c.c, 72)};
        Result expected = run(reference, c, rep), first;
        EXPECT_GT(expected.distance, 0);
        for (int threads : {1, 2}) {
            Backend be(GetParam().backend, GetParam().provider, threads);
            if (be.status == MMC_ERR_MISSING)
                GTEST_SKIP() << be.message;
            ASSERT_EQ(be.status, MMC_OK) << be.message;
            Result got = run(be, c, rep);
            EXPECT_NEAR(got.distance, expected.distance, 1e-12 * expected.distance);
            for (int side = 0; side < 2; side++)
                expect_close(got.drep[side], expected.drep[side], 2e-7, "drep " + std::to_string(side));
            for (int side = 0; side < 2 && threads > 1; side++) {
                EXPECT_TRUE(same_bits(got.drep[side], first.drep[side])) << "differs at 2 threads";
            }
            EXPECT_EQ(run(be, c, rep, false).distance, got.distance) << "without gradients";
            first = got;
        }
    }
}

// A mean of zero has no direction: its gradient is zero, that of the other side finite.
TEST_P(ClassMeansParity, LeavesMeansWithoutDirection) {
    Backend be(GetParam().backend, GetParam().provider, 1);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    const Case c = {3, 8, 6, 6, true, false};
    const Floats rep[2] = {Floats(6 * 8, 0.0f), uniform(6 * 8, 73)};
    Result got = run(be, c, rep);
    for (float v : got.drep[0])
        EXPECT_EQ(v, 0);
    for (float v : got.drep[1])
        EXPECT_NEAR(v, 0, 1e-6); // the length of a unit vector does not change
}

TEST(ClassMeansReference, GradientIsThatOfTheDistance) {
    Backend be("cpu", "reference", 1);
    for (bool unit : {false, true}) {
        const Case c = {4, 6, 9, 8, unit, false};
        Floats rep[2] = {uniform(9 * 6, 71, .1f, 1), uniform(8 * 6, 72, .1f, 1)};
        const Result at = run(be, c, rep);
        for (int side = 0; side < 2; side++)
            for (size_t i = 0; i < rep[side].size(); i += 5) {
                const float v = rep[side][i];
                rep[side][i] = v + 0x1p-7f;
                const double above = run(be, c, rep).distance;
                rep[side][i] = v - 0x1p-7f;
                const double below = run(be, c, rep).distance;
                rep[side][i] = v;
                EXPECT_NEAR(at.drep[side][i], 0.75 * (above - below) / 0x1p-6, 2e-5) << "side " << side << ", " << i;
            }
    }
}

std::string provider_name(const testing::TestParamInfo<Where> &info) {
    return std::string(info.param.backend) + "_" + info.param.provider;
}

INSTANTIATE_TEST_SUITE_P(All, ClassMeansParity, testing::ValuesIn(everywhere), provider_name);

} // namespace
} // namespace parity
