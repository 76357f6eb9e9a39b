// The unit of the provider `own` against its definition in plain double loops, on odd shapes, for every instruction
// set: forward, folded, backward, several weight sets, guards, thread counts.
#include "tests/unit/own_support.h"

namespace {

struct unit_case {
    int sets;
    mmc_unit_shape s;
};

/* Everything in double: z, statistics, y; and the gradients. */
struct expected {
    std::vector<double> z, mean, var, y, folded, g, dx, dw, dgamma, dbeta;
};

struct inputs {
    std::vector<float> x, w, gamma, beta, mean, var, residual, dy, before;
};

size_t out_count(const mmc_unit_shape &s) {
    return (size_t)s.n * s.k * mmc_unit_out_h(&s) * mmc_unit_out_w(&s);
}

inputs make(const unit_case &u, bool shared) {
    const mmc_unit_shape &s = u.s;
    numbers r(s.n * 131 + s.c * 17 + s.k + s.h);
    inputs in;
    const size_t weights = (size_t)s.k * s.c * s.r * s.r;
    in.x = r.take((size_t)(shared ? 1 : u.sets) * s.n * s.c * s.h * s.w, 1, 0.25f);
    in.w = r.take(u.sets * weights);
    in.gamma = r.take(u.sets * s.k, 0.5f, 1);
    in.beta = r.take(u.sets * s.k, 0.5f, 0.25f);
    in.mean = r.take(u.sets * s.k);
    in.var = r.take(u.sets * s.k, 0.5f, 1);
    in.residual = r.take(u.sets * out_count(s));
    in.dy = r.take(out_count(s));
    in.before = r.take((size_t)s.n * s.c * s.h * s.w);
    return in;
}

expected define(const unit_case &u, const inputs &in, bool shared) {
    const mmc_unit_shape &s = u.s;
    const int oh = mmc_unit_out_h(&s), ow = mmc_unit_out_w(&s), pixels = oh * ow, rr = s.r * s.r;
    expected e;
    e.z.resize(u.sets * out_count(s));
    e.y = e.folded = e.z;
    e.mean.resize(u.sets * s.k);
    e.var = e.mean;
    auto tap = [&](int o, int t) { return o * s.stride + t - s.r / 2; };
    for (int t = 0; t < u.sets; t++)
        for (int n = 0; n < s.n; n++)
            for (int k = 0; k < s.k; k++)
                for (int y = 0; y < oh; y++)
                    for (int x = 0; x < ow; x++) {
                        double sum = 0;
                        for (int c = 0; c < s.c; c++)
                            for (int i = 0; i < rr; i++) {
                                const int iy = tap(y, i / s.r), ix = tap(x, i % s.r);
                                if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w)
                                    continue;
                                sum +=
                                    (double)in.w[((size_t)(t * s.k + k) * s.c + c) * rr + i] *
                                    in.x[(((size_t)(shared ? 0 : t) * s.n + n) * s.c + c) * s.h * s.w + iy * s.w + ix];
                            }
                        e.z[(((size_t)t * s.n + n) * s.k + k) * pixels + y * ow + x] = sum;
                    }
    const double m = (double)s.n * pixels;
    for (int t = 0; t < u.sets; t++)
        for (int k = 0; k < s.k; k++) {
            const int at = t * s.k + k;
            double sum = 0, squares = 0;
            for (int i = 0; i < s.n * pixels; i++)
                sum += e.z[((size_t)(t * s.n + i / pixels) * s.k + k) * pixels + i % pixels];
            const double mean = sum / m;
            for (int i = 0; i < s.n * pixels; i++)
                squares += std::pow(e.z[((size_t)(t * s.n + i / pixels) * s.k + k) * pixels + i % pixels] - mean, 2);
            e.mean[at] = mean;
            e.var[at] = squares / m;
            for (int i = 0; i < s.n * pixels; i++) {
                const size_t j = ((size_t)(t * s.n + i / pixels) * s.k + k) * pixels + i % pixels;
                const double res = s.residual ? in.residual[j] : 0;
                double y = (e.z[j] - mean) / std::sqrt(e.var[at] + 1e-5) * in.gamma[at] + in.beta[at] + res;
                double f = (e.z[j] - in.mean[at]) / std::sqrt(in.var[at] + 1e-5) * in.gamma[at] + in.beta[at] + res;
                e.y[j] = s.relu ? std::max(y, 0.0) : y;
                e.folded[j] = s.relu ? std::max(f, 0.0) : f;
            }
        }
    if (u.sets > 1)
        return e;
    e.g.resize(out_count(s));
    e.dgamma.resize(s.k);
    e.dbeta.resize(s.k);
    std::vector<double> dz(out_count(s));
    for (int k = 0; k < s.k; k++) {
        const double inverse = 1 / std::sqrt(e.var[k] + 1e-5);
        for (int i = 0; i < s.n * pixels; i++) {
            const size_t j = ((size_t)(i / pixels) * s.k + k) * pixels + i % pixels;
            e.g[j] = !s.relu || e.y[j] > 0 ? in.dy[j] : 0;
            e.dbeta[k] += e.g[j];
            e.dgamma[k] += e.g[j] * (e.z[j] - e.mean[k]) * inverse;
        }
        for (int i = 0; i < s.n * pixels; i++) {
            const size_t j = ((size_t)(i / pixels) * s.k + k) * pixels + i % pixels;
            dz[j] =
                in.gamma[k] * inverse * (e.g[j] - e.dbeta[k] / m - (e.z[j] - e.mean[k]) * inverse * e.dgamma[k] / m);
        }
    }
    e.dx.resize((size_t)s.n * s.c * s.h * s.w);
    e.dw.resize((size_t)s.k * s.c * rr);
    for (int n = 0; n < s.n; n++)
        for (int k = 0; k < s.k; k++)
            for (int y = 0; y < oh; y++)
                for (int x = 0; x < ow; x++)
                    for (int c = 0; c < s.c; c++)
                        for (int i = 0; i < rr; i++) {
                            const int iy = tap(y, i / s.r), ix = tap(x, i % s.r);
                            if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w)
                                continue;
                            const size_t xi = ((size_t)n * s.c + c) * s.h * s.w + iy * s.w + ix;
                            const size_t wi = ((size_t)k * s.c + c) * rr + i;
                            const double d = dz[((size_t)n * s.k + k) * pixels + y * ow + x];
                            e.dx[xi] += d * in.w[wi];
                            e.dw[wi] += d * in.x[xi];
                        }
    return e;
}

