#include "random_models/random_weights.h"

#include <algorithm>

#include "core/error.h"
#include "formats/element.h"
#include "io/safetensors.h"

namespace mxdit::random_models {
namespace {

uint64_t mix(uint64_t value) {  // splitmix64
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

uint64_t seed_of(const std::string& name, uint64_t seed) {
  for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
  return seed;
}

// Nearly normal, mean 0 and deviation 1: the sum of four uniform 16-bit numbers.
float bell(uint64_t bits) {
  const auto sum = static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                        (bits >> 32 & 0xffff) + (bits >> 48));
  return static_cast<float>(sum - 2 * 0xffff) * static_cast<float>(1.7320508 / 65536.0);
}

struct Values {
  float mean, deviation;
  uint64_t start;
  float operator()(int64_t index) const {
    return mean + deviation * bell(mix(start + static_cast<uint64_t>(index)));
  }
};

void write_tensor(SafetensorsWriter& writer, const std::string& scope, const RandomTensor& tensor,
                  uint64_t seed, const CancelToken* cancel) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  const int64_t count = tensor.shape.elements();
  const Values values{tensor.mean, tensor.deviation, seed_of(scope + "/" + tensor.name, seed)};
  std::vector<bf16> piece(static_cast<size_t>(std::min(count, kPiece)));
  for (int64_t done = 0; done < count; done += kPiece) {
    check_cancelled(cancel);
    const int64_t size = std::min(kPiece, count - done);
    for (int64_t i = 0; i < size; ++i) piece[static_cast<size_t>(i)] = to_bf16(values(done + i));
    writer.write(tensor.name, piece.data(), static_cast<size_t>(size) * sizeof(bf16));
  }
}

}  // namespace

void fill_random(Tensor& tensor, float mean, float deviation, uint64_t seed) {
  MXDIT_CHECK(tensor.dtype() == DType::f32 || tensor.dtype() == DType::bf16,
              "[random_models] fill_random: expected F32 or BF16, got ", name(tensor.dtype()));
  const Values values{mean, deviation, mix(seed)};
  for (int64_t i = 0; i < tensor.elements(); ++i) {
    if (tensor.dtype() == DType::f32)
      tensor.as_mutable<float>()[i] = values(i);
    else
      tensor.as_mutable<bf16>()[i] = to_bf16(values(i));
  }
}

void write_random_weights(const std::filesystem::path& file, const std::string& scope,
                          const std::vector<RandomTensor>& tensors, uint64_t seed,
                          const CancelToken* cancel) {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const RandomTensor& tensor : tensors)
    declarations.push_back({tensor.name, DType::bf16, tensor.shape});
  SafetensorsWriter writer(file, declarations, {{"format", "pt"}});
  for (const RandomTensor& tensor : tensors) write_tensor(writer, scope, tensor, seed, cancel);
  writer.finish();
}

}  // namespace mxdit::random_models
