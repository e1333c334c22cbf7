#include "prompt_list.h"

#include <filesystem>
#include <fstream>

#include "app_error.h"
#include "utf8.h"

namespace mxdit::cli {

std::vector<std::string> read_prompts(const std::string& file, const std::string& flag) {
  const std::string extension = std::filesystem::path(file).extension().string();
  if (extension != ".txt")
    fail(ErrorKind::usage, flag, " ", file, ": expected a .txt file, got ",
         extension.empty() ? "no extension" : extension);
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file))
    fail(ErrorKind::not_found, flag, " ", file, ": expected a readable file, got none");
  std::vector<std::string> prompts;
  std::string line;
  for (size_t number = 1; std::getline(in, line); ++number) {
    if (number == 1 && line.rfind("\xEF\xBB\xBF", 0) == 0) line.erase(0, 3);
    if (!line.empty() && line.back() == '\r') line.pop_back();
    check_prompt(line, flag + " " + file + " line " + std::to_string(number));
    if (line.find_first_not_of(" \t") != std::string::npos) prompts.push_back(line);
  }
  if (prompts.empty())
    fail(ErrorKind::usage, flag, " ", file, ": expected one prompt per line, got no prompts");
  return prompts;
}

void check_prompt(const std::string& prompt, const std::string& flag) {
  if (!is_utf8(prompt) || prompt.find('\0') != std::string::npos)
    fail(ErrorKind::usage, flag, ": expected text in UTF-8, got ", shown_text(prompt));
}

}  // namespace mxdit::cli
