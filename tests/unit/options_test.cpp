// The option table: defaults, kinds, ranges, the environment, and what is refused.
#include "suites/options.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

struct Parsed {
    mmc_options options;
    mmc_status status;
    std::string error;
    std::vector<std::string> warnings;
    std::vector<std::string> words, settings; // texts that `options` points into
};

Parsed parse(std::vector<std::string> words, std::vector<std::string> settings = {}) {
    Parsed p;
    p.words = std::move(words);
    p.words.insert(p.words.begin(), "mmcbench");
    p.settings = std::move(settings);
    std::vector<char *> argv, environment;
    for (auto &w : p.words)
        argv.push_back(w.data());
    for (auto &s : p.settings)
        environment.push_back(s.data());
    int argc = static_cast<int>(argv.size());
    argv.push_back(nullptr);
    environment.push_back(nullptr);
    p.status = mmc_options_parse(
        &p.options, argc, argv.data(), environment.data(),
        [](void *user, const char *line) { static_cast<std::vector<std::string> *>(user)->push_back(line); },
        &p.warnings);
    if (p.status != MMC_OK)
        p.error = mmc_error_message();
    return p;
}

bool contains(const std::string &text, const std::string &part) {
    return text.find(part) != std::string::npos;
}

} // namespace

TEST(Options, TableIsInTheOrderOfItsEnum) {
    std::set<std::string> names;
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        const mmc_option_info *info = mmc_option_find(static_cast<mmc_option_id>(i));
        EXPECT_EQ(info->id, i);
        EXPECT_NE(info->commands, 0u) << info->name;
        EXPECT_TRUE(names.insert(info->name).second) << info->name;
        EXPECT_EQ(info->argument == nullptr, info->kind == MMC_OPTION_FLAG) << info->name;
        if (info->kind == MMC_OPTION_INTEGER || info->kind == MMC_OPTION_NUMBER)
            EXPECT_LT(info->minimum, info->maximum) << info->name;
    }
}

