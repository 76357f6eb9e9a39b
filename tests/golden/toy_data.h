// The synthetic images of the golden files as a data set.
#ifndef MMC_TESTS_GOLDEN_TOY_DATA_H
#define MMC_TESTS_GOLDEN_TOY_DATA_H

#include "runtime/data.h"
#include "tests/golden/golden.h"

#include <numeric>
#include <string>
#include <vector>

namespace golden {

class ToyData {
  public:
    /* train: which images of the pool make the train split, in this order; empty: all. The pool is "train", or "c100"
     * for 100 classes. */
    ToyData(const File &images, const std::string &kind, std::vector<int32_t> train = {}) {
        if (mmc_dataset_parse(&data_.kind, kind.c_str()) != MMC_OK)
            throw std::runtime_error(mmc_error_message());
        data_.classes = mmc_dataset_classes(data_.kind);
        data_.height = mmc_dataset_height(data_.kind);
        const std::string pool = data_.classes == 100 ? "c100" : "train";
        if (train.empty()) {
            train.resize(images.i32(pool + "_labels").size());
            std::iota(train.begin(), train.end(), 0);
        }
        fill(&data_.train, &host_[0], images, pool, train);
        if (data_.classes == 10) {
            std::vector<int32_t> test(images.i32("test_labels").size());
            std::iota(test.begin(), test.end(), 0);
            fill(&data_.test, &host_[1], images, "test", test);
        }
    }

    ToyData(const ToyData &) = delete;
    ToyData &operator=(const ToyData &) = delete;

    const mmc_dataset *get() const {
        return &data_;
    }

  private:
    struct Host {
        std::vector<uint8_t> natural, top;
        std::vector<int32_t> labels, partner;
    };

    void fill(mmc_split *split, Host *host, const File &images, const std::string &pool,
              const std::vector<int32_t> &items) {
        const size_t image = 3 * 32 * 32;
        std::vector<uint8_t> raw = images.u8(pool + "_raw");
        std::vector<int32_t> labels = images.i32(pool + "_labels"), partner;
        if (data_.kind == MMC_DATASET_DOMINOES) {
            std::vector<uint8_t> small = images.u8(pool + "_top");
            partner = images.i32(pool + "_partner");
            host->top.resize(small.size() / 784 * 1024);
            for (size_t i = 0; i < small.size() / 784; i++)
                mmc_resize_28_to_32(&host->top[i * 1024], &small[i * 784]);
            split->top = host->top.data();
            split->top_count = static_cast<int32_t>(small.size() / 784);
        }
        for (int32_t item : items) {
            const size_t i = static_cast<size_t>(item);
            host->natural.insert(host->natural.end(), raw.begin() + static_cast<long>(i * image),
                                 raw.begin() + static_cast<long>((i + 1) * image));
            host->labels.push_back(labels[i]);
            if (!partner.empty())
                host->partner.push_back(partner[i]);
        }
        split->count = static_cast<int32_t>(items.size());
        split->channels = 3;
        split->natural = host->natural.data();
        split->labels = host->labels.data();
        split->partner = partner.empty() ? nullptr : host->partner.data();
    }

    mmc_dataset data_ = {};
    Host host_[2];
};

} // namespace golden

#endif
