#include "output_name.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <sstream>

#include "utf8.h"

namespace fs = std::filesystem;

namespace mxdit::cli {
namespace {

constexpr size_t kPromptCharacters = 100;
constexpr size_t kPromptBytes = 180;  // file names end at 255 bytes

std::string sanitized(const std::string& prompt) {
  std::string name;
  for (const char c : utf8_prefix(prompt, kPromptCharacters, kPromptBytes)) {
    const auto byte = static_cast<unsigned char>(c);
    const bool kept = byte >= 0x80 || std::isalnum(byte) != 0 || c == '-' || c == '_' || c == '.';
    if (kept || (!name.empty() && name.back() != '_')) name += kept ? c : '_';
  }
  while (!name.empty() && (name.back() == '_' || name.back() == '.')) name.pop_back();
  // A name that begins with '.' would be hidden, one with '-' taken for a flag.
  name.erase(0, std::min(name.find_first_not_of(".-_"), name.size()));
  return name.empty() ? "video" : name;
}

std::string hash8(const GenerateRequest& r, const std::string& prompt, uint64_t seed) {
  std::ostringstream key;
  key << prompt << '\0' << r.negative_prompt.value_or("") << '\0' << seed << ' '
      << r.width.value_or(0) << ' ' << r.height.value_or(0) << ' ' << r.num_frames.value_or(0)
      << ' ' << r.fps.value_or(0) << ' ' << r.num_inference_steps.value_or(0) << ' '
      << r.guidance_scale.value_or(0) << ' ' << r.guidance_scale_2.value_or(0) << ' '
      << r.boundary_ratio.value_or(0) << ' ' << r.flow_shift.value_or(0);
  uint64_t hash = 14695981039346656037u;  // FNV-1a
  for (const char c : key.str()) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211u;
  char text[9];
  std::snprintf(text, sizeof(text), "%08x", static_cast<uint32_t>(hash ^ hash >> 32));
  return text;
}

std::string time_text(std::time_t now) {
  std::tm local{};
  localtime_r(&now, &local);
  char text[32];
  std::strftime(text, sizeof(text), "%Y%m%d-%H%M%S", &local);
  return text;
}

bool has_known_extension(const std::string& name) {
  std::string extension = fs::path(name).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return extension == ".mp4" || extension == ".gif" || extension == ".png";
}

std::string with_suffix(const std::string& path, size_t index) {
  const std::string suffix = std::string(1, '_').append(std::to_string(index));
  if (path.back() == '/') return path.substr(0, path.find_last_not_of('/') + 1) + suffix + "/";
  const std::string extension = fs::path(path).extension().string();
  return path.substr(0, path.size() - extension.size()) + suffix + extension;
}

std::string default_name(const GenerateRequest& request, size_t index, std::time_t now) {
  const auto outputs = static_cast<size_t>(std::max(1, request.num_outputs_per_prompt));
  const size_t prompt_index = index / outputs;
  const std::string prompt =
      prompt_index < request.prompts.size() ? request.prompts[prompt_index] : "";
  const uint64_t seed = request.seed.value_or(42) + index;
  const std::string name =
      sanitized(prompt) + "_" + time_text(now) + "_" + hash8(request, prompt, seed) + ".mp4";
  return outputs > 1 ? with_suffix(name, index % outputs) : name;
}

}  // namespace

std::vector<std::string> output_paths(const OutputOptions& options, const GenerateRequest& request,
                                      size_t videos, std::time_t now) {
  std::string own = options.file_path;
  if (own.empty() && !options.file_name.empty()) {
    const bool complete = has_known_extension(options.file_name) || options.file_name.back() == '/';
    own = (fs::path(options.folder) / (options.file_name + (complete ? "" : ".mp4"))).string();
  }
  std::vector<std::string> paths;
  for (size_t i = 0; i < videos; ++i) {
    if (own.empty())
      paths.push_back((fs::path(options.folder) / default_name(request, i, now)).string());
    else
      paths.push_back(videos > 1 ? with_suffix(own, i) : own);
  }
  return paths;
}

}  // namespace mxdit::cli
