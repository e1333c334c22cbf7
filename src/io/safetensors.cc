#include "io/safetensors.h"

#include <algorithm>
#include <cstring>

#include "io/json_file.h"
#include "io/mapped_file.h"

namespace mxdit {
namespace {

constexpr uint64_t kLengthBytes = 8;
constexpr const char* kMetadataKey = "__metadata__";

// Place of a type in the reference implementation's order of tensors: wider ones first, and among
// equally wide ones as here.
size_t rank_of(DType dtype) {
  constexpr DType kOrder[] = {DType::u64, DType::i64, DType::f64,     DType::f32,
                              DType::u32, DType::i32, DType::bf16,    DType::f16,
                              DType::u16, DType::i16, DType::f8_e8m0, DType::f8_e4m3,
                              DType::f8_e5m2, DType::i8, DType::u8, DType::boolean};
  return static_cast<size_t>(std::find(std::begin(kOrder), std::end(kOrder), dtype) - kOrder);
}

uint64_t read_length(const void* data) {
  unsigned char bytes[kLengthBytes];
  std::memcpy(bytes, data, kLengthBytes);
  uint64_t value = 0;
  for (int i = kLengthBytes - 1; i >= 0; --i) value = value << 8 | bytes[i];
  return value;
}

// Where an error is: "[io] FILE: tensor "NAME"".
std::string at_tensor(const std::string& file, const std::string& name) {
  return "[io] " + file + ": tensor \"" + name + "\"";
}

const Json& member(const Json& entry, const char* key, const std::string& where) {
  const auto place = entry.find(key);
  if (place == entry.end()) fail(ErrorKind::bad_input, where, ": expected a ", key, ", got none");
  return *place;
}

uint64_t read_unsigned(const Json& value, const char* what, const std::string& where) {
  // 63 bits: what does not fit an off_t cannot be an extent or an offset either.
  if (!value.is_number_unsigned() || value.get<uint64_t>() >> 63 != 0)
    fail(ErrorKind::bad_input, where, ": expected ", what, " of non-negative integers, got ",
         describe(value));
  return value.get<uint64_t>();
}

DType read_dtype(const Json& value, const std::string& where) {
  if (!value.is_string())
    fail(ErrorKind::bad_input, where, ": expected a dtype name, got ", describe(value));
  const auto dtype = parse_dtype(value.get_ref<const std::string&>());
  if (!dtype)
    fail(ErrorKind::bad_input, where, ": expected a known dtype (F32, BF16, U8, ...), got ",
         describe(value));
  return *dtype;
}

Shape read_shape(const Json& value, const std::string& where) {
  if (!value.is_array())
    fail(ErrorKind::bad_input, where, ": expected a shape array, got ", describe(value));
  std::vector<int64_t> dims;
  dims.reserve(value.size());
  for (const Json& extent : value)
    dims.push_back(static_cast<int64_t>(read_unsigned(extent, "a shape", where)));
  return Shape(std::move(dims));
}

// Bytes of a tensor; the product of the extents may not overflow, even where one of them is 0.
uint64_t checked_bytes(DType dtype, const Shape& shape, const std::string& where) {
  uint64_t bytes = element_size(dtype);
  for (const int64_t extent : shape.dims())
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(extent), &bytes) || bytes >> 63 != 0)
      fail(ErrorKind::bad_input, where, ": expected a size below 2^63 bytes, got shape ", shape);
  return bytes;
}

SafetensorsEntry read_entry(const Json& value, const std::string& where) {
  if (!value.is_object())
    fail(ErrorKind::bad_input, where, ": expected an object, got ", describe(value));
  for (const auto& [key, ignored] : value.items())
    if (key != "dtype" && key != "shape" && key != "data_offsets")
      fail(ErrorKind::bad_input, where, ": expected dtype, shape and data_offsets only, got \"",
           key, "\"");
  SafetensorsEntry entry;
  entry.dtype = read_dtype(member(value, "dtype", where), where);
  entry.shape = read_shape(member(value, "shape", where), where);
  const Json& offsets = member(value, "data_offsets", where);
  if (!offsets.is_array() || offsets.size() != 2)
    fail(ErrorKind::bad_input, where, ": expected two data_offsets, got ", describe(offsets));
  entry.begin = read_unsigned(offsets[0], "data_offsets", where);
  entry.end = read_unsigned(offsets[1], "data_offsets", where);
  const uint64_t bytes = checked_bytes(entry.dtype, entry.shape, where);
  if (entry.begin > entry.end || entry.end - entry.begin != bytes)
    fail(ErrorKind::bad_input, where, ": expected data_offsets that span ", bytes, " bytes (",
         name(entry.dtype), " ", entry.shape, "), got ", entry.begin, " to ", entry.end);
  return entry;
}

std::map<std::string, std::string> read_metadata(const Json& value, const std::string& file) {
  if (!value.is_object())
    fail(ErrorKind::bad_input, "[io] ", file, ": __metadata__: expected an object, got ",
         describe(value));
  std::map<std::string, std::string> metadata;
  for (const auto& [key, text] : value.items()) {
    if (!text.is_string())
      fail(ErrorKind::bad_input, "[io] ", file, ": __metadata__ \"", key,
           "\": expected a string, got ", describe(text));
    metadata.emplace(key, text.get_ref<const std::string&>());
  }
  return metadata;
}

