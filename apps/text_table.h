// Columns of text for people, aligned.
#pragma once

#include <string>
#include <vector>

namespace mxdit::cli {

class TextTable {
 public:
  // A title that begins with '>' aligns its column to the right (the sign is not shown).
  explicit TextTable(const std::vector<std::string>& titles);
  void row(const std::vector<std::string>& cells);
  // Each line is begun by `indent` spaces.
  std::string text(size_t indent) const;

 private:
  std::vector<bool> right_;
  std::vector<std::vector<std::string>> rows_;  // the first one holds the titles
};

// "1.50 GiB", "12.0 MiB", "640 B": three digits.
std::string bytes_text(uint64_t bytes);

}  // namespace mxdit::cli