TEST(Options, DefaultsAreThoseOfTheInterface) {
    Parsed p = parse({"path", "a", "b"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    const mmc_options &o = p.options;
    EXPECT_EQ(o.command, MMC_COMMAND_PATH);
    ASSERT_EQ(o.argument_count, 2);
    EXPECT_STREQ(o.arguments[0], "a");
    EXPECT_STREQ(o.arguments[1], "b");
    EXPECT_EQ(o.given, 0u);
    EXPECT_EQ(o.arch, 0);
    EXPECT_EQ(o.split, 1); // test
    EXPECT_STREQ(o.sets, "NC,C,RC,RI");
    EXPECT_EQ(o.cue, 0);
    EXPECT_EQ(o.limit_train, 0);
    EXPECT_EQ(o.limit_test, 0);
    EXPECT_EQ(o.lr, 0.1);
    EXPECT_EQ(o.seed, 1u);
    EXPECT_EQ(o.order, 0);
    EXPECT_EQ(o.bn_batch, 128);
    EXPECT_EQ(o.points, 11);
    EXPECT_EQ(o.bends, 1);
    EXPECT_EQ(o.mid_init, 0);
    EXPECT_STREQ(o.backend, "auto");
    EXPECT_STREQ(o.provider, "auto");
    EXPECT_EQ(o.precision, nullptr);
    EXPECT_EQ(o.threads, 0);
    EXPECT_EQ(o.device, 0);
    EXPECT_STREQ(o.scale, "quick");
    EXPECT_EQ(o.shard.count, 0);
    EXPECT_FALSE(o.json || o.quiet || o.resume || o.dry_run || o.log_steps || o.help || o.version);
}

TEST(Options, EveryKindIsRead) {
    Parsed p = parse({"train", "--arch=vgg13", "--width", "16", "--dataset", "dominoes", "--lr", "1e-2", "--seed",
                      "18446744073709551615", "--order", "sequential", "--log-steps", "--out", "x.safetensors"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    EXPECT_EQ(p.options.arch, 1);
    EXPECT_EQ(p.options.width, 16);
    EXPECT_EQ(p.options.dataset, 2);
    EXPECT_EQ(p.options.lr, 1e-2);
    EXPECT_EQ(p.options.seed, UINT64_MAX);
    EXPECT_EQ(p.options.order, 1);
    EXPECT_TRUE(p.options.log_steps);
    EXPECT_TRUE(mmc_option_given(&p.options, MMC_OPTION_WIDTH));
    EXPECT_FALSE(mmc_option_given(&p.options, MMC_OPTION_CUE));

    p = parse({"run", "fig4", "--shard", "1/4", "--filter", "-vgg13", "--tag", "a=b", "--tag=c=d=e", "fig14"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    EXPECT_EQ(p.options.shard.index, 1);
    EXPECT_EQ(p.options.shard.count, 4);
    ASSERT_EQ(p.options.filter.count, 1);
    EXPECT_STREQ(p.options.filter.items[0], "-vgg13");
    ASSERT_EQ(p.options.tag.count, 2);
    EXPECT_STREQ(p.options.tag.items[1], "c=d=e");
    ASSERT_EQ(p.options.argument_count, 2);
    EXPECT_STREQ(p.options.arguments[1], "fig14");
}

TEST(Options, RepeatedTextsKeepTheirOrderAndRepeatedValuesTheLast) {
    Parsed p = parse({"path", "a", "--mid", "m1", "b", "--mid", "m2", "--points", "3", "--points", "5"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    ASSERT_EQ(p.options.mid.count, 2);
    EXPECT_STREQ(p.options.mid.items[0], "m1");
    EXPECT_STREQ(p.options.mid.items[1], "m2");
    EXPECT_EQ(p.options.points, 5);
}

TEST(Options, AfterTwoDashesEverythingIsAnArgument) {
    Parsed p = parse({"eval", "--", "--json"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    ASSERT_EQ(p.options.argument_count, 1);
    EXPECT_STREQ(p.options.arguments[0], "--json");
    EXPECT_FALSE(p.options.json);
}

TEST(Options, RefusalsNameTheOptionAndWhatItAccepts) {
    struct {
        std::vector<std::string> words;
        std::vector<std::string> parts;
    } cases[] = {
        {{"eval", "a", "--batch", "0"}, {"--batch 0", "integer from 1 to 65536"}},
        {{"eval", "a", "--batch", "70000"}, {"--batch 70000", "65536"}},
        {{"eval", "a", "--batch", "12x"}, {"--batch 12x", "integer"}},
        {{"eval", "a", "--batch", "99999999999999999999"}, {"--batch 9999", "65536"}},
        {{"eval", "a", "--batch"}, {"--batch", "integer from 1 to 65536"}},
        {{"eval", "a", "--bn", "mean"}, {"--bn mean", "momentum|pooled|stored"}},
        {{"eval", "a", "--bn", "pool"}, {"--bn pool", "momentum|pooled|stored"}},
        {{"eval", "a", "--provider", "mkl"}, {"--provider mkl", "auto|own|cudnn|onednn|reference"}},
        {{"eval", "a", "--seed", "-1"}, {"--seed -1", "integer from 0"}},
        {{"eval", "a", "--data", ""}, {"--data", "DIR"}},
        {{"train", "--cue", "nan"}, {"--cue nan", "a number from 0 to 1"}},
        {{"train", "--cue", "1.5"}, {"--cue 1.5", "a number from 0 to 1"}},
        {{"train", "--width", "3"}, {"--width 3", "from 4 to 1024"}},
        {{"train", "--log-steps=1"}, {"--log-steps", "no value"}},
        {{"path", "--points", "1"}, {"--points 1", "integer from 2"}},
        {{"run", "--shard", "4/4"}, {"--shard 4/4", "0 <= i < n"}},
        {{"train", "--rates", "dir"}, {"--rates", "train"}},
        {{"run", "--shard", "1"}, {"--shard 1", "i/n"}},
        {{"run", "--tag", "novalue"}, {"--tag novalue", "key=value"}},
        {{"eval", "--frobnicate"}, {"unknown option --frobnicate", "mmcbench help eval"}},
        {{"eval", "--lim", "3"}, {"unknown option --lim"}},
        {{"eval", "--thr=3"}, {"unknown option --thr"}},
        {{"eval", "-x"}, {"unknown option -x"}},
        {{"eval", "a", "--epochs", "3"}, {"--epochs", "no option of `mmcbench eval`", "train"}},
        {{"finetune", "cbft", "--barrier-t", "uniform"}, {"--barrier-t uniform", "truncated|authors"}},
        {{"train", "--clean", "0"}, {"--clean 0", "integer from 1"}},
        {{"train", "--from", "a"}, {"--from", "no option of `mmcbench train`", "finetune"}},
        {{"measure"}, {"this version has no command 'measure'"}},
        {{}, {"no command", "mmcbench help"}},
        {{"eval", "a", "--backend", "cpu", "--provider", "cudnn"}, {"--provider cudnn", "--backend cpu"}},
        {{"eval", "a", "--backend", "cuda", "--provider", "onednn"}, {"--provider onednn", "--backend cuda"}},
        {{"eval", "a", "--backend", "cpu", "--precision", "bf16"}, {"--precision bf16", "--backend cpu", "fp32"}},
    };
    for (auto &c : cases) {
        Parsed p = parse(c.words);
        EXPECT_EQ(mmc_status_exit_code(p.status), 2) << p.error;
        for (auto &part : c.parts)
            EXPECT_TRUE(contains(p.error, part)) << p.error << "\n  lacks: " << part;
    }
}

TEST(Options, TheEnvironmentGivesValuesAndTheOptionWins) {
    Parsed p =
        parse({"eval", "a", "--limit-test", "7"}, {"MMC_LIMIT_TEST=5", "MMC_BATCH=32", "MMC_JSON=1", "MMC_DATA="});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    EXPECT_EQ(p.options.limit_test, 7);
    EXPECT_EQ(p.options.batch, 32);
    EXPECT_TRUE(p.options.json);
    EXPECT_EQ(p.options.data, nullptr); // empty is unset
    EXPECT_TRUE(mmc_option_given(&p.options, MMC_OPTION_BATCH));
    EXPECT_TRUE(p.warnings.empty());

    p = parse({"eval", "a"}, {"MMC_BATCH=many"});
    EXPECT_EQ(p.status, MMC_ERR_USAGE);
    EXPECT_TRUE(contains(p.error, "MMC_BATCH=many")) << p.error;
    EXPECT_TRUE(contains(p.error, "--batch accepts an integer")) << p.error;

    p = parse({"eval", "a", "--batch", "8"}, {"MMC_BATCH=many"});
    EXPECT_EQ(p.status, MMC_OK) << p.error;

    p = parse({"list"}, {"MMC_BATCH=32", "MMC_HELP=1"}); // of other commands: not this one's business
    EXPECT_EQ(p.status, MMC_OK) << p.error;
    EXPECT_FALSE(p.options.help);
    EXPECT_TRUE(p.warnings.empty());
}

TEST(Options, UnknownNamesInTheEnvironmentAreWarnedAbout) {
    Parsed p =
        parse({"list"}, {"MMC_BATHC=32", "MMC_ISA=avx2", "MMC_GOLDEN_EXTRA=x", "PATH=/bin", "MMC_LIMIT_TRAINS=1"});
    ASSERT_EQ(p.status, MMC_OK) << p.error;
    ASSERT_EQ(p.warnings.size(), 2u);
    EXPECT_TRUE(contains(p.warnings[0], "MMC_BATHC"));
    EXPECT_TRUE(contains(p.warnings[1], "MMC_LIMIT_TRAINS"));
}

TEST(Options, VariableNamesAreDerivedFromTheOption) {
    char name[32];
    mmc_option_environment(name, sizeof name, mmc_option_find(MMC_OPTION_LIMIT_TRAIN));
    EXPECT_STREQ(name, "MMC_LIMIT_TRAIN");
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        mmc_option_environment(name, sizeof name, mmc_option_find(static_cast<mmc_option_id>(i)));
        EXPECT_LT(std::string(name).size(), sizeof name - 1) << name;
    }
}

TEST(Options, HelpAndVersionNeedNoCommand) {
    EXPECT_TRUE(parse({"--help"}).options.help);
    EXPECT_TRUE(parse({"-h"}).options.help);
    EXPECT_TRUE(parse({"--version"}).options.version);
    Parsed p = parse({"train", "--help"});
    EXPECT_EQ(p.status, MMC_OK);
    EXPECT_TRUE(p.options.help);
    EXPECT_EQ(p.options.command, MMC_COMMAND_TRAIN);
}

namespace {

struct Entry {
    std::string argument, shown, takers;
};

// The entries of "## Options" in docs/commands.md: name -> argument, default, commands.
std::map<std::string, Entry> documented() {
    std::ifstream file(MMC_SOURCE_DIR "/docs/commands.md");
    EXPECT_TRUE(file.good());
    std::map<std::string, Entry> entries;
    std::string line, entry;
    bool options = false;
    auto finish = [&] {
        static const std::regex form(R"(\* `--([a-z-]+)(?: ([^`]+))?`(?: \(([^)]*)\))?: .*\. +Taken by: ([a-z, ]+)\.)");
        std::smatch m;
        if (entry.empty())
            return;
        EXPECT_TRUE(std::regex_match(entry, m, form)) << entry;
        if (!m.empty())
            EXPECT_TRUE(entries.insert({m[1], {m[2], m[3], m[4]}}).second) << entry;
        entry.clear();
    };
    while (std::getline(file, line)) {
        if (line.rfind("## ", 0) == 0)
            options = line == "## Options";
        if (!options)
            continue;
        if (line.rfind("* ", 0) == 0) {
            finish();
            entry = line;
        } else if (line.rfind("  ", 0) == 0)
            entry += line.substr(1);
    }
    finish();
    return entries;
}

} // namespace

TEST(Options, TheDocumentationHoldsExactlyTheTable) {
    auto entries = documented();
    for (int i = 0; i < MMC_OPTION_COUNT; i++) {
        const mmc_option_info *info = mmc_option_find(static_cast<mmc_option_id>(i));
        auto found = entries.find(info->name);
        ASSERT_NE(found, entries.end()) << "docs/commands.md lacks --" << info->name;
        const Entry &e = found->second;
        EXPECT_EQ(e.argument, info->argument ? info->argument : "") << info->name;
        EXPECT_EQ(e.shown, info->shown ? info->shown : info->initial ? info->initial : "") << info->name;
        std::string takers;
        bool every = true;
        for (int c = 0; c < MMC_COMMAND_COUNT; c++)
            if (info->commands & (1u << c))
                takers += (takers.empty() ? "" : ", ") + std::string(mmc_command_name(static_cast<mmc_command_id>(c)));
            else
                every = false;
        EXPECT_EQ(e.takers, every ? "every command" : takers) << info->name;
        entries.erase(found);
    }
    for (auto &e : entries)
        ADD_FAILURE() << "docs/commands.md describes --" << e.first << ", which the program lacks";
}

TEST(Options, EveryCommandHasItsSection) {
    std::ifstream file(MMC_SOURCE_DIR "/docs/commands.md");
    std::stringstream text;
    text << file.rdbuf();
    for (int c = 0; c < MMC_COMMAND_COUNT; c++) {
        std::string name = mmc_command_name(static_cast<mmc_command_id>(c));
        EXPECT_TRUE(std::regex_search(text.str(), std::regex("\n## `" + name + "[` ]"))) << name;
        EXPECT_TRUE(std::regex_search(text.str(), std::regex("\n\\* `" + name + "[` ]"))) << name;
    }
}
