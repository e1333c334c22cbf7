#include "flag_set.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>

#include "app_error.h"
#include "nearest_name.h"
#include "reference_flags.h"

namespace mxdit::cli {
namespace {

constexpr int kMostValues = 4096;  // CLI11 treats larger numbers as "any" and then splits "[a,b]"

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

std::vector<std::string> split_names(const std::string& names) {
  std::vector<std::string> result;
  for (size_t begin = 0; begin < names.size();) {
    const size_t end = std::min(names.find(',', begin), names.size());
    const std::string name = names.substr(begin, end - begin);
    result.push_back(name.rfind("--", 0) == 0 ? name.substr(2) : name);
    begin = end + 1;
  }
  return result;
}

std::optional<bool> parse_boolean(const std::string& text) {
  if (lower(text) == "true") return true;
  if (lower(text) == "false") return false;
  return std::nullopt;
}

template <typename T>
std::optional<T> parse_number(const std::string& text) {
  T value{};
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, value);
  if (text.empty() || result.ec != std::errc() || result.ptr != end) return std::nullopt;
  return value;
}

std::string range_text(const std::string& kind, const std::string& least, const std::string& most) {
  return most.empty() ? kind + " of at least " + least : kind + " from " + least + " to " + most;
}

std::string short_number(double value) {
  std::ostringstream out;
  out << value;
  return out.str();
}

std::string dashed(const std::string& name) {
  std::string result("--");
  return result.append(name);
}

// CLI11 would take "--flag=" for a flag whose value follows, so values stand by themselves.
void add_value(const Flag& flag, const std::string& value, std::vector<std::string>* arguments) {
  if (flag.kind == FlagKind::boolean && value.empty())
    fail(ErrorKind::usage, arguments->back(), ": expected true or false, got ''");
  arguments->push_back(value);
}

// A flag as the user wrote it, without the quotes that texts get.
std::string shown_flag(const std::string& flag) {
  const std::string text = shown_text(flag);
  return text.substr(1, text.size() - 2);
}

}  // namespace

Flag& FlagSet::add(const FlagText& text, FlagKind kind) {
  Flag flag;
  flag.text = text;
  flag.group = group_;
  flag.kind = kind;
  flag.names = split_names(text.names);
  flags_.push_back(std::move(flag));
  return flags_.back();
}

void FlagSet::positional(const FlagText& text, std::vector<std::string>* target) {
  add(text, FlagKind::positional).set = [target](const auto& values) {
    *target = values;
    return std::nullopt;
  };
}

void FlagSet::list(const FlagText& text, std::vector<std::string>* target) {
  add(text, FlagKind::list).set = [target](const auto& values) {
    *target = values;
    return std::nullopt;
  };
}

void FlagSet::string(const FlagText& text, std::string* target) {
  add(text, FlagKind::value).set = [target](const auto& values) {
    *target = values.back();
    return std::nullopt;
  };
}

void FlagSet::string(const FlagText& text, std::optional<std::string>* target) {
  add(text, FlagKind::value).set = [target](const auto& values) {
    *target = values.back();
    return std::nullopt;
  };
}

void FlagSet::optional_string(const FlagText& text, std::function<void(const std::string&)> set) {
  add(text, FlagKind::optional_value).set = [set = std::move(set)](const auto& values) {
    set(values.back());
    return std::nullopt;
  };
}

void FlagSet::boolean(const FlagText& text, std::function<void(bool)> set) {
  add(text, FlagKind::boolean).set =
      [set = std::move(set)](const auto& values) -> std::optional<std::string> {
    const auto value = parse_boolean(values.back());
    if (!value) return "true or false";
    set(*value);
    return std::nullopt;
  };
}

void FlagSet::integer(const FlagText& text, int64_t least, int64_t most,
                      std::function<void(int64_t)> set) {
  add(text, FlagKind::value).set =
      [=, set = std::move(set)](const auto& values) -> std::optional<std::string> {
    const auto value = parse_number<int64_t>(values.back());
    if (!value || *value < least || *value > most)
      return range_text("a whole number", std::to_string(least),
                        most == std::numeric_limits<int64_t>::max() ? "" : std::to_string(most));
    set(*value);
    return std::nullopt;
  };
}

