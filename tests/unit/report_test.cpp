// The report: drawn from a run directory alone, well-formed, self-contained, and safe from what records say.
#include "reports/drawing.h"
#include "reports/html.h"
#include "reports/report.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace fs = std::filesystem;

namespace {

std::string slurp(const std::string &path) {
    std::ifstream file(path, std::ios::binary);
    std::stringstream text;
    text << file.rdbuf();
    return text.str();
}

size_t count_of(const std::string &text, const std::string &what) {
    size_t count = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + what.size()))
        count++;
    return count;
}

// Walks the tags: balanced, attributes quoted, identifiers unique, nothing fetched from elsewhere, no script.
void expect_sound(const std::string &page) {
    static const std::set<std::string> empty_elements = {"meta", "img", "br"};
    std::vector<std::string> open;
    std::set<std::string> ids, targets;
    ASSERT_EQ(page.rfind("<!DOCTYPE html>", 0), 0u);
    for (size_t at = page.find('<', 1); at != std::string::npos; at = page.find('<', at)) {
        size_t end = at + 1;
        for (char quote = 0; end < page.size() && (quote || page[end] != '>'); end++) {
            if (quote ? page[end] == quote : page[end] == '"' || page[end] == '\'')
                quote = quote ? 0 : page[end];
            ASSERT_NE(page[end], '<') << page.substr(at, 120);
        }
        ASSERT_LT(end, page.size()) << "a tag without end: " << page.substr(at, 120);
        std::string tag = page.substr(at + 1, end - at - 1);
        at = end;
        if (tag[0] == '/') {
            ASSERT_FALSE(open.empty()) << tag;
            ASSERT_EQ(open.back(), tag.substr(1));
            open.pop_back();
            continue;
        }
        std::string name = tag.substr(0, tag.find_first_of(" \n\t/"));
        ASSERT_TRUE(name != "script" && name != "link" && name != "iframe" && name != "object") << tag;
        for (const char *attribute : {" id=", " href=", " src=", " on"}) {
            size_t found = tag.find(attribute);
            if (found == std::string::npos)
                continue;
            ASSERT_STRNE(attribute, " on") << tag;
            char quote = tag[found + std::strlen(attribute)];
            ASSERT_TRUE(quote == '"' || quote == '\'') << tag;
            size_t start = found + std::strlen(attribute) + 1;
            std::string value = tag.substr(start, tag.find(quote, start) - start);
            if (std::string(attribute) == " id=")
                ASSERT_TRUE(ids.insert(value).second) << "twice: " << value;
            else if (value[0] == '#')
                targets.insert(value.substr(1));
            else
                ASSERT_EQ(value.rfind("data:image/png;base64,", 0), 0u) << "leaves the page: " << value;
        }
        if (tag.back() != '/' && !empty_elements.count(name))
            open.push_back(name);
    }
    EXPECT_TRUE(open.empty()) << open.back();
    for (const std::string &target : targets)
        EXPECT_TRUE(ids.count(target)) << "points nowhere: " << target;
    EXPECT_EQ(page.find("url("), std::string::npos);
    EXPECT_EQ(page.find("@import"), std::string::npos);
    EXPECT_EQ(page.find("://"), std::string::npos);
}

