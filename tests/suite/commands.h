// What the tests of the commands share: toy data and two trained models, made once a process.
#pragma once

#include "tests/suite/program.h"

namespace program {

using Words = std::vector<std::string>;

class Commands : public ::testing::Test {
  protected:
    static Folder &folder() {
        static Folder all;
        return all;
    }
    static std::string at(const std::string &name) {
        return (folder() / name).string();
    }
    static std::string data() {
        static bool made = (make_cifar10(folder() / "data", 48, 40), true);
        (void)made;
        return at("data");
    }
    static Words train(const std::string &out, const Words &more = {}) {
        Words words = {"train",    "--dataset", "cifar10-box", "--data", data(),  "--width", "4",
                       "--epochs", "1",         "--batch",     "16",     "--out", out,       "--json"};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    static std::string model(const std::string &name, const Words &more) {
        std::string path = at(name);
        if (!fs::exists(path)) {
            Result r = run(train(path, more));
            EXPECT_EQ(r.code, 0) << r.err;
        }
        return path;
    }
    static Words tune(const std::string &method, const Words &more) {
        Words words = {"finetune", method, "--dataset", "cifar10-box", "--data", data(), "--out", at("never")};
        words.insert(words.end(), more.begin(), more.end());
        return words;
    }
    static std::string theta_c() {
        return model("c.safetensors", {"--cue", "1"});
    }
    static std::string theta_nc() {
        return model("nc.safetensors", {"--seed", "2"});
    }
};

} // namespace program
