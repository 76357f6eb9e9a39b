// Evaluation of models and paths: what the savings must not change, shared ends, summaries, errors.
#include "runtime/path.h"
#include "runtime/point.h"
#include "tests/golden/device.h"
#include "tests/support/toy_dataset.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <string>
#include <vector>

namespace {

using golden::check;

class Path : public testing::Test {
  protected:
    Path() : toy(MMC_DATASET_CIFAR10_BOX, 45, 31), model(MMC_ARCH_RESNET18, 4, 10, 32), be("own") {
        config = mmc_path_defaults();
        config.points = 3;
        config.bn_batch = 10;
        config.batch = 16;
        for (uint32_t i = 0; i < 3; i++) {
            state[i].resize(model->state_count);
            mmc_model_init(model, state[i].data(), 5, MMC_RNG_BEND, i);
            for (size_t j = model->parameter_count; j < model->state_count; j++)
                state[i][j] += 0.01f * static_cast<float>(i + j % 7);
        }
        linear.kind = MMC_CURVE_LINEAR;
        linear.count = 2;
        linear.point[0] = state[0].data();
        linear.point[1] = state[1].data();
    }

    std::vector<mmc_path_row> rows(mmc_path_result *r) {
        std::vector<mmc_path_row> out(r->rows, r->rows + r->row_count);
        mmc_path_result_close(r);
        return out;
    }

    std::vector<mmc_path_row> path(const mmc_curve &curve, mmc_path_cache *cache = nullptr) {
        check(mmc_path_evaluate(&result, be, model, &toy.data, &curve, &config, cache, nullptr));
        return rows(&result);
    }

    std::vector<mmc_path_row> evaluate(const std::vector<float> &s) {
        check(mmc_model_evaluate(&result, be, model, &toy.data, s.data(), &config, nullptr));
        return rows(&result);
    }

    ToyDataset toy;
    golden::Model model;
    golden::Backend be;
    mmc_path_config config;
    std::vector<float> state[3];
    mmc_curve linear = {};
    mmc_path_result result = {};
};

void expect_same(const mmc_path_row &a, const mmc_path_row &b) {
    EXPECT_EQ(a.set, b.set);
    EXPECT_EQ(a.split, b.split);
    EXPECT_EQ(a.accuracy, b.accuracy);
    EXPECT_EQ(a.loss, b.loss);
    EXPECT_EQ(a.n, b.n);
}

} // namespace

TEST_F(Path, EndsEqualThePlainEvaluationOfTheModels) {
    config.split_train = true;
    for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED, MMC_BN_STORED}) {
        config.bn = bn;
        const std::vector<mmc_path_row> along = path(linear), a = evaluate(state[0]), b = evaluate(state[1]);
        ASSERT_EQ(along.size(), 24u);
        ASSERT_EQ(a.size(), 8u);
        for (size_t i = 0; i < 8; i++) {
            expect_same(along[i], a[i]);
            expect_same(along[16 + i], b[i]);
            EXPECT_TRUE(std::isnan(a[i].t));
            EXPECT_EQ(along[8 + i].t, 0.5);
            EXPECT_EQ(along[i].split, i < 4 ? MMC_SPLIT_TEST : MMC_SPLIT_TRAIN);
            EXPECT_EQ(along[i].n, i < 4 ? 31 : 45);
            EXPECT_NE(along[8 + i].loss, a[i].loss);
        }
    }
}

TEST_F(Path, ProceduresGiveDifferentAnswers) {
    std::vector<double> loss;
    for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED, MMC_BN_STORED}) {
        config.bn = bn;
        loss.push_back(evaluate(state[2])[0].loss);
    }
    config.bn = MMC_BN_POOLED;
    config.bn_images = 20;
    loss.push_back(evaluate(state[2])[0].loss);
    for (size_t i = 0; i < loss.size(); i++)
        for (size_t j = 0; j < i; j++)
            EXPECT_NE(loss[i], loss[j]) << i << j;
}

