#include "io/json_file.h"

#include <algorithm>
#include <limits>
#include <optional>

#include "core/error.h"
#include "io/mapped_file.h"

namespace mxdit {
namespace {

// Messages may end up in JSON or on a terminal: bytes of the input that are not plain ASCII are
// shown as \xNN.
std::string printable(std::string_view text) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f) {
      out += c;
    } else {
      out += "\\x";
      out += kDigits[byte >> 4];
      out += kDigits[byte & 15];
    }
  }
  return out;
}

std::string shortened(std::string text) {
  constexpr size_t kLongest = 200;
  if (text.size() > kLongest) text = text.substr(0, kLongest) + "...";
  return text;
}

// "line 3, column 7" of the byte at `offset`.
std::string position_in(std::string_view text, size_t offset) {
  const std::string_view before = text.substr(0, offset);
  const auto line = std::count(before.begin(), before.end(), '\n') + 1;
  const size_t column = before.size() - (before.rfind('\n') + 1) + 1;
  return detail::concat("line ", line, ", column ", column);
}

// Builds the document from parser events. Parser and builder keep their state on the heap, so
// depth costs no stack here; the limit protects the recursive walks (copy, dump) of later code.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& file) : text_(text), file_(file) {}
  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t&) override { return add(value); }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // never part of JSON text

  bool start_object(std::size_t) override { return enter(Json::object()); }
  bool start_array(std::size_t) override { return enter(Json::array()); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }

  bool key(string_t& value) override {
    const auto [place, added] = open_.back()->get_ref<Json::object_t&>().emplace(value, nullptr);
    if (!added)
      fail(ErrorKind::bad_input, "[io] ", file_, ": ", path(), "expected every key once, got \"",
           shortened(printable(value)), "\" twice");
    slot_ = &place->second;
    return true;
  }

  bool parse_error(std::size_t position, const std::string&,
                   const Json::exception& error) override {
    // "[json.exception.parse_error.101] parse error at line 3, column 0: syntax error while ...":
    // its column is off behind numbers, so both are counted here.
    std::string_view reason = error.what();
    const std::string_view intro = "parse error at ";
    reason.remove_prefix(reason.find("] ") + 2);
    if (reason.substr(0, intro.size()) == intro) reason.remove_prefix(reason.find(": ") + 2);
    const size_t offset = position == 0 ? 0 : position - 1;
    fail(ErrorKind::bad_input, "[io] ", file_, ": ", position_in(text_, offset),
         ": expected JSON, got ", shortened(printable(reason)));
  }

 private:
  Json* place(Json&& value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    if (open_.back()->is_array()) {
      auto& array = open_.back()->get_ref<Json::array_t&>();
      return &array.emplace_back(std::move(value));
    }
    *slot_ = std::move(value);
    return slot_;
  }
  bool add(Json value) {
    place(std::move(value));
    return true;
  }
  bool enter(Json&& value) {
    if (open_.size() >= kMaxJsonDepth)
      fail(ErrorKind::bad_input, "[io] ", file_, ": expected at most ", kMaxJsonDepth,
           " levels of nesting, got more");
    // Addresses stay valid: an array grows only while none of its elements is open.
    open_.push_back(place(std::move(value)));
    return true;
  }
  bool leave() {
    open_.pop_back();
    return true;
  }

  // The keys around the place reached, for messages: `"a": "b": `.
  std::string path() const {
    std::string names;
    for (size_t depth = 0; depth + 1 < open_.size(); ++depth) {
      if (!open_[depth]->is_object()) continue;
      for (const auto& [name, value] : open_[depth]->items())
        if (&value == open_[depth + 1])
          names.append("\"").append(shortened(printable(name))).append("\": ");
    }
    return shortened(names);
  }

  std::string_view text_;
  const std::string& file_;
  Json root_;
  std::vector<Json*> open_;
  Json* slot_ = nullptr;  // where the value of the last key goes
};

// Nothing when `value` is of another type.
template <typename T>
struct Reader;

template <>
struct Reader<bool> {
  static constexpr const char* kName = "true or false";
  static std::optional<bool> read(const Json& value) {
    if (!value.is_boolean()) return std::nullopt;
    return value.get<bool>();
  }
};