class Report : public ::testing::Test {
  protected:
    void SetUp() override {
        char name[] = "/tmp/mmc_report_XXXXXX";
        ASSERT_NE(mkdtemp(name), nullptr);
        folder = name;
    }
    void TearDown() override {
        fs::remove_all(folder);
    }
    void put(const std::string &name, const std::string &text) const {
        fs::create_directories(fs::path(folder + "/" + name).parent_path());
        std::ofstream(folder + "/" + name, std::ios::binary) << text;
    }
    void config(const std::string &more = "") const {
        put("config.json", R"({"schema":1,"scale":"quick","reduced":true,"suites":["fig4","fig7","fig11"],"threads":2,)"
                           R"("device":"two cores","commit":"0a1b2c3","created":"2026-01-01T00:00:00Z",)"
                           R"("protocol":{"width":4,"points":3},"datasets":[{"name":"fashion-box","files":)"
                           R"([{"path":"/data/train.gz","sha256":"abcdef"}]}])" +
                               more + "}");
    }
    mmc_record base(const char *item, const char *metric, double value) const {
        mmc_record r = mmc_record_empty();
        r.suite = "fig4";
        r.item = item;
        r.metric = metric;
        r.value = value;
        r.arch = "resnet18";
        r.dataset = "fashion-box";
        r.scale = "quick";
        r.width = 4;
        r.threads = 2;
        r.job = "0123456789abcdef";
        r.seed = 1;
        r.cue = 1;
        return r;
    }
    // A small run: two quadratic paths and the line at p = 1, the reason why there is no permuted one, learning curves,
    // a claim of each verdict, speed.
    void records(const char *hostile = "") const {
        mmc_record_writer *w = nullptr;
        ASSERT_EQ(mmc_record_writer_open(&w, folder.c_str(), 0), MMC_OK) << mmc_error_message();
        auto append = [&](const mmc_record &r) { ASSERT_EQ(mmc_record_append(w, &r), MMC_OK); };
        for (const char *item : {"quadratic-no-cue", "quadratic-cue", "linear"})
            for (const char *set : {"NC", "C", "RC", "RI"}) {
                for (double t : {0., .5, 1.})
                    for (const char *metric : {"accuracy", "loss"}) {
                        double sag = std::strcmp(item, "linear") == 0 ? .4 : 0;
                        mmc_record r = base(item, metric, .9 - (t == .5 ? sag : 0));
                        r.set = set;
                        r.split = "test";
                        r.t = t;
                        r.n = 64;
                        append(r);
                    }
                mmc_record r = base(item, "dip", .4);
                r.set = set;
                r.split = "test";
                append(r);
                r.metric = "barrier";
                append(r);
            }
        std::string why = std::string("no matching here") + hostile;
        mmc_record absent = base("linear-permuted", "accuracy", NAN);
        absent.reason = why.c_str();
        append(absent);
        for (const char *item : {"curve-train", "curve-test-nc", "curve-test-c"})
            for (double cue : {0., 1.})
                for (double epoch : {1., 2.}) {
                    mmc_record r = base(item, "accuracy", .4 * epoch);
                    r.t = epoch;
                    r.cue = cue;
                    r.job = cue ? "a" : "b";
                    append(r);
                }
        const char *const names[] = {"first", "second", "third"};
        const double verdicts[] = {1, 0, NAN};
        for (int i = 0; i < 3; i++) {
            mmc_record r = base(names[i], "claim", verdicts[i]);
            r.reason = why.c_str();
            append(r);
        }
        mmc_record speed = base("paths", "images_per_s", 12345.6);
        const double samples[] = {2., 2.};
        speed.samples = samples;
        speed.sample_count = 2;
        speed.image_forwards = 49382.4;
        append(speed);
        append(base("paths", "image_forwards_defined", 98764));
        mmc_record_writer_close(w);
    }
    std::string draw() const {
        char page[4096];
        EXPECT_EQ(mmc_report_draw(page, sizeof page, folder.c_str()), MMC_OK) << mmc_error_message();
        EXPECT_EQ(std::string(page), folder + "/report/index.html");
        EXPECT_FALSE(fs::exists(folder + "/report.tmp"));
        EXPECT_FALSE(fs::exists(folder + "/report.old"));
        return slurp(page);
    }
    mmc_status draw_status() const {
        char page[4096];
        return mmc_report_draw(page, sizeof page, folder.c_str());
    }
    std::string folder;
};

