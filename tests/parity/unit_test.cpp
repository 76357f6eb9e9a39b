// Every unit case, every provider: against the reference, at other thread counts, without allocation.
#include "tests/parity/cases.h"
#include "tests/parity/device.h"
#ifdef MMC_PARITY_EMULATED
#include "tests/simt/control.h"
#endif

#include <algorithm>
#include <atomic>
#include <memory>
#include <tuple>

/* The library's own allocations, counted by the linker's --wrap; those inside vendor libraries are not ours, and an
 * emulated device allocates as it likes. */
static std::atomic<long> allocations;
#ifndef MMC_PARITY_EMULATED
extern "C" {
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
void *__wrap_malloc(size_t size) {
    allocations++;
    return __real_malloc(size);
}
void *__wrap_calloc(size_t count, size_t size) {
    allocations++;
    return __real_calloc(count, size);
}
void *__wrap_realloc(void *p, size_t size) {
    allocations++;
    return __real_realloc(p, size);
}
void *__wrap_aligned_alloc(size_t alignment, size_t size) {
    allocations++;
    return __real_aligned_alloc(alignment, size);
}
}
#endif

namespace parity {
namespace {

// All inputs of a case on the host; parameters of a set lie set_stride apart in one vector.
struct Inputs {
    const UnitCase &c;
    mmc_unit_shape s;
    int rows, columns, x_sets;
    size_t weight_count, set_stride;
    Floats x, residual, w, channels, dy, dx_before, dresidual_before;

    explicit Inputs(const UnitCase &unit) : c(unit), s(unit.shape) {
        rows = mmc_unit_out_h(&s);
        columns = mmc_unit_out_w(&s);
        x_sets = (c.flags & SHARED_X) ? 1 : c.sets;
        weight_count = size_t(s.k) * s.c * s.r * s.r;
        set_stride = weight_count + 4 * s.k + 3; // odd: sets need not be aligned
        x = uniform(size_t(x_sets) * s.n * s.c * s.h * s.w, 1);
        residual = uniform(out_count() * c.sets, 2);
        dy = uniform(out_count(), 3);
        dx_before = uniform(size_t(s.n) * s.c * s.h * s.w, 4);
        dresidual_before = uniform(out_count(), 5);
        float bound = std::sqrt(3.0f / float(s.c * s.r * s.r));
        w = uniform(set_stride * c.sets, 6, -bound, bound);
        for (int t = 0; t < c.sets; t++) {
            Floats some = uniform(size_t(4) * s.k, 7 + uint32_t(t));
            for (int k = 0; k < s.k; k++) {
                float *set = &w[t * set_stride + weight_count];
                set[k] = some[k] + (some[k] < 0 ? -.5f : .5f); // gamma, also negative
                set[s.k + k] = some[s.k + k];                  // beta
                set[2 * s.k + k] = some[2 * s.k + k];          // running mean
                set[3 * s.k + k] = 1.5f + some[3 * s.k + k];   // running variance
            }
        }
    }
    // Both sides are given what the provider's precision can hold: what is compared is the arithmetic.
    void round_for(const Backend &be) {
        for (Floats *v : {&x, &residual, &dy, &dx_before, &dresidual_before})
            *v = be.rounded(*v);
        Floats weights = be.rounded(w); // of which the parameters of batch norm stay as they are
        for (int t = 0; t < c.sets; t++)
            std::copy_n(&weights[t * set_stride], weight_count, &w[t * set_stride]);
    }
    size_t out_count() const {
        return size_t(s.n) * s.k * rows * columns;
    }
};

struct Trained {
    Floats y, z, mean, var;
};

struct Gradients {
    Floats dx, dresidual, dw, dgamma, dbeta;
};

class Runner {
  public:
    Runner(const Backend &backend, const Inputs &inputs)
        : be(backend), in(inputs), s(inputs.s), state(be, in.w), x(be, in.x_sets, s.n, s.c, s.h, s.w),
          residual(be, in.c.sets, s.n, s.k, in.rows, in.columns), y(be, in.c.sets, s.n, s.k, in.rows, in.columns),
          z(be, in.c.sets, s.n, s.k, in.rows, in.columns) {
        x.put(in.x);
        residual.put(in.residual);
    }

