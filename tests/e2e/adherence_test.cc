// Does the embedded model's video follow its prompt? Held-out prompts (combinations that training
// never saw), bf16, the model's defaults. Prints the rates; MXDIT_ADHERENCE_DTYPE=fp32 measures the
// other compute type, MXDIT_ADHERENCE_SHEET=FILE.png writes one frame of every clip.
#include <gtest/gtest.h>

#include <cstdlib>

#include "e2e/adherence.h"
#include "io/json_file.h"
#include "mxdit/engine.h"

namespace mxdit {
namespace {

constexpr size_t kPrompts = 96;

Palette read_palette(const Json& file) {
  Palette palette;
  for (const auto& [name, rgb] : file["palette"].items())
    palette[name] = {rgb[0].get<double>(), rgb[1].get<double>(), rgb[2].get<double>()};
  return palette;
}

// Frame 6 of each clip, side by side.
class ContactSheet {
 public:
  void add(const Video& video) {
    const size_t frame = static_cast<size_t>(video.width) * static_cast<size_t>(video.height) * 3;
    frames_.emplace_back(video.rgb.begin() + static_cast<long>(6 * frame),
                         video.rgb.begin() + static_cast<long>(7 * frame));
  }
  void write(const std::string& path) const {
    constexpr int kColumns = 12, kSide = 64;
    const int rows = (static_cast<int>(frames_.size()) + kColumns - 1) / kColumns;
    Video sheet{kColumns * kSide, rows * kSide, 1, 1, {}};
    sheet.rgb.resize(static_cast<size_t>(sheet.width) * static_cast<size_t>(sheet.height) * 3);
    for (size_t i = 0; i < frames_.size(); ++i)
      for (size_t y = 0; y < kSide; ++y)
        std::copy_n(frames_[i].begin() + static_cast<long>(y * kSide * 3), kSide * 3,
                    sheet.rgb.begin() +
                        static_cast<long>(((i / kColumns * kSide + y) * kColumns + i % kColumns) *
                                          kSide * 3));
    write_video(path, sheet, {});
  }

 private:
  std::vector<std::vector<uint8_t>> frames_;
};

TEST(Adherence, HeldOutPromptsOnTheEmbeddedModel) {
  const std::string path = std::string(MXDIT_SOURCE_DIR) + "/models/tiny/heldout_prompts.json";
  const Json file = read_json_file(path);
  const Palette palette = read_palette(file);
  EngineOptions options;
  options.model_path = std::string(MXDIT_SOURCE_DIR) + "/models/tiny";
  if (const char* dtype = std::getenv("MXDIT_ADHERENCE_DTYPE")) options.dtype = dtype;
  Engine engine(options);
  ContactSheet sheet;
  std::map<std::string, int> right;
  const size_t count = std::min(kPrompts, file["prompts"].size());
  ASSERT_GE(count, 64u);
  for (size_t i = 0; i < count; ++i) {
    const Json& entry = file["prompts"][i];
    GenerateRequest request;
    request.prompts = {entry["prompt"].get<std::string>()};
    request.seed = 1000 + i;
    const Video video = engine.generate(request).videos[0].video;
    sheet.add(video);
    const PatternClip wanted{entry["colour"], entry["background"], entry["kind"],
                             entry["direction"]};
    const Judgement ok = judge(read_pattern(video, palette), wanted);
    right["colour"] += ok.colour;
    right["background"] += ok.background;
    right["kind"] += ok.kind;
    right["direction"] += ok.direction;
    right["all"] += ok.colour && ok.background && ok.kind && ok.direction;
  }
  const auto rate = [&](const char* what) { return 100.0 * right[what] / static_cast<double>(count); };
  std::printf("adherence over %zu held-out prompts, %s: colour %.1f %%, background %.1f %%, kind "
              "%.1f %%, direction %.1f %%, all four %.1f %%\n",
              count, options.dtype.c_str(), rate("colour"), rate("background"), rate("kind"),
              rate("direction"), rate("all"));
  if (const char* out = std::getenv("MXDIT_ADHERENCE_SHEET")) sheet.write(out);
  EXPECT_GE(rate("colour"), 90.0);
  EXPECT_GE(rate("background"), 90.0);
  EXPECT_GE(rate("direction"), 90.0);
  EXPECT_GE(rate("kind"), 80.0);
}

}  // namespace
}  // namespace mxdit
