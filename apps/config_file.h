// Configuration files of --config: JSON (.json) or YAML (.yaml, .yml).
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace mxdit::cli {

struct ConfigEntry {
  std::string key;   // as written, nested keys joined by '.'
  std::string flag;  // as a flag would have it: words joined by '-'
  std::vector<std::string> values;
};

struct Config {
  std::string file;
  std::vector<ConfigEntry> entries;
};

// Nested mappings become dotted keys ({output: {quality: high}} is output-quality); a mapping
// named like the command holds flags of that command. null leaves a key out. Throws Error{usage}
// naming the file for a missing or malformed one and for an unknown extension.
Config read_config(const std::string& file, const std::string& command);

}  // namespace mxdit::cli
