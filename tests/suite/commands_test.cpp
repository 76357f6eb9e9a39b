// The commands as their users meet them: rows, files, and what an interruption leaves.
#include "tests/suite/commands.h"

#include <chrono>
#include <cmath>
#include <map>
#include <thread>

using namespace program;

namespace {

// Header of a safetensors file.
Json header(const std::string &path) {
    std::string bytes = read_file(path);
    uint64_t length = 0;
    EXPECT_GE(bytes.size(), 8u);
    memcpy(&length, bytes.data(), 8);
    return Json(json_loadb(bytes.data() + 8, length, 0, nullptr));
}

} // namespace

TEST_F(Commands, HelpAndVersionNeedNothing) {
    Result r = run({"help"});
    EXPECT_EQ(r.code, 0);
    EXPECT_TRUE(contains(r.out, "mmcbench COMMAND"));
    for (const char *command :
         {"run", "list", "report", "train", "finetune", "midpoint", "eval", "path", "bench", "data", "info"}) {
        Result h = run({"help", command});
        EXPECT_EQ(h.code, 0);
        EXPECT_EQ(h.out.rfind(command, 0), 0u) << h.out;
        EXPECT_EQ(h.out, run({command, "--help"}).out);
        EXPECT_TRUE(contains(h.out, "--json"));
        EXPECT_EQ(contains(h.out, "--shard"), std::string(command) == "run");
    }
    r = run({"--version"});
    EXPECT_EQ(r.code, 0);
    EXPECT_EQ(r.out.rfind("mmcbench 0.", 0), 0u) << r.out;
    r = run({"--version", "--json"});
    ASSERT_EQ(r.rows().size(), 1u);
    EXPECT_TRUE(r.rows()[0].has("commit"));
}

TEST_F(Commands, ListNamesWhatThereIs) {
    Result all = run({"list"});
    EXPECT_EQ(all.code, 0) << all.err;
    for (const char *kind : {"suites", "models", "datasets", "methods", "backends", "ops"}) {
        Result r = run({"list", kind, "--json"});
        EXPECT_EQ(r.code, 0);
        auto rows = r.rows();
        EXPECT_FALSE(rows.empty()) << kind;
        for (auto &row : rows) {
            EXPECT_EQ(row.keys(), "kind,name,text,paper");
            EXPECT_TRUE(contains(all.out, row.text("name"))) << row.text("name");
        }
    }
    expect_refusal(run({"list", "tables"}), 2, {"list tables", "suites, models"});
}

TEST_F(Commands, InfoSaysWhatIsMissing) {
    Result r = run({"info", "--json"});
    EXPECT_EQ(r.code, 0) << r.err;
    bool cpu = false;
    for (auto &row : r.rows()) {
        EXPECT_TRUE(row.has("kind") && row.has("name") && row.has("found") && row.has("detail"));
        cpu |= row.text("kind") == "device" && row.text("name") == "cpu";
    }
    EXPECT_TRUE(cpu);
    EXPECT_EQ(run({"info"}).code, 0);
}

TEST_F(Commands, TrainWritesRowsAndACheckpoint) {
    std::string out = at("train/sub/t.safetensors");
    Result r = run(train(out, {"--epochs", "2", "--log-steps"}));
    ASSERT_EQ(r.code, 0) << r.err;
    int steps = 0, epochs = 0;
    for (auto &row : r.rows()) {
        if (row.has("step")) {
            EXPECT_EQ(row.keys(), "step,loss,lr");
            EXPECT_EQ(row.number("step"), steps++);
        } else {
            EXPECT_EQ(row.keys(), "epoch,loss,accuracy,lr,images_per_s");
            EXPECT_EQ(row.number("epoch"), ++epochs);
            EXPECT_GT(row.number("images_per_s"), 0);
        }
        EXPECT_GT(row.number("loss"), 0);
        EXPECT_GT(row.number("lr"), 0);
    }
    EXPECT_EQ(steps, 6); // 2 epochs of 48 images in batches of 16
    EXPECT_EQ(epochs, 2);
    EXPECT_EQ(names(at("train/sub")), "t.safetensors"); // no state, no temporary name
    Json h = header(out);
    json_t *metadata = json_object_get(h.root.get(), "__metadata__");
    std::map<std::string, std::string> expected = {{"arch", "resnet18"},       {"width", "4"}, {"classes", "10"},
                                                   {"dataset", "cifar10-box"}, {"seed", "1"},  {"job", "train"}};
    for (auto &e : expected)
        EXPECT_STREQ(json_string_value(json_object_get(metadata, e.first.c_str())), e.second.c_str()) << e.first;
    const char *program = json_string_value(json_object_get(metadata, "program"));
    ASSERT_NE(program, nullptr);
    EXPECT_TRUE(contains(program, "mmcbench 0.")) << program;
}

