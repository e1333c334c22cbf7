// For tests: how much of a mapped file this process has in memory.
#pragma once

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>

namespace mxdit {

// Over all mappings of the file, as the system counts them (Linux).
inline size_t resident_bytes(const std::filesystem::path& path) {
  std::ifstream maps("/proc/self/smaps");
  size_t total = 0;
  bool ours = false;
  for (std::string line; std::getline(maps, line);) {
    // "7f0-7f1 r--s 0 00:2a 77 /path" begins a mapping, "Rss: 4 kB" is one of its values.
    if (line.find('-') < line.find(' ')) ours = line.find(path.string()) != std::string::npos;
    if (ours && line.rfind("Rss:", 0) == 0) total += std::stoul(line.substr(4)) * 1024;
  }
  return total;
}

}  // namespace mxdit
