#include "fuzz/entries.h"

#include <cstdlib>
#include <memory>

#include "checkpoint/index_file.h"
#include "conversion/repack/description.h"
#include "core/error.h"
#include "io/json_file.h"
#include "io/safetensors.h"

namespace mxdit::fuzz {
namespace {

// A promise that the code under test broke; ends the process so that fuzzer and test both see it.
void require(bool condition) {
  if (!condition) std::abort();
}

template <typename Action>
bool accepted(Action&& action) {
  try {
    action();
    return true;
  } catch (const Error& error) {
    require(error.kind() != ErrorKind::internal);
    return false;
  }
}

void touch(const Tensor& tensor) {
  if (tensor.bytes() == 0) return;
  const auto* bytes = static_cast<const volatile unsigned char*>(tensor.data());
  (void)bytes[0];
  (void)bytes[tensor.bytes() - 1];
  require(reinterpret_cast<uintptr_t>(tensor.data()) % element_size(tensor.dtype()) == 0);
}

template <typename T>
void read_by(const Json& object, const std::string& key) {
  accepted([&] { required<T>(object, key, "fuzz.json"); });
  accepted([&] { optional_or<T>(object, key, T(), "fuzz.json"); });
}

void read_all_types(const Json& object, const std::string& key) {
  read_by<bool>(object, key);
  read_by<int64_t>(object, key);
  read_by<double>(object, key);
  read_by<std::string>(object, key);
  read_by<std::vector<bool>>(object, key);
  read_by<std::vector<int64_t>>(object, key);
  read_by<std::vector<double>>(object, key);
  read_by<std::vector<std::string>>(object, key);
}

void run_description(std::string_view text) {
  using conversion::Description;
  accepted([&] {
    const Description description = Description::parse(text, "fuzz.json");
    const std::string again = description.renamed_text({});
    require(Description::parse(again, "fuzz.json").entries() == description.entries());
  });
}

}  // namespace

void run_safetensors(const uint8_t* data, size_t size) {
  // The parser gets the fuzzer's own buffer: sanitizers watch exactly its bounds.
  const auto content = std::make_shared<Storage>(const_cast<uint8_t*>(data), size, nullptr);
  accepted([&] {
    const auto file = SafetensorsFile::from_memory(content, "fuzz.safetensors");
    uint64_t total = file.header().data_start;
    for (const auto& [name, entry] : file.header().tensors) {
      touch(file.get(name));
      total += entry.end - entry.begin;
    }
    require(total == size);
  });
}

void run_json(const uint8_t* data, size_t size) {
  run_description({reinterpret_cast<const char*>(data), size});
  accepted([&] {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const Json json = parse_json(text, "fuzz.json");
    require(text.find('\0') == std::string_view::npos);  // nothing behind it was ignored
    require(parse_json(json.dump(), "fuzz.json") == json);
    require(describe(json).size() < 1000);
    read_all_types(json, "absent");
    if (json.is_object())
      for (const auto& [key, value] : json.items()) read_all_types(json, key);
    accepted([&] { parse_weight_map(json, "fuzz.json"); });
    accepted([&] { parse_model_index(json, "fuzz.json"); });
  });
}

}  // namespace mxdit::fuzz