TEST_F(Report, ARunBecomesAPageWithFiguresTablesAndVerdicts) {
    config();
    records();
    put("artifacts/0011223344556677/config.json", R"({"kind":"sheet","dataset":"fashion-box"})");
    put("artifacts/0011223344556677/sheet.png", "\x89PNG\r\n\x1a\n...");
    put("report/stale.html", "old");
    std::string page = draw();
    expect_sound(page);
    EXPECT_FALSE(fs::exists(folder + "/report/stale.html")) << "the old report is replaced";
    for (const char *id : {"fig4", "fig15-test-loss", "fig11"}) {
        std::string stem = folder + "/report/figures/" + id;
        EXPECT_EQ(slurp(stem + ".png").substr(1, 3), "PNG") << id;
        EXPECT_NE(slurp(stem + ".svg").find("</svg>"), std::string::npos) << id;
        EXPECT_GT(fs::file_size(stem + ".csv"), 100u) << id;
        EXPECT_NE(page.find(std::string("<section id=\"") + id + "\">"), std::string::npos) << id;
    }
    EXPECT_FALSE(fs::exists(folder + "/report/figures/fig15-test-accuracy.csv")) << "that is figure 4";
    EXPECT_TRUE(fs::exists(folder + "/report/figures/fig7.png"));
    EXPECT_EQ(count_of(page, "src=\"data:image/png;base64,iVBORw0KGgo"), 1u);
    for (const char *table : {"claims", "models", "paths", "speed", "missing"})
        EXPECT_TRUE(fs::exists(folder + "/report/tables/" + table + ".csv")) << table;
    EXPECT_NE(page.find("<span class=\"verdict holds\">holds</span>"), std::string::npos);
    EXPECT_NE(page.find("<span class=\"verdict fails\">fails</span>"), std::string::npos);
    EXPECT_NE(page.find("<span class=\"verdict undecided\">undecided at this size</span>"), std::string::npos);
    EXPECT_NE(page.find("linear path, on C: at its lowest 40.0 points below the worse end"), std::string::npos);
    EXPECT_NE(page.find("quadratic path trained with cue, on C: nowhere below the worse end"), std::string::npos);
    EXPECT_NE(page.find("linear path after matching neurons (no matching here)"), std::string::npos);
    EXPECT_NE(page.find("fashion-box stands in for the paper's cifar10-box"), std::string::npos);
    EXPECT_NE(page.find("Reduced run (scale quick)."), std::string::npos);
    EXPECT_GE(count_of(page, "<span class=\"badge\">scale quick, reduced</span>"), 8u) << "where numbers stand";
    EXPECT_NE(page.find("12,346"), std::string::npos);
    EXPECT_NE(page.find("<b>12346 images/s</b>"), std::string::npos);
    EXPECT_NE(page.find("a factor of <b>2.00</b>"), std::string::npos);
    EXPECT_NE(page.find("abcdef"), std::string::npos) << "data checksums";
    EXPECT_NE(page.find("two cores"), std::string::npos);
    EXPECT_NE(slurp(folder + "/report/tables/paths.csv").find("linear,ResNet-18,fashion-box,test,1,40.0,"),
              std::string::npos);
}

TEST_F(Report, DrawnAgainItIsTheSame) {
    config();
    records();
    std::string first = draw(), csv = slurp(folder + "/report/figures/fig4.csv");
    EXPECT_EQ(draw(), first);
    EXPECT_EQ(slurp(folder + "/report/figures/fig4.csv"), csv);
}

TEST_F(Report, RecordsCannotSpeakToBrowserGnuplotOrSpreadsheet) {
    std::string trap = folder + "/trap";
    std::string hostile = "</td><script>alert(1)</script>\"'`touch " + trap + "`\\n@x {/:Bold 9}'; system('touch " +
                          trap + "') #\xff\x01=1+1";
    config(R"(,"version":"<img src=x onerror=alert(1)>")");
    records(hostile.c_str());
    mmc_record_writer *w = nullptr;
    ASSERT_EQ(mmc_record_writer_open(&w, folder.c_str(), 1), MMC_OK);
    for (double t : {0., 1.}) { // a panel that is empty for a hostile reason, a data set with a hostile name
        mmc_record r = base("curve-train", "accuracy", .5);
        r.arch = "vgg13";
        r.t = t;
        ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
        r.item = "curve-test-c";
        r.value = NAN;
        r.reason = "'; system 'touch ../../trap' #"; // short enough to stand in a panel, seen from gnuplot's folder
        ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
        r.reason = hostile.c_str();
        r.metric = "loss";
        r.dataset = hostile.c_str();
        ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
    }
    mmc_record_writer_close(w);
    std::string page = draw();
    expect_sound(page);
    EXPECT_FALSE(fs::exists(trap));
    EXPECT_NE(page.find("&lt;script&gt;alert(1)&lt;/script&gt;"), std::string::npos);
    EXPECT_NE(page.find("&lt;img src=x onerror=alert(1)&gt;"), std::string::npos);
    EXPECT_TRUE(fs::exists(folder + "/report/figures/fig10.svg"));
    EXPECT_NE(slurp(folder + "/report/figures/fig10.svg").find("not measured"), std::string::npos);
}

