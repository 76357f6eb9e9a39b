// Claims of jobs: one holder, takeover of the silent and the dead, never of the living.
#include "suites/lease.h"
#include "tests/support/temporary_folder.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

class Lease : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    std::string lock = folder.path("claims.lock"), claim = folder.path("claim");

    mmc_lease *take() {
        mmc_lease *lease = nullptr;
        EXPECT_EQ(mmc_lease_take(&lease, folder.root.c_str(), lock.c_str()), MMC_OK) << mmc_error_message();
        return lease;
    }
    void age(double seconds) {
        timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        now.tv_sec -= static_cast<time_t>(seconds);
        timespec times[2] = {now, now};
        ASSERT_EQ(utimensat(AT_FDCWD, claim.c_str(), times, 0), 0);
    }
};

TEST_F(Lease, OneHolderAtATime) {
    mmc_lease *a = take();
    ASSERT_NE(a, nullptr);
    EXPECT_TRUE(mmc_lease_held(a));
    EXPECT_EQ(take(), nullptr);
    mmc_lease_release(a);
    EXPECT_FALSE(std::filesystem::exists(claim));
    mmc_lease *b = take();
    ASSERT_NE(b, nullptr);
    mmc_lease_release(b);
}

TEST_F(Lease, SilentForTwoMinutesIsTakenOverAndTheFormerHolderKnows) {
    mmc_lease *a = take();
    ASSERT_NE(a, nullptr);
    age(115);
    EXPECT_EQ(take(), nullptr);
    age(125);
    mmc_lease *b = take();
    ASSERT_NE(b, nullptr);
    EXPECT_FALSE(mmc_lease_held(a));
    EXPECT_TRUE(mmc_lease_held(b));
    mmc_lease_release(a); // leaves the claim, which is another's now
    EXPECT_TRUE(mmc_lease_held(b));
    mmc_lease_release(b);
}

TEST_F(Lease, ADeadProcessOfThisHostIsTakenOverAtOnce) {
    mmc_lease *a = take();
    ASSERT_NE(a, nullptr);
    std::string text = TemporaryFolder::read(claim);
    mmc_lease_release(a);
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    ASSERT_EQ(waitpid(child, nullptr, 0), child);
    std::string host = text.substr(0, text.find(' '));
    folder.write("claim", host + " " + std::to_string(child) + " 1.0\n");
    mmc_lease *b = take();
    EXPECT_NE(b, nullptr);
    mmc_lease_release(b);
    folder.write("claim", "elsewhere/pid:[1] " + std::to_string(child) + " 1.0\n");
    EXPECT_EQ(take(), nullptr); // another host's process cannot be looked up
}

TEST_F(Lease, OfManyThatTakeOverOneWins) {
    for (int round = 0; round < 20; round++) {
        folder.write("claim", "elsewhere 1 1.0\n");
        age(1000);
        std::atomic<int> winners{0};
        std::atomic<bool> go{false};
        std::vector<std::thread> threads;
        std::vector<mmc_lease *> won(6, nullptr);
        for (size_t i = 0; i < won.size(); i++)
            threads.emplace_back([&, i] {
                while (!go)
                    std::this_thread::yield();
                if (mmc_lease_take(&won[i], folder.root.c_str(), lock.c_str()) == MMC_OK && won[i])
                    winners++;
            });
        go = true;
        for (std::thread &t : threads)
            t.join();
        EXPECT_EQ(winners, 1);
        for (mmc_lease *lease : won)
            mmc_lease_release(lease);
    }
}

} // namespace