TEST_F(Path, IdenticalImagesAreRunOnceAndTheAnswersStay) {
    config.bn = MMC_BN_STORED;
    const std::vector<mmc_path_row> together = evaluate(state[0]);
    check(mmc_model_evaluate(&result, be, model, &toy.data, state[0].data(), &config, nullptr));
    EXPECT_EQ(result.image_forwards_defined, 4 * 31);
    EXPECT_LT(result.image_forwards, 4 * 31);
    EXPECT_GT(result.image_forwards, 2 * 31);
    rows(&result);
    for (int set = 0; set < MMC_SET_COUNT; set++) {
        config.sets = 1u << set;
        const std::vector<mmc_path_row> alone = evaluate(state[0]);
        ASSERT_EQ(alone.size(), 1u);
        EXPECT_EQ(alone[0].set, static_cast<mmc_set>(set));
        EXPECT_EQ(alone[0].accuracy, together[static_cast<size_t>(set)].accuracy);
        EXPECT_NEAR(alone[0].loss, together[static_cast<size_t>(set)].loss, 1e-6);
    }
}

TEST_F(Path, TheSizeOfAPassChangesNoAnswer) {
    ASSERT_GT(be->pass_images, 0);
    config.batch = 256;
    const std::vector<mmc_path_row> chosen = evaluate(state[0]);
    for (int images : {0, 7, 16}) {
        be->pass_images = images;
        const std::vector<mmc_path_row> rows = evaluate(state[0]);
        for (size_t i = 0; i < rows.size(); i++)
            expect_same(chosen[i], rows[i]);
    }
}

/* The running average over all batches, none skipped, and over the kept ones. */
TEST_F(Path, SkippedBatchesWeighNothing) {
    ToyDataset many(MMC_DATASET_CIFAR10_BOX, 2 * (MMC_BN_MOMENTUM_BATCHES + 12) - 1, 31);
    config.bn_batch = 2;
    mmc_point_plan *plan = nullptr;
    check(mmc_point_plan_create(&plan, be, model, &many.data, &config, 1));
    EXPECT_EQ(mmc_point_bn_skipped(plan), 12);
    EXPECT_EQ(mmc_point_bn_images(plan), 2 * MMC_BN_MOMENTUM_BATCHES - 1);
    golden::Device<float> fast(be, state[0]), full(be, state[0]);
    check(mmc_point_run(plan, fast.get(), 1, nullptr));
    mmc_point_plan_free(plan);

    golden::Network net(be, model, MMC_NETWORK_STATS, 2);
    mmc_images images;
    check(mmc_images_upload(&images, be, &many.data, MMC_SPLIT_TRAIN));
    std::vector<mmc_sample> samples(static_cast<size_t>(many.data.train.count));
    check(mmc_counterfactual_samples(samples.data(), &many.data, MMC_SPLIT_TRAIN, MMC_SET_NC, nullptr, nullptr, 0));
    golden::Device<mmc_sample> device(be, samples);
    const size_t running = model->state_count - model->parameter_count;
    check(mmc_network_load(net, full.get(), 1));
    for (int32_t i = 0; i < many.data.train.count; i += 2) {
        check(mmc_network_render(net, &images.store, device.get() + i, i + 1 < many.data.train.count ? 2 : 1));
        check(mmc_network_forward(net));
        check(be->flat->running(be->queue, full.get() + model->parameter_count, running, mmc_network_statistics(net),
                                running, mmc_network_unbias_factor(net), 1, running, 0.1));
    }
    mmc_images_close(&images);
    const std::vector<float> a = fast.host(), b = full.host();
    for (size_t i = 0; i < a.size(); i++)
        ASSERT_NEAR(a[i], b[i], 1e-6 * (1 + std::fabs(b[i]))) << i;
}

