// Finds the model that is shipped with mxdit.
#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>

#include "core/error.h"
#include "io/json_file.h"
#include "mxdit/engine.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

// Folder of the shared library (or of the program, when linked statically).
fs::path code_folder() {
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&embedded_model_path), &info) == 0 ||
      info.dli_fname == nullptr)
    return {};
  std::error_code ignored;
  return fs::canonical(info.dli_fname, ignored).parent_path();
}

std::vector<fs::path> candidates() {
  if (const char* stated = std::getenv("MXDIT_EMBEDDED_MODEL"); stated && *stated) return {stated};
  std::vector<fs::path> places;
  // An installed library knows its prefix by its own place: <prefix>/lib[/<triplet>]/libmxdit.so.
  if (const fs::path folder = code_folder(); !folder.empty())
    for (fs::path up = folder.parent_path(); up != up.parent_path(); up = up.parent_path()) {
      places.push_back(up / "share/mxdit/models/tiny");
      if (places.size() == 2) break;
    }
  places.emplace_back(fs::path(MXDIT_SOURCE_DIR) / "models/tiny");
  return places;
}

}  // namespace

std::string embedded_model_path() {
  std::string tried;
  for (const fs::path& place : candidates()) {
    std::error_code ignored;
    if (fs::exists(place / "model_index.json", ignored)) return place.lexically_normal().string();
    tried += (tried.empty() ? "" : ", ") + place.string();
  }
  fail(ErrorKind::not_found, "[engine] embedded model: expected model_index.json in one of ", tried,
       ", got none; give --model-path, or set MXDIT_EMBEDDED_MODEL");
}

std::string embedded_model_prompt_help() {
  try {
    const fs::path file = fs::path(embedded_model_path()) / "mxdit.json";
    return optional_or<std::string>(read_json_file(file), "prompt_help", "", file.string());
  } catch (const Error&) {
    return "";  // a help text must not fail
  }
}

std::string version() { return MXDIT_VERSION; }

}  // namespace mxdit
