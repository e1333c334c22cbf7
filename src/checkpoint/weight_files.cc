#include "checkpoint/weight_files.h"

#include <algorithm>

#include "core/error.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".safetensors";

bool is_mixed(const std::string& name) { return name.find("-mixed") != std::string::npos; }

// "model" of "model.fp16.safetensors"; nothing for names without such a variant.
std::string canonical_name(const std::string& name) {
  for (const std::string_view variant : {".fp16", ".bf16", ".fp32"}) {
    const std::string end = std::string(variant) + std::string(kSuffix);
    if (name.size() > end.size() && name.ends_with(end))
      return name.substr(0, name.size() - end.size()) + std::string(kSuffix);
  }
  return "";
}

struct Listing {
  std::vector<std::string> weights;
  bool has_index = false;
};

Listing list(const fs::path& folder) {
  Listing listing;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    if (name.front() == '.') continue;  // unfinished writes, or what other systems leave behind
    if (name.ends_with(kSuffix)) listing.weights.push_back(name);
    listing.has_index = listing.has_index || name.ends_with(".safetensors.index.json");
  }
  if (error)
    fail(ErrorKind::io, "[checkpoint] ", folder.string(), ": listing failed: ", error.message());
  return listing;
}

}  // namespace

std::vector<std::string> chosen_weight_files(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  if (std::any_of(names.begin(), names.end(), is_mixed))
    std::erase_if(names, [](const std::string& name) { return !is_mixed(name); });
  const std::vector<std::string> all = names;
  std::erase_if(names, [&](const std::string& name) {
    return std::binary_search(all.begin(), all.end(), canonical_name(name));
  });
  return names;
}

WeightStore open_replacement_weights(const fs::path& path) {
  std::error_code ignored;
  if (!fs::exists(path, ignored))
    fail(ErrorKind::not_found, "[checkpoint] ", path.string(),
         ": expected a .safetensors file or a folder of them, got no such path");
  if (!fs::is_directory(path, ignored)) {
    if (path.extension() != kSuffix)
      fail(ErrorKind::unsupported, "[checkpoint] ", path.string(),
           ": expected a .safetensors file or a folder of them, got another file");
    return WeightStore::open(path);
  }
  const Listing listing = list(path);
  if (listing.has_index) return WeightStore::open(path);
  std::vector<fs::path> files;
  for (const std::string& name : chosen_weight_files(listing.weights)) files.push_back(path / name);
  if (files.empty())
    fail(ErrorKind::not_found, "[checkpoint] no safetensors files found in ", path.string());
  return WeightStore::open_files(path, files);
}

}  // namespace mxdit