struct results {
    std::vector<float> z, mean, var, y, stats_y, folded, dresidual, dx, dx_added, dw, dgamma, dbeta;
    bool operator==(const results &o) const {
        return z == o.z && mean == o.mean && var == o.var && y == o.y && stats_y == o.stats_y && folded == o.folded &&
               dresidual == o.dresidual && dx == o.dx && dx_added == o.dx_added && dw == o.dw && dgamma == o.dgamma &&
               dbeta == o.dbeta;
    }
};

results run(const mmc_unit_ops *ops, const unit_case &u, const inputs &in, bool shared) {
    const mmc_unit_shape &s = u.s;
    const int oh = mmc_unit_out_h(&s), ow = mmc_unit_out_w(&s);
    const size_t weights = (size_t)s.k * s.c * s.r * s.r;
    results out;
    held x(ops, shared ? 1 : u.sets, s.n, s.c, s.h, s.w), y(ops, u.sets, s.n, s.k, oh, ow),
        z(ops, u.sets, s.n, s.k, oh, ow), residual(ops, u.sets, s.n, s.k, oh, ow);
    x.put(in.x);
    residual.put(in.residual);
    std::vector<float> mean(u.sets * s.k), var(u.sets * s.k);

    const mmc_pack_mode mode = u.sets > 1 ? MMC_PACK_STATS : MMC_PACK_TRAIN;
    guarded packed(ops->pack_size(nullptr, &s, mode, u.sets)),
        workspace(ops->workspace_size(nullptr, &s, mode, u.sets));
    EXPECT_EQ(ops->pack(nullptr, packed.floats(), &s, mode, u.sets, in.w.data(), weights), MMC_OK);
    mmc_unit_train_call train = {};
    train.shape = s;
    train.sets = u.sets;
    train.y = &y.view;
    train.z = &z.view;
    train.mean = mean.data();
    train.var = var.data();
    train.stat_stride = train.set_stride = s.k;
    train.x = &x.view;
    train.packed = packed.floats();
    train.gamma = in.gamma.data();
    train.beta = in.beta.data();
    train.residual = s.residual ? &residual.view : nullptr;
    train.workspace = workspace.floats();
    EXPECT_EQ(ops->train(nullptr, &train), MMC_OK);
    out.z = z.get();
    out.y = y.get();
    out.mean = mean;
    out.var = var;

    {
        guarded stats(ops->pack_size(nullptr, &s, MMC_PACK_STATS, u.sets)),
            scratch(ops->workspace_size(nullptr, &s, MMC_PACK_STATS, u.sets));
        EXPECT_EQ(ops->pack(nullptr, stats.floats(), &s, MMC_PACK_STATS, u.sets, in.w.data(), weights), MMC_OK);
        held both(ops, u.sets, s.n, s.k, oh, ow);
        mmc_unit_train_call call = train;
        call.y = call.z = &both.view;
        call.packed = stats.floats();
        call.workspace = scratch.floats();
        EXPECT_EQ(ops->train(nullptr, &call), MMC_OK);
        out.stats_y = both.get();
    }
    {
        guarded eval(ops->pack_size(nullptr, &s, MMC_PACK_EVAL, u.sets)),
            scratch(ops->workspace_size(nullptr, &s, MMC_PACK_EVAL, u.sets));
        EXPECT_EQ(ops->pack(nullptr, eval.floats(), &s, MMC_PACK_EVAL, u.sets, in.w.data(), weights), MMC_OK);
        held folded(ops, u.sets, s.n, s.k, oh, ow);
        mmc_unit_eval_call call = {};
        call.shape = s;
        call.sets = u.sets;
        call.y = &folded.view;
        call.x = &x.view;
        call.packed = eval.floats();
        call.gamma = in.gamma.data();
        call.beta = in.beta.data();
        call.mean = in.mean.data();
        call.var = in.var.data();
        call.set_stride = s.k;
        call.residual = train.residual;
        call.workspace = scratch.floats();
        EXPECT_EQ(ops->eval(nullptr, &call), MMC_OK);
        out.folded = folded.get();
        /* Lanes beyond the batch stay zero: the sum over the raw memory is the sum over the images. */
        const float *raw = folded.memory.floats();
        size_t nonzero = 0, counted = 0;
        for (size_t i = 0; i < folded.memory.size / 4; i++)
            nonzero += raw[i] != 0;
        for (float f : out.folded)
            counted += f != 0;
        EXPECT_EQ(nonzero, counted) << "lanes beyond the batch hold numbers";
    }
    if (u.sets > 1)
        return out;
    for (int add = 0; add < 2; add++) {
        held dx(ops, 1, s.n, s.c, s.h, s.w), dy(ops, 1, s.n, s.k, oh, ow), dres(ops, 1, s.n, s.k, oh, ow);
        dy.put(in.dy);
        if (add) {
            dx.put(in.before);
            dres.put(in.residual);
        }
        out.dw.assign(weights, NAN);
        out.dgamma.assign(s.k, NAN);
        out.dbeta.assign(s.k, NAN);
        mmc_unit_backward_call call = {};
        call.shape = s;
        call.dx = &dx.view;
        call.dx_add = add;
        call.dresidual = s.residual ? &dres.view : nullptr;
        call.dresidual_add = add;
        call.dw = out.dw.data();
        call.dgamma = out.dgamma.data();
        call.dbeta = out.dbeta.data();
        call.dy = &dy.view;
        call.y = &y.view;
        call.z = &z.view;
        call.x = &x.view;
        call.packed = packed.floats();
        call.gamma = in.gamma.data();
        call.mean = mean.data();
        call.var = var.data();
        call.workspace = workspace.floats();
        EXPECT_EQ(ops->backward(nullptr, &call), MMC_OK);
        if (add) {
            out.dx_added = dx.get();
            for (size_t i = 0; i < out.dx_added.size(); i++)
                out.dx_added[i] -= in.before[i];
            if (s.residual) {
                auto added = dres.get();
                for (size_t i = 0; i < added.size(); i++)
                    EXPECT_NEAR(added[i], in.residual[i] + out.dresidual[i], 1e-5);
            }
        } else {
            out.dx = dx.get();
            if (s.residual)
                out.dresidual = dres.get();
        }
    }
    return out;
}