template <>
struct Reader<int64_t> {
  static constexpr const char* kName = "an integer";
  static std::optional<int64_t> read(const Json& value) {
    if (!value.is_number_integer()) return std::nullopt;
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (value.is_number_unsigned() && value.get<uint64_t>() > kMax) return std::nullopt;
    return value.get<int64_t>();
  }
};

template <>
struct Reader<double> {
  static constexpr const char* kName = "a number";
  static std::optional<double> read(const Json& value) {
    if (!value.is_number()) return std::nullopt;
    return value.get<double>();
  }
};

template <>
struct Reader<std::string> {
  static constexpr const char* kName = "a string";
  static std::optional<std::string> read(const Json& value) {
    if (!value.is_string()) return std::nullopt;
    return value.get<std::string>();
  }
};

template <typename T>
T read_as(const Json& value, const std::string& where, const T*) {
  if (auto got = Reader<T>::read(value)) return *std::move(got);
  fail(ErrorKind::bad_input, where, ": expected ", Reader<T>::kName, ", got ", describe(value));
}

template <typename T>
std::vector<T> read_as(const Json& value, const std::string& where, const std::vector<T>*) {
  if (!value.is_array())
    fail(ErrorKind::bad_input, where, ": expected an array, got ", describe(value));
  std::vector<T> items;
  items.reserve(value.size());
  for (const Json& item : value)
    items.push_back(read_as(item, where + "[" + std::to_string(items.size()) + "]",
                            static_cast<const T*>(nullptr)));
  return items;
}

// The value of a key, or null when it is missing.
const Json* find(const Json& object, std::string_view key, const std::string& file) {
  if (!object.is_object())
    fail(ErrorKind::bad_input, "[io] ", file, ": expected an object with key \"", key, "\", got ",
         describe(object));
  const auto place = object.find(key);
  return place == object.end() ? nullptr : &*place;
}

std::string location(std::string_view key, const std::string& file) {
  return "[io] " + file + ": key \"" + std::string(key) + "\"";
}

}  // namespace

Json parse_json(std::string_view text, const std::string& file) {
  if (text.size() > kMaxJsonBytes)
    fail(ErrorKind::bad_input, "[io] ", file, ": expected at most ", kMaxJsonBytes,
         " bytes of JSON, got ", text.size());
  // The parser takes a zero byte for the end and would ignore what follows.
  if (const size_t zero = text.find('\0'); zero != std::string_view::npos)
    fail(ErrorKind::bad_input, "[io] ", file, ": ", position_in(text, zero),
         ": expected JSON, got a zero byte");
  Builder builder(text, file);
  if (!Json::sax_parse(text.begin(), text.end(), &builder))
    fail(ErrorKind::bad_input, "[io] ", file, ": expected JSON, got something else");
  return builder.take();
}

Json read_json_file(const std::filesystem::path& path) {
  const auto content = map_file(path);
  return parse_json({static_cast<const char*>(content->data()), content->bytes()}, path.string());
}

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::object:
      return "an object";
    case Json::value_t::array:
      return "an array of " + std::to_string(value.size());
    default:
      return shortened(printable(value.dump(-1, ' ', true, Json::error_handler_t::replace)));
  }
}

template <typename T>
T required(const Json& object, std::string_view key, const std::string& file) {
  const Json* value = find(object, key, file);
  if (value == nullptr)
    fail(ErrorKind::bad_input, location(key, file), ": expected a value, got none");
  return read_as(*value, location(key, file), static_cast<const T*>(nullptr));
}

template <typename T>
T optional_or(const Json& object, std::string_view key, T fallback, const std::string& file) {
  const Json* value = find(object, key, file);
  if (value == nullptr || value->is_null()) return fallback;
  return read_as(*value, location(key, file), static_cast<const T*>(nullptr));
}

#define MXDIT_JSON_TYPE(T)                                                   \
  template T required<T>(const Json&, std::string_view, const std::string&); \
  template T optional_or<T>(const Json&, std::string_view, T, const std::string&);
MXDIT_JSON_TYPE(bool)
MXDIT_JSON_TYPE(int64_t)
MXDIT_JSON_TYPE(double)
MXDIT_JSON_TYPE(std::string)
MXDIT_JSON_TYPE(std::vector<bool>)
MXDIT_JSON_TYPE(std::vector<int64_t>)
MXDIT_JSON_TYPE(std::vector<double>)
MXDIT_JSON_TYPE(std::vector<std::string>)
#undef MXDIT_JSON_TYPE

}  // namespace mxdit