void FlagSet::number(const FlagText& text, double least, double most,
                     std::function<void(double)> set) {
  add(text, FlagKind::value).set =
      [=, set = std::move(set)](const auto& values) -> std::optional<std::string> {
    const auto value = parse_number<double>(values.back());
    if (!value || !std::isfinite(*value) || *value < least || *value > most)
      return range_text("a number", short_number(least), short_number(most));
    set(*value);
    return std::nullopt;
  };
}

void FlagSet::choice(const FlagText& text, const std::vector<std::string>& choices,
                     std::function<void(const std::string&)> set) {
  add(text, FlagKind::value).set =
      [choices, set = std::move(set)](const auto& values) -> std::optional<std::string> {
    const std::string value = lower(values.back());
    if (std::find(choices.begin(), choices.end(), value) != choices.end()) {
      set(value);
      return std::nullopt;
    }
    std::string expected = "one of";
    for (const std::string& choice : choices) expected += " " + choice;
    return expected;
  };
}

void FlagSet::overrides(std::vector<std::string> flags, std::vector<std::string> replaced) {
  overrides_.emplace_back(std::move(flags), std::move(replaced));
}

const Flag* FlagSet::find(const std::string& name) const {
  for (const Flag& flag : flags_)
    if (flag.kind != FlagKind::positional &&
        std::find(flag.names.begin(), flag.names.end(), name) != flag.names.end())
      return &flag;
  return nullptr;
}

std::vector<std::string> FlagSet::known_names() const {
  std::vector<std::string> names{"help"};
  for (const Flag& flag : flags_)
    if (flag.kind != FlagKind::positional)
      names.insert(names.end(), flag.names.begin(), flag.names.end());
  return names;
}

void FlagSet::fail_unknown(const std::string& shown, const std::string& name) const {
  if (is_reference_flag(name))
    fail(ErrorKind::usage, shown, ": not available in this version of mxdit; see mxdit ", command_,
         " --help");
  const std::string nearest = nearest_name(name, known_names());
  fail(ErrorKind::usage, shown, ": unknown",
       nearest.empty() ? "; see mxdit " + command_ + " --help"
                       : "; the nearest known one is " +
                             (shown.rfind("--", 0) == 0 ? dashed(nearest) : nearest));
}

std::string FlagSet::origin(const std::string& name) const {
  const auto found = origins_.find(name);
  return found == origins_.end() || found->second.empty() ? dashed(name) : found->second;
}

// Rewrites every flag to its canonical name and gives those that may go without a value one.
std::vector<std::string> FlagSet::normalize(const std::vector<std::string>& arguments) const {
  std::vector<std::string> result;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if (arguments[i].rfind("--", 0) != 0) {
      result.push_back(arguments[i]);
      continue;
    }
    const size_t equals = arguments[i].find('=');
    const Flag& flag = known_flag(arguments[i].substr(0, equals));
    const std::string* next = i + 1 < arguments.size() ? &arguments[i + 1] : nullptr;
    result.push_back(dashed(flag.names.front()));
    if (equals != std::string::npos) {
      add_value(flag, arguments[i].substr(equals + 1), &result);
    } else if (flag.kind == FlagKind::boolean) {
      const bool has_value = next != nullptr && parse_boolean(*next).has_value();
      add_value(flag, has_value ? *next : "true", &result);
      if (has_value) ++i;
    } else if (flag.kind == FlagKind::optional_value) {
      const bool has_value = next != nullptr && next->rfind("-", 0) != 0;
      add_value(flag, has_value ? *next : "", &result);
      if (has_value) ++i;
    } else if (next == nullptr || next->rfind("--", 0) == 0) {
      fail(ErrorKind::usage, result.back(), ": expected a value, got ",
           next == nullptr ? "none" : shown_text(*next));
    }
    // Else the value follows: CLI11 takes it, whatever it begins with.
  }
  return result;
}

