// Whole files: limits, clear errors, atomic writing.
#include "runtime/file.h"

#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstring>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

namespace {

std::string read_all(const std::string &path, size_t limit = 1 << 20) {
    void *bytes;
    size_t size;
    EXPECT_EQ(mmc_file_read(&bytes, &size, path.c_str(), limit), MMC_OK) << mmc_error_message();
    std::string text(static_cast<char *>(bytes), size);
    EXPECT_EQ(static_cast<char *>(bytes)[size], 0);
    free(bytes);
    return text;
}

TEST(File, ReadsWhatWasWritten) {
    TemporaryFolder dir;
    std::string text(200000, 'x');
    text[77] = 0;
    ASSERT_EQ(mmc_file_write(dir.path("a").c_str(), text.data(), text.size()), MMC_OK) << mmc_error_message();
    EXPECT_EQ(read_all(dir.path("a")), text);
    EXPECT_EQ(dir.entries(), 1u);
    mmc_file_part parts[] = {{"ab", 2}, {nullptr, 0}, {"cde", 3}};
    ASSERT_EQ(mmc_file_write_parts(dir.path("a").c_str(), parts, 3), MMC_OK);
    EXPECT_EQ(read_all(dir.path("a")), "abcde");
    ASSERT_EQ(mmc_file_write(dir.path("a").c_str(), "", 0), MMC_OK);
    EXPECT_EQ(read_all(dir.path("a")), "");
}

TEST(File, LimitIsTheLastSizeAccepted) {
    TemporaryFolder dir;
    std::string name = dir.write("a", std::string(100, 'x'));
    EXPECT_EQ(read_all(name, 100).size(), 100u);
    void *bytes;
    size_t size;
    EXPECT_EQ(mmc_file_read(&bytes, &size, name.c_str(), 99), MMC_ERR_FORMAT);
    EXPECT_EQ(bytes, nullptr);
    EXPECT_EQ(mmc_file_read(&bytes, &size, "/dev/zero", 1 << 20), MMC_ERR_FORMAT); // endless
}

TEST(File, MissingAndFoldersAreNamed) {
    TemporaryFolder dir;
    void *bytes;
    size_t size;
    EXPECT_EQ(mmc_file_read(&bytes, &size, dir.path("none").c_str(), 1), MMC_ERR_MISSING);
    EXPECT_NE(strstr(mmc_error_message(), "none"), nullptr);
    EXPECT_EQ(mmc_file_read(&bytes, &size, dir.root.c_str(), 1), MMC_ERR_IO);
    EXPECT_NE(strstr(mmc_error_message(), "folder"), nullptr);
    EXPECT_EQ(mmc_file_write(dir.root.c_str(), "x", 1), MMC_ERR_IO);
    EXPECT_EQ(mmc_file_write((dir.root.string() + "/").c_str(), "x", 1), MMC_ERR_IO);
    EXPECT_EQ(mmc_file_write("", "x", 1), MMC_ERR_IO);
    EXPECT_EQ(mmc_file_write("/dev/null", "x", 1), MMC_ERR_IO); // must not be replaced by a file
    struct stat info;
    ASSERT_EQ(stat("/dev/null", &info), 0);
    EXPECT_TRUE(S_ISCHR(info.st_mode));
}

TEST(File, MakesMissingFolders) {
    TemporaryFolder dir;
    ASSERT_EQ(mmc_file_write(dir.path("a/b//c/d").c_str(), "x", 1), MMC_OK) << mmc_error_message();
    EXPECT_EQ(read_all(dir.path("a/b/c/d")), "x");
    EXPECT_EQ(mmc_folder_create(dir.path("a/b/").c_str()), MMC_OK);
    EXPECT_EQ(mmc_folder_create(dir.path("a/b/c/d/e").c_str()), MMC_ERR_IO); // d is a file
    EXPECT_EQ(mmc_file_write(dir.path("a/b/c/d/e").c_str(), "x", 1), MMC_ERR_IO);
}

TEST(File, FollowsALinkAndKeepsIt) {
    TemporaryFolder dir;
    dir.write("real", "old");
    ASSERT_EQ(symlink("real", dir.path("link").c_str()), 0);
    ASSERT_EQ(mmc_file_write(dir.path("link").c_str(), "new", 3), MMC_OK);
    EXPECT_TRUE(std::filesystem::is_symlink(dir.root / "link"));
    EXPECT_EQ(TemporaryFolder::read(dir.path("real")), "new");
}

TEST(File, AFailedWriteLeavesTheOldFileAndNothingElse) {
    TemporaryFolder dir;
    dir.write("a", "old");
    struct rlimit before, small;
    ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
    small = before;
    small.rlim_cur = 4096;
    auto handler = signal(SIGXFSZ, SIG_IGN);
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
    std::string text(100000, 'x');
    mmc_status status = mmc_file_write(dir.path("a").c_str(), text.data(), text.size());
    mmc_status fresh = mmc_file_write(dir.path("b").c_str(), text.data(), text.size());
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    EXPECT_EQ(status, MMC_ERR_IO);
    EXPECT_EQ(fresh, MMC_ERR_IO);
    EXPECT_EQ(TemporaryFolder::read(dir.path("a")), "old");
    EXPECT_EQ(dir.entries(), 1u);
}

} // namespace