TEST_F(Report, TablesOfThePaperStandOnThePageAndInFiles) {
    config();
    mmc_record_writer *w = nullptr;
    ASSERT_EQ(mmc_record_writer_open(&w, folder.c_str(), 0), MMC_OK);
    for (const char *set : {"NC", "C", "RC", "RI"}) {
        mmc_record r = base("ft-medium", "accuracy", .5);
        r.set = set;
        r.split = "test";
        r.dataset = "cifar10-box";
        r.cue = .9;
        ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
        r.item = "cbft";
        r.value = NAN;
        r.reason = "<script>alert(1)</script>";
        ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
    }
    mmc_record mark = base("similar-linear-mode", "claim", 1);
    mark.suite = "table2";
    mark.reason = "dip on C 1.0 points";
    ASSERT_EQ(mmc_record_append(w, &mark), MMC_OK);
    mmc_record_writer_close(w);
    std::string page = draw();
    expect_sound(page);
    for (const char *table : {"table1", "table2"}) {
        EXPECT_NE(page.find(std::string("<section id=\"") + table + "\">"), std::string::npos);
        EXPECT_TRUE(fs::exists(folder + "/report/tables/" + table + ".csv")) << table;
        EXPECT_TRUE(fs::exists(folder + "/report/tables/" + table + ".md")) << table;
    }
    EXPECT_EQ(page.find("<section id=\"table3\">"), std::string::npos);
    EXPECT_NE(page.find("50.0<span class=\"note\">paper 67.2</span>"), std::string::npos);
    EXPECT_NE(page.find("&lt;script&gt;"), std::string::npos);
    EXPECT_NE(page.find("<b>not comparable</b>"), std::string::npos);
}

TEST_F(Report, AnEmptyRunSaysWhatIsMissing) {
    config();
    std::string page = draw();
    expect_sound(page);
    EXPECT_NE(page.find("Figure 4: not measured"), std::string::npos);
    EXPECT_NE(page.find("Figure 7: not measured"), std::string::npos);
    EXPECT_NE(page.find("Figure 11: not measured"), std::string::npos);
    EXPECT_NE(page.find("No claim was judged"), std::string::npos);
    EXPECT_EQ(page.find("Figure 14"), std::string::npos) << "nobody asked for it";
}

TEST_F(Report, TheCsvHoldsWhatIsDrawn) {
    config();
    records();
    mmc_run_view view;
    ASSERT_EQ(mmc_run_view_open(&view, folder.c_str()), MMC_OK) << mmc_error_message();
    mmc_drawing d;
    ASSERT_EQ(mmc_drawing_collect(&d, &view, &mmc_figures[0], "test", "accuracy"), MMC_OK);
    ASSERT_TRUE(d.measured);
    EXPECT_EQ(d.rows, 3u);
    EXPECT_EQ(d.columns, 4u);
    EXPECT_EQ(d.cue_count, 1u);
    EXPECT_STREQ(d.stands_for, "cifar10-box");
    mmc_text csv = {};
    ASSERT_EQ(mmc_drawing_csv(&d, &csv), MMC_OK);
    std::string text = mmc_text_string(&csv);
    EXPECT_EQ(text.rfind("arch,dataset,curve,set,split,metric,cue,t,mean,min,max,seeds,n,reason\n"
                         "resnet18,fashion-box,quadratic-no-cue,NC,test,accuracy,1,0,0.9,0.9,0.9,1,64,\n",
                         0),
              0u)
        << text;
    EXPECT_NE(text.find("resnet18,fashion-box,linear,C,test,accuracy,1,0.5,0.5,0.5,0.5,1,64,\n"), std::string::npos);
    EXPECT_NE(text.find("linear path after matching neurons,,test,accuracy,,,,,,0,,no matching here\n"),
              std::string::npos);
    EXPECT_EQ(count_of(text, "\n"), 1u + 3 * 4 * 3 + 1);
    mmc_text_close(&csv);
    mmc_drawing_close(&d);
    mmc_run_view_close(&view);
}

