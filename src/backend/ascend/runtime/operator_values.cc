#include "backend/ascend/runtime/operator_values.h"

#include <cstdint>
#include <cstring>
#include <sstream>

namespace mxdit::ascend {
namespace {

constexpr uintptr_t kAlignment = 32;  // of an aclTensor's address

struct TypeRow {
  DataType type;
  const char* name;
  int bits;
};

constexpr TypeRow kTypes[] = {
    {DataType::float32, "F32", 32},
    {DataType::float16, "F16", 16},
    {DataType::int8, "I8", 8},
    {DataType::int32, "I32", 32},
    {DataType::uint8, "U8", 8},
    {DataType::int64, "I64", 64},
    {DataType::float64, "F64", 64},
    {DataType::boolean, "BOOL", 8},
    {DataType::bfloat16, "BF16", 16},
    {DataType::int4, "I4", 4},
    {DataType::hifloat8, "HIF8", 8},
    {DataType::float8_e5m2, "F8_E5M2", 8},
    {DataType::float8_e4m3fn, "F8_E4M3", 8},
    {DataType::float8_e8m0, "F8_E8M0", 8},
    {DataType::float4_e2m1, "E2M1", 4},
    {DataType::float4_e1m2, "E1M2", 4},
};

const TypeRow& row(DataType type) noexcept {
  for (const TypeRow& candidate : kTypes)
    if (candidate.type == type) return candidate;
  return kTypes[0];
}

const char* format_name(Format format) noexcept {
  switch (format) {
    case Format::nchw:
      return " NCHW";
    case Format::nhwc:
      return " NHWC";
    case Format::nd:
      return "";
    case Format::ndhwc:
      return " NDHWC";
    case Format::fractal_nz:
      return " FRACTAL_NZ";
    case Format::ncdhw:
      return " NCDHW";
    case Format::ncl:
      return " NCL";
  }
  return " ?";
}

void append(std::ostream& out, const Extents& extents) {
  out << '[';
  for (int i = 0; i < extents.rank(); ++i) out << (i == 0 ? "" : ", ") << extents[i];
  out << ']';
}

template <typename T>
void append_bytes(std::string& key, const T& value) {
  key.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

void append_key(std::string& key, const Extents& extents) {
  key.push_back(static_cast<char>(extents.rank()));
  key.append(reinterpret_cast<const char*>(extents.data()),
             sizeof(int64_t) * static_cast<size_t>(extents.rank()));
}

void append_key(std::string& key, const TensorView& view) {
  append_bytes(key, view.data);
  if (view.is_none()) return;
  append_bytes(key, view.dtype);
  append_bytes(key, view.format);
  append_bytes(key, view.offset);
  append_key(key, view.dims);
  append_key(key, view.strides);
  append_key(key, view.storage);
}

void append_key(std::string& key, const IntArray& array) {
  key.push_back(array.given ? 1 : 0);
  append_bytes(key, array.values.size());
  for (const int64_t value : array.values) append_bytes(key, value);
}

template <class... Cases>
struct Overloaded : Cases... {
  using Cases::operator()...;
};
template <class... Cases>
Overloaded(Cases...) -> Overloaded<Cases...>;

std::string text(const ArgumentRef& argument) {
  std::ostringstream out;
  std::visit(Overloaded{[&](const TensorView* view) { out << view->text(); },
                        [&](const ScalarValue* scalar) { out << scalar->value; },
                        [&](const IntArray* array) {
                          if (!array->given)
                            out << "none";
                          else
                            append(out, Extents(std::span(array->values.data(),
                                                          std::min<size_t>(array->values.size(),
                                                                           Extents::kMost))));
                        },
                        [&](Text text) { out << (text.text == nullptr ? "none" : text.text); },
                        [&](DataType type) { out << name(type); },
                        [&](bool value) { out << (value ? "true" : "false"); },
                        [&](int8_t value) { out << static_cast<int>(value); },
                        [&](int64_t value) { out << value; }, [&](double value) { out << value; }},
             argument);
  return out.str();
}

}  // namespace

DataType data_type(DType dtype) {
  switch (dtype) {
    case DType::f64:
      return DataType::float64;
    case DType::f32:
      return DataType::float32;
    case DType::f16:
      return DataType::float16;
    case DType::bf16:
      return DataType::bfloat16;
    case DType::f8_e4m3:
      return DataType::float8_e4m3fn;
    case DType::f8_e5m2:
      return DataType::float8_e5m2;
    case DType::f8_e8m0:
      return DataType::float8_e8m0;
    case DType::i64:
      return DataType::int64;
    case DType::i32:
      return DataType::int32;
    case DType::i8:
      return DataType::int8;
    case DType::u8:
      return DataType::uint8;
    case DType::boolean:
      return DataType::boolean;
    default:
      fail(ErrorKind::unsupported, "[backend] ascend: element type: expected one that CANN's ",
           "operators take, got ", mxdit::name(dtype));
  }
}

const char* name(DataType type) noexcept {
  return row(type).name;
}

size_t storage_bytes(DataType type, int64_t elements) noexcept {
  return (static_cast<size_t>(elements) * static_cast<size_t>(row(type).bits) + 7) / 8;
}

Extents::Extents(std::span<const int64_t> values) {
  MXDIT_CHECK(values.size() <= static_cast<size_t>(kMost),
              "[backend] ascend: extents: expected at most 8, got ", values.size());
  rank_ = static_cast<int>(values.size());
  std::copy(values.begin(), values.end(), values_.begin());
}

int64_t Extents::elements() const noexcept {
  int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= values_[static_cast<size_t>(i)];
  return product;
}

Extents Extents::contiguous_strides() const noexcept {
  Extents strides = *this;
  int64_t step = 1;
  for (int i = rank_ - 1; i >= 0; --i) {
    strides.values_[static_cast<size_t>(i)] = step;
    step *= values_[static_cast<size_t>(i)];
  }
  return strides;
}

TensorView TensorView::of(const Tensor& tensor) {
  return of(tensor, Extents(tensor.shape()));
}

TensorView TensorView::of(const Tensor& tensor, const Extents& dims) {
  MXDIT_CHECK(dims.elements() == tensor.elements(), "[backend] ascend: view: expected ",
              tensor.elements(), " elements, got ", dims.elements());
  TensorView view = strided(tensor, 0, dims, dims.contiguous_strides());
  if (view.offset == 0) view.storage = dims;
  return view;
}

TensorView TensorView::strided(const Tensor& tensor, int64_t offset, const Extents& dims,
                               const Extents& strides) {
  const auto address = reinterpret_cast<uintptr_t>(tensor.data());
  const uintptr_t skipped = address % kAlignment;
  const auto size = static_cast<int64_t>(element_size(tensor.dtype()));
  const int64_t before = static_cast<int64_t>(skipped) / size;
  TensorView view;
  view.dtype = data_type(tensor.dtype());
  view.dims = dims;
  view.strides = strides;
  view.offset = before + offset;
  view.storage = {before + tensor.elements()};
  view.data = reinterpret_cast<void*>(address - skipped);
  return view;
}

TensorView TensorView::typed(const Tensor& bytes, DataType dtype, const Extents& dims) {
  return laid_out(bytes, dtype, dims, Format::nd, dims);
}

TensorView TensorView::laid_out(const Tensor& bytes, DataType dtype, const Extents& dims,
                                Format format, const Extents& storage) {
  MXDIT_CHECK(reinterpret_cast<uintptr_t>(bytes.data()) % kAlignment == 0,
              "[backend] ascend: view of ", bytes.shape(),
              ": expected an address that 32 divides, got another");
  MXDIT_CHECK(storage_bytes(dtype, storage.elements()) <= bytes.bytes(),
              "[backend] ascend: view of ", bytes.shape(), ": expected at most ", bytes.bytes(),
              " bytes, got ", storage_bytes(dtype, storage.elements()));
  TensorView view;
  view.dtype = dtype;
  view.format = format;
  view.dims = dims;
  view.strides = dims.contiguous_strides();
  view.storage = storage;
  view.data = const_cast<void*>(bytes.data());
  return view;
}

TensorView TensorView::as_format(Format other) const {
  TensorView view = *this;
  view.format = other;
  return view;
}

TensorView TensorView::transposed() const {
  MXDIT_CHECK(dims.rank() >= 2, "[backend] ascend: transposed view: expected a matrix, got ",
              text());
  const auto exchanged = [](const Extents& given) {
    std::array<int64_t, Extents::kMost> values{};
    for (int i = 0; i < given.rank(); ++i) values[static_cast<size_t>(i)] = given[i];
    std::swap(values[static_cast<size_t>(given.rank() - 1)],
              values[static_cast<size_t>(given.rank() - 2)]);
    return Extents(std::span<const int64_t>(values.data(), static_cast<size_t>(given.rank())));
  };
  TensorView view = *this;
  view.dims = exchanged(dims);
  view.strides = exchanged(strides);
  return view;
}

std::string TensorView::text() const {
  if (is_none()) return "none";
  std::ostringstream out;
  out << name(dtype) << ' ';
  append(out, dims);
  if (strides != dims.contiguous_strides()) {
    out << " strides ";
    append(out, strides);
  }
  out << format_name(format);
  return out.str();
}

void append_key(std::string& key, const ArgumentRef& argument) {
  key.push_back(static_cast<char>(argument.index()));
  std::visit(Overloaded{[&](const TensorView* view) { append_key(key, *view); },
                        [&](const ScalarValue* scalar) { append_bytes(key, scalar->value); },
                        [&](const IntArray* array) { append_key(key, *array); },
                        [&](Text text) {
                          if (text.text != nullptr) key.append(text.text);
                          key.push_back(text.text == nullptr ? 1 : 0);
                        },
                        [&](auto value) { append_bytes(key, value); }},
             argument);
}

std::string describe(std::span<const ArgumentRef> arguments) {
  std::string all;
  for (const ArgumentRef& argument : arguments) all += (all.empty() ? "" : ", ") + text(argument);
  return all;
}

std::vector<const void*> addresses(std::span<const ArgumentRef> arguments) {
  std::vector<const void*> found;
  const auto add = [&](const TensorView& view) {
    if (!view.is_none()) found.push_back(view.data);
  };
  for (const ArgumentRef& argument : arguments) {
    if (const auto* view = std::get_if<const TensorView*>(&argument)) add(**view);
  }
  return found;
}

}  // namespace mxdit::ascend
