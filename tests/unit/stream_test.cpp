// Plain, .gz and .xz streams: every end is checked.
#include "runtime/stream.h"

#include "tests/support/data_files.h"
#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <cstring>

namespace {

// Reads a whole stream in steps of `step` bytes and checks its end.
mmc_status drain(mmc_stream *s, std::string *out, size_t step) {
    std::string buffer(step, '\0');
    size_t got = step;
    out->clear();
    while (got == step) {
        mmc_status status = mmc_stream_read(s, &buffer[0], step, &got);
        if (status != MMC_OK)
            return status;
        out->append(buffer, 0, got);
    }
    return mmc_stream_end(s);
}

mmc_status drain_memory(const std::string &bytes, mmc_stream_kind kind, std::string *out, size_t step = 1000) {
    mmc_stream *s;
    EXPECT_EQ(mmc_stream_open_memory(&s, bytes.data(), bytes.size(), kind, "memory"), MMC_OK);
    mmc_status status = drain(s, out, step);
    mmc_stream_close(s);
    return status;
}

mmc_status drain_file(const std::string &path, std::string *out, size_t step = 1000) {
    mmc_stream *s;
    mmc_status status = mmc_stream_open(&s, path.c_str());
    if (status != MMC_OK)
        return status;
    status = drain(s, out, step);
    mmc_stream_close(s);
    return status;
}

std::string sample(size_t size) {
    std::string text(size, '\0');
    uint32_t state = 1;
    for (char &c : text) {
        state = state * 1664525 + 1013904223;
        c = static_cast<char>((state >> 24) & 15); // compresses, but not to nothing
    }
    return text;
}

TEST(Stream, ThreeFormsGiveTheSameBytes) {
    TemporaryFolder dir;
    for (size_t size : {0u, 1u, 1000u, 300000u}) {
        std::string text = sample(size), out;
        for (size_t step : {1000u, 65536u, 1000000u}) {
            EXPECT_EQ(drain_file(dir.write("a", text), &out, step), MMC_OK) << mmc_error_message();
            EXPECT_EQ(out, text);
            EXPECT_EQ(drain_file(dir.write("a.gz", data_files::gz(text)), &out, step), MMC_OK) << mmc_error_message();
            EXPECT_EQ(out, text);
            EXPECT_EQ(drain_file(dir.write("a.xz", data_files::xz(text)), &out, step), MMC_OK) << mmc_error_message();
            EXPECT_EQ(out, text);
            EXPECT_EQ(drain_memory(text, MMC_STREAM_PLAIN, &out, step), MMC_OK);
            EXPECT_EQ(out, text);
        }
    }
}

TEST(Stream, SeveralMembersAreOneFile) {
    std::string out;
    EXPECT_EQ(drain_memory(data_files::gz("abc") + data_files::gz("") + data_files::gz("def"), MMC_STREAM_GZ, &out),
              MMC_OK);
    EXPECT_EQ(out, "abcdef");
    EXPECT_EQ(drain_memory(data_files::xz("abc") + data_files::xz("def"), MMC_STREAM_XZ, &out), MMC_OK);
    EXPECT_EQ(out, "abcdef");
}

TEST(Stream, EveryTruncationIsFound) {
    std::string text = sample(500), out;
    for (mmc_stream_kind kind : {MMC_STREAM_GZ, MMC_STREAM_XZ}) {
        std::string packed = kind == MMC_STREAM_GZ ? data_files::gz(text) : data_files::xz(text);
        ASSERT_EQ(drain_memory(packed, kind, &out), MMC_OK);
        for (size_t n = 0; n < packed.size(); n++)
            EXPECT_EQ(drain_memory(packed.substr(0, n), kind, &out), MMC_ERR_FORMAT) << kind << " " << n;
    }
}

TEST(Stream, FlippedBitsAreFound) {
    std::string text = sample(500), out;
    for (mmc_stream_kind kind : {MMC_STREAM_GZ, MMC_STREAM_XZ}) {
        std::string packed = kind == MMC_STREAM_GZ ? data_files::gz(text) : data_files::xz(text);
        size_t first = kind == MMC_STREAM_GZ ? 10 : 0; // the fields of gzip's header carry no checksum
        for (size_t i = first; i < packed.size(); i++) {
            std::string bad = packed;
            bad[i] = static_cast<char>(bad[i] ^ 16);
            mmc_status status = drain_memory(bad, kind, &out); // unused bits at the end of deflate data may differ
            EXPECT_TRUE(status == MMC_ERR_FORMAT || (status == MMC_OK && out == text)) << kind << " " << i;
        }
    }
}

TEST(Stream, GarbageAfterTheDataIsRefused) {
    std::string out;
    for (const char *garbage : {"x", "garbage that is longer", "\x1f"}) {
        EXPECT_EQ(drain_memory(data_files::gz("abc") + garbage, MMC_STREAM_GZ, &out), MMC_ERR_FORMAT) << garbage;
        EXPECT_EQ(drain_memory(data_files::xz("abc") + garbage, MMC_STREAM_XZ, &out), MMC_ERR_FORMAT) << garbage;
    }
    EXPECT_EQ(drain_memory("plain text", MMC_STREAM_GZ, &out), MMC_ERR_FORMAT);
    EXPECT_EQ(drain_memory("plain text", MMC_STREAM_XZ, &out), MMC_ERR_FORMAT);
}

TEST(Stream, EndSaysWhetherDataFollow) {
    mmc_stream *s;
    char two[2];
    size_t got;
    for (mmc_stream_kind kind : {MMC_STREAM_PLAIN, MMC_STREAM_GZ, MMC_STREAM_XZ}) {
        std::string bytes = kind == MMC_STREAM_PLAIN ? "abc"
                            : kind == MMC_STREAM_GZ  ? data_files::gz("abc")
                                                     : data_files::xz("abc");
        ASSERT_EQ(mmc_stream_open_memory(&s, bytes.data(), bytes.size(), kind, "memory"), MMC_OK);
        ASSERT_EQ(mmc_stream_read(s, two, 2, &got), MMC_OK);
        EXPECT_EQ(got, 2u);
        EXPECT_EQ(mmc_stream_end(s), MMC_ERR_FORMAT);
        mmc_stream_close(s);
    }
}

TEST(Stream, FilesThatCannotBeOpened) {
    TemporaryFolder dir;
    mmc_stream *s;
    EXPECT_EQ(mmc_stream_open(&s, dir.path("none").c_str()), MMC_ERR_MISSING);
    EXPECT_EQ(s, nullptr);
    EXPECT_EQ(mmc_stream_open(&s, dir.root.c_str()), MMC_ERR_IO);
    uint64_t size;
    ASSERT_EQ(mmc_stream_open(&s, dir.write("a", "abc").c_str()), MMC_OK);
    EXPECT_TRUE(mmc_stream_size(s, &size));
    EXPECT_EQ(size, 3u);
    EXPECT_NE(strstr(mmc_stream_name(s), "/a"), nullptr);
    mmc_stream_close(s);
    ASSERT_EQ(mmc_stream_open(&s, dir.write("a.gz", data_files::gz("abc")).c_str()), MMC_OK);
    EXPECT_FALSE(mmc_stream_size(s, &size));
    mmc_stream_close(s);
    mmc_stream_close(nullptr);
}

} // namespace
