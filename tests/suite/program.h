// Runs the program as its users do, on toy data made here, and reads what it printed.
#pragma once

#include "runtime/rng.h"

#include <gtest/gtest.h>
#include <jansson.h>

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

namespace program {

namespace fs = std::filesystem;

inline std::string read_file(const fs::path &path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

inline void write_file(const fs::path &path, const std::string &bytes) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << bytes;
}

inline bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

// The names in a folder, sorted.
inline std::string names(const fs::path &folder) {
    std::vector<std::string> all;
    for (auto &entry : fs::directory_iterator(folder))
        all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    std::string text;
    for (auto &name : all)
        text += (text.empty() ? "" : " ") + name;
    return text;
}

struct Json {
    std::shared_ptr<json_t> root;
    explicit Json(json_t *object) : root(object, json_decref) {
    }
    bool has(const char *key) const {
        return json_object_get(root.get(), key) != nullptr;
    }
    double number(const char *key, const char *inner = nullptr) const {
        json_t *value = json_object_get(root.get(), key);
        if (inner)
            value = json_object_get(value, inner);
        EXPECT_TRUE(json_is_number(value)) << key;
        return json_number_value(value);
    }
    std::string text(const char *key) const {
        const char *value = json_string_value(json_object_get(root.get(), key));
        return value ? value : "";
    }
    // The keys in the order printed, separated by commas.
    std::string keys() const {
        std::string all;
        const char *key;
        json_t *value;
        json_object_foreach(root.get(), key, value) {
            all += (all.empty() ? "" : ",") + std::string(key);
        }
        return all;
    }
};

struct Result {
    int code = -1; // exit code, or 1000 + the signal that ended it
    std::string out, err;

    // Every line of the standard output as a JSON object.
    std::vector<Json> rows() const {
        std::vector<Json> all;
        std::istringstream lines(out);
        for (std::string line; std::getline(lines, line);) {
            json_error_t error;
            json_t *object = json_loads(line.c_str(), JSON_REJECT_DUPLICATES, &error);
            EXPECT_NE(object, nullptr) << error.text << ": " << line;
            if (object)
                all.emplace_back(object);
        }
        return all;
    }
};

// A folder that goes away with its owner.
class Folder {
  public:
    Folder() {
        std::string name = (fs::temp_directory_path() / "mmcbench-test-XXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~Folder() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    Folder(const Folder &) = delete;
    Folder &operator=(const Folder &) = delete;
    fs::path operator/(const std::string &name) const {
        return path_ / name;
    }
    const fs::path &path() const {
        return path_;
    }

  private:
    fs::path path_;
};

struct How {
    std::vector<std::string> environment;                   // NAME=value, beside PATH
    std::string out;                                        // standard output goes to this file
    std::function<void(pid_t, const fs::path &)> meanwhile; // called with the process and its standard output
};

// A process begun: `words` with the program's path first, `settings` beside PATH and the sanitizers' as its
// environment.
inline pid_t start(std::vector<std::string> words, std::vector<std::string> settings, const std::string &out,
                   const std::string &err) {
    for (const char *name : {"PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"})
        if (const char *value = getenv(name))
            settings.push_back(std::string(name) + "=" + value);
    settings.push_back("MMC_THREADS=1"); // tests run side by side: threads that spin would wait for each other
    std::vector<char *> argv, environment;
    for (auto &w : words)
        argv.push_back(w.data());
    for (auto &s : settings)
        environment.push_back(s.data());
    argv.push_back(nullptr);
    environment.push_back(nullptr);
    pid_t child = fork();
    if (child == 0) {
        int in = open("/dev/null", O_RDONLY), o = open(out.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600),
            e = open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
        dup2(in, 0);
        dup2(o, 1);
        dup2(e, 2);
        execve(argv[0], argv.data(), environment.data());
        _exit(127);
    }
    return child;
}

// Exit code, or 1000 + the signal that ended it.
inline int finish(pid_t child) {
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

inline Result run(const std::vector<std::string> &words, const How &how = {}) {
    Folder capture;
    std::string out = how.out.empty() ? (capture / "out").string() : how.out, err = (capture / "err").string();
    std::vector<std::string> all = words;
    all.insert(all.begin(), MMC_PROGRAM);
    pid_t child = start(all, how.environment, out, err);
    if (how.meanwhile)
        how.meanwhile(child, out);
    Result result;
    result.code = finish(child);
    if (how.out.empty())
        result.out = read_file(out);
    result.err = read_file(err);
    return result;
}

// A file of CIFAR's binary layout: label bytes (100 classes: coarse, then fine), then 3072 random bytes.
inline std::string cifar(int count, int classes, uint64_t seed) {
    std::string bytes;
    for (int i = 0; i < count; i++) {
        if (classes == 100)
            bytes += static_cast<char>(i % 20);
        bytes += static_cast<char>(i % classes);
        for (uint64_t j = 0; j < 768; j++) {
            uint32_t word = mmc_rng_at(seed, MMC_RNG_TOY, static_cast<uint32_t>(i), j);
            bytes.append(reinterpret_cast<const char *>(&word), 4);
        }
    }
    return bytes;
}

inline void make_cifar10(const fs::path &folder, int train, int test) {
    write_file(folder / "cifar-10-batches-bin" / "data_batch_1.bin", cifar(train, 10, 1));
    write_file(folder / "cifar-10-batches-bin" / "test_batch.bin", cifar(test, 10, 2));
}

inline void make_cifar100(const fs::path &folder, int train, int test) {
    write_file(folder / "cifar-100-binary" / "train.bin", cifar(train, 100, 3));
    write_file(folder / "cifar-100-binary" / "test.bin", cifar(test, 100, 4));
}

// A refusal is one line on the standard error that names its reason, and nothing on the standard output.
inline void expect_refusal(const Result &r, int code, const std::vector<std::string> &parts) {
    EXPECT_EQ(r.code, code) << r.err;
    EXPECT_EQ(r.out, "");
    EXPECT_EQ(r.err.rfind("mmcbench: ", 0), 0u) << r.err;
    EXPECT_EQ(r.err.find('\n'), r.err.size() - 1) << r.err;
    for (auto &part : parts)
        EXPECT_TRUE(contains(r.err, part)) << r.err << "  lacks: " << part;
}

} // namespace program
