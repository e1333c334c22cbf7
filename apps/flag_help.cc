#include "flag_help.h"

#include <algorithm>
#include <sstream>

namespace mxdit::cli {
namespace {

constexpr size_t kWidth = 80;
constexpr size_t kHelpColumn = 30;

std::string heading(const Flag& flag) {
  std::string text = "  ";
  if (flag.kind == FlagKind::positional) return text + flag.text.value;
  for (size_t i = 0; i < flag.names.size(); ++i) text += (i > 0 ? ", --" : "--") + flag.names[i];
  if (!flag.text.value.empty()) text += " " + flag.text.value;
  return text;
}

std::string entry(const Flag& flag) {
  std::string help = flag.text.help;
  if (!flag.text.standard.empty()) help += " (default: " + flag.text.standard + ")";
  std::string body = wrapped(help, kWidth, kHelpColumn);
  const std::string head = heading(flag);
  if (head.size() + 2 > kHelpColumn) return head + "\n" + body;
  body.replace(0, head.size(), head);
  return body;
}

}  // namespace

std::string wrapped(const std::string& text, size_t width, size_t indent) {
  std::istringstream lines(text);
  std::string result, line;
  while (std::getline(lines, line)) {
    // Deeper lines of the text itself stay deeper.
    const size_t first = std::min(line.find_first_not_of(' '), line.size());
    const std::string margin(indent + first, ' ');
    std::istringstream words(line);
    std::string word, row = margin;
    while (words >> word) {
      if (row.size() > margin.size() && row.size() + 1 + word.size() > width) {
        result += row + "\n";
        row = margin;
      }
      row += (row.size() > margin.size() ? " " : "") + word;
    }
    result += (row.size() > margin.size() ? row : "") + "\n";
  }
  return result;
}

std::string flag_help(const FlagSet& flags) {
  std::string result, group;
  for (const Flag& flag : flags.flags()) {
    if (flag.group != group || result.empty()) {
      group = flag.group;
      result += (result.empty() ? "" : "\n") + group + ":\n";
    }
    result += entry(flag);
  }
  return result;
}

}  // namespace mxdit::cli
