// The embedded model in every quantization mode: distance from bf16 with the same seeds, and how
// often the held-out prompts are followed. Prints a Markdown table; docs/quality.md is made so:
//   build/release/tests/e2e/quality_table --update docs/quality.md --sheet docs/images/modes.png
// Takes about half a minute a mode. quality_table --attention shows what scores in int8 cost.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <optional>
#include <sstream>

#include "e2e/adherence.h"
#include "e2e/quality_modes.h"
#include "io/json_file.h"
#include "io/temporary_folder.h"
#include "mxdit/engine.h"

namespace mxdit {
namespace {

constexpr const char* kModel = MXDIT_SOURCE_DIR "/models/tiny";
constexpr size_t kSheetClips = 8;
constexpr const char* kBegin = "<!-- quality_table begins -->";
constexpr const char* kEnd = "<!-- quality_table ends -->";

struct Prompt {
  std::string text;
  PatternClip wanted;
  uint64_t seed;
};

struct Prompts {
  std::vector<Prompt> list;
  Palette palette;
};

Prompts read_prompts() {
  const Json file = read_json_file(std::string(kModel) + "/heldout_prompts.json");
  Prompts prompts;
  for (const auto& [name, rgb] : file["palette"].items())
    prompts.palette[name] = {rgb[0].get<double>(), rgb[1].get<double>(), rgb[2].get<double>()};
  for (size_t i = 0; i < file["prompts"].size(); ++i) {
    const Json& entry = file["prompts"][i];
    prompts.list.push_back({entry["prompt"].get<std::string>(),
                            {entry["colour"], entry["background"], entry["kind"],
                             entry["direction"]},
                            1000 + i});
  }
  return prompts;
}

// What a mode made of all prompts.
struct Outcome {
  std::vector<Video> videos;
  int colour = 0, background = 0, kind = 0, direction = 0, all = 0;
};

Outcome run_mode(const EngineOptions& options, const Prompts& prompts) {
  Engine engine(options);
  Outcome outcome;
  for (const Prompt& prompt : prompts.list) {
    GenerateRequest request;
    request.prompts = {prompt.text};
    request.seed = prompt.seed;
    outcome.videos.push_back(engine.generate(request).videos[0].video);
    const Judgement ok = judge(read_pattern(outcome.videos.back(), prompts.palette), prompt.wanted);
    outcome.colour += ok.colour;
    outcome.background += ok.background;
    outcome.kind += ok.kind;
    outcome.direction += ok.direction;
    outcome.all += ok.colour && ok.background && ok.kind && ok.direction;
  }
  return outcome;
}

double squared_error(const Video& a, const Video& b) {
  double sum = 0;
  for (size_t i = 0; i < a.rgb.size(); ++i) {
    const double d = static_cast<double>(a.rgb[i]) - b.rgb[i];
    sum += d * d;
  }
  return sum / static_cast<double>(a.rgb.size());
}

double decibels(double mean_square) {
  return mean_square == 0 ? std::numeric_limits<double>::infinity()
                          : 10 * std::log10(255.0 * 255.0 / mean_square);
}

// All clips pooled, and the median clip.
std::string psnr_cells(const Outcome& outcome, const Outcome& base) {
  std::vector<double> errors;
  double sum = 0;
  for (size_t i = 0; i < base.videos.size(); ++i) {
    errors.push_back(squared_error(outcome.videos[i], base.videos[i]));
    sum += errors.back();
  }
  std::sort(errors.begin(), errors.end());
  const double pooled = decibels(sum / static_cast<double>(errors.size()));
  if (std::isinf(pooled)) return "equal | equal";
  char text[64];
  std::snprintf(text, sizeof text, "%.1f | %.1f", pooled, decibels(errors[errors.size() / 2]));
  return text;
}

std::string row(const QualityMode& mode, const Outcome& outcome, const Outcome& base) {
  const double count = static_cast<double>(outcome.videos.size());
  char rates[128];
  std::snprintf(rates, sizeof rates, "%.1f | %.1f | %.1f | %.1f | %.1f", 100 * outcome.colour / count,
                100 * outcome.background / count, 100 * outcome.kind / count,
                100 * outcome.direction / count, 100 * outcome.all / count);
  return "| " + mode.name + " | " + psnr_cells(outcome, base) + " | " + rates + " |\n";
}

// The middle frames of the first clips, one row a mode.
class Sheet {
 public:
  void add(const Outcome& outcome) {
    for (size_t i = 0; i < kSheetClips; ++i) frames_.push_back(middle(outcome.videos[i]));
  }
  void write(const std::string& path) const {
    const int side = 64, rows = static_cast<int>(frames_.size() / kSheetClips);
    Video sheet{side * static_cast<int>(kSheetClips), side * rows, 1, 1, {}};
    sheet.rgb.resize(static_cast<size_t>(sheet.width) * static_cast<size_t>(sheet.height) * 3);
    const size_t line = static_cast<size_t>(side) * 3, width = line * kSheetClips;
    for (size_t i = 0; i < frames_.size(); ++i)
      for (size_t y = 0; y < static_cast<size_t>(side); ++y)
        std::copy_n(frames_[i].begin() + static_cast<long>(y * line), line,
                    sheet.rgb.begin() +
                        static_cast<long>((i / kSheetClips * side + y) * width +
                                          i % kSheetClips * line));
    write_video(path, sheet, {});
  }