const unit_case cases[] = {
    /* sets, n c h w, k r stride, relu residual */
    {1, {1, 3, 8, 8, 4, 3, 1, true, false}},    {1, {7, 5, 6, 5, 3, 3, 1, true, true}},
    {1, {17, 8, 32, 32, 8, 3, 1, true, true}},  {1, {33, 8, 16, 16, 16, 3, 2, true, false}},
    {1, {40, 13, 4, 4, 5, 3, 1, false, false}}, {1, {70, 9, 2, 2, 10, 3, 1, true, false}},
    {1, {20, 6, 1, 1, 7, 3, 1, true, false}},   {1, {18, 8, 9, 7, 6, 3, 2, true, true}},
    {1, {19, 6, 8, 8, 12, 1, 2, false, false}}, {1, {5, 4, 7, 7, 6, 1, 2, true, false}},
    {1, {3, 7, 5, 5, 9, 1, 1, true, true}},     {1, {16, 4, 64, 32, 4, 3, 1, true, false}},
    {1, {9, 3, 64, 32, 5, 3, 1, true, false}},  {1, {34, 16, 4, 4, 12, 3, 2, true, false}},
    {1, {35, 24, 8, 8, 20, 3, 1, true, true}},  {1, {6, 40, 4, 4, 36, 3, 1, true, false}},
    {3, {17, 5, 8, 8, 6, 3, 1, true, true}},    {2, {40, 8, 4, 4, 8, 3, 2, true, false}},
    {2, {4, 8, 16, 16, 8, 3, 1, true, false}},  {1, {2, 2, 3, 2, 2, 3, 1, true, false}},
};

