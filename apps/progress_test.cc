#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <sstream>

#include "progress_bar.h"
#include "progress_display.h"

namespace mxdit::cli {
namespace {

using Event = Progress::Event;

void run_stage(ProgressDisplay* display, int steps, double step_seconds) {
  display->update({Event::stage_begin, "denoise", 0, steps, 0, 0, 0, 1});
  for (int i = 1; i <= steps; ++i)
    display->update({Event::step, "denoise", i, steps, step_seconds, i * step_seconds, 0, 1});
  display->update(
      {Event::stage_end, "denoise", steps, steps, step_seconds, steps * step_seconds, 0, 1});
}

size_t count_lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Progress, Texts) {
  EXPECT_EQ(clock_text(12.3), "0:12");
  EXPECT_EQ(clock_text(4000), "1:06:40");
  EXPECT_EQ(clock_text(-1), "0:00");
  EXPECT_EQ(duration_text(0.01234), "12.3 ms");
  EXPECT_EQ(duration_text(3.2111), "3.21 s");
  EXPECT_EQ(duration_text(1234.4), "1234 s");
  EXPECT_EQ(duration_text(0), "0 ms");
}

TEST(Progress, RemainingFollowsThePace) {
  EXPECT_EQ(remaining_seconds({Event::step, "denoise", 10, 40, 1, 20, 0, 1}), 60);
  EXPECT_EQ(remaining_seconds({Event::step, "denoise", 40, 40, 1, 20, 0, 1}), 0);
  EXPECT_LT(remaining_seconds({Event::stage_begin, "denoise", 0, 40, 0, 0, 0, 1}), 0);
  EXPECT_LT(remaining_seconds({Event::step, "denoise", 3, 0, 1, 3, 0, 1}), 0);
}

TEST(Progress, PlainLinesAreFewAndComplete) {
  std::ostringstream out, err;
  const auto display = make_progress_display(ProgressMode::automatic, {out, err, false});
  run_stage(display.get(), 1000, 0.02);
  EXPECT_EQ(count_lines(err.str()), 11u) << err.str();  // begin, nine tenths, end
  EXPECT_NE(err.str().find("denoise: 500/1000, 20 ms/step, elapsed 0:10, left 0:10"),
            std::string::npos)
      << err.str();
  EXPECT_TRUE(out.str().empty());
  err.str("");
  run_stage(display.get(), 3, 60);
  EXPECT_EQ(count_lines(err.str()), 4u);
  err.str("");
  run_stage(display.get(), 100, 0.001);
  EXPECT_EQ(count_lines(err.str()), 2u) << err.str();
}

TEST(Progress, JsonLinesGoToStandardOutput) {
  std::ostringstream out, err;
  const auto display = make_progress_display(ProgressMode::json, {out, err, true});
  run_stage(display.get(), 2, 1.5);
  GeneratedVideo video;
  video.prompt = "caf\xe9";
  display->file("a.mp4", video);
  display->error(Error(ErrorKind::io, "[media] x"));
  std::istringstream lines(out.str());
  std::vector<nlohmann::json> events;
  for (std::string line; std::getline(lines, line);) events.push_back(nlohmann::json::parse(line));
  ASSERT_EQ(events.size(), 6u);
  EXPECT_EQ(events[1]["event"], "step");
  EXPECT_EQ(events[1]["stage"], "denoise");
  EXPECT_EQ(events[1]["step"], 1);
  EXPECT_EQ(events[1]["total"], 2);
  EXPECT_EQ(events[1]["step_seconds"], 1.5);
  EXPECT_EQ(events[1]["eta_seconds"], 1.5);
  EXPECT_TRUE(events[0]["eta_seconds"].is_null());
  EXPECT_EQ(events[4]["path"], "a.mp4");
  EXPECT_EQ(events[5]["exit_status"], 7);
  EXPECT_TRUE(err.str().empty());
}

TEST(Progress, NoneShowsMessagesOnly) {
  std::ostringstream out, err;
  const auto display = make_progress_display(ProgressMode::none, {out, err, true});
  run_stage(display.get(), 2, 1.5);
  display->message("hello");
  EXPECT_EQ(err.str(), "hello\n");
}

TEST(Progress, SeveralVideosAreNumbered) {
  EXPECT_EQ(stage_text({Event::step, "denoise", 1, 4, 1, 1, 1, 4}), "denoise 2/4");
  EXPECT_EQ(stage_text({Event::step, "denoise", 1, 4, 1, 1, 0, 1}), "denoise");
}

TEST(ProgressBar, FitsTheTerminal) {
  const Progress progress{Event::step, "denoise", 10, 40, 3.2, 32, 0, 1};
  const std::string text = bar_text(progress, {false, false, 80});
  EXPECT_EQ(text, "denoise      #######....................... 10/40  3.2 s/step  0:32  left 1:36");
  for (const size_t columns : {1u, 10u, 30u, 50u, 60u, 120u})
    EXPECT_LT(bar_text(progress, {false, false, columns}).size(), columns);
  EXPECT_NE(bar_text(progress, {true, false, 80}).find("\u2501"), std::string::npos);
  EXPECT_NE(bar_text(progress, {true, true, 80}).find("\x1b[32m"), std::string::npos);
}

TEST(ProgressBar, StyleFollowsTheEnvironment) {
  setenv("LC_ALL", "C", 1);
  EXPECT_FALSE(bar_style().unicode);
  setenv("LC_ALL", "de_DE.UTF-8", 1);
  EXPECT_TRUE(bar_style().unicode);
  setenv("NO_COLOR", "1", 1);
  EXPECT_FALSE(bar_style().colour);
  unsetenv("NO_COLOR");
  unsetenv("LC_ALL");
}

TEST(ProgressBar, MessagesStandOnLinesOfTheirOwn) {
  std::ostringstream out, err;
  {
    BarDisplay display({out, err, true}, {false, false, 80});
    display.update({Event::stage_begin, "denoise", 0, 4, 0, 0, 0, 1});
    display.message("warning: x");
    display.update({Event::stage_end, "denoise", 4, 4, 1, 4, 0, 1});
    display.file("a.mp4", {});
  }
  EXPECT_NE(err.str().find("\r\x1b[Kwarning: x\n"), std::string::npos);
  EXPECT_NE(err.str().find("denoise      4 steps, 4 s\n"), std::string::npos) << err.str();
  EXPECT_EQ(out.str(), "a.mp4\n");
  EXPECT_EQ(err.str().back(), '\n');
}

}  // namespace
}  // namespace mxdit::cli
