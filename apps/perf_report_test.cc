#include "perf_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "compare_perf_command.h"
#include "expect_error.h"
#include "temporary_folder.h"

namespace mxdit::cli {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

PerfRecord record(const std::string& file, double total, double denoise) {
  PerfRecord made;
  made.file = file;
  made.total = total;
  made.stages = {{"TextEncodingStage", 100}, {"DenoisingStage", denoise}};
  made.denoise_steps = {900, 200, 400};
  made.commit = "abc";
  made.timestamp = "now";
  return made;
}

TEST(PerfReport, ComparesTwo) {
  PerfRecord base = record("a.json", 1000, 800), now = record("b.json", 900, 600);
  base.stages.emplace_back("OldStage", 5);
  const std::string text = perf_report({base, now});
  EXPECT_THAT(text, HasSubstr("### Performance Comparison Report"));
  EXPECT_THAT(text, HasSubstr("#### 1. High-level Summary"));
  EXPECT_THAT(text,
              HasSubstr("| **E2E Latency** | 1000.00 ms | 900.00 ms | -100.00 ms (-10.0%) | ✅ |"));
  EXPECT_THAT(text, HasSubstr("| **Throughput** | 1.00 req/s | 1.11 req/s | +11.1% | ✅ |"));
  EXPECT_THAT(text, HasSubstr("| **Denoising Step** | 300.00 ms | 300.00 ms |"));
  EXPECT_THAT(text, HasSubstr("#### 2. Stage Breakdown"));
  EXPECT_THAT(text, HasSubstr("| DenoisingStage | 800.00 | 600.00 | -200.00 | -25.0% | 🟢 |"));
  EXPECT_THAT(text, HasSubstr("| OldStage | 5.00 | 0.00 | -5.00 | -100.0% | ⚪️ |"));
  EXPECT_LT(text.find("DenoisingStage"), text.find("OldStage"));
  EXPECT_THAT(text, HasSubstr("- New Commit: `abc`"));
}

// More than 10 % and more than 120 ms.
TEST(PerfReport, StagesHaveAMargin) {
  const auto status = [](double base, double now) {
    return perf_report({record("a", 1, base), record("b", 1, now)});
  };
  EXPECT_THAT(status(800, 919), HasSubstr("+14.9% | ⚪️"));
  EXPECT_THAT(status(800, 921), HasSubstr("+15.1% | 🔴"));
  EXPECT_THAT(status(8000, 8700), HasSubstr("+8.8% | ⚪️"));
  EXPECT_THAT(status(8000, 8900), HasSubstr("+11.2% | 🔴"));
}

TEST(PerfReport, ComparesMany) {
  const std::string text =
      perf_report({record("a", 1000, 800), record("b|x", 1021, 800), record("c", 0, 0)});
  EXPECT_THAT(text, HasSubstr("| Metric | a | b x | c |"));
  EXPECT_THAT(text, HasSubstr("1021.00 ms (+2.1%) ❌"));
  EXPECT_THAT(text, Not(HasSubstr("Throughput")));
}

TEST(PerfReport, DrawsBars) {
  const std::string chart = perf_chart({record("a<b", 1000, 800), record("b", 900, 400)});
  EXPECT_THAT(chart, HasSubstr("<svg"));
  EXPECT_THAT(chart, HasSubstr("a&lt;b"));
  EXPECT_THAT(chart, HasSubstr("width=\"520\""));
  EXPECT_THAT(chart, HasSubstr("width=\"260\""));
}

TEST(ComparePerf, RefusesWhatIsNoDump) {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.json");
  const auto refused = [&](ErrorKind kind, const std::string& content, const std::string& text) {
    std::ofstream(path) << content;
    expect_error(kind, {text}, [&] { read_perf_dump(path); });
  };
  refused(ErrorKind::bad_input, "x", "expected a JSON object, got no JSON");
  refused(ErrorKind::bad_input, "[]", "expected a JSON object, got array");
  refused(ErrorKind::bad_input, "{}", "total_duration_ms: expected a number of at least 0, got none");
  refused(ErrorKind::bad_input, R"({"total_duration_ms": 1, "steps": 3})", "steps: expected a list");
  refused(ErrorKind::bad_input, R"({"total_duration_ms": 1, "steps": [3]})", "expected a name");
  refused(ErrorKind::bad_input, R"({"total_duration_ms": 1, "steps": [{"name": "x"}]})",
          "duration_ms");
  expect_error(ErrorKind::not_found, {"b.json"}, [&] { read_perf_dump(folder.path("b.json")); });
  std::ostringstream out, err;
  expect_error(ErrorKind::usage, {"at least two files"},
               [&] { run_compare_perf({path}, {out, err}); });
}

}  // namespace
}  // namespace mxdit::cli