class own_unit : public ::testing::TestWithParam<std::string> {};

TEST_P(own_unit, equals_the_definition) {
    const mmc_unit_ops *ops = unit_ops_of(GetParam());
    ASSERT_NE(ops, nullptr) << mmc_error_message();
    for (const unit_case &u : cases)
        for (bool shared : {false, true}) {
            if (shared && u.sets == 1)
                continue;
            const mmc_unit_shape &s = u.s;
            SCOPED_TRACE(testing::Message()
                         << u.sets << " sets, n " << s.n << " c " << s.c << " h " << s.h << " w " << s.w << " k " << s.k
                         << " r " << s.r << " stride " << s.stride << " " << ops->detail(nullptr, &s, MMC_PACK_TRAIN));
            const inputs in = make(u, shared);
            const expected e = define(u, in, shared);
            omp_set_num_threads(1);
            const results got = run(ops, u, in, shared);
            EXPECT_LT(distance(got.z, e.z), 3e-6);
            EXPECT_LT(distance(got.mean, e.mean), 2e-6);
            EXPECT_LT(distance(got.var, e.var), 2e-6);
            EXPECT_LT(distance(got.y, e.y), 1e-5);
            EXPECT_LT(distance(got.stats_y, e.y), 1e-5);
            EXPECT_LT(distance(got.folded, e.folded), 3e-6);
            if (u.sets == 1) {
                if (s.residual)
                    EXPECT_LT(distance(got.dresidual, e.g), 1e-6);
                EXPECT_LT(distance(got.dx, e.dx), 1e-5);
                EXPECT_LT(distance(got.dx_added, e.dx), 1e-5);
                EXPECT_LT(distance(got.dw, e.dw), 1e-5);
                EXPECT_LT(distance(got.dgamma, e.dgamma), 1e-5);
                EXPECT_LT(distance(got.dbeta, e.dbeta), 1e-5);
            }
            omp_set_num_threads(2);
            EXPECT_TRUE(got == run(ops, u, in, shared)) << "one and two threads differ";
        }
}

/* Means far above the spread: E[z^2] - mean^2 in float32 would lose the variance altogether. */
TEST_P(own_unit, variance_survives_a_large_mean) {
    const mmc_unit_ops *ops = unit_ops_of(GetParam());
    unit_case u = {1, {40, 1, 8, 8, 1, 1, 1, false, false}};
    inputs in = make(u, false);
    for (float &f : in.x)
        f = 1000 + 0.01f * f;
    in.w[0] = 1;
    const expected e = define(u, in, false);
    const results got = run(ops, u, in, false);
    EXPECT_NEAR(got.var[0] / e.var[0], 1, 1e-3);
    EXPECT_NEAR(got.mean[0], e.mean[0], 1e-4);
}

