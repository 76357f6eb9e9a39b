// Arrays in a backend's memory with guard bands, filled with NaN, so that an overrun or an unwritten element shows.
#ifndef MMC_TESTS_PARITY_DEVICE_H
#define MMC_TESTS_PARITY_DEVICE_H

#include "runtime/backend.h"
#include "runtime/rng.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace parity {

using Floats = std::vector<float>;

class Backend {
  public:
    Backend(const char *backend, const char *provider, int threads, const char *precision = nullptr) {
        mmc_backend_options options = {backend, provider, precision, 0, threads};
        status = mmc_backend_open(&be, &options);
        message = status == MMC_OK ? "" : mmc_error_message();
    }
    ~Backend() {
        mmc_backend_close(be);
    }
    Backend(const Backend &) = delete;
    Backend &operator=(const Backend &) = delete;

    mmc_backend *operator->() const {
        return be;
    }

    bool on_host() const {
        return std::strcmp(be->name, "cpu") == 0;
    }
    // Half a unit in the last place of what its products are computed from; 0: as float has it.
    double unit_roundoff() const {
        return std::strcmp(be->precision, "bf16") == 0   ? std::ldexp(1.0, -8)
               : std::strcmp(be->precision, "tf32") == 0 ? std::ldexp(1.0, -11)
                                                         : 0;
    }
    // The values as its precision holds them, to the nearest.
    Floats rounded(Floats v) const {
        const int dropped = std::strcmp(be->precision, "bf16") == 0   ? 16
                            : std::strcmp(be->precision, "tf32") == 0 ? 13
                                                                      : 0;
        for (float &f : v) {
            uint32_t bits;
            std::memcpy(&bits, &f, sizeof bits);
            if (dropped && !std::isnan(f))
                bits = (bits + (1u << (dropped - 1)) - 1 + (bits >> dropped & 1)) >> dropped << dropped;
            std::memcpy(&f, &bits, sizeof bits);
        }
        return v;
    }

    mmc_backend *be = nullptr;
    mmc_status status;
    std::string message;
};

class Buffer {
  public:
    Buffer(const Backend &backend, size_t size) : be_(backend.be), size_(size) {
        void *p = nullptr;
        EXPECT_EQ(be_->memory->alloc(be_, &p, size_ + 2 * GUARD), MMC_OK) << mmc_error_message();
        all_ = static_cast<char *>(p);
        std::vector<unsigned char> bytes(size_ + 2 * GUARD, 0xff); // 0xffffffff is a NaN
        std::memset(bytes.data(), MARK, GUARD);
        std::memset(bytes.data() + GUARD + size_, MARK, GUARD);
        EXPECT_EQ(be_->memory->upload(be_, all_, bytes.data(), bytes.size()), MMC_OK);
    }
    template <class T> Buffer(const Backend &backend, const std::vector<T> &data) : Buffer(backend, bytes_of(data)) {
        EXPECT_EQ(be_->memory->upload(be_, data_(), data.data(), size_), MMC_OK);
    }
    ~Buffer() {
        std::vector<unsigned char> bytes(size_ + 2 * GUARD);
        EXPECT_EQ(be_->memory->download(be_, bytes.data(), all_, bytes.size()), MMC_OK);
        for (size_t i = 0; i < GUARD; i++) {
            if (bytes[i] != MARK || bytes[GUARD + size_ + i] != MARK) {
                ADD_FAILURE() << "written " << (bytes[i] != MARK ? "before" : "after") << " an array of " << size_
                              << " bytes";
                break;
            }
        }
        be_->memory->free(be_, all_);
    }
    Buffer(const Buffer &) = delete;
    Buffer &operator=(const Buffer &) = delete;

    void *raw() {
        return data_();
    }
    float *f() {
        return reinterpret_cast<float *>(data_());
    }
    double *d() {
        return reinterpret_cast<double *>(data_());
    }
    int32_t *i() {
        return reinterpret_cast<int32_t *>(data_());
    }
    template <class T> std::vector<T> read() const {
        std::vector<T> out(size_ / sizeof(T));
        EXPECT_EQ(be_->memory->download(be_, out.data(), data_(), size_), MMC_OK);
        return out;
    }