const Flag& FlagSet::known_flag(const std::string& argument) const {
  std::string name = argument.substr(2);
  std::replace(name.begin(), name.end(), '_', '-');
  const Flag* flag = find(name);
  if (flag == nullptr) fail_unknown(shown_flag(argument), name);
  return *flag;
}

FlagSet::Values FlagSet::split(const std::vector<std::string>& normalized) const {
  CLI::App app;
  app.set_help_flag();
  app.allow_extras();
  std::vector<std::pair<const Flag*, CLI::Option*>> options;
  for (const Flag& flag : flags_) {
    if (flag.kind == FlagKind::positional) continue;
    // Results are taken raw: CLI11's conversions give "{}" and "[a,b]" a meaning.
    CLI::Option* option =
        app.add_option(dashed(flag.names.front()), [](const CLI::results_t&) { return true; });
    option->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
    option->expected(1, flag.kind == FlagKind::list ? kMostValues : 1)->allow_extra_args(false);
    options.emplace_back(&flag, option);
  }
  try {
    app.parse(std::vector<std::string>(normalized.rbegin(), normalized.rend()));
  } catch (const CLI::Error& error) {
    fail(ErrorKind::usage, error.what());
  }
  Values values;
  for (const auto& [flag, option] : options)
    if (option->count() > 0) values[flag->names.front()] = option->results();
  for (const std::string& text : app.remaining())
    if (text.size() > 1 && text.front() == '-')
      fail(ErrorKind::usage, shown_text(text),
           ": expected a flag or a prompt; write -- before a prompt that begins with '-'");
  add_positionals(app.remaining(), &values);
  return values;
}

void FlagSet::add_positionals(const std::vector<std::string>& texts, Values* values) const {
  const auto flag = std::find_if(flags_.begin(), flags_.end(),
                                 [](const Flag& f) { return f.kind == FlagKind::positional; });
  for (const std::string& text : texts) {
    if (flag == flags_.end())
      fail(ErrorKind::usage, shown_text(text), ": expected a flag, got something else");
    (*values)[flag->names.front()].push_back(text);
  }
}

void FlagSet::merge(const Config& config, Values* values) {
  std::set<std::string> taken;
  for (const auto& entry : *values) taken.insert(entry.first);
  for (const auto& [flags, replaced] : overrides_)
    if (std::any_of(flags.begin(), flags.end(),
                    [&](const auto& f) { return values->count(f) > 0; }))
      taken.insert(replaced.begin(), replaced.end());
  for (const ConfigEntry& entry : config.entries) {
    const std::string place = config.file + ": key " + entry.key;
    const Flag* flag = find(entry.flag);
    if (flag == nullptr || entry.flag == "config") fail_unknown(place, entry.flag);
    const std::string& name = flag->names.front();
    if (flag->kind != FlagKind::list && entry.values.size() != 1)
      fail(ErrorKind::usage, place, ": expected one value, got ", entry.values.size());
    if (taken.count(name) > 0 || entry.values.empty()) continue;
    (*values)[name] = entry.values;
    origins_[name] = place;
  }
}

void FlagSet::parse(const std::vector<std::string>& arguments, const std::string& config_flag) {
  const auto mark = std::find(arguments.begin(), arguments.end(), "--");
  Values values = split(normalize({arguments.begin(), mark}));
  if (mark != arguments.end()) add_positionals({mark + 1, arguments.end()}, &values);
  origins_.clear();
  for (const auto& entry : values) origins_[entry.first] = "";
  const auto config = values.find(config_flag);
  if (config != values.end() && find(config_flag) != nullptr)
    merge(read_config(config->second.back(), command_), &values);
  for (const Flag& flag : flags_) {
    const auto found = values.find(flag.names.front());
    if (found == values.end()) continue;
    const auto expected = flag.set(found->second);
    if (expected)
      fail(ErrorKind::usage, origin(flag.names.front()), ": expected ", *expected, ", got ",
           shown_text(found->second.back()));
  }
}

}  // namespace mxdit::cli