TEST_F(Commands, TheSameTrainingGivesTheSameBytes) {
    ASSERT_EQ(run(train(at("same1"), {"--arch", "vgg13"})).code, 0);
    ASSERT_EQ(run(train(at("same2"), {"--arch", "vgg13"})).code, 0);
    EXPECT_EQ(read_file(at("same1")), read_file(at("same2")));
    ASSERT_EQ(run(train(at("same3"), {"--arch", "vgg13", "--seed", "7"})).code, 0);
    EXPECT_NE(read_file(at("same1")), read_file(at("same3")));
}

TEST_F(Commands, AnInterruptedTrainingGoesOnToTheSameBits) {
    std::string out = at("whole"), broken = at("interrupted/x");
    ASSERT_EQ(run(train(out, {"--epochs", "6"})).code, 0);
    How how;
    how.meanwhile = [](pid_t child, const fs::path &rows) {
        for (int i = 0; i < 10000 && !contains(read_file(rows), "\"epoch\":2"); i++)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        kill(child, SIGINT);
    };
    Result r = run(train(broken, {"--epochs", "6"}), how);
    ASSERT_EQ(r.code, 130) << r.err;
    EXPECT_TRUE(contains(r.err, "--resume")) << r.err;
    EXPECT_EQ(names(at("interrupted")), "x.state");
    // another configuration must not take this state
    Result other = run(train(broken, {"--epochs", "6", "--seed", "5", "--resume"}));
    expect_refusal(other, 2, {"x.state"});
    EXPECT_EQ(names(at("interrupted")), "x.state");
    r = run(train(broken, {"--epochs", "6", "--resume"}));
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(names(at("interrupted")), "x");
    EXPECT_EQ(read_file(broken), read_file(out));
}

TEST_F(Commands, InitGoesOnFromACheckpoint) {
    std::string out = at("init.safetensors");
    Result r = run({"train", "--init", theta_c(), "--data", data(), "--epochs", "1", "--lr", "0", "--schedule",
                    "constant", "--order", "sequential", "--out", out, "--json"});
    ASSERT_EQ(r.code, 0) << r.err; // network and data set are those of the checkpoint
    EXPECT_EQ(r.rows()[0].number("lr"), 0);
    // at rate 0 the parameters, which lie first in neither file by chance, stay; only running values move
    Words eval = {"eval", "", "--data", data(), "--bn", "pooled", "--json"};
    eval[1] = theta_c();
    std::string before = run(eval).out;
    eval[1] = out;
    EXPECT_EQ(run(eval).out, before);
    EXPECT_NE(read_file(out), read_file(theta_c()));
}

TEST_F(Commands, EvalPrintsARowASet) {
    Result r = run({"eval", theta_c(), "--data", data(), "--json"});
    ASSERT_EQ(r.code, 0) << r.err;
    auto rows = r.rows();
    ASSERT_EQ(rows.size(), 4u);
    const char *sets[] = {"NC", "C", "RC", "RI"};
    for (size_t i = 0; i < 4; i++) {
        EXPECT_EQ(rows[i].keys(), "set,split,accuracy,loss,n");
        EXPECT_EQ(rows[i].text("set"), sets[i]);
        EXPECT_EQ(rows[i].text("split"), "test");
        EXPECT_EQ(rows[i].number("n"), 40);
        double correct = rows[i].number("accuracy") * 40;
        EXPECT_NEAR(correct, std::round(correct), 1e-9);
        EXPECT_GT(rows[i].number("loss"), 0);
    }
    r = run({"eval", theta_c(), "--data", data(), "--json", "--sets", "RC", "--split", "train", "--limit-train", "30",
             "--batch", "7"});
    ASSERT_EQ(r.code, 0) << r.err;
    ASSERT_EQ(r.rows().size(), 1u);
    EXPECT_EQ(r.rows()[0].text("set"), "RC");
    EXPECT_EQ(r.rows()[0].text("split"), "train");
    EXPECT_EQ(r.rows()[0].number("n"), 30);
    r = run({"eval", theta_c(), "--data", data()}); // for a person: a heading and four lines
    EXPECT_EQ(std::count(r.out.begin(), r.out.end(), '\n'), 5) << r.out;
}