TEST_F(Path, SharedEndsAreEvaluatedOnce) {
    mmc_curve quadratic = {};
    quadratic.kind = MMC_CURVE_QUADRATIC;
    quadratic.count = 3;
    quadratic.point[0] = state[0].data();
    quadratic.point[1] = state[2].data();
    quadratic.point[2] = state[1].data();
    mmc_path_cache *cache = nullptr;
    check(mmc_path_cache_create(&cache));
    auto forwards = [&](const mmc_curve &curve) {
        check(mmc_path_evaluate(&result, be, model, &toy.data, &curve, &config, cache, nullptr));
        int64_t n = result.image_forwards;
        EXPECT_EQ(result.image_forwards_defined, 3 * (45 + 4 * 31));
        EXPECT_GT(result.image_forwards_bn, 0);
        mmc_path_result_close(&result);
        return n;
    };
    const int64_t first = forwards(linear);
    EXPECT_EQ(3 * forwards(quadratic), first);
    const std::vector<mmc_path_row> with = path(quadratic, cache), without = path(quadratic);
    for (size_t i = 0; i < with.size(); i++)
        expect_same(with[i], without[i]);

    /* Whatever the answer depends on makes another point. */
    config.bn_batch = 11;
    EXPECT_EQ(forwards(linear), first);
    config.bn_batch = 10;
    config.seed = 2;
    EXPECT_GT(2 * forwards(linear), first);
    config.seed = 1;
    toy.data.train.natural[5] ^= 1;
    EXPECT_EQ(forwards(linear), first);
    state[0][7] += 1e-3f;
    EXPECT_EQ(3 * forwards(linear), 2 * first);
    mmc_path_cache_free(cache);
}

TEST_F(Path, PointsEvaluatedTogetherGiveTheSameBits) {
    ToyDataset small(MMC_DATASET_CIFAR10_BOX, 15, 7);
    for (const char *provider : {"own", "reference"}) {
        golden::Backend other(provider);
        config.points = other->unit == mmc_own_unit_ops() ? 5 : 3;
        for (mmc_bn_mode bn : {MMC_BN_MOMENTUM, MMC_BN_POOLED, MMC_BN_STORED}) {
            config.bn = bn;
            config.split_train = bn == MMC_BN_STORED && config.points == 5;
            std::vector<mmc_path_row> alone;
            for (int together : {1, 2, 11}) {
                other->max_sets = together;
                check(mmc_path_evaluate(&result, other, model, &small.data, &linear, &config, nullptr, nullptr));
                const std::vector<mmc_path_row> now = rows(&result);
                if (alone.empty())
                    alone = now;
                ASSERT_EQ(now.size(), alone.size());
                for (size_t i = 0; i < now.size(); i++) {
                    EXPECT_EQ(now[i].t, alone[i].t);
                    expect_same(now[i], alone[i]);
                }
            }
            if (config.points == 3)
                break; // the reference is slow, and the procedure is not its business
        }
    }
}

TEST_F(Path, SeveralBackendsShareThePointsAndGiveTheSameBits) {
    ToyDataset small(MMC_DATASET_CIFAR10_BOX, 15, 7);
    golden::Backend second("own"), third("own");
    mmc_backend *const more[] = {second, third};
    std::vector<int> shown;
    mmc_path_hooks hooks = {};
    hooks.user = &shown;
    hooks.on_row = [](void *user, const mmc_path_row *row) {
        static_cast<std::vector<int> *>(user)->push_back(static_cast<int>(std::lround(row->t * 4)));
    };
    for (int points : {2, 5}) {
        config.points = points;
        std::vector<mmc_path_row> alone;
        for (int count : {0, 1, 2})
            for (int together : {1, 2}) {
                config.more = more;
                config.more_count = count;
                be->max_sets = second->max_sets = third->max_sets = together;
                shown.clear();
                mmc_path_cache *cache = nullptr;
                check(mmc_path_cache_create(&cache));
                check(mmc_path_evaluate(&result, be, model, &small.data, &linear, &config, cache, &hooks));
                mmc_path_cache_free(cache);
                EXPECT_TRUE(std::is_sorted(shown.begin(), shown.end())) << "rows come in the order of the points";
                EXPECT_GT(result.eval_s, 0);
                EXPECT_EQ(result.image_forwards % points, 0);
                const std::vector<mmc_path_row> now = rows(&result);
                if (alone.empty())
                    alone = now;
                ASSERT_EQ(now.size(), alone.size());
                for (size_t i = 0; i < now.size(); i++) {
                    EXPECT_EQ(now[i].t, alone[i].t);
                    expect_same(now[i], alone[i]);
                }
            }
    }
    config.more_count = MMC_PATH_MORE_MAX + 1;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &small.data, &linear, &config, nullptr, nullptr), MMC_ERR_RANGE);
}

