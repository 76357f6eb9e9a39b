// Several emulated devices: a path that they share, sums and copies between them.
#include "tests/simt/control.h"

#include "runtime/backend.h"
#include "runtime/comm.h"
#include "runtime/model.h"
#include "runtime/path.h"
#include "runtime/train.h"
#include "tests/suite/toy.h"
#include "tests/support/toy_dataset.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace {
void open(mmc_backend **be, int devices) {
    simt_machine("a100", devices, 0);
    for (int d = 0; d < devices; d++) {
        const mmc_backend_options options = {"cuda", "own", "fp32", d, 1};
        ASSERT_EQ(mmc_backend_open(&be[d], &options), MMC_OK) << mmc_error_message();
    }
}

// Two devices share the points: the same bits as one, nothing left behind, nothing of one device used by the other.
TEST(SimtDevices, ShareThePointsOfAPath) {
    mmc_backend *be[2] = {};
    open(be, 2);
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 2, 2);
    mmc_model *model = nullptr;
    const mmc_model_spec spec = {MMC_ARCH_RESNET18, 4, 10, 32};
    ASSERT_EQ(mmc_model_create(&model, &spec), MMC_OK);
    std::vector<float> state[2];
    mmc_curve curve = {};
    curve.kind = MMC_CURVE_LINEAR;
    for (uint32_t i = 0; i < 2; i++) {
        state[i].resize(model->state_count);
        mmc_model_init(model, state[i].data(), 5, MMC_RNG_BEND, i);
        curve.point[curve.count++] = state[i].data();
    }
    mmc_path_config config = mmc_path_defaults();
    config.points = 3;
    config.sets = 1u << MMC_SET_C;
    config.bn = MMC_BN_POOLED;
    config.more = be + 1;
    std::vector<std::vector<double>> loss(2);
    for (int more = 0; more < 2; more++) {
        config.more_count = more;
        mmc_path_result result = {};
        ASSERT_EQ(mmc_backend_select(be[0]), MMC_OK);
        ASSERT_EQ(mmc_path_evaluate(&result, be[0], model, &toy.data, &curve, &config, nullptr, nullptr), MMC_OK)
            << mmc_error_message();
        for (int i = 0; i < result.row_count; i++)
            loss[size_t(more)].push_back(result.rows[i].loss);
        mmc_path_result_close(&result);
    }
    EXPECT_EQ(loss[0].size(), 3u);
    EXPECT_EQ(loss[0], loss[1]);
    mmc_model_free(model);
    for (mmc_backend *b : be)
        mmc_backend_close(b);
    EXPECT_EQ(simt_leaks(), 0);
}

#ifdef MMC_SIMT_NCCL
// One step on a batch of two images that two devices share is the mean of the two steps on one image each; a batch that
// cannot be shared gives the bits of one device.
TEST(SimtDevices, ShareTheBatchesOfATraining) {
    mmc_backend *be[2] = {};
    open(be, 2);
    ToyDataset toy(MMC_DATASET_CIFAR10_BOX, 2, 1);
    mmc_model *model = nullptr;
    const mmc_model_spec spec = {MMC_ARCH_RESNET18, 4, 10, 32};
    ASSERT_EQ(mmc_model_create(&model, &spec), MMC_OK);
    struct Trained {
        std::vector<float> state;
        double loss;
    };
    auto train = [&](int more, int batch, std::vector<int32_t> images) {
        const double rates[] = {1e-2, 1e-2};
        mmc_train_config config = mmc_train_defaults();
        config.epochs = 1;
        config.batch = batch;
        config.momentum = config.decay = 0;
        config.rates = rates;
        config.sequential = true;
        config.subset = images.data();
        config.subset_count = int32_t(images.size());
        config.more = be + 1;
        config.more_count = more;
        mmc_train_result result = {};
        EXPECT_EQ(mmc_train(&result, be[0], model, &toy.data, &config, nullptr, nullptr), MMC_OK)
            << mmc_error_message();
        Trained out = {std::vector<float>(result.state, result.state + model->state_count), result.epochs[0].loss};
        mmc_train_result_close(&result);
        return out;
    };
    const Trained first = train(0, 1, {0}), second = train(0, 1, {1}), both = train(1, 2, {0, 1});
    EXPECT_NEAR(both.loss, (first.loss + second.loss) / 2, 1e-6 * first.loss);
    for (size_t i = 0; i < model->parameter_count; i++)
        ASSERT_NEAR(both.state[i], (double(first.state[i]) + second.state[i]) / 2, 1e-6) << "parameter " << i;
    for (size_t i = model->parameter_count; i < model->state_count; i++)
        ASSERT_EQ(both.state[i], first.state[i]) << "running value " << i << " is not the first device's";
    EXPECT_EQ(train(1, 1, {0, 1}).state, train(0, 1, {0, 1}).state);

    mmc_train_config config = mmc_train_defaults();
    mmc_train_result result = {};
    config.more = be + 1;
    config.more_count = 1;
    simt_fail("ncclCommInitAll", 1, 0);
    EXPECT_EQ(mmc_train(&result, be[0], model, &toy.data, &config, nullptr, nullptr), MMC_ERR_DEVICE);
    config.more_count = MMC_TRAIN_MORE_MAX + 1;
    EXPECT_EQ(mmc_train(&result, be[0], model, &toy.data, &config, nullptr, nullptr), MMC_ERR_RANGE);
    mmc_model_free(model);
    for (mmc_backend *b : be)
        mmc_backend_close(b);
    EXPECT_EQ(simt_leaks(), 0);
}

