// Golden numbers: values that an independent float64 implementation computed, with the tolerance of each tensor.
//
// index.json describes every file and tensor. Files lie here as .safetensors.xz; a folder in the environment variable
// MMC_GOLDEN_EXTRA (plain or .xz files with their own index.json) is looked at first and adds the larger ones.
//
//     GOLDEN_OR_SKIP(path, "path_resnet18_linear");
//     golden::expect_near(path, "exact/loss", computed);
#ifndef MMC_TESTS_GOLDEN_GOLDEN_H
#define MMC_TESTS_GOLDEN_GOLDEN_H

#include "runtime/model.h"
#include "runtime/safetensors.h"

#include <gtest/gtest.h>
#include <jansson.h>
#include <lzma.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace golden {

inline std::string read_file(const std::string &path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return in ? out.str() : std::string();
}

inline std::string unpack_xz(const std::string &packed) {
    lzma_stream stream = LZMA_STREAM_INIT;
    if (lzma_stream_decoder(&stream, UINT64_MAX, 0) != LZMA_OK)
        throw std::runtime_error("lzma_stream_decoder failed");
    std::string out(packed.size() * 2 + 4096, '\0');
    size_t done = 0;
    stream.next_in = reinterpret_cast<const uint8_t *>(packed.data());
    stream.avail_in = packed.size();
    lzma_ret result = LZMA_OK;
    while (result == LZMA_OK) {
        if (done == out.size())
            out.resize(out.size() * 2);
        stream.next_out = reinterpret_cast<uint8_t *>(&out[done]);
        stream.avail_out = out.size() - done;
        result = lzma_code(&stream, LZMA_FINISH);
        done = out.size() - stream.avail_out;
    }
    lzma_end(&stream);
    if (result != LZMA_STREAM_END)
        throw std::runtime_error("corrupt .xz");
    out.resize(done);
    return out;
}

/* One golden file with its part of the index. */
class File {
  public:
    /* Not there: present() is false. */
    explicit File(const std::string &name) : name_(name) {
        const char *extra = std::getenv("MMC_GOLDEN_EXTRA");
        if (!(extra && *extra && load(extra)))
            load(std::string(MMC_SOURCE_DIR) + "/tests/golden");
    }

    File(const File &) = delete;
    File &operator=(const File &) = delete;

    ~File() {
        mmc_safetensors_close(&file_);
        json_decref(index_);
    }

    bool present() const {
        return present_;
    }

    bool has(const std::string &tensor) const {
        return mmc_safetensors_find(&file_, tensor.c_str()) != nullptr;
    }

    const mmc_safetensor &at(const std::string &tensor) const {
        const mmc_safetensor *t = mmc_safetensors_find(&file_, tensor.c_str());
        if (!t)
            throw std::runtime_error(name_ + " holds no tensor " + tensor);
        return *t;
    }

    std::vector<std::string> names(const std::string &prefix = "") const {
        std::vector<std::string> out;
        for (size_t i = 0; i < file_.count; i++)
            if (std::string(file_.tensors[i].name).rfind(prefix, 0) == 0)
                out.push_back(file_.tensors[i].name);
        return out;
    }

    std::vector<int64_t> shape(const std::string &tensor) const {
        const mmc_safetensor &t = at(tensor);
        return std::vector<int64_t>(t.shape, t.shape + t.rank);
    }

    /* The values as they are stored; T must have the size of the stored type. */
    template <typename T> std::vector<T> values(const std::string &tensor) const {
        const mmc_safetensor &t = at(tensor);
        if (mmc_dtype_size(t.dtype) != sizeof(T))
            throw std::runtime_error(name_ + " " + tensor + " is stored as " + mmc_dtype_name(t.dtype));
        std::vector<T> out(t.count);
        if (t.count)
            std::memcpy(out.data(), t.data, t.count * sizeof(T));
        return out;
    }

    std::vector<float> f32(const std::string &tensor) const {
        return values<float>(tensor);
    }

    std::vector<double> f64(const std::string &tensor) const {
        return values<double>(tensor);
    }

    std::vector<int32_t> i32(const std::string &tensor) const {
        return values<int32_t>(tensor);
    }

    std::vector<uint8_t> u8(const std::string &tensor) const {
        return values<uint8_t>(tensor);
    }

    /* Largest allowed |computed - stored| over the tensor. */
    double tolerance(const std::string &tensor) const {
        json_t *entry = json_object_get(json_object_get(index_, "tensors"), tensor.c_str());
        json_t *value = json_object_get(entry, "tolerance");
        if (!json_is_number(value))
            throw std::runtime_error("index.json gives no tolerance for " + name_ + " " + tensor);
        return json_number_value(value);
    }