TEST_F(Commands, EvalReadsOnlyTheSplitItNeeds) {
    make_cifar10(folder() / "half", 16, 8);
    fs::remove(folder() / "half/cifar-10-batches-bin/data_batch_1.bin");
    Result r = run({"eval", theta_c(), "--data", at("half"), "--json"});
    EXPECT_EQ(r.code, 0) << r.err;
    expect_refusal(run({"eval", theta_c(), "--data", at("half"), "--bn", "momentum"}), 3, {at("half")});
}

TEST_F(Commands, PathBeginsAtAAndEndsAtB) {
    Words more = {"--data", data(), "--json", "--bn", "pooled", "--bn-batch", "32"};
    Words words = {"path", theta_c(), theta_nc(), "--points", "3"};
    words.insert(words.end(), more.begin(), more.end());
    Result r = run(words);
    ASSERT_EQ(r.code, 0) << r.err;
    auto rows = r.rows();
    ASSERT_EQ(rows.size(), 13u); // 3 points x 4 sets, and the summary
    for (size_t i = 0; i < 12; i++) {
        EXPECT_EQ(rows[i].keys(), "t,set,split,accuracy,loss,n");
        EXPECT_EQ(rows[i].number("t"), static_cast<double>(i / 4) / 2);
    }
    for (size_t end : {size_t(0), size_t(8)}) {
        Words eval = {"eval", end ? theta_nc() : theta_c()};
        eval.insert(eval.end(), more.begin(), more.end());
        auto plain = run(eval).rows();
        ASSERT_EQ(plain.size(), 4u);
        for (size_t s = 0; s < 4; s++) {
            EXPECT_EQ(rows[end + s].text("set"), plain[s].text("set"));
            EXPECT_EQ(rows[end + s].number("accuracy"), plain[s].number("accuracy"));
            EXPECT_EQ(rows[end + s].number("loss"), plain[s].number("loss"));
        }
    }
    const Json &summary = rows[12];
    for (size_t s = 0; s < 4; s++) {
        std::string set = rows[s].text("set");
        double a = rows[s].number("loss"), middle = rows[4 + s].number("loss"), b = rows[8 + s].number("loss");
        EXPECT_NEAR(summary.number("barrier", set.c_str()), std::max(0., middle - (a + b) / 2), 1e-9);
        double worst = 1, least = std::min(rows[s].number("accuracy"), rows[8 + s].number("accuracy"));
        for (size_t p = 0; p < 3; p++)
            worst = std::min(worst, rows[4 * p + s].number("accuracy"));
        EXPECT_NEAR(summary.number("dip", set.c_str()), least - worst, 1e-12);
    }
    std::string promised = "summary,barrier,dip,image_forwards,images_per_s,wall_s,backend,provider,precision";
    EXPECT_EQ(summary.keys().rfind(promised, 0), 0u) << summary.keys();
    EXPECT_EQ(summary.text("backend"), "cpu");
    EXPECT_EQ(summary.text("precision"), "fp32");
    EXPECT_EQ(summary.number("image_forwards_defined"), 3 * (48 + 4 * 40));
    EXPECT_LE(summary.number("image_forwards"), summary.number("image_forwards_defined"));
    EXPECT_EQ(summary.number("image_forwards_bn"), 3 * 48);
    EXPECT_GT(summary.number("images_per_s"), 0);
}

