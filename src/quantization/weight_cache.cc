#include "quantization/weight_cache.h"

#include <algorithm>
#include <map>

#include "core/error.h"
#include "io/mapped_file.h"
#include "io/sha256.h"

namespace mxdit {
namespace {

namespace fs = std::filesystem;

constexpr size_t kDigits = 64;

std::string sha256_of(std::string_view text) {
  Sha256 hash;
  hash.update(text);
  return hash.hex_digest();
}

bool is_digest(std::string_view text) {
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

fs::path place_of(const fs::path& folder, const std::string& digest, const char* suffix) {
  return folder / digest.substr(0, 2) / (digest + suffix);
}

std::map<std::string, Tensor> parts_of(const QuantizedMatrix& matrix) {
  std::map<std::string, Tensor> parts = {{"elements", matrix.elements}};
  if (matrix.block_scale.defined()) parts["block_scale"] = matrix.block_scale;
  if (matrix.scale.defined()) parts["scale"] = matrix.scale;
  return parts;
}

std::string sum_of(const std::map<std::string, Tensor>& parts) {
  Sha256 hash;
  for (const auto& [name, part] : parts) hash.update(part.data(), part.bytes());
  return hash.hex_digest();
}

// What parts a matrix must have: undefined memory, only dtype and shape count.
bool fits(const SafetensorsHeader& header, const QuantFormat& format, const Shape& shape) {
  struct Part {
    DType dtype;
    Shape shape;
  };
  std::map<std::string, Part> wanted;
  wanted["elements"] = {format.element->storage, format.elements_shape(shape[0], shape[1])};
  if (format.block != 0)
    wanted["block_scale"] = {format.block_scale_type, format.block_scale_shape(shape[0], shape[1])};
  if (format.has_scale()) wanted["scale"] = {DType::f32, format.scale_shape(shape[0], shape[1])};
  return header.tensors.size() == wanted.size() &&
         std::all_of(wanted.begin(), wanted.end(), [&](const auto& part) {
           const auto place = header.tensors.find(part.first);
           return place != header.tensors.end() && place->second.dtype == part.second.dtype &&
                  place->second.shape == part.second.shape;
         });
}

bool is_unchanged(const WeightStore& weights, const std::string& tensor) {
  try {
    return open_for_reading(weights.file_of(tensor)).identity == weights.identity_of(tensor);
  } catch (const Error&) {
    return false;  // gone
  }
}

// The remembered content; empty for none.
std::string read_memo(const fs::path& file) {
  try {
    const auto content = map_file(file);
    std::string text(static_cast<const char*>(content->data()), content->bytes());
    return is_digest(text) ? text : "";
  } catch (const Error&) {
    return "";
  }
}

}  // namespace

WeightCache::WeightCache(fs::path folder, std::chrono::nanoseconds settled)
    : folder_(std::move(folder)), settled_(settled) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error || !fs::is_directory(folder_, error))
    fail(ErrorKind::io, "[quantization] --quantization-cache ", folder_.string(),
         ": expected a folder, or a place for one, got: ",
         error ? error.message() : "a file of that name");
}

QuantizedMatrix WeightCache::get(const WeightStore& weights, const std::string& tensor,
                                 const QuantFormat& format,
                                 const std::function<QuantizedMatrix()>& encode) const {
  const Tensor plain = weights.get(tensor);
  const std::string key =
      sha256_of(detail::concat(kQuantRules, " ", format.name, " ", name(plain.dtype()), " ",
                               plain.shape(), " ", content_of(weights, tensor)));
  if (const auto found = open_entry(key, format, plain.shape(), true)) return *found;
  const QuantizedMatrix encoded = encode();
  // What was hashed may not be what was encoded.
  if (!is_unchanged(weights, tensor)) return encoded;
  write_entry(key, encoded);
  return open_entry(key, format, plain.shape(), false).value_or(encoded);
}

std::string WeightCache::content_of(const WeightStore& weights, const std::string& tensor) const {
  const FileIdentity& identity = weights.identity_of(tensor);
  // Names may be those of a renamed store: the range says which tensor it is.
  const TensorPlace range = weights.place_of(tensor);
  std::error_code error;  // no working folder: the path as it is
  const fs::path absolute = fs::absolute(range.file, error);
  const std::string path = (error ? range.file : absolute).string();
  const std::string known = sha256_of(detail::concat(
      path.size(), " ", path, " ", identity.inode, " ", identity.bytes, " ", identity.modified_ns,
      " ", identity.changed_ns, " ", range.offset, " ", range.bytes));
  const fs::path memo = place_of(folder_ / "known", known, "");
  if (const std::string remembered = read_memo(memo); !remembered.empty()) return remembered;
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  const bool is_settled = now - std::chrono::nanoseconds(identity.changed_ns) >= settled_;
  Sha256 hash;
  const Tensor plain = weights.get(tensor);
  hash.update(plain.data(), plain.bytes());
  const std::string content = hash.hex_digest();
  if (is_settled && is_unchanged(weights, tensor)) remember(memo, content);
  return content;
}

void WeightCache::remember(const fs::path& memo, const std::string& content) const {
  try {
    write_file(memo, [&] { write_file_atomically(memo, content); });
  } catch (const Error&) {
    // A folder that others fill may still be read, only more slowly; missing entries do say so.
  }
}

std::optional<QuantizedMatrix> WeightCache::open_entry(const std::string& key,
                                                       const QuantFormat& format,
                                                       const Shape& shape, bool check_sum) const {
  try {
    const SafetensorsFile file = SafetensorsFile::open(place_of(folder_, key, ".safetensors"));
    const auto& metadata = file.header().metadata;
    const auto says = [&](const char* name, const std::string& value) {
      const auto place = metadata.find(name);
      return place != metadata.end() && place->second == value;
    };
    if (!says("key", key) || !fits(file.header(), format, shape)) return std::nullopt;
    QuantizedMatrix matrix{&format, shape[0], shape[1], file.get("elements"), {}, {}};
    if (format.block != 0) matrix.block_scale = file.get("block_scale");
    if (format.has_scale()) matrix.scale = file.get("scale");
    if (check_sum && !says("sum", sum_of(parts_of(matrix)))) return std::nullopt;
    return matrix;
  } catch (const Error&) {
    return std::nullopt;  // none, or a damaged one
  }
}

void WeightCache::write_entry(const std::string& key, const QuantizedMatrix& matrix) const {
  const fs::path file = place_of(folder_, key, ".safetensors");
  const auto parts = parts_of(matrix);
  write_file(file, [&] {
    write_safetensors(file, parts,
                      {{"key", key},
                       {"format", std::string(matrix.format->name)},
                       {"rules", kQuantRules},
                       {"sum", sum_of(parts)}});
  });
}

void WeightCache::write_file(const fs::path& file, const std::function<void()>& write) const {
  const auto refuse = [&](const std::string& reason) {
    fail(ErrorKind::io, "[quantization] --quantization-cache ", folder_.string(),
         ": expected a folder to write to, got: ", reason);
  };
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (error) refuse(file.parent_path().string() + ": " + error.message());
  try {
    write();
  } catch (const Error& failure) {
    refuse(failure.what());
  }
}

}  // namespace mxdit
