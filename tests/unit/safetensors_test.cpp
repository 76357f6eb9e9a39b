// The safetensors format: round trip, conversions, and headers that lie.
#include "runtime/safetensors.h"

#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

namespace {

struct File : mmc_safetensors {
    File() : mmc_safetensors{} {
    }
    ~File() {
        mmc_safetensors_close(this);
    }
};

std::string encode(const std::string &header, const std::string &data) {
    std::string out;
    for (int i = 0; i < 8; i++)
        out += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i));
    return out + header + data;
}

mmc_status parse(const std::string &bytes) {
    File file;
    return mmc_safetensors_parse(&file, bytes.data(), bytes.size(), "test");
}

mmc_status parse(const std::string &header, size_t data) {
    return parse(encode(header, std::string(data, '\1')));
}

mmc_safetensor tensor(const char *name, mmc_dtype dtype, std::vector<int64_t> shape, const void *data) {
    mmc_safetensor t = {};
    t.name = const_cast<char *>(name);
    t.dtype = dtype;
    t.rank = static_cast<int>(shape.size());
    std::copy(shape.begin(), shape.end(), t.shape);
    t.data = data;
    return t;
}

TEST(Safetensors, WritesAndReadsBack) {
    TemporaryFolder dir;
    const uint8_t bytes[3] = {1, 2, 255};
    const float floats[6] = {1, -2, 3.5f, 0, 1e-30f, 7};
    const int64_t wide[1] = {-5000000000};
    const mmc_safetensor tensors[] = {
        tensor("bytes \"quoted\" \xc3\xa9", MMC_DTYPE_U8, {3}, bytes),
        tensor("floats", MMC_DTYPE_F32, {2, 3}, floats),
        tensor("scalar", MMC_DTYPE_I64, {}, wide),
        tensor("empty", MMC_DTYPE_F32, {4, 0}, nullptr),
    };
    const char *keys[] = {"arch", "width"}, *values[] = {"resnet18", "8"};
    std::string path = dir.path("deep/x.safetensors");
    ASSERT_EQ(mmc_safetensors_write(path.c_str(), tensors, 4, keys, values, 2), MMC_OK) << mmc_error_message();

    File file;
    ASSERT_EQ(mmc_safetensors_open(&file, path.c_str()), MMC_OK) << mmc_error_message();
    ASSERT_EQ(file.count, 4u);
    for (int i = 0; i < 4; i++) {
        const mmc_safetensor &t = file.tensors[i];
        EXPECT_STREQ(t.name, tensors[i].name);
        EXPECT_EQ(t.dtype, tensors[i].dtype);
        ASSERT_EQ(t.rank, tensors[i].rank);
        EXPECT_TRUE(std::equal(t.shape, t.shape + t.rank, tensors[i].shape));
        if (t.count)
            EXPECT_EQ(memcmp(t.data, tensors[i].data, t.count * mmc_dtype_size(t.dtype)), 0);
        size_t offset = static_cast<size_t>(static_cast<const char *>(t.data) - static_cast<const char *>(file.bytes));
        EXPECT_EQ(offset % mmc_dtype_size(t.dtype), 0u); // aligned in the file, whatever the order given
    }
    EXPECT_STREQ(mmc_safetensors_metadata(&file, "width"), "8");
    EXPECT_EQ(mmc_safetensors_metadata(&file, "seed"), nullptr);
    EXPECT_EQ(mmc_safetensors_find(&file, "floats"), &file.tensors[1]);
    EXPECT_EQ(mmc_safetensors_find(&file, "Floats"), nullptr);
}

