// A data set of random images in host memory, in the form of box sets or dominoes.
#ifndef MMC_TESTS_SUPPORT_TOY_DATASET_H
#define MMC_TESTS_SUPPORT_TOY_DATASET_H

#include "runtime/data.h"
#include "runtime/rng.h"

#include <vector>

class ToyDataset {
  public:
    ToyDataset(mmc_dataset_kind kind, int32_t train, int32_t test) {
        data.kind = kind;
        data.classes = mmc_dataset_classes(kind);
        data.height = mmc_dataset_height(kind);
        fill(&data.train, &host_[0], train, 0);
        fill(&data.test, &host_[1], test, 1);
    }
    ToyDataset(const ToyDataset &) = delete;
    ToyDataset &operator=(const ToyDataset &) = delete;

    mmc_dataset data = {};

  private:
    struct Host {
        std::vector<uint8_t> natural, top;
        std::vector<int32_t> labels, partner;
    };

    void fill(mmc_split *split, Host *host, int32_t count, uint32_t stream) {
        split->count = count;
        split->channels = data.kind == MMC_DATASET_FASHION_BOX ? 1 : 3;
        host->natural.resize(static_cast<size_t>(count * split->channels) * 1024);
        for (size_t i = 0; i < host->natural.size(); i++)
            host->natural[i] = static_cast<uint8_t>(mmc_rng_at(11, MMC_RNG_TOY, stream, i));
        for (int32_t i = 0; i < count; i++)
            host->labels.push_back(static_cast<int32_t>(mmc_rng_below(
                mmc_rng_at(12, MMC_RNG_TOY, stream, static_cast<uint64_t>(i)), static_cast<uint32_t>(data.classes))));
        split->natural = host->natural.data();
        split->labels = host->labels.data();
        if (data.kind != MMC_DATASET_DOMINOES)
            return;
        split->top_count = count;
        host->top.assign(host->natural.begin(), host->natural.begin() + count * 1024);
        for (int32_t i = 0; i < count; i++)
            host->partner.push_back((i * 7 + 1) % count);
        split->top = host->top.data();
        split->partner = host->partner.data();
    }

    Host host_[2];
};

#endif
