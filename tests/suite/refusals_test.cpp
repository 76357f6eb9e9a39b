// What the commands refuse: exit codes, messages, and that nothing is left behind.
#include "tests/suite/commands.h"

using namespace program;

namespace {

using Refusals = Commands;

} // namespace

TEST_F(Refusals, UsageErrorsNameTheOptionAndLeaveNothing) {
    std::string ckpt = theta_c(), other = theta_nc();
    struct {
        Words words, parts;
    } cases[] = {
        {{}, {"no command"}},
        {{"match", ckpt, ckpt}, {"--out is required"}},
        {{"match", ckpt, "--out", at("x")}, {"match takes two checkpoints, not 1"}},
        {{"finetune"}, {"finetune takes one method, not 0"}},
        {{"finetune", "ft", "--from", ckpt, "--out", at("never")}, {"'ft'", "ft-medium, ft-small, llrt"}},
        {tune("llrt", {}), {"--from is required"}},
        {{"finetune", "llrt", "--from", ckpt}, {"--out is required"}},
        {tune("scratch-clean", {"--from", ckpt}), {"--from", "random weights"}},
        {tune("cbft", {"--from", ckpt}), {"--cue is required"}},
        {tune("cbft", {"--from", ckpt, "--cue", "1", "--cosine", "authors"}), {"--cosine", "--cbft-schedule"}},
        {tune("cbft-no-barrier", {"--from", ckpt, "--cue", "1", "--barrier-t", "authors"}), {"--barrier-t"}},
        {tune("cbft-no-invariance", {"--from", ckpt, "--cue", "1", "--invariance", "plain"}), {"--invariance"}},
        {tune("ft-medium", {"--from", ckpt, "--cue", "1"}), {"--cue", "cbft"}},
        {tune("ft-medium", {"--from", ckpt, "--head-epochs", "3"}), {"--head-epochs", "llrt and lpft"}},
        {tune("llrt", {"--from", ckpt, "--epochs", "2", "--head-epochs", "3"}), {"--epochs 2", "--head-epochs 3"}},
        {tune("ft-medium", {"--from", ckpt, "--width", "8"}), {"--width 8", "--from"}},
        {tune("ft-medium", {"--from", ckpt, "--clean", "48"}), {"--clean 48", "give 1 to 47"}},
        {tune("lpft", {"--from", ckpt, "--clean", "5"}), {"--clean 10"}},
        {train(at("never"), {"--clean-split", "authors"}), {"--clean-split", "--clean"}},
        {train(at("never"), {"--clean", "2500"}), {"--clean 2500", "48 images"}},
        {{"eval"}, {"eval takes one checkpoint"}},
        {{"eval", ckpt, other}, {"eval takes one checkpoint, not 2"}},
        {{"eval", ckpt, "--data", data(), "--limit-test", "0"}, {"--limit-test 0", "integer from 1"}},
        {{"eval", ckpt, "--data", data(), "--sets", "NC,XX"}, {"--sets NC,XX", "RC"}},
        {{"eval", ckpt, "--data", data(), "--epochs", "1"}, {"--epochs is no option of `mmcbench eval`"}},
        {{"eval", ckpt, "--data", data(), "--provider", "cudnn", "--backend", "cpu"}, {"cudnn"}},
        {{"path", ckpt}, {"path takes two checkpoints"}},
        {{"path", ckpt, other, "--data", data(), "--curve", "linear", "--mid", ckpt}, {"--curve linear", "--mid"}},
        {{"path", ckpt, other, "--data", data(), "--curve", "quadratic"}, {"--curve quadratic", "--mid"}},
        {{"path", ckpt, other, "--data", data(), "--curve", "bezier"}, {"--curve bezier", "--mid"}},
        {{"path", ckpt, other, "--data", data(), "--mid", ckpt, "--mid", other}, {"polyline", "bezier"}},
        {{"path", ckpt, other, "--points", "1"}, {"--points 1", "integer from 2"}},
        {{"train", "--dataset", "cifar10-box", "--data", data()}, {"--out is required"}},
        {{"train", "--data", data(), "--out", at("never")}, {"--dataset is required", "cifar10-box|"}},
        {train(at("never"), {"--init", ckpt, "--width", "8"}), {"--width 8", "--init"}},
        {train(at("never"), {"--init", ckpt, "--width", "4", "--arch", "vgg13"}), {"--arch vgg13", "--init"}},
        {train(at("never"), {"--schedule", "step:a"}), {"--schedule step:a"}},
        {train(at("never"), {"--cosine", "authors"}), {"--cosine authors", "--schedule cosine"}},
        {train(at("never"), {"--cue", "2"}), {"--cue 2", "a number from 0 to 1"}},
        {train(at("never"), {"--width", "3"}), {"--width 3", "4 to 1024"}},
        {{"midpoint", ckpt, other}, {"--out is required"}},
        {{"midpoint", ckpt, other, "--out", at("never"), "--bends", "2"}, {"--bends 2", "polyline"}},
        {{"midpoint", ckpt, other, "--out", at("never"), "--curve", "linear"}, {"--curve linear", "quadratic"}},
        {{"data"}, {"check", "fetch", "render"}},
        {{"data", "burn"}, {"burn", "check", "fetch", "render"}},
        {{"data", "check", "--png", at("never")}, {"--png", "mmcbench data check"}},
        {{"data", "fetch"}, {"--data is required"}},
        {{"data", "render", "--data", data(), "--out", at("never")}, {"--dataset is required"}},
        {{"data", "render", "--data", data(), "--dataset", "cifar10-box"}, {"--out", "--png"}},
        {{"run", "fig99"}, {"fig99", "fig4"}},
        {{"run", "--scale", "huge"}, {"--scale huge", "quick|nightly|paper"}},
        {{"run", "fig4", "--filter", "(", "--out", at("never")}, {"("}},
        {{"report"}, {"report takes one run directory"}},
    };
    std::string before = names(folder().path());
    for (auto &c : cases) {
        std::string words;
        for (auto &w : c.words)
            words += w + " ";
        SCOPED_TRACE(words);
        expect_refusal(run(c.words), 2, c.parts);
    }
    EXPECT_EQ(names(folder().path()), before);
}