 private:
  static std::vector<uint8_t> middle(const Video& video) {
    const size_t frame = static_cast<size_t>(video.width) * static_cast<size_t>(video.height) * 3;
    const auto begin = video.rgb.begin() + static_cast<long>(6 * frame);
    return {begin, begin + static_cast<long>(frame)};
  }
  std::vector<std::vector<uint8_t>> frames_;
};

void update(const std::string& path, const std::string& table) {
  std::ifstream in(path);
  std::stringstream content;
  content << in.rdbuf();
  std::string text = content.str();
  const size_t begin = text.find(kBegin), end = text.find(kEnd);
  if (begin == std::string::npos || end == std::string::npos)
    throw std::runtime_error(path + ": expected the marks of the table, got none");
  text.replace(begin, end - begin, std::string(kBegin) + "\n" + table);
  std::ofstream(path) << text;
}

int run(const std::vector<QualityMode>& modes, const std::string& document,
        const std::string& sheet_path) {
  const Prompts prompts = read_prompts();
  const TemporaryFolder folder;
  std::string table =
      "| mode | PSNR to bf16, dB | median clip, dB | colour % | background % | kind % | direction % "
      "| all four % |\n|---|---|---|---|---|---|---|---|\n";
  std::optional<Outcome> base;
  Sheet sheet;
  for (const QualityMode& mode : modes) {
    EngineOptions options = mode.prepare(kModel, folder.path());
    const Outcome outcome = run_mode(options, prompts);
    if (!base) base = outcome;
    const std::string line = row(mode, outcome, *base);
    std::cout << line << std::flush;
    table += line;
    sheet.add(outcome);
  }
  if (!document.empty()) update(document, table);
  if (!sheet_path.empty()) sheet.write(sheet_path);
  return 0;
}

}  // namespace
}  // namespace mxdit

int main(int argc, char** argv) {
  std::string document, sheet;
  const bool attention = argc == 2 && std::string(argv[1]) == "--attention";
  if (attention) argc = 1;
  for (int i = 1; i < argc; i += 2) {
    const std::string flag = argv[i];
    if (i + 1 == argc || (flag != "--update" && flag != "--sheet")) {
      std::cerr << "usage: quality_table [--update FILE.md] [--sheet FILE.png] | --attention\n";
      return 2;
    }
    (flag == "--update" ? document : sheet) = argv[i + 1];
  }
  try {
    return mxdit::run(attention ? mxdit::attention_modes() : mxdit::quality_modes(), document,
                      sheet);
  } catch (const std::exception& error) {
    std::cerr << error.what() << "\n";
    return 1;
  }
}