    // Planned for the largest batch, as networks do.
    mmc_unit_shape planned() const {
        mmc_unit_shape plan = s;
        plan.n += (in.c.flags & SHORT_BATCH) ? 5 : 0;
        return plan;
    }
    std::unique_ptr<Buffer> packed(mmc_pack_mode mode) {
        const mmc_unit_shape plan = planned();
        auto p = std::make_unique<Buffer>(be, be->unit->pack_size(be->queue, &plan, mode, in.c.sets));
        EXPECT_EQ(be->unit->pack(be->queue, p->raw(), &plan, mode, in.c.sets, state.f(), in.set_stride), MMC_OK)
            << mmc_error_message();
        return p;
    }
    std::unique_ptr<Buffer> workspace(mmc_pack_mode mode) {
        const mmc_unit_shape plan = planned();
        return std::make_unique<Buffer>(be, be->unit->workspace_size(be->queue, &plan, mode, in.c.sets));
    }
    float *parameter(int which) {
        return state.f() + in.weight_count + size_t(which) * s.k;
    }

    // z kept for backward (TRAIN) or apart; else y is written over z.
    Trained train(mmc_pack_mode mode, bool apart = false) {
        auto weights = packed(mode), work = workspace(mode);
        const size_t stride = size_t(s.k) + 5;
        Buffer mean(be, stride * in.c.sets * sizeof(float)), var(be, stride * in.c.sets * sizeof(float));
        mmc_unit_train_call call = {};
        call.shape = s;
        call.sets = in.c.sets;
        call.y = &y;
        const bool kept = mode == MMC_PACK_TRAIN || apart;
        call.z = kept ? &z : &y;
        call.mean = mean.f();
        call.var = var.f();
        call.stat_stride = stride;
        call.x = &x;
        call.packed = weights->raw();
        call.gamma = parameter(0);
        call.beta = parameter(1);
        call.set_stride = in.set_stride;
        call.residual = s.residual ? &residual : nullptr;
        call.workspace = work->raw();
        EXPECT_EQ(be->unit->train(be->queue, &call), MMC_OK) << mmc_error_message();
        long before = allocations;
        EXPECT_EQ(be->unit->train(be->queue, &call), MMC_OK);
        EXPECT_EQ(allocations, before) << "train allocates in the steady state";
        Trained out = {y.get(), kept ? z.get() : Floats(), {}, {}};
        Floats m = mean.read<float>(), v = var.read<float>();
        for (int t = 0; t < in.c.sets; t++)
            for (int k = 0; k < s.k; k++) {
                out.mean.push_back(m[t * stride + k]);
                out.var.push_back(v[t * stride + k]);
            }
        return out;
    }

    Floats eval() {
        auto weights = packed(MMC_PACK_EVAL), work = workspace(MMC_PACK_EVAL);
        mmc_unit_eval_call call = {};
        call.shape = s;
        call.sets = in.c.sets;
        call.y = &y;
        call.x = &x;
        call.packed = weights->raw();
        call.gamma = parameter(0);
        call.beta = parameter(1);
        call.mean = parameter(2);
        call.var = parameter(3);
        call.set_stride = in.set_stride;
        call.residual = s.residual ? &residual : nullptr;
        call.workspace = work->raw();
        EXPECT_EQ(be->unit->eval(be->queue, &call), MMC_OK) << mmc_error_message();
        long before = allocations;
        EXPECT_EQ(be->unit->eval(be->queue, &call), MMC_OK);
        EXPECT_EQ(allocations, before) << "eval allocates in the steady state";
        return y.get();
    }