TEST(Safetensors, WritingRefusesWhatCannotBeRead) {
    TemporaryFolder dir;
    const float one = 1;
    std::string path = dir.path("x");
    mmc_safetensor twice[] = {tensor("a", MMC_DTYPE_F32, {1}, &one), tensor("a", MMC_DTYPE_F32, {1}, &one)};
    EXPECT_EQ(mmc_safetensors_write(path.c_str(), twice, 2, nullptr, nullptr, 0), MMC_ERR_FORMAT);
    mmc_safetensor reserved = tensor("__metadata__", MMC_DTYPE_F32, {1}, &one);
    EXPECT_EQ(mmc_safetensors_write(path.c_str(), &reserved, 1, nullptr, nullptr, 0), MMC_ERR_FORMAT);
    mmc_safetensor latin = tensor("\xe9", MMC_DTYPE_F32, {1}, &one);
    EXPECT_EQ(mmc_safetensors_write(path.c_str(), &latin, 1, nullptr, nullptr, 0), MMC_ERR_FORMAT);
    mmc_safetensor negative = tensor("a", MMC_DTYPE_F32, {-1}, &one);
    EXPECT_EQ(mmc_safetensors_write(path.c_str(), &negative, 1, nullptr, nullptr, 0), MMC_ERR_SHAPE);
    mmc_safetensor huge = tensor("a", MMC_DTYPE_F32, {1LL << 62, 4}, &one);
    EXPECT_EQ(mmc_safetensors_write(path.c_str(), &huge, 1, nullptr, nullptr, 0), MMC_ERR_SHAPE);
    EXPECT_EQ(dir.entries(), 0u);
}

TEST(Safetensors, ConvertsFloats) {
    const uint16_t halves[] = {0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8000, 0x3555};
    const float expected[] = {1, -2, 0x1p-24f, -0x1.ff8p-15f, 65504, INFINITY, -INFINITY, NAN, -0.0f, 0.333251953125f};
    mmc_safetensor t = tensor("h", MMC_DTYPE_F16, {10}, halves);
    t.count = 10;
    float out[10];
    ASSERT_EQ(mmc_safetensor_to_f32(out, &t), MMC_OK);
    for (int i = 0; i < 10; i++) {
        if (std::isnan(expected[i]))
            EXPECT_TRUE(std::isnan(out[i]));
        else
            EXPECT_EQ(memcmp(&out[i], &expected[i], 4), 0) << i << " " << out[i];
    }
    const uint16_t brains[] = {0x3f80, 0xc2f7, 0x0001};
    t = tensor("b", MMC_DTYPE_BF16, {3}, brains);
    t.count = 3;
    ASSERT_EQ(mmc_safetensor_to_f32(out, &t), MMC_OK);
    EXPECT_EQ(out[0], 1.0f);
    EXPECT_EQ(out[1], -123.5f);
    EXPECT_EQ(out[2], 0x1p-133f);
    char doubles[17]; // unaligned on purpose
    const double values[] = {0.1, -1e300};
    memcpy(doubles + 1, values, 16);
    t = tensor("d", MMC_DTYPE_F64, {2}, doubles + 1);
    t.count = 2;
    ASSERT_EQ(mmc_safetensor_to_f32(out, &t), MMC_OK);
    EXPECT_EQ(out[0], 0.1f);
    EXPECT_EQ(out[1], -INFINITY);
    t.dtype = MMC_DTYPE_I64;
    EXPECT_EQ(mmc_safetensor_to_f32(out, &t), MMC_ERR_MISMATCH);
}