// The permuted model scores as before, the permutation file holds what was printed, every method ends.
TEST_F(Commands, MatchPermutesToTheSameFunction) {
    auto scores = [](const std::string &ckpt) {
        return run({"eval", ckpt, "--data", data(), "--sets", "NC,C", "--json"}).rows();
    };
    const auto before = scores(theta_c());
    for (const char *method : {"activation", "weight"}) {
        const std::string out = at(std::string("matched-") + method + ".safetensors");
        Words words = {"match", theta_nc(), theta_c(), "--method", method, "--out", out, "--json"};
        if (std::string(method) == "activation")
            words.insert(words.end(), {"--data", data()});
        Result r = run(words);
        ASSERT_EQ(r.code, 0) << r.err;
        const auto rows = r.rows();
        ASSERT_EQ(rows.size(), 13u); // twelve groups and the summary
        const Json file =
            Json(json_load_file((out.substr(0, out.size() - 12) + ".permutation.json").c_str(), 0, nullptr));
        EXPECT_EQ(file.text("method"), method);
        for (size_t g = 0; g < 12; g++) {
            EXPECT_EQ(rows[g].keys(), "group,permutation,score,duality_gap,unique");
            EXPECT_EQ(rows[g].number("duality_gap"), 0);
        }
        EXPECT_EQ(rows[0].text("group"), "stage1");
        EXPECT_LT(rows[12].number("max_logit_difference"), 1e-4 * rows[12].number("largest_logit"));
        const auto after = scores(out);
        for (size_t i = 0; i < before.size(); i++) {
            EXPECT_EQ(after[i].number("accuracy"), before[i].number("accuracy"));
            EXPECT_NEAR(after[i].number("loss"), before[i].number("loss"), 1e-4);
        }
    }
    expect_refusal(run({"match", theta_nc(), theta_c(), "--data", data(), "--method", "activation-authors", "--out",
                        at("no.safetensors")}),
                   3, {"whole batch of 128", "48"});
    expect_refusal(
        run({"match", theta_nc(), theta_c(), "--data", data(), "--provider", "onednn", "--out", at("no.safetensors")}),
        3, {"onednn", "--method weight"});
    EXPECT_FALSE(fs::exists(at("no.safetensors")));
}

TEST_F(Commands, MidpointTrainsBendsThatPathTakes) {
    std::string mid = at("mid.safetensors");
    Result r = run({"midpoint", theta_c(), theta_nc(), "--data", data(), "--cue", "1", "--epochs", "1", "--batch", "16",
                    "--bends", "2", "--curve", "bezier", "--out", mid, "--json"});
    ASSERT_EQ(r.code, 0) << r.err;
    ASSERT_EQ(r.rows().size(), 1u);
    EXPECT_EQ(r.rows()[0].keys(), "epoch,loss,accuracy,lr,images_per_s");
    std::string keys = header(mid).keys();
    EXPECT_TRUE(contains(keys, "mid.1.conv1.weight")) << keys;
    EXPECT_FALSE(fs::exists(mid + ".state"));

    Result both = run({"path", theta_c(), theta_nc(), "--mid", mid, "--points", "2", "--sets", "NC", "--data", data(),
                       "--json", "--limit-train", "16"});
    EXPECT_EQ(both.code, 0) << both.err;
    expect_refusal(run({"path", theta_c(), theta_nc(), "--mid", mid, "--curve", "polyline", "--data", data()}), 2,
                   {mid, "bezier", "--curve polyline"});
    expect_refusal(run({"path", theta_c(), theta_nc(), "--mid", mid, "--mid", theta_c(), "--data", data()}), 2,
                   {mid, "2 bends", "alone"});
    // a plain checkpoint is one bend: at t = .5 a polyline through it is the model itself
    Words tail = {"--sets", "NC", "--data", data(), "--json"};
    Words through = {"path", theta_c(), theta_c(), "--mid", theta_nc(), "--curve", "polyline", "--points", "3"};
    Words straight = {"path", theta_nc(), theta_nc(), "--points", "2"};
    through.insert(through.end(), tail.begin(), tail.end());
    straight.insert(straight.end(), tail.begin(), tail.end());
    Result bent = run(through), plain = run(straight);
    ASSERT_EQ(bent.code, 0) << bent.err;
    EXPECT_EQ(bent.rows()[1].number("loss"), plain.rows()[0].number("loss"));
    expect_refusal(run({"eval", mid, "--data", data()}), 2, {mid, "bends"});
}