    // From the given forward values, so that a ReLU input near 0 cannot take another side here than there.
    Gradients backward(const Trained &forward) {
        auto weights = packed(MMC_PACK_TRAIN), work = workspace(MMC_PACK_TRAIN);
        Buffer mean(be, forward.mean), var(be, forward.var);
        Activation dy(be, 1, s.n, s.k, in.rows, in.columns), dx(be, 1, s.n, s.c, s.h, s.w),
            dresidual(be, 1, s.n, s.k, in.rows, in.columns);
        Buffer dw(be, in.weight_count * sizeof(float)), dgamma(be, s.k * sizeof(float)), dbeta(be, s.k * sizeof(float));
        y.put(forward.y);
        z.put(forward.z);
        mmc_unit_backward_call call = {};
        call.shape = s;
        call.dx = (in.c.flags & NO_DX) ? nullptr : &dx;
        call.dx_add = in.c.flags & DX_ADD;
        call.dresidual = s.residual ? &dresidual : nullptr;
        call.dresidual_add = in.c.flags & DRESIDUAL_ADD;
        call.dw = dw.f();
        call.dgamma = dgamma.f();
        call.dbeta = dbeta.f();
        call.dy = &dy;
        call.y = &y;
        call.z = &z;
        call.x = &x;
        call.packed = weights->raw();
        call.gamma = parameter(0);
        call.mean = mean.f();
        call.var = var.f();
        call.workspace = work->raw();
        for (int run = 0; run < 2; run++) { // the second one must not allocate
            dy.put(in.dy);
            if (call.dx_add)
                dx.put(in.dx_before);
            if (call.dresidual_add)
                dresidual.put(in.dresidual_before);
            long before = allocations;
            EXPECT_EQ(be->unit->backward(be->queue, &call), MMC_OK) << mmc_error_message();
            if (run)
                EXPECT_EQ(allocations, before) << "backward allocates in the steady state";
        }
        return {call.dx ? dx.get() : Floats(), call.dresidual ? dresidual.get() : Floats(), dw.read<float>(),
                dgamma.read<float>(), dbeta.read<float>()};
    }

