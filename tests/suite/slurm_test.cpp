// The array script, as Slurm would start it: the same tasks side by side, with Slurm's variables, without Slurm.
#include "tests/suite/program.h"

namespace {

using namespace program;

struct Task {
    pid_t pid;
    std::string log;
};

class Slurm : public ::testing::Test {
  protected:
    Folder folder;

    // The words behind the script's name; `slurm`: variables of the task.
    Task start(const std::vector<std::string> &words, const std::vector<std::string> &slurm, const std::string &log) {
        std::vector<std::string> all = words, settings = slurm;
        all.insert(all.begin(), {"/bin/bash", MMC_SLURM_SCRIPT});
        settings.push_back("MMC_PROGRAM=" MMC_PROGRAM);
        const std::string path = (folder / log).string();
        return {program::start(all, settings, path + ".out", path), path};
    }

    static int finish(const Task &task) {
        return program::finish(task.pid);
    }

    static std::vector<std::string> task(int id, int first, int step, int count) {
        return {"SLURM_ARRAY_TASK_ID=" + std::to_string(id), "SLURM_ARRAY_TASK_MIN=" + std::to_string(first),
                "SLURM_ARRAY_TASK_STEP=" + std::to_string(step), "SLURM_ARRAY_TASK_COUNT=" + std::to_string(count)};
    }

    void refused(const std::vector<std::string> &words, const std::vector<std::string> &slurm,
                 const std::string &part) {
        const Task t = start(words, slurm, "refused");
        EXPECT_EQ(finish(t), 2);
        const std::string log = read_file(t.log);
        EXPECT_TRUE(contains(log, part)) << log << "lacks: " << part;
        fs::remove(t.log);
    }
};

TEST_F(Slurm, TasksShareOneRunDirectory) {
    make_cifar10(folder / "data", 120, 40);
    const std::string out = (folder / "run").string();
    const std::vector<std::string> words = {
        "fig11",  "--width",   "4",           "--epochs", "1",
        "--arch", "resnet18",  "--cue",       "1",        "--batch",
        "32",     "--dataset", "cifar10-box", "--data",   (folder / "data").string(),
        "--out",  out,         "--backend",   "cpu"};
    const Task a = start(words, task(3, 3, 2, 2), "a"), b = start(words, task(5, 3, 2, 2), "b");
    EXPECT_EQ(finish(a), 0) << read_file(a.log);
    EXPECT_EQ(finish(b), 0) << read_file(b.log);
    EXPECT_TRUE(fs::exists(out + "/records.jsonl"));
    EXPECT_TRUE(fs::exists(out + "/records-1.jsonl"));
    EXPECT_TRUE(fs::exists(out + "/report/index.html"));
    int done = 0;
    for (auto &entry : fs::directory_iterator(out + "/artifacts"))
        done += fs::exists(entry.path() / "done");
    EXPECT_EQ(done, 2); // without cue, and with
}

TEST_F(Slurm, WhatCannotWorkIsRefusedWithItsReason) {
    const std::vector<std::string> out = {"--out", (folder / "run").string()};
    refused(out, {}, "not a task of a Slurm array");
    refused({"fig11"}, task(0, 0, 1, 2), "--out DIR is required");
    refused(out, task(7, 1, 1, 3), "must be a range");
    refused({"--resume", "--out", "x"}, task(0, 0, 1, 2), "--resume is set by this script");
    refused({"--shard=0/2", "--out", "x"}, task(0, 0, 1, 2), "--shard=0/2 is set by this script");
}

} // namespace
