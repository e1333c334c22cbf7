// quant_model_description.json of an exporter: which type every tensor has, and other settings,
// which are kept as they are.
#pragma once

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace mxdit::conversion {

class Description {
 public:
  // Pure; `file` is for messages. An entry is a key with a dot, or one of `dotless` (a tensor whose
  // name has none). Errors: bad_input for anything but an object, and an entry whose value is not a
  // string.
  static Description parse(std::string_view text, const std::string& file,
                           const std::vector<std::string>& dotless = {"scale_shift_table"});
  // `quant_model_description.json`, else the first of the sorted `quant_model_description*.json`.
  // Errors: not_found, bad_input, io.
  static Description read(const std::filesystem::path& folder);

  const std::string& file() const noexcept { return file_; }
  // Tensor name -> type ("FLOAT", "W4A4_MXFP4_DUALSCALE", ...).
  const std::map<std::string, std::string>& entries() const noexcept { return entries_; }
  // The whole file with its entries renamed, in the same order; names that `renamed` lacks are
  // kept. Error: bad_input when a new name is taken.
  std::string renamed_text(const std::map<std::string, std::string>& renamed) const;

 private:
  std::string file_;
  nlohmann::ordered_json json_;
  std::map<std::string, std::string> entries_;
};

}  // namespace mxdit::conversion