    /* A setting of the case: a string or a whole number. */
    std::string setting(const std::string &key) const {
        json_t *value = json_object_get(json_object_get(index_, "settings"), key.c_str());
        if (json_is_string(value))
            return json_string_value(value);
        if (json_is_integer(value))
            return std::to_string(json_integer_value(value));
        throw std::runtime_error("index.json gives no setting " + key + " for " + name_);
    }

    /* Channels of the first stage. */
    int width() const {
        json_t *widths = json_object_get(json_object_get(index_, "settings"), "widths");
        return static_cast<int>(json_integer_value(json_array_get(widths, 0)));
    }

    /* The state vector of a model whose tensors stand here as PREFIXname. Tensors that are missing (running values of a
     * gradient, say) stay NaN. */
    std::vector<float> state(const mmc_model *model, const std::string &prefix) const {
        std::vector<float> out(model->state_count, NAN);
        for (int i = 0; i < model->tensor_count; i++) {
            const mmc_tensor_info &info = model->tensors[i];
            if (!has(prefix + info.name))
                continue;
            std::vector<float> v = f32(prefix + info.name);
            if (v.size() != info.count)
                throw std::runtime_error(name_ + " " + prefix + info.name + " has another size than the model's");
            std::memcpy(&out[info.offset], v.data(), v.size() * sizeof(float));
        }
        return out;
    }

  private:
    bool load(const std::string &folder) {
        std::string bytes = read_file(folder + "/" + name_ + ".safetensors");
        if (bytes.empty()) {
            std::string packed = read_file(folder + "/" + name_ + ".safetensors.xz");
            if (packed.empty())
                return false;
            bytes = unpack_xz(packed);
        }
        json_t *all = json_load_file((folder + "/index.json").c_str(), 0, nullptr);
        index_ = json_incref(json_object_get(json_object_get(all, "files"), (name_ + ".safetensors").c_str()));
        json_decref(all);
        if (!index_)
            throw std::runtime_error(folder + "/index.json does not list " + name_);
        if (mmc_safetensors_parse(&file_, bytes.data(), bytes.size(), name_.c_str()) != MMC_OK)
            throw std::runtime_error(mmc_error_message());
        present_ = true;
        return true;
    }

    std::string name_;
    mmc_safetensors file_ = {};
    json_t *index_ = nullptr;
    bool present_ = false;
};

/* Fails naming the tensor and its worst element where |computed - stored| exceeds the tolerance anywhere. Returns the
 * largest deviation as a share of the tolerance. */
template <typename T> double expect_near(const File &file, const std::string &tensor, const T *computed, size_t count) {
    const mmc_safetensor &t = file.at(tensor);
    if (t.count != count) {
        ADD_FAILURE() << tensor << ": " << count << " values computed, " << t.count << " stored";
        return INFINITY;
    }
    std::vector<double> stored(count);
    if (t.dtype == MMC_DTYPE_F64) {
        stored = file.f64(tensor);
    } else if (t.dtype == MMC_DTYPE_I32) {
        std::vector<int32_t> v = file.i32(tensor);
        stored.assign(v.begin(), v.end());
    } else {
        std::vector<float> v = file.f32(tensor);
        stored.assign(v.begin(), v.end());
    }
    double tolerance = file.tolerance(tensor), worst = 0;
    size_t where = 0;
    for (size_t i = 0; i < count; i++) {
        double difference = std::fabs(static_cast<double>(computed[i]) - stored[i]);
        if (std::isnan(difference))
            difference = INFINITY;
        if (difference > worst) {
            worst = difference;
            where = i;
        }
    }
    if (worst > tolerance)
        ADD_FAILURE() << tensor << "[" << where << "]: computed " << static_cast<double>(computed[where]) << ", stored "
                      << stored[where] << ", difference " << worst << " > tolerance " << tolerance;
    return tolerance > 0 ? worst / tolerance : (worst > 0 ? INFINITY : 0);
}

template <typename T> double expect_near(const File &file, const std::string &tensor, const std::vector<T> &computed) {
    return expect_near(file, tensor, computed.data(), computed.size());
}

} // namespace golden

/* Declares a golden::File, or skips the test, saying what is missing. */
#define GOLDEN_OR_SKIP(variable, name)                                                                                 \
    golden::File variable(name);                                                                                       \
    if (!variable.present())                                                                                           \
    GTEST_SKIP() << "golden file " << (name) << " is not in tests/golden; set MMC_GOLDEN_EXTRA to a folder with it"

#endif