TEST_F(Refusals, FilesThatDoNotFitAreRefused) {
    make_cifar100(folder() / "data100", 16, 8);
    std::string other = at("hundred.safetensors");
    Result r = run({"train", "--dataset", "cifar100-box", "--data", at("data100"), "--width", "4", "--epochs", "1",
                    "--out", other});
    ASSERT_EQ(r.code, 0) << r.err;
    expect_refusal(run({"eval", other, "--dataset", "cifar10-box", "--data", data()}), 2, {other, "100 classes"});
    expect_refusal(run({"path", theta_c(), other, "--data", data()}), 2, {"100 classes", "one network"});
    std::string vgg = model("vgg.safetensors", {"--arch", "vgg13"});
    expect_refusal(run({"path", theta_c(), vgg, "--data", data()}), 2, {"vgg13", "one network"});
    expect_refusal(run({"path", theta_c(), theta_nc(), "--mid", vgg, "--data", data()}), 2, {"vgg13"});
}

TEST_F(Refusals, HostileCheckpointsAreRefused) {
    std::string good = read_file(theta_c());
    struct {
        std::string name, bytes;
        int code;
    } cases[] = {
        {"empty", "", 3},
        {"short", good.substr(0, 5), 3},
        {"text", "this is no checkpoint at all", 3},
        {"cut", good.substr(0, good.size() - 4), 3},
        {"long", good + "x", 3},
        {"lying", std::string("\xff\xff\xff\xff\xff\xff\xff\x7f", 8) + good.substr(8), 3},
        {"nan", good.substr(0, good.size() - 4) + std::string("\0\0\xc0\x7f", 4), 2},
    };
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        write_file(at(c.name), c.bytes);
        expect_refusal(run({"eval", at(c.name), "--data", data()}), c.code, {at(c.name)});
    }
    expect_refusal(run({"eval", at("nowhere"), "--data", data()}), 3, {at("nowhere")});
    expect_refusal(run({"eval", folder().path().string(), "--data", data()}), 3, {folder().path().string()});
}