TEST_P(own_unit, pools_and_spreads) {
    const mmc_unit_ops *ops = unit_ops_of(GetParam());
    const int t = 2, n = 19, c = 5, h = 4, w = 3;
    held x(ops, t, n, c, h, w);
    const std::vector<float> in = numbers(3).take((size_t)t * n * c * h * w);
    x.put(in);
    EXPECT_EQ(x.get(), in);
    std::vector<float> rep(t * n * c);
    ASSERT_EQ(ops->pool(nullptr, rep.data(), &x.view), MMC_OK);
    for (int i = 0; i < t * n * c; i++) {
        double sum = 0;
        for (int p = 0; p < h * w; p++)
            sum += in[(size_t)i * h * w + p];
        EXPECT_NEAR(rep[i], sum / (h * w), 1e-6);
    }
    held dx(ops, 1, n, c, h, w);
    ASSERT_EQ(ops->pool_backward(nullptr, &dx.view, rep.data()), MMC_OK);
    const std::vector<float> got = dx.get();
    for (size_t i = 0; i < got.size(); i++)
        EXPECT_FLOAT_EQ(got[i], rep[i / (h * w)] / (h * w));
}

TEST_P(own_unit, renders_bit_for_bit) {
    const mmc_unit_ops *ops = unit_ops_of(GetParam());
    for (int kind = 0; kind < 3; kind++) { /* boxes on three channels, boxes on one, dominoes */
        const int channels = kind == 1 ? 1 : 3, images = 4, n = 21, height = kind == 2 ? 64 : 32;
        std::vector<uint8_t> natural(images * channels * 1024), top(images * 1024);
        for (size_t i = 0; i < natural.size(); i++)
            natural[i] = (uint8_t)(i * 37 + i / 256);
        for (size_t i = 0; i < top.size(); i++)
            top[i] = (uint8_t)(i * 91 + i / 256);
        const mmc_image_store store = {
            natural.data(), kind == 2 ? top.data() : nullptr, images, kind == 2 ? images : 0, channels, height};
        std::vector<mmc_sample> samples(n);
        for (int i = 0; i < n; i++) {
            const int cue = i % 5 - 1;
            samples[i] = {i % images, cue, {0, 0, 0}};
            if (kind != 2 && cue >= 0)
                samples[i] = {i % images, (i * 3) % 10, {0.1f * i, 1, 0.5f}};
        }
        held out(ops, 1, n, 3, height, 32);
        ASSERT_EQ(ops->render(nullptr, &out.view, &store, samples.data()), MMC_OK);
        const std::vector<float> got = out.get();
        std::vector<float> want((size_t)3 * height * 32);
        for (int i = 0; i < n; i++) {
            mmc_render_one(want.data(), &store, &samples[i]);
            ASSERT_EQ(std::memcmp(want.data(), got.data() + (size_t)i * want.size(), want.size() * 4), 0)
                << "kind " << kind << " image " << i;
        }
    }
}

TEST_P(own_unit, refuses_other_filters) {
    const mmc_unit_ops *ops = unit_ops_of(GetParam());
    const mmc_unit_shape s = {1, 1, 8, 8, 1, 5, 1, true, false};
    float w[25] = {0};
    EXPECT_EQ(ops->pack(nullptr, w, &s, MMC_PACK_EVAL, 1, w, 25), MMC_ERR_UNSUPPORTED);
}

INSTANTIATE_TEST_SUITE_P(isa, own_unit, ::testing::ValuesIn(isas()), [](const auto &info) { return info.param; });

TEST(own_isa, refuses_an_unknown_set) {
    setenv("MMC_ISA", "mmx", 1);
    EXPECT_EQ(mmc_own_isa(), nullptr);
    EXPECT_EQ(mmc_own_unit_ops(), nullptr);
    EXPECT_NE(std::string(mmc_error_message()).find("avx512, avx2 or baseline"), std::string::npos);
    unsetenv("MMC_ISA");
    EXPECT_NE(mmc_own_isa(), nullptr);
}

} // namespace