TEST(Safetensors, AcceptsWhatTheFormatAllows) {
    EXPECT_EQ(parse("{}", 0), MMC_OK);
    EXPECT_EQ(parse("{}     ", 0), MMC_OK); // padded with blanks
    EXPECT_EQ(parse(R"({"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]}})", 4), MMC_OK);
    EXPECT_EQ(parse(R"({"b":{"dtype":"U8","shape":[2],"data_offsets":[3,5]},)"
                    R"("a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},)"
                    R"("e":{"dtype":"F64","shape":[7,0],"data_offsets":[3,3]}})",
                    5),
              MMC_OK);
    EXPECT_EQ(parse(R"({"a":{"dtype":"BOOL","shape":[1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1), MMC_OK);
}

TEST(Safetensors, HostileHeaders) {
    const struct {
        const char *why, *header;
        size_t data;
    } cases[] = {
        {"no object", "[]", 0},
        {"no JSON", "{", 0},
        {"text after", "{}x", 0},
        {"invalid UTF-8", "{\"\xff\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}", 0},
        {"zero byte in a name", R"({"a\u0000b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
        {"entry no object", R"({"a":1})", 0},
        {"dtype missing", R"({"a":{"shape":[1],"data_offsets":[0,1]}})", 1},
        {"dtype a number", R"({"a":{"dtype":5,"shape":[1],"data_offsets":[0,1]}})", 1},
        {"dtype unknown", R"({"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}})", 4},
        {"shape missing", R"({"a":{"dtype":"U8","data_offsets":[0,1]}})", 1},
        {"shape negative", R"({"a":{"dtype":"U8","shape":[-1,-1],"data_offsets":[0,1]}})", 1},
        {"shape a float", R"({"a":{"dtype":"U8","shape":[1.0],"data_offsets":[0,1]}})", 1},
        {"too many dimensions", R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1},
        {"product overflows to 1", R"({"a":{"dtype":"U8","shape":[4294967296,4294967296,1],"data_offsets":[0,0]}})", 0},
        {"size overflows", R"({"a":{"dtype":"F64","shape":[2305843009213693952],"data_offsets":[0,0]}})", 0},
        {"too big an integer", R"({"a":{"dtype":"U8","shape":[18446744073709551617],"data_offsets":[0,1]}})", 1},
        {"offsets missing", R"({"a":{"dtype":"U8","shape":[1]}})", 1},
        {"one offset", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0]}})", 1},
        {"three offsets", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1,1]}})", 1},
        {"offsets reversed", R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}})", 1},
        {"offset negative", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[-1,1]}})", 1},
        {"past the end", R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}})", 1},
        {"far past the end",
         R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[9223372036854775806,9223372036854775807]}})", 1},
        {"size is not the shape's", R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", 8},
        {"overlap",
         R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[2,5]}})",
         5},
        {"same place",
         R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})",
         3},
        {"hole",
         R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[1],"data_offsets":[4,5]}})",
         5},
        {"hole at the start", R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[1,4]}})", 4},
        {"bytes at the end", R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 4},
        {"empty tensor inside another",
         R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]},"b":{"dtype":"U8","shape":[0],"data_offsets":[2,2]}})",
         3},
        {"name twice",
         R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
         2},
        {"key twice", R"({"a":{"dtype":"U8","dtype":"U8","shape":[1],"data_offsets":[0,1]}})", 1},
        {"metadata no object", R"({"__metadata__":[]})", 0},
        {"metadata no string", R"({"__metadata__":{"width":8}})", 0},
    };
    for (const auto &c : cases) {
        EXPECT_EQ(parse(c.header, c.data), MMC_ERR_FORMAT) << c.why;
        EXPECT_EQ(strncmp(mmc_error_message(), "test: ", 6), 0) << c.why << ": " << mmc_error_message();
    }
    EXPECT_EQ(parse(R"({"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}})", 1), MMC_ERR_MISMATCH);
    EXPECT_EQ(parse(std::string(100000, '[')), MMC_ERR_FORMAT); // depth
    EXPECT_EQ(parse("{\"a\":" + std::string(100000, '['), 0), MMC_ERR_FORMAT);
}

TEST(Safetensors, EveryTruncationIsFound) {
    std::string whole = encode(R"({"a":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", "abc");
    ASSERT_EQ(parse(whole), MMC_OK);
    for (size_t n = 0; n < whole.size(); n++)
        EXPECT_EQ(parse(whole.substr(0, n)), MMC_ERR_FORMAT) << n;
    EXPECT_EQ(parse(std::string(8, '\xff') + "{}"), MMC_ERR_FORMAT); // header length 2^64-1
    EXPECT_EQ(parse(std::string("\0\0\0\0\0\0\0\x80{}", 10)), MMC_ERR_FORMAT);
}

TEST(Safetensors, FilesThatCannotBeRead) {
    TemporaryFolder dir;
    File file;
    EXPECT_EQ(mmc_safetensors_open(&file, dir.path("none").c_str()), MMC_ERR_MISSING);
    EXPECT_EQ(mmc_safetensors_open(&file, dir.root.c_str()), MMC_ERR_IO);
    EXPECT_EQ(mmc_safetensors_open(&file, dir.write("short", "abc").c_str()), MMC_ERR_FORMAT);
    EXPECT_NE(strstr(mmc_error_message(), "short"), nullptr);
}

} // namespace
