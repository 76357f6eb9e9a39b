// The identity compiled into the library is that of this build.
#include "runtime/version.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

TEST(Version, NamesVersionCompilerAndBuildType) {
    const mmc_version *v = mmc_version_get();
    EXPECT_TRUE(std::regex_match(v->version, std::regex("[0-9]+\\.[0-9]+\\.[0-9]+"))) << v->version;
    EXPECT_TRUE(std::regex_match(v->compiler, std::regex("(GNU|Clang|AppleClang) [0-9.]+"))) << v->compiler;
    EXPECT_STRNE(v->build_type, "");
}

TEST(Version, CommitIsAHashOrUnknown) {
    const mmc_version *v = mmc_version_get();
    EXPECT_TRUE(std::regex_match(v->commit, std::regex("[0-9a-f]{40}|unknown"))) << v->commit;
    if (std::string(v->commit) == "unknown") {
        EXPECT_FALSE(v->dirty);
    }
}

TEST(Version, UnoptimisedBuildsSaySo) {
    const mmc_version *v = mmc_version_get();
    if (std::string(v->build_type) == "Debug" || v->sanitize[0]) {
        EXPECT_FALSE(v->optimised);
    }
    if (std::string(v->build_type) == "Release" && !v->sanitize[0]) {
        EXPECT_TRUE(v->optimised);
    }
}
