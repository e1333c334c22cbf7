// Operators that move elements without arithmetic: expectations are exact.
#include "conformance/cases.h"
#include "core/error.h"

namespace mxdit::conformance {
namespace {

// A case whose result is `source`'s elements in the order that `index` says.
struct Move {
  std::string name;
  Tensor source;
  Shape out_shape;
  std::function<void(Backend&, const Tensor& source, Tensor& out)> call;
  std::function<int64_t(int64_t)> index;  // element of the output -> element of the source
};

Case move_case(const Move& move) {
  const double bytes = 2.0 * static_cast<double>(move.source.bytes());
  return {.name = move.name, .flops = 0.0, .bytes = bytes, .make = [move](Backend& backend) {
            Instance instance;
            const Tensor source = backend.from_host(move.source);
            Tensor out = backend.empty(move.source.dtype(), move.out_shape);
            instance.out = out;
            instance.run = [=, &backend]() mutable { move.call(backend, source, out); };
            instance.expected = [=] {
              const std::vector<double> values = values_of(move.source);
              Expectation expected;
              for (int64_t i = 0; i < out.elements(); ++i)
                expected.add(values[static_cast<size_t>(move.index(i))], 0.0);
              return expected;
            };
            return instance;
          }};
}

// [A, B, C] -> [C, A, B]
Case permutation_case(int64_t a, int64_t b, int64_t c, DType type) {
  return move_case({.name = detail::concat("copy_strided/", a, "x", b, "x", c, "/", name(type)),
                    .source = random_tensor(type, {a, b, c}, 40),
                    .out_shape = {c, a, b},
                    .call =
                        [=](Backend& backend, const Tensor& in, Tensor& out) {
                          const StridedView from = {.offset = 0, .strides = {b * c, c, 1}};
                          const StridedView to = {.offset = 0, .strides = {b, 1, a * b}};
                          backend.copy_strided(in, from, {a, b, c}, out, to);
                        },
                    .index = [=](int64_t i) { return i % (a * b) * c + i / (a * b); }});
}

// Columns 1 .. c - 2 of [r, c], behind an offset.
Case slice_case(int64_t rows, int64_t columns, DType type) {
  return move_case(
      {.name = detail::concat("copy_slice/", rows, "x", columns, "/", name(type)),
       .source = random_tensor(type, {rows, columns}, 41),
       .out_shape = {rows, columns - 2},
       .call =
           [=](Backend& backend, const Tensor& in, Tensor& out) {
             const StridedView from = {.offset = 1, .strides = {columns, 1}};
             const StridedView to = {.offset = 0, .strides = {columns - 2, 1}};
             backend.copy_strided(in, from, {rows, columns - 2}, out, to);
           },
       .index = [=](int64_t i) { return i / (columns - 2) * columns + i % (columns - 2) + 1; }});
}

Case upsample_case(int64_t t, int64_t h, int64_t w, int64_t c, DType type) {
  return move_case(
      {.name = detail::concat("upsample2x/", t, "x", h, "x", w, "x", c, "/", name(type)),
       .source = random_tensor(type, {t, h, w, c}, 42),
       .out_shape = {t, 2 * h, 2 * w, c},
       .call = [](Backend& backend, const Tensor& in, Tensor& out) { backend.upsample2x(in, 0, out); },
       .index =
           [=](int64_t i) {
             const int64_t channel = i % c, x = i / c % (2 * w) / 2;
             const int64_t line = i / (c * 2 * w), y = line % (2 * h) / 2;
             return ((line / (2 * h) * h + y) * w + x) * c + channel;
           }});
}

Case gather_case(int64_t rows, int64_t columns, int64_t count, DType type) {
  const auto row_of = [rows](int64_t i) { return (i * 7 + 3) % rows; };
  Tensor ids = Tensor::host(DType::i32, {count});
  for (int64_t i = 0; i < count; ++i)
    ids.as_mutable<int32_t>()[i] = static_cast<int32_t>(row_of(i));
  return move_case(
      {.name = detail::concat("gather_rows/", rows, "x", columns, "/", name(type)),
       .source = random_tensor(type, {rows, columns}, 43),
       .out_shape = {count, columns},
       .call = [ids](Backend& backend, const Tensor& table,
                     Tensor& out) { backend.gather_rows(table, ids, out); },
       .index = [=](int64_t i) { return row_of(i / columns) * columns + i % columns; }});
}

}  // namespace

std::vector<Case> copy_cases() {
  std::vector<Case> cases;
  for (const DType type : {DType::f32, DType::bf16, DType::f8_e4m3}) {
    cases.push_back(permutation_case(3, 5, 7, type));
    cases.push_back(permutation_case(1, 40, 3, type));
    cases.push_back(permutation_case(70, 300, 2, type));
    cases.push_back(slice_case(1, 3, type));
    cases.push_back(slice_case(129, 515, type));
    cases.push_back(gather_case(50, 33, 21, type));
  }
  for (const DType type : {DType::f32, DType::bf16}) {
    cases.push_back(upsample_case(2, 3, 5, 7, type));
    cases.push_back(upsample_case(1, 1, 1, 1, type));
  }
  return cases;
}

}  // namespace mxdit::conformance
