// Small helpers of the golden tests: backends, device memory and networks that close themselves.
#ifndef MMC_TESTS_GOLDEN_DEVICE_H
#define MMC_TESTS_GOLDEN_DEVICE_H

#include "runtime/backend.h"
#include "runtime/model.h"
#include "runtime/network.h"

#include <stdexcept>
#include <string>
#include <vector>

namespace golden {

inline void check(mmc_status status) {
    if (status != MMC_OK)
        throw std::runtime_error(mmc_error_message());
}

/* The providers that golden numbers are computed by; one without a device is skipped and says so. */
inline std::vector<std::string> devices() {
#ifdef MMC_GOLDEN_CUDNN
    return {"cuda/own", "cuda/cudnn"};
#else
    return {"cuda/own"};
#endif
}

inline std::vector<std::string> providers() {
    std::vector<std::string> out = devices();
#ifndef MMC_GOLDEN_EMULATED
    out.insert(out.begin(), {"reference", "onednn", "own"});
#endif
    return out;
}

/* As part of a test's name. */
inline std::string word(std::string provider) {
    for (char &c : provider)
        c = c == '/' ? '_' : c;
    return provider;
}

class Backend {
  public:
    /* "own", "onednn" and "reference" are the CPU's; "cuda/own" and "cuda/cudnn" compute in fp32. */
    explicit Backend(const std::string &name, int threads = 1) {
        const size_t slash = name.find('/');
        const std::string backend = slash == std::string::npos ? "cpu" : name.substr(0, slash),
                          provider = slash == std::string::npos ? name : name.substr(slash + 1);
        mmc_backend_options options = {};
        options.backend = backend.c_str();
        options.provider = provider.c_str();
        options.precision = "fp32";
        options.threads = threads;
        status_ = mmc_backend_open(&be_, &options);
    }
    ~Backend() {
        mmc_backend_close(be_);
    }
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;
    operator mmc_backend *() const {
        return be_;
    }
    mmc_backend *operator->() const {
        return be_;
    }
    mmc_status status() const {
        return status_;
    }

  private:
    mmc_backend *be_ = nullptr;
    mmc_status status_;
};

class Model {
  public:
    Model(mmc_arch arch, int width, int classes, int height) {
        mmc_model_spec spec = {arch, width, classes, height};
        check(mmc_model_create(&model_, &spec));
    }
    ~Model() {
        mmc_model_free(model_);
    }
    Model(const Model &) = delete;
    Model &operator=(const Model &) = delete;
    operator mmc_model *() const {
        return model_;
    }
    mmc_model *operator->() const {
        return model_;
    }

  private:
    mmc_model *model_ = nullptr;
};

/* An array in device memory. */
template <typename T> class Device {
  public:
    Device(mmc_backend *be, const std::vector<T> &host) : be_(be), count_(host.size()) {
        check(be->memory->alloc(be, &data_, count_ * sizeof(T)));
        check(be->memory->upload(be, data_, host.data(), count_ * sizeof(T)));
    }
    ~Device() {
        be_->memory->free(be_, data_);
    }
    Device(const Device &) = delete;
    Device &operator=(const Device &) = delete;
    T *get() const {
        return static_cast<T *>(data_);
    }
    std::vector<T> host() const {
        std::vector<T> out(count_);
        check(be_->memory->download(be_, out.data(), data_, count_ * sizeof(T)));
        return out;
    }

  private:
    mmc_backend *be_;
    void *data_ = nullptr;
    size_t count_;
};

template <typename T> std::vector<T> download(mmc_backend *be, const T *device, size_t count) {
    std::vector<T> out(count);
    check(be->memory->download(be, out.data(), device, count * sizeof(T)));
    return out;
}

class Network {
  public:
    Network(mmc_backend *be, const mmc_model *model, mmc_network_mode mode, int batch) {
        check(mmc_network_create(&net_, be, model, mode, batch, 1));
    }
    ~Network() {
        mmc_network_free(net_);
    }
    Network(const Network &) = delete;
    Network &operator=(const Network &) = delete;
    operator mmc_network *() const {
        return net_;
    }

  private:
    mmc_network *net_ = nullptr;
};

} // namespace golden

#endif