  private:
    enum { GUARD = 256, MARK = 0xa5 };

    template <class T> static size_t bytes_of(const std::vector<T> &data) {
        return data.size() * sizeof(T);
    }
    char *data_() const {
        return all_ + GUARD;
    }

    mmc_backend *be_;
    size_t size_;
    char *all_ = nullptr;
};

// An activation in the backend's layout.
class Activation {
  public:
    Activation(const Backend &backend, int t, int n, int c, int h, int w)
        : be_(backend.be), bytes_(backend, backend->unit->activation_size(backend->queue, t, n, c, h, w)),
          view{bytes_.raw(), t, n, c, h, w} {
    }
    void put(const Floats &values) {
        ASSERT_EQ(values.size(), mmc_activation_count(&view));
        Backend_in in(be_, values);
        ASSERT_EQ(be_->unit->put(be_->queue, &view, in.p), MMC_OK);
    }
    Floats get() const {
        Floats out(mmc_activation_count(&view));
        void *p = nullptr;
        EXPECT_EQ(be_->memory->alloc(be_, &p, out.size() * sizeof(float)), MMC_OK);
        EXPECT_EQ(be_->unit->get(be_->queue, static_cast<float *>(p), &view), MMC_OK);
        EXPECT_EQ(be_->memory->download(be_, out.data(), p, out.size() * sizeof(float)), MMC_OK);
        be_->memory->free(be_, p);
        return out;
    }
    mmc_activation *operator&() {
        return &view;
    }

  private:
    struct Backend_in {
        Backend_in(mmc_backend *be, const Floats &values) : be(be) {
            void *q = nullptr;
            EXPECT_EQ(be->memory->alloc(be, &q, values.size() * sizeof(float)), MMC_OK);
            EXPECT_EQ(be->memory->upload(be, q, values.data(), values.size() * sizeof(float)), MMC_OK);
            p = static_cast<float *>(q);
        }
        ~Backend_in() {
            be->memory->sync(be);
            be->memory->free(be, p);
        }
        mmc_backend *be;
        float *p;
    };

    mmc_backend *be_;
    Buffer bytes_;

  public:
    mmc_activation view;
};

// Uniform in [low, high).
inline Floats uniform(size_t count, uint32_t stream, float low = -1, float high = 1) {
    Floats out(count);
    for (size_t i = 0; i < count; i++)
        out[i] = low + (high - low) * mmc_rng_uniform(mmc_rng_at(11, MMC_RNG_TOY, stream, i));
    return out;
}

inline bool same_bits(const Floats &a, const Floats &b) {
    return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Largest difference relative to the largest expected value (or `scale`, if larger); a NaN or another size fails.
inline void expect_close(const Floats &computed, const Floats &expected, double tolerance, const std::string &what,
                         double scale = 0) {
    ASSERT_EQ(computed.size(), expected.size()) << what;
    double largest = std::max(scale, 1e-30), worst = 0;
    size_t where = 0;
    for (float v : expected)
        largest = std::max(largest, double(std::fabs(v)));
    for (size_t i = 0; i < expected.size(); i++) {
        ASSERT_FALSE(std::isnan(computed[i])) << what << " element " << i << " is not a number or was not written";
        double d = std::fabs(double(computed[i]) - expected[i]);
        if (d > worst) {
            worst = d;
            where = i;
        }
    }
    EXPECT_LE(worst, tolerance * largest) << what << " element " << where << ": " << computed[where] << " is not "
                                          << expected[where] << "; error " << worst / largest << " of the largest";
    testing::Test::RecordProperty(what, std::to_string(worst / largest));
}

// Largest difference relative to the root mean square of what is expected.
inline void expect_close_rms(const Floats &computed, const Floats &expected, double tolerance,
                             const std::string &what) {
    double square = 0;
    for (float v : expected)
        square += double(v) * v / double(expected.size());
    // As expect_close, of which the scale is the largest value.
    double largest = 1e-30;
    for (float v : expected)
        largest = std::max(largest, double(std::fabs(v)));
    expect_close(computed, expected, tolerance * std::sqrt(square) / largest, what);
}

} // namespace parity
#endif