// A run on two devices: batches of an odd number of images cannot be shared, so that every model has the bits of one
// device, and the points of the paths, taken in turn, every row; batches that can be shared make other models.
TEST(SimtDevices, ShareTheJobsOfARun) {
    simt_machine("a100", 2, 0);
    TemporaryFolder folder;
    const std::string data = toyData(folder);
    static const char *const suites[] = {"fig4"};
    auto run = [&](const std::string &out, int devices, int batch) {
        mmc_scale scale = toyScale();
        scale.scratch = {1, batch, .01, nullptr};
        scale.midpoint = {1, batch, .01, nullptr};
        scale.limit_train = 7;
        scale.limit_test = 4;
        scale.bn_batch = 7;
        const std::string path = folder.path(out);
        char page[4096];
        mmc_run_request request = toyRequest(data, path);
        request.scale_given = &scale;
        request.suites = suites;
        request.suite_count = 1;
        request.arch = "vgg13";
        request.backend.backend = "cuda";
        request.backend.precision = "fp32";
        request.devices = devices;
        EXPECT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();
        return path;
    };
    const long before = simt_launches_on(0);
    const std::string one = run("one", 1, 7);
    const long alone = simt_launches_on(0) - before, sums = simt_calls("ncclAllReduce");
    const std::string two = run("two", 2, 7);
    EXPECT_LT(simt_launches_on(0) - before - alone, alone) << "the first device evaluated every point itself";
    EXPECT_GT(toyRows(one).size(), 40u);
    EXPECT_EQ(toyModels(two), toyModels(one));
    EXPECT_EQ(toyRows(two), toyRows(one));
    EXPECT_EQ(simt_calls("ncclAllReduce"), sums);
    EXPECT_EQ(toyRows(run("shared", 2, 6)).size(), toyRows(one).size());
    EXPECT_GT(simt_calls("ncclAllReduce"), sums) << "no batch was shared";
    EXPECT_EQ(simt_leaks(), 0);
}

// Two devices: the sum is on both, a broadcast too; what goes wrong is told.
TEST(SimtDevices, SumAndCopyBetweenThem) {
    mmc_backend *be[2] = {};
    open(be, 2);
    mmc_comm *comm = nullptr;
    ASSERT_EQ(mmc_comm_open(&comm, be, 2), MMC_OK) << mmc_error_message();
    EXPECT_EQ(mmc_comm_ranks(comm), 2);
    EXPECT_STRNE(mmc_comm_version(), "");
    const size_t count = 1001;
    float *vector[2] = {};
    std::vector<float> host(count);
    for (int r = 0; r < 2; r++) {
        void *p = nullptr;
        ASSERT_EQ(be[r]->memory->alloc(be[r], &p, count * sizeof(float)), MMC_OK);
        vector[r] = static_cast<float *>(p);
        for (size_t i = 0; i < count; i++)
            host[i] = float(r + 1) * float(i);
        ASSERT_EQ(be[r]->memory->upload(be[r], p, host.data(), count * sizeof(float)), MMC_OK);
    }
    auto expect = [&](float factor) {
        for (int r = 0; r < 2; r++) {
            ASSERT_EQ(be[r]->memory->download(be[r], host.data(), vector[r], count * sizeof(float)), MMC_OK);
            for (size_t i = 0; i < count; i++)
                ASSERT_EQ(host[i], factor * float(i)) << "rank " << r;
        }
    };
    ASSERT_EQ(mmc_comm_sum(comm, vector, count), MMC_OK) << mmc_error_message();
    expect(3);
    ASSERT_EQ(be[1]->memory->zero(be[1], vector[1], count * sizeof(float)), MMC_OK);
    ASSERT_EQ(mmc_comm_broadcast(comm, vector, count, 0), MMC_OK) << mmc_error_message();
    expect(3);
    EXPECT_EQ(mmc_comm_broadcast(comm, vector, count, 2), MMC_ERR_RANGE);
    for (const char *call : {"ncclGroupStart", "ncclAllReduce", "ncclGroupEnd"})
        for (int nth : {1, 2}) {
            if (nth == 2 && std::string(call) != "ncclAllReduce")
                continue;
            simt_fail(call, nth, 0);
            EXPECT_EQ(mmc_comm_sum(comm, vector, count), MMC_ERR_DEVICE);
            EXPECT_NE(std::string(mmc_error_message()).find(call), std::string::npos) << mmc_error_message();
        }
    ASSERT_EQ(mmc_comm_sum(comm, vector, count), MMC_OK) << mmc_error_message();
    expect(6);
    mmc_comm_close(comm);
    simt_fail("ncclCommInitAll", 1, 0);
    EXPECT_EQ(mmc_comm_open(&comm, be, 2), MMC_ERR_DEVICE);
    mmc_backend *twice[2] = {be[0], be[0]};
    EXPECT_EQ(mmc_comm_open(&comm, twice, 2), MMC_ERR_USAGE);
    EXPECT_EQ(mmc_comm_open(&comm, be, 0), MMC_ERR_RANGE);
    EXPECT_EQ(mmc_comm_open(&comm, be, 1), MMC_OK); // alone: nothing to do
    EXPECT_EQ(mmc_comm_sum(comm, vector, count), MMC_OK);
    mmc_comm_close(comm);
    for (int r = 0; r < 2; r++) {
        be[r]->memory->free(be[r], vector[r]);
        mmc_backend_close(be[r]);
    }
    EXPECT_EQ(simt_leaks(), 0);
}
#endif
} // namespace
