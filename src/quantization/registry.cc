#include "quantization/registry.h"

#include "core/error.h"
#include "quantization/methods/unquantized/method.h"

namespace mxdit {

namespace {

struct Entry {
  const char* key;
  std::shared_ptr<const LinearMethod> (*make)();
};

// One line per method.
constexpr Entry kMethods[] = {
    {"unquantized", unquantized::make_method},
};

}  // namespace

std::shared_ptr<const LinearMethod> make_linear_method(const std::string& key) {
  std::string known;
  for (const Entry& entry : kMethods) {
    if (key == entry.key) return entry.make();
    known += (known.empty() ? "" : ", ") + std::string(entry.key);
  }
  fail(ErrorKind::unsupported, "[quantization] method: expected one of ", known, ", got ", key);
}

std::vector<std::string> linear_method_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kMethods) names.emplace_back(entry.key);
  return names;
}

}  // namespace mxdit
