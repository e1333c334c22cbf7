// Blocked product D[m, n] = L[m, k] R[n, k]^T of operands that know how to pack themselves.
//
// Both linear and conv3d are such products. Output tiles are the unit of work for threads; the sum
// over k is cut into blocks of a fixed length, so a result depends neither on the tiles nor on the
// number of rows computed with it.
#pragma once

#include <memory>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/memory_pool.h"
#include "core/thread_pool.h"

namespace mxdit::cpu {

// Rows of one operand.
class PanelSource {
 public:
  virtual ~PanelSource() = default;
  // Packs rows [first, first + count), elements [k, k + k_count), as kernel_table.h describes.
  // `rows` has room for `count` pointers.
  virtual void pack(const MatrixKernels& kernels, int64_t first, int64_t count, int64_t k,
                    int64_t k_count, int64_t width, const void** rows, float* out) const = 0;
};

// The rows of a row-major matrix.
class MatrixRows : public PanelSource {
 public:
  MatrixRows(const void* data, Element type, int64_t columns);
  void pack(const MatrixKernels& kernels, int64_t first, int64_t count, int64_t k, int64_t k_count,
            int64_t width, const void** rows, float* out) const override;

 private:
  const char* data_;
  Element type_;
  int64_t row_bytes_;
};

struct ProductOutput {
  const float* bias = nullptr;
  Function function = Function::none;
  void* out = nullptr;
  Element type = Element::f32;
  bool is_packed = false;  // in bf16, as the left operand of a product on dots; else row-major
};

// fp32 scales of a quantized product: [m, count] and [n, count]; null: ones.
struct OuterScales {
  const float *left = nullptr, *right = nullptr;
  int64_t count = 1;
};

void multiply_tiles(const MatrixKernels& kernels, ThreadPool& threads, MemoryPool& memory,
                    const PanelSource& left, const PanelSource& right, int64_t m, int64_t n,
                    int64_t k, const ProductOutput& output);

// The product of quantized matrices. Each group of 512 columns is summed by itself and then added
// to the whole. With a scale for every group its sum is multiplied by the product of the two scales
// first and the whole starts at the bias; scales of whole rows, and the bias, come at the end.
inline constexpr int64_t kGroupColumns = 512;
void multiply_groups(const MatrixKernels& kernels, ThreadPool& threads, MemoryPool& memory,
                     const PanelSource& left, const PanelSource& right, int64_t m, int64_t n,
                     int64_t k, bool scale_each_group, const OuterScales& scales,
                     const ProductOutput& output);

int64_t element_bytes(Element type) noexcept;

}  // namespace mxdit::cpu
