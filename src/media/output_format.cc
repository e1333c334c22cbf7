#include "media/output_format.h"

#include <algorithm>
#include <cctype>
#include <filesystem>

#include "core/error.h"

namespace mxdit::media {

OutputFormat output_format(const std::string& path) {
  if (path.empty())
    fail(ErrorKind::usage, "[media] output path: expected a name, got an empty one");
  if (path.back() == '/') return OutputFormat::frame_folder;
  std::string extension = std::filesystem::path(path).extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (extension.empty()) return OutputFormat::frame_folder;
  if (extension == ".mp4") return OutputFormat::mp4;
  if (extension == ".gif") return OutputFormat::gif;
  if (extension == ".png") return OutputFormat::png;
  fail(ErrorKind::usage, "[media] ", path,
       ": expected the extension .mp4, .gif or .png, or none for a folder of frames, got ",
       extension);
}

}  // namespace mxdit::media