// Pre-training leaves out the images that fine-tuning sees.
TEST_F(Commands, EveryMethodFineTunesAPretrainedModel) {
    const std::string pretrained = model("pretrained.safetensors", {"--clean", "20", "--cue", "0.9"});
    EXPECT_NE(read_file(pretrained), read_file(model("p9.safetensors", {"--cue", "0.9"})));
    for (const char *method :
         {"ft-medium", "ft-small", "llrt", "lpft", "cbft", "cbft-no-barrier", "cbft-no-invariance", "scratch-clean"}) {
        SCOPED_TRACE(method);
        const std::string name = method, out = at("tuned/" + name);
        Words words = {"finetune", name, "--clean", "20", "--batch", "16", "--data", data(), "--out", out, "--json"};
        const Words from = {"--from", pretrained}, scratch = {"--dataset", "cifar10-box", "--width", "4"},
                    cue = {"--cue", "0.9"}, head = {"--head-epochs", "3"}, whole = {"--epochs", "2"};
        const bool from_scratch = name == "scratch-clean", with_head = name == "llrt" || name == "lpft";
        words.insert(words.end(), from_scratch ? scratch.begin() : from.begin(),
                     from_scratch ? scratch.end() : from.end());
        if (name.rfind("cbft", 0) == 0)
            words.insert(words.end(), cue.begin(), cue.end());
        if (with_head)
            words.insert(words.end(), head.begin(), head.end());
        if (name != "llrt")
            words.insert(words.end(), whole.begin(), whole.end());
        Result r = run(words);
        ASSERT_EQ(r.code, 0) << r.err;
        auto rows = r.rows();
        ASSERT_EQ(rows.size(), name == "llrt" ? 4u : name == "lpft" ? 10u : 3u);
        EXPECT_EQ(rows[0].keys(), "epoch,loss,accuracy,lr,images_per_s");
        EXPECT_EQ(rows.back().text("method"), name);
        EXPECT_EQ(rows.back().has("reason"), name != "lpft");
        Json h = header(out);
        json_t *metadata = json_object_get(h.root.get(), "__metadata__");
        EXPECT_EQ(json_string_value(json_object_get(metadata, "job")), "finetune " + name);
    }
    EXPECT_EQ(names(at("tuned")), "cbft cbft-no-barrier cbft-no-invariance ft-medium ft-small llrt lpft scratch-clean");
    Result r = run({"eval", at("tuned/cbft"), "--data", data(), "--json"});
    EXPECT_EQ(r.code, 0) << r.err;
    make_cifar100(folder() / "other100", 16, 8);
    expect_refusal(run({"finetune", "llrt", "--from", pretrained, "--dataset", "cifar100-box", "--data", at("other100"),
                        "--clean", "4", "--out", at("no")}),
                   2, {pretrained, "10 classes"});
}

TEST_F(Commands, AnInterruptedFineTuningGoesOnToTheSameBits) {
    const std::string from = theta_c(), out = at("tuned-whole"), broken = at("tuned-part/x");
    Words words = {"finetune", "cbft", "--from", from,   "--cue",    "0.5", "--clean", "20",
                   "--batch",  "4",    "--data", data(), "--epochs", "8",   "--json",  "--out"};
    Words whole = words, part = words;
    whole.push_back(out);
    part.push_back(broken);
    ASSERT_EQ(run(whole).code, 0);
    How how;
    how.meanwhile = [](pid_t child, const fs::path &rows) {
        for (int i = 0; i < 10000 && !contains(read_file(rows), "\"epoch\":2"); i++)
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        kill(child, SIGINT);
    };
    Result r = run(part, how);
    ASSERT_EQ(r.code, 130) << r.err;
    EXPECT_EQ(names(at("tuned-part")), "x.state");
    part.push_back("--resume");
    r = run(part);
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(read_file(out), read_file(broken));
    EXPECT_EQ(names(at("tuned-part")), "x");
}