// Tensors have to cover the data exactly: one after the other from the first byte to the last.
void check_coverage(const SafetensorsHeader& header, uint64_t data_bytes, const std::string& file) {
  using Place = const std::pair<const std::string, SafetensorsEntry>*;
  std::vector<Place> places;
  places.reserve(header.tensors.size());
  for (const auto& tensor : header.tensors) places.push_back(&tensor);
  std::sort(places.begin(), places.end(), [](Place a, Place b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  uint64_t covered = 0;
  for (const Place place : places) {
    const SafetensorsEntry& entry = place->second;
    if (entry.end > data_bytes)
      fail(ErrorKind::bad_input, at_tensor(file, place->first), ": expected data within ",
           data_bytes, " bytes, got an end at ", entry.end, " (is the file cut off?)");
    if (entry.begin != covered)
      fail(ErrorKind::bad_input, at_tensor(file, place->first), ": expected data from byte ",
           covered, " on, got ", entry.begin,
           entry.begin < covered ? " (overlaps another tensor)" : " (leaves a hole)");
    covered = entry.end;
  }
  if (covered != data_bytes)
    fail(ErrorKind::bad_input, "[io] ", file, ": expected ", covered, " bytes of data, got ",
         data_bytes);
}

}  // namespace

SafetensorsHeader parse_safetensors_header(const void* data, uint64_t bytes,
                                           const std::string& file) {
  if (bytes < kLengthBytes)
    fail(ErrorKind::bad_input, "[io] ", file, ": expected a safetensors file, got ", bytes,
         " bytes (shorter than its header length)");
  const uint64_t length = read_length(data);
  if (length > kMaxSafetensorsHeader)
    fail(ErrorKind::bad_input, "[io] ", file, ": expected a safetensors header of at most ",
         kMaxSafetensorsHeader, " bytes, got ", length);
  if (length > bytes - kLengthBytes)
    fail(ErrorKind::bad_input, "[io] ", file, ": expected a header of ", length, " bytes, got ",
         bytes - kLengthBytes, " (is the file cut off?)");
  const std::string_view text(static_cast<const char*>(data) + kLengthBytes, length);
  if (text.empty() || text[0] != '{')
    fail(ErrorKind::bad_input, "[io] ", file, ": expected a header that starts with {, got ",
         text.empty() ? "an empty one" : "something else");
  const Json json = parse_json(text, file + " (header)");

  SafetensorsHeader header;
  header.data_start = kLengthBytes + length;
  for (const auto& [key, value] : json.items()) {
    if (key == kMetadataKey)
      header.metadata = read_metadata(value, file);
    else
      header.tensors.emplace(key, read_entry(value, at_tensor(file, key)));
  }
  check_coverage(header, bytes - header.data_start, file);
  return header;
}

SafetensorsFile SafetensorsFile::open(const std::filesystem::path& path) {
  FileIdentity identity;
  SafetensorsFile file = from_memory(map_file(path, &identity), path);
  file.is_mapped_ = true;
  file.identity_ = identity;
  return file;
}

SafetensorsFile SafetensorsFile::from_memory(std::shared_ptr<Storage> content,
                                             const std::filesystem::path& path) {
  SafetensorsFile file;
  file.path_ = path;
  file.header_ = parse_safetensors_header(content->data(), content->bytes(), path.string());
  file.content_ = std::move(content);
  return file;
}

const SafetensorsEntry& SafetensorsFile::entry_of(const std::string& name) const {
  const auto place = header_.tensors.find(name);
  if (place == header_.tensors.end())
    fail(ErrorKind::not_found, at_tensor(path_.string(), name), ": expected in the file, got none");
  return place->second;
}

Tensor SafetensorsFile::get(const std::string& name) const {
  const SafetensorsEntry& entry = entry_of(name);
  const uint64_t offset = header_.data_start + entry.begin;
  const char* source = static_cast<const char*>(content_->data()) + offset;
  if (reinterpret_cast<uintptr_t>(source) % element_size(entry.dtype) == 0)
    return Tensor(entry.dtype, entry.shape, content_, offset);
  Tensor copy = Tensor::host(entry.dtype, entry.shape);
  std::memcpy(copy.mutable_data(), source, copy.bytes());
  return copy;
}

void SafetensorsFile::release(const std::string& name) const {
  const SafetensorsEntry& entry = entry_of(name);
  if (is_mapped_)
    release_pages(*content_, header_.data_start + entry.begin, entry.end - entry.begin);
}

SafetensorsWriter::SafetensorsWriter(const std::filesystem::path& path,
                                     const std::vector<Declaration>& tensors,
                                     const std::map<std::string, std::string>& metadata)
    : file_(path) {
  lay_out(tensors);
  const std::string header = encode_header(metadata);
  if (header.size() > kMaxSafetensorsHeader)
    fail(ErrorKind::bad_input, "[io] ", path.string(), ": expected a header of at most ",
         kMaxSafetensorsHeader, " bytes, got ", header.size());
  data_start_ = kLengthBytes + header.size();
  file_.reserve(data_start_ + (order_.empty() ? 0 : tensors_.at(order_.back()).entry.end));
  unsigned char length[kLengthBytes];
  for (uint64_t i = 0; i < kLengthBytes; ++i)
    length[i] = static_cast<unsigned char>(header.size() >> (8 * i));
  file_.write_at(0, length, kLengthBytes);
  file_.write_at(kLengthBytes, header.data(), header.size());
}

void SafetensorsWriter::lay_out(const std::vector<Declaration>& tensors) {
  const std::string file = file_.target().string();
  for (const Declaration& tensor : tensors) {
    Progress progress;
    progress.entry = {tensor.dtype, tensor.shape, 0, 0};
    if (tensor.name == kMetadataKey || !tensors_.emplace(tensor.name, progress).second)
      fail(ErrorKind::bad_input, at_tensor(file, tensor.name),
           ": expected a name of its own, got one that is taken");
    order_.push_back(tensor.name);
  }
  std::sort(order_.begin(), order_.end(), [this](const std::string& a, const std::string& b) {
    const size_t rank_a = rank_of(tensors_.at(a).entry.dtype);
    const size_t rank_b = rank_of(tensors_.at(b).entry.dtype);
    return rank_a != rank_b ? rank_a < rank_b : a < b;
  });
  uint64_t offset = 0;
  for (const std::string& name : order_) {
    SafetensorsEntry& entry = tensors_.at(name).entry;
    entry.shape.elements();  // refuses negative extents
    entry.begin = offset;
    if (__builtin_add_overflow(
            offset, checked_bytes(entry.dtype, entry.shape, at_tensor(file, name)), &offset))
      fail(ErrorKind::bad_input, at_tensor(file, name), ": expected a file below 2^63 bytes");
    entry.end = offset;
  }
}

std::string SafetensorsWriter::encode_header(
    const std::map<std::string, std::string>& metadata) const {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header[kMetadataKey] = metadata;
  // push_back, since operator[] of an ordered object searches all keys.
  auto& members = header.get_ref<nlohmann::ordered_json::object_t&>();
  for (const std::string& key : order_) {
    const SafetensorsEntry& entry = tensors_.at(key).entry;
    nlohmann::ordered_json value = nlohmann::ordered_json::object();
    value["dtype"] = std::string(name(entry.dtype));
    value["shape"] = entry.shape.dims();
    value["data_offsets"] = {entry.begin, entry.end};
    members.push_back({key, std::move(value)});
  }
  std::string text;
  try {
    text = header.dump();
  } catch (const nlohmann::json::exception&) {
    fail(ErrorKind::bad_input, "[io] ", file_.target().string(),
         ": expected tensor names and metadata in UTF-8, got other bytes");
  }
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

SafetensorsWriter::Progress& SafetensorsWriter::progress_of(const std::string& name) {
  const auto place = tensors_.find(name);
  MXDIT_CHECK(place != tensors_.end(), at_tensor(file_.target().string(), name),
              ": written without being declared");
  return place->second;
}

void SafetensorsWriter::write(const std::string& name, const void* data, size_t bytes) {
  Progress& progress = progress_of(name);
  const uint64_t left = progress.entry.end - progress.entry.begin - progress.written;
  MXDIT_CHECK(bytes <= left, at_tensor(file_.target().string(), name), ": expected at most ", left,
              " more bytes, got ", bytes);
  file_.write_at(data_start_ + progress.entry.begin + progress.written, data, bytes);
  progress.written += bytes;
}

void SafetensorsWriter::write(const std::string& name, const Tensor& tensor) {
  const SafetensorsEntry& entry = progress_of(name).entry;
  MXDIT_CHECK(tensor.dtype() == entry.dtype && tensor.shape() == entry.shape,
              at_tensor(file_.target().string(), name), ": expected ", mxdit::name(entry.dtype),
              " ", entry.shape, ", got ", mxdit::name(tensor.dtype()), " ", tensor.shape());
  write(name, tensor.data(), tensor.bytes());
}

void SafetensorsWriter::finish() {
  for (const auto& [name, progress] : tensors_)
    MXDIT_CHECK(progress.written == progress.entry.end - progress.entry.begin,
                at_tensor(file_.target().string(), name), ": finished with ", progress.written,
                " of ", progress.entry.end - progress.entry.begin, " bytes written");
  file_.commit();
}

void write_safetensors(const std::filesystem::path& path,
                       const std::map<std::string, Tensor>& tensors,
                       const std::map<std::string, std::string>& metadata) {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const auto& [name, tensor] : tensors)
    declarations.push_back({name, tensor.dtype(), tensor.shape()});
  SafetensorsWriter writer(path, declarations, metadata);
  for (const auto& [name, tensor] : tensors) writer.write(name, tensor);
  writer.finish();
}

}  // namespace mxdit