TEST_F(Report, FiguresOfFineTuningAndTheMirroredLossAreDrawnFromTheirRows) {
    config();
    mmc_record_writer *w = nullptr;
    ASSERT_EQ(mmc_record_writer_open(&w, folder.c_str(), 0), MMC_OK);
    for (const char *item : {"ft-0.001", "ft-0.1", "ft-0.1-permuted", "linear"})
        for (const char *set : {"NC", "C", "RC", "RI"})
            for (double t : {0., .5, 1.})
                for (const char *metric : {"accuracy", "loss"}) {
                    mmc_record r = base(item, metric, t == .5 ? .3 : .8);
                    r.set = set;
                    r.split = "test";
                    r.t = t;
                    r.cue = .9;
                    ASSERT_EQ(mmc_record_append(w, &r), MMC_OK);
                }
    mmc_record_writer_close(w);
    mmc_run_view view;
    ASSERT_EQ(mmc_run_view_open(&view, folder.c_str()), MMC_OK) << mmc_error_message();
    struct {
        const char *id;
        size_t rows, columns;
        std::string script, caption;
    } const expected[] = {
        {"fig5-resnet18", 1, 4, "{/:Italic θ}_{FT}", "neurons matched, on C: at its lowest 50.0 points"},
        {"fig6", 1, 2, "set xrange [1.03:-.03]", "(left, <i>t</i> = 1)"},
        {"fig20-resnet18", 2, 4, "set xrange [-.03:1.03]", "fine-tuned on images without cue"},
        {"fig26-resnet18", 2, 4, "loss (nats)", "Test loss of ResNet-18"}};
    size_t found = 0;
    std::set<std::string> ids;
    for (size_t i = 0; i < mmc_figure_count; i++)
        for (const char *const *split = mmc_figures[i].splits; *split; split++)
            for (const char *const *metric = mmc_figures[i].metrics; *metric; metric++) {
                mmc_drawing d;
                if (mmc_figures[i].kind != MMC_FIGURE_PATH)
                    continue;
                ASSERT_EQ(mmc_drawing_collect(&d, &view, &mmc_figures[i], *split, *metric), MMC_OK);
                EXPECT_TRUE(ids.insert(d.id).second) << "twice: " << d.id;
                EXPECT_TRUE(!d.measured || std::string(mmc_figures[i].arch) == "resnet18") << d.id;
                mmc_text script = {}, caption = {};
                for (const auto &e : expected)
                    if (std::string(e.id) == d.id) {
                        found++;
                        EXPECT_EQ(d.rows, e.rows) << d.id;
                        EXPECT_EQ(d.columns, e.columns) << d.id;
                        EXPECT_EQ(mmc_drawing_script(&d, &script), MMC_OK);
                        EXPECT_EQ(mmc_drawing_caption(&d, &caption), MMC_OK);
                        EXPECT_NE(std::string(mmc_text_string(&script)).find(e.script), std::string::npos) << d.id;
                        EXPECT_NE(std::string(mmc_text_string(&caption)).find(e.caption), std::string::npos)
                            << mmc_text_string(&caption);
                    }
                mmc_text_close(&script);
                mmc_text_close(&caption);
                mmc_drawing_close(&d);
            }
    EXPECT_EQ(found, 4u);
    EXPECT_EQ(ids.size(), 1 + 2 + 1 + 24 + 24u);
    mmc_run_view_close(&view);
}