TEST_F(Commands, TheEnvironmentIsReadAndTheOptionWins) {
    How how;
    how.environment = {"MMC_DATA=" + data(), "MMC_SETS=NC", "MMC_JSON=1", "MMC_LIMITS_TEST=3", "MMC_LIMIT_TEST=9"};
    Result r = run({"eval", theta_c(), "--limit-test", "7"}, how);
    ASSERT_EQ(r.code, 0) << r.err;
    ASSERT_EQ(r.rows().size(), 1u);
    EXPECT_EQ(r.rows()[0].number("n"), 7);
    EXPECT_TRUE(contains(r.err, "warning: the environment variable MMC_LIMITS_TEST")) << r.err;
}

TEST_F(Commands, DataCheckSaysWhatEachFileHolds) {
    Result r = run({"data", "check", "--data", data(), "--dataset", "cifar10-box", "--json"});
    EXPECT_EQ(r.code, 0) << r.err;
    auto rows = r.rows();
    ASSERT_EQ(rows.size(), 6u); // five training batches and the test batch
    int missing = 0;
    for (auto &row : rows) {
        EXPECT_EQ(row.text("dataset"), "CIFAR-10");
        missing += row.text("verdict") == "missing";
        if (row.text("name") == "test_batch.bin") {
            EXPECT_EQ(row.number("records"), 40);
            EXPECT_EQ(row.text("sha256").size(), 64u);
        }
    }
    EXPECT_EQ(missing, 4);
    write_file(folder() / "cut-data/cifar-10-batches-bin/test_batch.bin", cifar(4, 10, 2).substr(1));
    r = run({"data", "check", "--data", at("cut-data")});
    EXPECT_EQ(r.code, 3) << r.err;
    EXPECT_TRUE(contains(r.err, "test_batch.bin")) << r.err;
}

TEST_F(Commands, DataRenderWritesImagesAndDraws) {
    std::string out = at("images.safetensors"), sheet = at("sheet.png");
    Result r = run({"data", "render", "--data", data(), "--dataset", "cifar10-box", "--limit-test", "12", "--sets",
                    "NC,RC", "--out", out, "--png", sheet});
    ASSERT_EQ(r.code, 0) << r.err;
    std::string keys = header(out).keys();
    for (const char *name : {"images_NC", "images_RC", "labels", "place"})
        EXPECT_TRUE(contains(keys, name)) << keys;
    EXPECT_FALSE(contains(keys, "images_RI")) << keys;
    EXPECT_EQ(read_file(sheet).rfind("\x89PNG", 0), 0u);
}

TEST_F(Commands, RunPrintsThePathOfItsReportLast) {
    Words words = {"run",      "fig4", "--dataset", "cifar10-box", "--data", data(),   "--width", "4",
                   "--epochs", "1",    "--points",  "2",           "--tag",  "who=me", "--out",   at("run")};
    Words dry = words;
    dry.insert(dry.end(), {"--dry-run", "--json"});
    Result r = run(dry);
    ASSERT_EQ(r.code, 0) << r.err;
    auto rows = r.rows();
    ASSERT_GE(rows.size(), 3u);
    EXPECT_EQ(rows[0].text("kind"), "train");
    EXPECT_GT(rows[0].number("images"), 0);
    EXPECT_GE(rows.back().number("jobs"), 3);
    EXPECT_FALSE(fs::exists(at("run/records.jsonl")));

    r = run(words);
    ASSERT_EQ(r.code, 0) << r.err;
    ASSERT_FALSE(r.out.empty());
    std::string last = r.out.substr(0, r.out.size() - 1);
    last = last.substr(last.rfind('\n') + 1);
    EXPECT_EQ(last, at("run/report/index.html"));
    EXPECT_TRUE(fs::exists(last));
    EXPECT_TRUE(contains(read_file(at("run/records.jsonl")), "\"who\""));
    EXPECT_TRUE(fs::exists(at("run/config.json")));

    // again: everything is there already
    words.insert(words.end(), {"--resume", "--json"});
    std::string before = read_file(at("run/records.jsonl"));
    r = run(words);
    ASSERT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(r.rows().back().text("report"), at("run/report/index.html"));
    EXPECT_EQ(read_file(at("run/records.jsonl")), before);

    r = run({"report", at("run")});
    EXPECT_EQ(r.code, 0) << r.err;
    EXPECT_EQ(r.out, at("run/report/index.html") + "\n");
}
