#include "conformance/cases.h"

namespace mxdit::conformance {
namespace {

constexpr DType kActivationTypes[] = {DType::f32, DType::bf16};
constexpr DType kWeightTypes[] = {DType::f32, DType::bf16, DType::f16, DType::f8_e4m3,
                                  DType::f8_e5m2};

void add_linears(std::vector<Case>& cases) {
  for (const DType x : kActivationTypes)
    for (const DType w : kWeightTypes) {
      cases.push_back(linear_case({1, 33, 515, x, w, true, Activation::silu}));
      cases.push_back(linear_case({7, 17, 31, x, w, false, Activation::none}));
      cases.push_back(linear_case({65, 70, 300, x, w, true, Activation::gelu_tanh}));
    }
  for (int64_t m = 1; m <= 20; ++m)
    cases.push_back(linear_case({m, 19, 33, DType::f32, DType::bf16}));
  for (const int64_t k : {1, 7, 31, 255, 256, 257, 515, 1024})
    for (const int64_t n : {1, 2, 15, 16, 48, 129})
      cases.push_back(linear_case({13, n, k, DType::f32, DType::f32, true, Activation::gelu_erf}));
  cases.push_back(linear_case({4680, 5, 20, DType::f32, DType::f32}));
  cases.push_back(linear_case({4680, 3, 7, DType::bf16, DType::bf16}));
  cases.push_back(linear_case({509, 1030, 41, DType::f32, DType::bf16}));
}

struct FormatPair {
  const QuantFormat *x, *weight;
  bool x_scale = true;
};

void add_quantized_linears(std::vector<Case>& cases) {
  const FormatPair pairs[] = {{&kMxfp4Dual, &kMxfp4Dual},
                              {&kMxfp4, &kMxfp4},
                              {&kMxfp8, &kMxfp8},
                              {&kMxfp8E5m2, &kMxfp8E5m2},
                              {&kMxfp8, &kMxfp4Dual},
                              {&kMxfp4Dual, &kMxfp4},
                              {&kNvfp4, &kNvfp4},
                              {&kFp8Row, &kFp8Row},
                              {&kInt8Row, &kInt8Row},
                              {&kInt8Row, &kInt4Row},
                              {&kInt8Row, &kInt8Row, false},
                              {&kMxfp8, &kFp8Row}};
  constexpr int64_t kRows[] = {1, 2, 7, 17, 33, 100}, kColumns[] = {1, 3, 16, 31, 64, 100};
  constexpr int64_t kDepths[] = {2,  30, 31,  32,  34,  62,  64,   65,
                                 66, 96, 510, 512, 513, 514, 1026, 1538};
  constexpr DType kOut[] = {DType::f32, DType::bf16, DType::f16};
  constexpr Activation kActs[] = {Activation::none, Activation::silu, Activation::none,
                                  Activation::gelu_tanh, Activation::gelu_erf};
  size_t i = 0;  // steps through the lists at unequal paces
  for (const FormatPair& pair : pairs)
    for (const int64_t k : kDepths) {
      if (k % 2 != 0 && (pair.x->element->bits == 4 || pair.weight->element->bits == 4) &&
          pair.weight != &kInt4Row)
        continue;
      cases.push_back(
          quantized_linear_case({kRows[i % 6], kColumns[i / 5 % 6], k, pair.x, pair.weight,
                                 kOut[i % 3], i % 4 != 0, kActs[i % 5], pair.x_scale}));
      ++i;
    }
  for (const int64_t m : {1, 2, 3, 4, 5, 6, 7, 8, 500, 1000})
    cases.push_back(quantized_linear_case({m, 3, 600, &kMxfp4Dual, &kMxfp4Dual, DType::f32}));
  cases.push_back(quantized_linear_case({150, 1030, 66, &kMxfp4Dual, &kMxfp4Dual, DType::bf16}));
}

void add_convs(std::vector<Case>& cases) {
  const Conv3dParams same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  Conv3dParams causal = same,
               strided = {.stride_h = 2, .stride_w = 2, .pad_bottom = 1, .pad_right = 1};
  causal.zero_frames = 2;
  Conv3dParams mixed = same;
  mixed.zero_frames = 1;
  for (const DType x : kActivationTypes) {
    for (const DType w : {x, DType::bf16, DType::f16})
      cases.push_back(conv_case({3, 5, 7, 3, 8, 3, 3, 3, x, w, 0, causal}));
    cases.push_back(conv_case({2, 6, 9, 16, 3, 3, 3, 3, x, x, 2, same}));
    cases.push_back(conv_case({1, 4, 11, 8, 16, 3, 3, 3, x, x, 1, mixed}));
    cases.push_back(conv_case({2, 9, 10, 16, 20, 1, 3, 3, x, x, 0, strided}));
    cases.push_back(conv_case({5, 3, 5, 20, 17, 3, 1, 1, x, x, 1, {.stride_t = 2}}));
    cases.push_back(conv_case({2, 5, 33, 96, 32, 1, 1, 1, x, x, 0, {}}));
    cases.push_back(conv_case({2, 4, 70, 40, 130, 3, 3, 3, x, x, 0, causal}));
    cases.push_back(conv_case({1, 6, 5, 4, 1, 2, 2, 3, x, x, 1, {.pad_top = 2, .pad_right = 3}}));
  }
  // Products of dots: panels that end in a line, behind it and behind the frame; frames smaller
  // than one; lines of taps that are and are not whole steps; channels behind the last of a panel;
  // more than one task.
  constexpr DType kX = DType::bf16;
  const Conv3dParams zeros = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1,
                              .zero_frames = 3};
  for (const DType w : {DType::bf16, DType::f8_e4m3, DType::f8_e5m2}) {
    cases.push_back(conv_case({2, 7, 13, 16, 33, 3, 3, 3, kX, w, 1, mixed}));
    cases.push_back(conv_case({1, 9, 40, 64, 70, 3, 3, 3, kX, w, 2, {}}));
  }
  cases.push_back(conv_case({1, 1, 1, 32, 5, 3, 3, 3, kX, kX, 0, causal}));
  cases.push_back(conv_case({1, 3, 3, 32, 5, 3, 3, 3, kX, kX, 2, {}}));
  cases.push_back(conv_case({1, 2, 2, 32, 5, 3, 3, 3, kX, kX, 0, zeros}));
  cases.push_back(conv_case({2, 3, 17, 45, 64, 3, 1, 1, kX, kX, 1, {.zero_frames = 1}}));
  cases.push_back(conv_case({2, 3, 33, 33, 31, 1, 1, 1, kX, kX, 0, {.stride_h = 3}}));
  cases.push_back(conv_case({2, 35, 75, 32, 32, 1, 3, 3, kX, kX, 0, strided}));
  cases.push_back(conv_case({1, 9, 21, 32, 40, 1, 3, 3, kX, kX, 0, strided}));
  const Conv3dParams thirds = {.stride_t = 2, .stride_w = 3};
  cases.push_back(conv_case({1, 12, 37, 22, 9, 2, 2, 4, kX, kX, 2, thirds}));
  cases.push_back(conv_case({1, 30, 34, 32, 300, 1, 3, 3, kX, kX, 0, same}));
}

void add_attention(std::vector<Case>& cases) {
  for (const DType type : kActivationTypes) {
    for (const int64_t d : {1, 12, 20, 64, 128, 384})
      cases.push_back(attention_case({1, 21, 45, 2, d, type}));
    cases.push_back(attention_case({2, 70, 401, 3, 24, type, true}));
    cases.push_back(attention_case({3, 5, 200, 2, 12, type, false, {0, 200, 193}}));
    cases.push_back(attention_case({3, 17, 31, 2, 8, type, true, {31, 0, 1}}));
    cases.push_back(attention_case({1, 1, 1, 1, 64, type}));
    cases.push_back(attention_case({1, 1, 700, 1, 16, type}));
    cases.push_back(attention_case({1, 410, 3, 1, 16, type}));
    cases.push_back(attention_case({1, 300, 1700, 1, 128, type}));
    cases.push_back(attention_case({2, 65, 272, 3, 128, type, false, {257, 129}}));
    cases.push_back(attention_case({1, 33, 513, 2, 200, type}));
  }
}

}  // namespace

std::vector<Case> all_cases() {
  std::vector<Case> cases;
  add_linears(cases);
  add_quantized_linears(cases);
  add_convs(cases);
  add_attention(cases);
  for (const DType type : kActivationTypes)
    for (const int64_t columns : {1, 2, 7, 8, 31, 96, 1536, 5121})
      for (Case& row : row_cases(columns > 1000 ? 5 : 33, columns, type))
        cases.push_back(std::move(row));
  for (Case& row : row_cases(3000, 20, DType::bf16)) cases.push_back(std::move(row));
  for (Case& copy : copy_cases()) cases.push_back(std::move(copy));
  return cases;
}

}  // namespace mxdit::conformance
