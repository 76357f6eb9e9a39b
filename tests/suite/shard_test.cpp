// Several processes on one run directory, and processes that are killed. The test starts itself as a worker.
#include "tests/suite/toy.h"

#include <gtest/gtest.h>

#include <cstring>
#include <thread>

#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

namespace {

// argv: --worker DATA OUT SHARD COUNT ("0 0": not sharded, resuming)
int worker(char **argv) {
    mmc_run_request r = toyRequest(argv[2], argv[3]);
    std::string data = argv[2], out = argv[3];
    r.data = data.c_str();
    r.out = out.c_str();
    r.shard = atoi(argv[4]);
    r.shard_count = atoi(argv[5]);
    r.resume = r.shard_count == 0;
    char page[64];
    mmc_status status = mmc_run(&r, page, sizeof page);
    if (status != MMC_OK)
        fprintf(stderr, "worker: %s\n", mmc_error_message());
    return mmc_status_exit_code(status);
}

pid_t start(const std::string &data, const std::string &out, int shard, int count) {
    std::string program = std::filesystem::read_symlink("/proc/self/exe").string();
    std::string words[] = {program, "--worker", data, out, std::to_string(shard), std::to_string(count)};
    char *argv[7] = {};
    for (int i = 0; i < 6; i++)
        argv[i] = words[i].data();
    pid_t pid = -1;
    EXPECT_EQ(posix_spawn(&pid, program.c_str(), nullptr, nullptr, argv, environ), 0);
    return pid;
}

// Exit code; -1 where a signal ended it.
int finish(pid_t pid) {
    int status = 0;
    EXPECT_EQ(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

// A training that was whole when its process was killed has no speed to report: nothing was trained after that.
std::map<std::string, std::string> withoutTrainingSpeed(std::map<std::string, std::string> rows) {
    for (auto row = rows.begin(); row != rows.end();)
        row = row->first.find(" train images_per_s") != std::string::npos ||
                      row->first.find(" midpoint images_per_s") != std::string::npos
                  ? rows.erase(row)
                  : std::next(row);
    return rows;
}

class Processes : public ::testing::Test {
  protected:
    TemporaryFolder folder;
    std::string data = toyData(folder), whole = folder.path("whole"), out = folder.path("run");

    void SetUp() override {
        mmc_run_request request = toyRequest(data, whole);
        char page[64];
        ASSERT_EQ(mmc_run(&request, page, sizeof page), MMC_OK) << mmc_error_message();
    }
};

TEST_F(Processes, TwoShardsGiveTheRowsOfOne) {
    pid_t a = start(data, out, 0, 2), b = start(data, out, 1, 2);
    EXPECT_EQ(finish(a), 0);
    EXPECT_EQ(finish(b), 0);
    EXPECT_EQ(toyRows(out), toyRows(whole));
    EXPECT_EQ(toyModels(out), toyModels(whole));
    EXPECT_TRUE(std::filesystem::exists(out + "/records.jsonl"));
    EXPECT_TRUE(std::filesystem::exists(out + "/records-1.jsonl"));
}

TEST_F(Processes, TheSameShardTwiceIsRefused) {
    mmc_record_writer *writer = nullptr;
    std::filesystem::create_directories(out);
    ASSERT_EQ(mmc_record_writer_open(&writer, out.c_str(), 1), MMC_OK) << mmc_error_message();
    EXPECT_EQ(finish(start(data, out, 1, 2)), 3);
    mmc_record_writer_close(writer);
    EXPECT_EQ(finish(start(data, out, 0, 2)), 0); // the other one may work, and does all the jobs
    EXPECT_EQ(toyRows(out), toyRows(whole));
}

TEST_F(Processes, KilledAnywhereNothingIsLostAndNothingTwice) {
    int kills = 0;
    for (int delay_ms = 20;; delay_ms += delay_ms / 2) {
        pid_t pid = start(data, out, 0, 0);
        std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
        kill(pid, SIGKILL);
        int code = finish(pid);
        if (code == 0)
            break;
        ASSERT_EQ(code, -1);
        ASSERT_LT(++kills, 30);
    }
    EXPECT_GT(kills, 2);
    EXPECT_EQ(withoutTrainingSpeed(toyRows(out)), withoutTrainingSpeed(toyRows(whole)));
    EXPECT_EQ(toyModels(out), toyModels(whole));
    EXPECT_EQ(toyLines(out), toyRows(out).size());
}

#ifdef MMC_SLOW
constexpr int random_kills = 100;
#else
constexpr int random_kills = 5;
#endif

// Two processes share a run; one of them is killed at a random instant and started again, over and over. Whenever a run
// comes to its end before that, a new one begins, and each must leave what the undisturbed one left.
TEST_F(Processes, ShardsKilledAtRandomInstantsLeaveTheRowsOfOne) {
    const auto expected = withoutTrainingSpeed(toyRows(whole));
    const auto models = toyModels(whole);
    int kills = 0, runs = 0;
    uint64_t draw = 0;
    for (; kills < random_kills; runs++) {
        const std::string directory = folder.path("run-" + std::to_string(runs));
        pid_t shard[2] = {start(data, directory, 0, 2), start(data, directory, 1, 2)};
        while (kills < random_kills) {
            const int delay_ms = static_cast<int>(mmc_rng_below(mmc_rng_at(1, MMC_RNG_TOY, 9, draw++), 400));
            const int victim = static_cast<int>(mmc_rng_below(mmc_rng_at(1, MMC_RNG_TOY, 9, draw++), 2));
            std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
            kill(shard[victim], SIGKILL);
            const int code = finish(shard[victim]);
            shard[victim] = -1;
            if (code == 0)
                break;
            ASSERT_EQ(code, -1);
            kills++;
            shard[victim] = start(data, directory, victim, 2);
        }
        for (pid_t pid : shard)
            EXPECT_TRUE(pid == -1 || finish(pid) == 0);
        // the other shard may have been killed with jobs in hand that this one had passed by: once more, all of them
        EXPECT_EQ(finish(start(data, directory, 0, 2)), 0);
        EXPECT_EQ(withoutTrainingSpeed(toyRows(directory)), expected) << "run " << runs;
        EXPECT_EQ(toyModels(directory), models) << "run " << runs;
        EXPECT_EQ(toyLines(directory), toyRows(directory).size()) << "run " << runs;
    }
    RecordProperty("runs", runs);
}

} // namespace

int main(int argc, char **argv) {
    if (argc == 6 && strcmp(argv[1], "--worker") == 0)
        return worker(argv);
    testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