TEST_F(Report, ThePapersScaleHasNoReducedBadge) {
    put("config.json", R"({"scale":"paper","reduced":false,"suites":["fig4"]})");
    std::string page = draw();
    EXPECT_EQ(page.find("Reduced run"), std::string::npos);
    EXPECT_EQ(page.find("scale paper, reduced"), std::string::npos);
    EXPECT_NE(page.find("scale paper"), std::string::npos);
    put("config.json", R"({"scale":"paper"})");
    EXPECT_NE(draw().find("scale paper, reduced"), std::string::npos) << "a run that does not say is not the paper's";
}

TEST_F(Report, HostileRunDirectoriesAreRefusedAndKeepTheirOldReport) {
    EXPECT_EQ(draw_status(), MMC_ERR_MISSING) << "no config.json";
    put("report/index.html", "old");
    for (const char *text : {"", "{", "[]", "{\"scale\":\"a\",\"scale\":\"b\"}", "\xff"}) {
        put("config.json", text);
        EXPECT_EQ(draw_status(), MMC_ERR_FORMAT) << text;
        EXPECT_NE(std::string(mmc_error_message()).find("config.json"), std::string::npos) << mmc_error_message();
    }
    config();
    put("records.jsonl", "nonsense\n");
    EXPECT_EQ(draw_status(), MMC_ERR_FORMAT);
    EXPECT_NE(std::string(mmc_error_message()).find("records.jsonl, line 1"), std::string::npos);
    EXPECT_EQ(slurp(folder + "/report/index.html"), "old");
    EXPECT_FALSE(fs::exists(folder + "/report.tmp"));
    char page[4096], small[8];
    EXPECT_EQ(mmc_report_draw(page, sizeof page, (folder + "/nothing").c_str()), MMC_ERR_MISSING);
    EXPECT_EQ(mmc_report_draw(small, sizeof small, folder.c_str()), MMC_ERR_RANGE);
}

TEST_F(Report, OddConfigurationsAreReadTolerantly) {
    put("config.json",
        R"({"scale":7,"suites":"fig4","reduced":"no","protocol":[1],"libraries":{"a":{"b":[1,2.5,null]}},)"
        R"("datasets":[{"files":[{}]},3],"device":null,"threads":"many"})");
    std::string page = draw();
    expect_sound(page);
    EXPECT_NE(page.find("scale unknown, reduced"), std::string::npos);
    EXPECT_NE(page.find("a b 1, 2.5, none"), std::string::npos);
}

TEST_F(Report, WithoutGnuplotItSaysWhatToInstallAndKeepsTheOldReport) {
    config();
    records();
    put("report/index.html", "old");
    std::string path = std::getenv("PATH");
    setenv("PATH", folder.c_str(), 1);
    mmc_status status = draw_status();
    setenv("PATH", path.c_str(), 1);
    EXPECT_EQ(status, MMC_ERR_MISSING);
    EXPECT_NE(std::string(mmc_error_message()).find("apt-get install gnuplot-nox"), std::string::npos)
        << mmc_error_message();
    EXPECT_EQ(slurp(folder + "/report/index.html"), "old");
    EXPECT_FALSE(fs::exists(folder + "/report.tmp"));
}

TEST_F(Report, GnuplotsOwnWordsAreRelayed) {
    mmc_text script = {};
    mmc_text_add(&script, "plot nonsense(\n");
    EXPECT_EQ(mmc_gnuplot_run(folder.c_str(), &script), MMC_ERR_DEVICE);
    EXPECT_NE(std::string(mmc_error_message()).find("nonsense"), std::string::npos) << mmc_error_message();
    EXPECT_TRUE(fs::is_empty(folder)) << "script and complaint are taken away";
    mmc_text_close(&script);
}

} // namespace