TEST_F(Path, KnownPointsAreSkippedInGroupsToo) {
    config.points = 4;
    mmc_path_cache *cache = nullptr;
    const std::vector<mmc_path_row> expected = path(linear);
    for (int together : {1, 2, 3, 4}) {
        be->max_sets = together;
        check(mmc_path_cache_create(&cache));
        std::vector<int64_t> forwards;
        for (int again = 0; again < 2; again++) {
            check(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, cache, nullptr));
            forwards.push_back(result.image_forwards);
            const std::vector<mmc_path_row> now = rows(&result);
            ASSERT_EQ(now.size(), expected.size());
            for (size_t i = 0; i < now.size(); i++)
                expect_same(now[i], expected[i]);
        }
        EXPECT_EQ(2 * forwards[1], forwards[0]) << "two ends of four points are known";
        mmc_path_cache_free(cache);
        /* A path back to where it started. */
        check(mmc_path_cache_create(&cache));
        mmc_curve closed = linear;
        closed.point[1] = closed.point[0];
        check(mmc_path_evaluate(&result, be, model, &toy.data, &closed, &config, cache, nullptr));
        EXPECT_EQ(4 * result.image_forwards, 3 * forwards[0]);
        const std::vector<mmc_path_row> same = rows(&result);
        ASSERT_EQ(same.size(), expected.size());
        expect_same(same[0], expected[0]);
        expect_same(same[12], expected[0]);
        mmc_path_cache_free(cache);
    }
}

TEST_F(Path, FewerPointsTogetherWhereMemoryIsShort) {
    static size_t limit;
    static const mmc_memory_ops *real;
    const std::vector<mmc_path_row> expected = path(linear);
    real = be->memory;
    mmc_memory_ops memory = *real;
    memory.alloc = [](mmc_backend *b, void **out, size_t size) {
        if (size > limit)
            return mmc_fail(MMC_ERR_MEMORY, "out of memory: %zu bytes, there are %zu", size, limit);
        return real->alloc(b, out, size);
    };
    limit = SIZE_MAX;
    mmc_network *net = nullptr;
    for (int sets = 1; sets <= 2; sets++) { /* room for the activations of one point, not of two */
        check(mmc_network_create(&net, be, model, MMC_NETWORK_EVAL, config.batch, sets));
        const size_t bytes = mmc_network_memory_used(net).activations_bytes;
        limit = sets == 1 ? bytes : (limit + bytes) / 2;
        mmc_network_free(net);
    }
    be->memory = &memory;
    be->max_sets = 3;
    const std::vector<mmc_path_row> now = path(linear);
    ASSERT_EQ(now.size(), expected.size());
    for (size_t i = 0; i < now.size(); i++)
        expect_same(now[i], expected[i]);
    limit = 1000;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, nullptr), MMC_ERR_MEMORY);
    mmc_path_result_close(&result);
    be->memory = real;
}

TEST_F(Path, DominoesAndGivenDraws) {
    ToyDataset dominoes(MMC_DATASET_DOMINOES, 21, 13);
    golden::Model tall(MMC_ARCH_VGG13, 4, 10, 64);
    std::vector<float> s(tall->state_count);
    mmc_model_init(tall, s.data(), 9, MMC_RNG_INIT, 0);
    std::vector<int32_t> cue(13, 3), image(13, 5);
    mmc_draws draws = {};
    draws.cue_index = cue.data();
    draws.image_index = image.data();
    config.draws = &draws;
    check(mmc_model_evaluate(&result, be, tall, &dominoes.data, s.data(), &config, nullptr));
    EXPECT_EQ(result.row_count, 4);
    mmc_path_result_close(&result);
    image[4] = 13;
    EXPECT_EQ(mmc_model_evaluate(&result, be, tall, &dominoes.data, s.data(), &config, nullptr), MMC_ERR_RANGE);
    mmc_path_result_close(&result);
}