TEST_F(Refusals, HostileDataAreRefused) {
    std::string good = cifar(8, 10, 2), wrong = good;
    wrong[0] = 11;
    struct {
        std::string name, file, bytes;
    } cases[] = {
        {"truncated", "test_batch.bin", good.substr(0, good.size() - 100)},
        {"label", "test_batch.bin", wrong},
        {"gz", "test_batch.bin.gz", "\x1f\x8b\x08 this is no deflate stream"},
        {"xz", "test_batch.bin.xz", std::string("\xfd") + "7zXZ this is no xz stream"},
        {"nothing", "test_batch.bin", ""},
    };
    for (auto &c : cases) {
        SCOPED_TRACE(c.name);
        write_file(folder() / c.name / "cifar-10-batches-bin" / c.file, c.bytes);
        expect_refusal(run({"eval", theta_c(), "--data", at(c.name)}), 3, {c.file});
    }
    for (const char *name : {"train-images-idx3-ubyte", "train-labels-idx1-ubyte"})
        write_file(folder() / "magic/fashion-mnist" / name, "no file of the idx format");
    expect_refusal(run({"train", "--dataset", "fashion-box", "--data", at("magic"), "--epochs", "1", "--width", "4",
                        "--out", at("never")}),
                   3, {"idx"});
    EXPECT_FALSE(fs::exists(at("never")));
    expect_refusal(run({"eval", theta_c(), "--data", at("no such folder")}), 3, {at("no such folder")});
}

TEST_F(Refusals, OutputThatCannotBeWrittenIsNoticedBeforeTheWork) {
    write_file(at("file"), "a regular file");
    for (std::string out : {at("file") + "/below.safetensors", std::string("/proc/mmcbench/x.safetensors"),
                            std::string("/proc/x.safetensors"), folder().path().string()}) {
        SCOPED_TRACE(out);
        // would take minutes if the name were tried at the end only
        expect_refusal(run(train(out, {"--epochs", "10000"})), 3, {out.substr(0, out.rfind('/'))});
    }
    EXPECT_EQ(read_file(at("file")), "a regular file");
}

TEST_F(Refusals, AFullDiskOnStandardOutputIsAnError) {
    Words cases[] = {{"help"},
                     {"list"},
                     {"eval", theta_c(), "--data", data(), "--json"},
                     {"path", theta_c(), theta_nc(), "--data", data(), "--points", "2"}};
    for (auto &words : cases) {
        SCOPED_TRACE(words[0]);
        How how;
        how.out = "/dev/full";
        Result r = run(words, how);
        EXPECT_EQ(r.code, 3);
        EXPECT_TRUE(contains(r.err, "standard output")) << r.err;
    }
}

TEST_F(Refusals, AReaderThatGoesAwayIsNoError) {
    // the pipe's reader is gone before the program writes
    std::string line = "exec 3>" + at("code") + "; { sleep .05; " + MMC_PROGRAM + " help 2>" + at("err") +
                       "; echo $? >&3; } | true; wait";
    ASSERT_EQ(system(("bash -c '" + line + "'").c_str()), 0);
    EXPECT_EQ(read_file(at("err")), "");
    EXPECT_EQ(read_file(at("code")), "0\n");
}

TEST_F(Refusals, ReportNeedsARunDirectory) {
    expect_refusal(run({"report", at("nowhere")}), 3, {at("nowhere")});
    EXPECT_FALSE(fs::exists(at("nowhere")));
}
