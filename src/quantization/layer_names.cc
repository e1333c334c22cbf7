#include "quantization/layer_names.h"

#include <fnmatch.h>

namespace mxdit {

bool is_ignored(const std::string& layer, const std::vector<std::string>& ignored) {
  const std::string path = "." + layer + ".";
  for (const std::string& name : ignored)
    if (!name.empty() && path.find("." + name + ".") != std::string::npos) return true;
  return false;
}

bool matches_stars(const std::string& pattern, const std::string& name) {
  std::string escaped;
  for (const char c : pattern) {
    if (c == '?' || c == '[' || c == '\\') escaped += '\\';
    escaped += c;
  }
  if (escaped.find('\0') != std::string::npos) return false;
  return ::fnmatch(escaped.c_str(), name.c_str(), 0) == 0;
}

bool matches_shell(const std::string& pattern, const std::string& name) {
  if (pattern.find('\0') != std::string::npos) return false;
  return ::fnmatch(pattern.c_str(), name.c_str(), FNM_NOESCAPE) == 0;
}

}  // namespace mxdit