  private:
    const Backend &be;
    const Inputs &in;
    mmc_unit_shape s;
    Buffer state;
    Activation x, residual, y, z;
};

class UnitParity : public testing::TestWithParam<std::tuple<Provider, UnitCase>> {};

// Within the tolerance of the case of the largest value; where products are computed from rounded values, within
// 4 sqrt(terms of a sum) roundings of the root mean square.
void expect_agreement(const Backend &be, const UnitCase &unit, const Floats &computed, const Floats &expected,
                      double terms, const std::string &what) {
    if (be.unit_roundoff() == 0)
        expect_close(computed, expected, unit.tolerance, what);
    else
        expect_close_rms(computed, expected, 4 * std::sqrt(terms) * be.unit_roundoff(), what);
}

TEST_P(UnitParity, AgreesWithTheReference) {
    const auto &[provider, unit] = GetParam();
    Backend reference("cpu", "reference", 2), be(provider.backend, provider.provider, 2, provider.precision);
    ASSERT_EQ(reference.status, MMC_OK);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    ASSERT_EQ(be.status, MMC_OK) << be.message;
    Inputs in(unit);
    in.round_for(be);
    Runner expected(reference, in), computed(be, in);
    SCOPED_TRACE(be->unit->detail(be->queue, &in.s, MMC_PACK_EVAL));
    const mmc_unit_shape &s = unit.shape;
    const double inputs = double(s.c) * s.r * s.r, outputs = double(s.k) * s.r * s.r,
                 positions = double(s.n) * in.rows * in.columns;
    auto agree = [&, &b = be, &u = unit](const Floats &a, const Floats &e, double terms, const char *what) {
        expect_agreement(b, u, a, e, terms, what);
    };

    agree(computed.eval(), expected.eval(), inputs, "eval");
    Trained stats = expected.train(MMC_PACK_STATS), got = computed.train(MMC_PACK_STATS);
    agree(got.y, stats.y, inputs, "stats_y");
    // A mean near 0 is the rounded sum of larger values: their spread is what it is measured by.
    double spread = std::sqrt(*std::max_element(stats.var.begin(), stats.var.end()));
    expect_close(got.mean, stats.mean, std::max(unit.tolerance, 4 * std::sqrt(inputs) * be.unit_roundoff()), "mean",
                 spread);
    agree(got.var, stats.var, inputs, "var");
    if (be->defers) // y and z apart, as networks place them where y may be put off
        agree(computed.train(MMC_PACK_STATS, true).y, stats.y, inputs, "stats_y_apart");
    if (unit.sets > 1)
        return; // gradients are of one set
    Trained forward = expected.train(MMC_PACK_TRAIN), train = computed.train(MMC_PACK_TRAIN);
    agree(train.y, forward.y, inputs, "train_y");
    agree(train.z, forward.z, inputs, "train_z");
    Gradients back = expected.backward(forward), gradients = computed.backward(forward);
    agree(gradients.dw, back.dw, positions, "dw");
    agree(gradients.dgamma, back.dgamma, positions, "dgamma");
    agree(gradients.dbeta, back.dbeta, positions, "dbeta");
    agree(gradients.dx, back.dx, outputs, "dx");
    agree(gradients.dresidual, back.dresidual, 1, "dresidual");
}

class UnitBits : public UnitParity {};

TEST_P(UnitBits, AreTheSameAgain) {
    const auto &[provider, unit] = GetParam();
    Inputs in(unit);
    std::vector<Floats> first;
    for (int threads : {2, provider.any_threads ? 1 : 2}) {
#ifdef MMC_PARITY_EMULATED
        simt_seed(static_cast<unsigned>(threads)); // another order of threads, blocks and streams
#endif
        Backend be(provider.backend, provider.provider, threads, provider.precision);
        if (be.status == MMC_ERR_MISSING)
            GTEST_SKIP() << be.message;
        ASSERT_EQ(be.status, MMC_OK) << be.message;
        Runner runner(be, in);
        Trained stats = runner.train(MMC_PACK_STATS);
        std::vector<Floats> all = {runner.eval(), stats.y, stats.mean, stats.var};
        if (unit.sets == 1) {
            Gradients g = runner.backward(runner.train(MMC_PACK_TRAIN));
            all.insert(all.end(), {g.dx, g.dresidual, g.dw, g.dgamma, g.dbeta});
        }
        if (first.empty())
            first = all;
        else
            for (size_t i = 0; i < all.size(); i++)
                EXPECT_TRUE(same_bits(all[i], first[i])) << "output " << i << " at " << threads << " threads";
    }
}

std::string unit_name(const testing::TestParamInfo<UnitParity::ParamType> &info) {
    return std::get<0>(info.param).name() + "_" + std::get<1>(info.param).name;
}

INSTANTIATE_TEST_SUITE_P(All, UnitParity, testing::Combine(testing::ValuesIn(providers), testing::ValuesIn(unit_cases)),
                         unit_name);

// An emulated device has the time for the smaller cases.
std::vector<UnitCase> bits_cases() {
    std::vector<UnitCase> out;
    for (const UnitCase &c : unit_cases)
#ifdef MMC_PARITY_EMULATED
        if (c.flop() < 1e6)
#endif
            out.push_back(c);
    return out;
}

INSTANTIATE_TEST_SUITE_P(All, UnitBits, testing::Combine(testing::ValuesIn(providers), testing::ValuesIn(bits_cases())),
                         unit_name);

class LayoutParity : public testing::TestWithParam<Provider> {};

// Channels, rows, columns of the activations that networks hold, also odd ones.
const int planes[][4] = {{7, 3, 32, 32}, {2, 3, 64, 32}, {1, 5, 7, 5}, {131, 13, 4, 4}, {3, 104, 2, 2}, {2, 64, 8, 8}};

TEST_P(LayoutParity, CrossesTheBoundaryUnchanged) {
    Backend be(GetParam().backend, GetParam().provider, 2, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    for (const auto &p : planes)
        for (int sets : {1, 3}) {
            Activation a(be, sets, p[0], p[1], p[2], p[3]);
            Floats values = be.rounded(uniform(mmc_activation_count(&a.view), 20));
            a.put(values);
            EXPECT_EQ(a.get(), values) << p[1] << "x" << p[2] << "x" << p[3] << " sets " << sets;
        }
}

TEST_P(LayoutParity, RendersWhatTheDefinitionSays) {
    Backend be(GetParam().backend, GetParam().provider, 2, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    const int count = 5, plane = MMC_IMAGE_SIDE * MMC_IMAGE_SIDE;
    for (int channels : {1, 3})
        for (bool dominoes : {false, true}) {
            std::vector<uint8_t> natural(size_t(count) * channels * plane), top(size_t(count) * plane);
            for (size_t i = 0; i < natural.size(); i++)
                natural[i] = uint8_t(mmc_rng_at(1, MMC_RNG_TOY, 1, i));
            for (size_t i = 0; i < top.size(); i++)
                top[i] = uint8_t(mmc_rng_at(1, MMC_RNG_TOY, 2, i));
            std::vector<mmc_sample> samples;
            for (int i = 0; i < 7; i++) {
                int cue = i == 3 ? -1 : dominoes ? i % count : i;
                float colour = cue < 0 || dominoes ? 0.0f : 1.0f / float(i + 1);
                samples.push_back({i % count, cue, {colour, colour / 2, 0}});
            }
            const int height = dominoes ? 64 : 32;
            mmc_image_store host = {
                natural.data(), dominoes ? top.data() : nullptr, count, dominoes ? count : 0, channels, height};
            Floats expected;
            for (const mmc_sample &sample : samples) {
                Floats image(size_t(3) * height * MMC_IMAGE_SIDE);
                mmc_render_one(image.data(), &host, &sample);
                expected.insert(expected.end(), image.begin(), image.end());
            }
            Buffer dnatural(be, natural), dtop(be, top), dsamples(be, samples);
            mmc_image_store store = host;
            store.natural = static_cast<const uint8_t *>(dnatural.raw());
            store.top = dominoes ? static_cast<const uint8_t *>(dtop.raw()) : nullptr;
            Activation out(be, 1, int(samples.size()), 3, height, MMC_IMAGE_SIDE);
            ASSERT_EQ(be->unit->render(be->queue, &out, &store, static_cast<const mmc_sample *>(dsamples.raw())),
                      MMC_OK);
            const Floats got = out.get(); // tf32 may be rounded here or when it is multiplied
            EXPECT_TRUE(got == expected || got == be.rounded(expected)) << channels << " channels, height " << height;
        }
}

TEST_P(LayoutParity, PoolsAndSpreads) {
    Backend be(GetParam().backend, GetParam().provider, 2, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    for (const auto &p : planes) {
        const int sets = 2;
        Activation x(be, sets, p[0], p[1], p[2], p[3]);
        Floats values = be.rounded(uniform(mmc_activation_count(&x.view), 21)), expected;
        const size_t plane = size_t(p[2]) * p[3];
        for (size_t row = 0; row < values.size() / plane; row++) {
            double sum = 0;
            for (size_t i = 0; i < plane; i++)
                sum += values[row * plane + i];
            expected.push_back(float(sum / double(plane)));
        }
        x.put(values);
        Buffer rep(be, expected.size() * sizeof(float));
        ASSERT_EQ(be->unit->pool(be->queue, rep.f(), &x), MMC_OK);
        expect_close(rep.read<float>(), expected, 1e-6, "pool");

        Activation dx(be, 1, p[0], p[1], p[2], p[3]);
        Floats drep = uniform(size_t(p[0]) * p[1], 22), spread;
        for (float v : drep)
            spread.insert(spread.end(), plane, v / float(plane));
        Buffer given(be, drep);
        ASSERT_EQ(be->unit->pool_backward(be->queue, &dx, given.f()), MMC_OK);
        expect_close(dx.get(), spread, std::max(2e-7, be.unit_roundoff()), "pool_backward");
    }
}

// A value that is no number must not end as a finite loss: ReLU lets it pass.
TEST_P(LayoutParity, LetsNotANumberThrough) {
    Backend be(GetParam().backend, GetParam().provider, 2, GetParam().precision);
    if (be.status == MMC_ERR_MISSING)
        GTEST_SKIP() << be.message;
    UnitCase unit = {"nan", {2, 4, 4, 4, 6, 3, 1, true, false}, 1, PLAIN, 0};
    Inputs in(unit);
    in.x[5] = std::nanf("");
    Runner runner(be, in);
    for (const Floats &y : {runner.train(MMC_PACK_STATS).y, runner.eval()}) {
        bool seen = false;
        for (float v : y)
            seen |= std::isnan(v);
        EXPECT_TRUE(seen);
    }
}

std::string layout_name(const testing::TestParamInfo<Provider> &info) {
    return info.param.name();
}

INSTANTIATE_TEST_SUITE_P(All, LayoutParity, testing::ValuesIn(providers), layout_name);

} // namespace
} // namespace parity