TEST_F(Path, RowsAndProgressArriveAndInterruptionStops) {
    struct Seen {
        int rows = 0;
        int64_t done = 0, total = 0;
        volatile sig_atomic_t flag = 0;
        bool stop = false;
    } seen;
    mmc_path_hooks hooks = {};
    hooks.user = hooks.progress.user = &seen;
    hooks.on_row = [](void *user, const mmc_path_row *) { static_cast<Seen *>(user)->rows++; };
    hooks.progress.report = [](void *user, const mmc_progress_event *e) {
        Seen *s = static_cast<Seen *>(user);
        EXPECT_GT(e->done, s->done);
        s->done = e->done;
        s->total = e->total;
        if (s->stop && e->t > 0)
            s->flag = 1;
    };
    hooks.progress.interrupted = &seen.flag;
    check(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, &hooks));
    mmc_path_result_close(&result);
    EXPECT_EQ(seen.rows, 12);
    EXPECT_EQ(seen.done, seen.total);
    seen = Seen();
    seen.stop = true;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, &hooks), MMC_ERR_INTERRUPTED);
    mmc_path_result_close(&result);
    EXPECT_EQ(seen.rows, 4);
    /* Two points at once: the rows of a group come together, and the last point is on its own. */
    be->max_sets = 2;
    seen = Seen();
    check(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, &hooks));
    mmc_path_result_close(&result);
    EXPECT_EQ(seen.rows, 12);
    EXPECT_EQ(seen.done, seen.total);
    seen = Seen();
    seen.stop = true;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, &hooks), MMC_ERR_INTERRUPTED);
    mmc_path_result_close(&result);
    EXPECT_EQ(seen.rows, 8);
}

TEST_F(Path, SummaryFollowsItsWords) {
    const double accuracy[] = {0.9, 0.5, 0.8}, loss[] = {0.2, 1.0, 0.4};
    mmc_path_row table[6];
    for (int i = 0; i < 6; i++)
        table[i] = {i / 2 / 2.0,
                    i % 2 ? MMC_SET_C : MMC_SET_NC,
                    MMC_SPLIT_TEST,
                    i % 2 ? 1.0 : accuracy[i / 2],
                    i % 2 ? 0.5 : loss[i / 2],
                    10};
    mmc_path_result r = {};
    r.rows = table;
    r.row_count = 6;
    mmc_path_summary nc = mmc_path_summarise(&r, MMC_SET_NC, MMC_SPLIT_TEST),
                     c = mmc_path_summarise(&r, MMC_SET_C, MMC_SPLIT_TEST),
                     none = mmc_path_summarise(&r, MMC_SET_RC, MMC_SPLIT_TEST);
    EXPECT_NEAR(nc.barrier, 1.0 - 0.3, 1e-15);
    EXPECT_NEAR(nc.dip, 0.8 - 0.5, 1e-15);
    EXPECT_EQ(c.barrier, 0);
    EXPECT_EQ(c.dip, 0);
    EXPECT_TRUE(std::isnan(none.barrier));
}

TEST_F(Path, BrokenWeightsAndWrongUseAreNamed) {
    state[0][0] = NAN;
    EXPECT_EQ(mmc_model_evaluate(&result, be, model, &toy.data, state[0].data(), &config, nullptr), MMC_ERR_WRONG);
    mmc_path_result_close(&result);
    config.points = 1;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, nullptr), MMC_ERR_RANGE);
    config.points = 3;
    config.split_test = false;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, nullptr), MMC_ERR_USAGE);
    config.split_test = true;
    config.sets = 0;
    EXPECT_EQ(mmc_path_evaluate(&result, be, model, &toy.data, &linear, &config, nullptr, nullptr), MMC_ERR_USAGE);
    config.sets = 1;
    golden::Model hundred(MMC_ARCH_RESNET18, 4, 100, 32);
    EXPECT_EQ(mmc_path_evaluate(&result, be, hundred, &toy.data, &linear, &config, nullptr, nullptr), MMC_ERR_MISMATCH);
    mmc_bn_mode bn;
    EXPECT_EQ(mmc_bn_parse(&bn, "exact"), MMC_ERR_USAGE);
    EXPECT_EQ(mmc_bn_parse(&bn, "pooled"), MMC_OK);
}
