#include "conversion/repack/description.h"

#include <algorithm>
#include <set>

#include "core/error.h"
#include "io/json_file.h"
#include "io/mapped_file.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

constexpr const char* kStem = "quant_model_description";

fs::path find_description(const fs::path& folder) {
  const fs::path usual = folder / (std::string(kStem) + ".json");
  std::error_code error;
  if (fs::exists(usual, error)) return usual;
  std::vector<fs::path> found;
  for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error))
    if (it->path().filename().string().starts_with(kStem) && it->path().extension() == ".json")
      found.push_back(it->path());
  if (error)
    fail(ErrorKind::io, "[conversion] ", folder.string(), ": listing failed: ", error.message());
  if (found.empty())
    fail(ErrorKind::not_found, "[conversion] ", folder.string(), ": expected a file ", kStem,
         "*.json, got none");
  return *std::min_element(found.begin(), found.end());
}

}  // namespace

Description Description::parse(std::string_view text, const std::string& file,
                               const std::vector<std::string>& dotless) {
  // The strict reader first (duplicate keys, depth, size); it forgets the order of keys.
  const Json checked = parse_json(text, file);
  if (!checked.is_object())
    fail(ErrorKind::bad_input, "[conversion] ", file, ": expected an object of tensor names, got ",
         describe(checked));
  Description description;
  description.file_ = file;
  for (const auto& [key, value] : checked.items()) {
    const bool has_dot = key.find('.') != std::string::npos;
    if (!has_dot && std::find(dotless.begin(), dotless.end(), key) == dotless.end()) continue;
    if (!value.is_string())
      fail(ErrorKind::bad_input, "[conversion] ", file, ": entry \"", key,
           "\": expected the name of a type, got ", describe(value));
    description.entries_.emplace(key, value.get<std::string>());
  }
  description.json_ = nlohmann::ordered_json::parse(text);
  return description;
}

Description Description::read(const fs::path& folder) {
  const fs::path file = find_description(folder);
  const auto content = map_file(file);
  return parse({static_cast<const char*>(content->data()), content->bytes()}, file.string());
}

std::string Description::renamed_text(const std::map<std::string, std::string>& renamed) const {
  nlohmann::ordered_json result = nlohmann::ordered_json::object();
  // operator[] of an ordered object searches all keys, which is slow for thousands.
  auto& members = result.get_ref<nlohmann::ordered_json::object_t&>();
  std::set<std::string> taken;
  for (const auto& [key, value] : json_.items()) {
    const auto place = entries_.count(key) != 0 ? renamed.find(key) : renamed.end();
    const std::string& name = place == renamed.end() ? key : place->second;
    if (!taken.insert(name).second)
      fail(ErrorKind::bad_input, "[conversion] ", file_, ": entry \"", key,
           "\": expected a name of its own after renaming, got \"", name, "\", which is taken");
    members.push_back({name, value});
  }
  return result.dump(2) + "\n";
}

}  // namespace mxdit::conversion
