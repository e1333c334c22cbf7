// The flags of one command: declared once, used for parsing, configuration files and help.
//
// CLI11 splits the command line; names (dashes or underscores), optional true/false after
// booleans, values and errors are handled here, so that a flag and a configuration key obey the
// same rules.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "config_file.h"

namespace mxdit::cli {

// What help shows of a flag.
struct FlagText {
  std::string names;  // "--num-outputs-per-prompt,--num-outputs"; the first is the canonical one
  std::string value;  // "N"; empty for booleans
  std::string help;
  std::string standard;  // shown as the default; may be empty
};

// optional_value: the value may be left out, and is empty then; one that begins with '-' needs '='.
enum class FlagKind { positional, boolean, value, optional_value, list };

struct Flag {
  FlagText text;
  std::string group;
  FlagKind kind = FlagKind::value;
  std::vector<std::string> names;  // without "--"
  // Takes the last value (lists: all); reports a bad one by returning what was expected.
  std::function<std::optional<std::string>(const std::vector<std::string>&)> set;
};

class FlagSet {
 public:
  explicit FlagSet(std::string command) : command_(std::move(command)) {}

  void group(const std::string& title) { group_ = title; }
  void positional(const FlagText& text, std::vector<std::string>* target);
  void list(const FlagText& text, std::vector<std::string>* target);
  void string(const FlagText& text, std::string* target);
  void string(const FlagText& text, std::optional<std::string>* target);
  void optional_string(const FlagText& text, std::function<void(const std::string&)> set);
  void boolean(const FlagText& text, std::function<void(bool)> set);
  void integer(const FlagText& text, int64_t least, int64_t most, std::function<void(int64_t)> set);
  void number(const FlagText& text, double least, double most, std::function<void(double)> set);
  // The value is one of `choices`, in any case.
  void choice(const FlagText& text, const std::vector<std::string>& choices,
              std::function<void(const std::string&)> set);

  // When one of `flags` is given, what the configuration says about any of `replaced` is ignored.
  void overrides(std::vector<std::string> flags, std::vector<std::string> replaced);

  // Sets all targets: command line before configuration before defaults. The file of --config
  // FILE, when `config_flag` is declared and given, is read here. Throws Error{usage}.
  void parse(const std::vector<std::string>& arguments, const std::string& config_flag = "config");

  // Whether a flag (canonical name) was given, here or by the configuration.
  bool given(const std::string& name) const { return origins_.count(name) > 0; }
  // How messages name a flag: "--seed", or "run.yaml: key seed".
  std::string origin(const std::string& name) const;

  const std::vector<Flag>& flags() const { return flags_; }

 private:
  using Values = std::map<std::string, std::vector<std::string>>;

  Flag& add(const FlagText& text, FlagKind kind);
  const Flag* find(const std::string& name) const;
  const Flag& known_flag(const std::string& argument) const;
  std::vector<std::string> known_names() const;
  std::vector<std::string> normalize(const std::vector<std::string>& arguments) const;
  Values split(const std::vector<std::string>& normalized) const;
  void add_positionals(const std::vector<std::string>& texts, Values* values) const;
  void merge(const Config& config, Values* values);
  [[noreturn]] void fail_unknown(const std::string& shown, const std::string& name) const;

  std::string command_, group_;
  std::vector<Flag> flags_;
  std::vector<std::pair<std::vector<std::string>, std::vector<std::string>>> overrides_;
  std::map<std::string, std::string> origins_;
};

}  // namespace mxdit::cli
