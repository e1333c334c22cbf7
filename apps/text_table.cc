#include "text_table.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>

namespace mxdit::cli {

TextTable::TextTable(const std::vector<std::string>& titles) {
  std::vector<std::string> shown;
  for (const std::string& title : titles) {
    right_.push_back(!title.empty() && title.front() == '>');
    shown.push_back(right_.back() ? title.substr(1) : title);
  }
  rows_.push_back(shown);
}

void TextTable::row(const std::vector<std::string>& cells) {
  rows_.push_back(cells);
  rows_.back().resize(right_.size());
}

std::string TextTable::text(size_t indent) const {
  std::vector<size_t> widths(right_.size(), 0);
  for (const auto& row : rows_)
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  std::string text;
  for (const auto& row : rows_) {
    std::string line(indent, ' ');
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string gap(widths[i] - row[i].size(), ' ');
      line += (i == 0 ? "" : "  ") + (right_[i] ? gap + row[i] : row[i] + gap);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string bytes_text(uint64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  double value = static_cast<double>(bytes);
  size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < std::size(units)) {
    value /= 1024.0;
    ++unit;
  }
  char text[32];
  const int digits = unit == 0 || value >= 100.0 ? 0 : value >= 10.0 ? 1 : 2;
  std::snprintf(text, sizeof text, "%.*f %s", digits, value, units[unit]);
  return text;
}

}  // namespace mxdit::cli
