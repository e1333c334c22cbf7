// Products D[m, n] = L[m, k] R[n, k]^T on the dot kernels (dot_kernels.h).
//
// The left operand is packed once for a block of rows, by all threads. Tiles of columns are the
// unit of work: a thread packs the right operand of its tile, as much of k as stays in L2, and takes
// it past all the rows. Sums run over k in order, so a result depends neither on the tiles nor on
// the number of rows computed with it.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "backend/cpu/kernel_table.h"
#include "backend/cpu/memory_pool.h"
#include "backend/cpu/tile_product.h"
#include "core/thread_pool.h"
#include "formats/quantized_matrix.h"

namespace mxdit::cpu {

// What a product runs on.
struct DotMachine {
  const KernelTable& kernels;
  ThreadPool& threads;
  MemoryPool& memory;
};

// An operand whose rows become bf16 dots.
class DotSource {
 public:
  virtual ~DotSource() = default;
  // Packs rows [first, first + count), count <= 32, elements [k, k + k_count); k is a multiple of 32.
  virtual void pack(const DotKernels& kernels, int64_t first, int64_t count, int64_t k,
                    int64_t k_count, Side side, uint8_t* out) const = 0;
};

// The rows of a row-major matrix in bf16, E4M3 or E5M2.
class DotRows : public DotSource {
 public:
  DotRows(const void* data, Element type, int64_t columns);
  void pack(const DotKernels& kernels, int64_t first, int64_t count, int64_t k, int64_t k_count,
            Side side, uint8_t* out) const override;

 private:
  const char* data_;
  Element type_;
  int64_t row_bytes_;
};

// A quantized matrix whose elements times block scales are exact in bf16.
class DotCodes : public DotSource {
 public:
  explicit DotCodes(const QuantizedRows& rows) : rows_(rows) {}
  void pack(const DotKernels& kernels, int64_t first, int64_t count, int64_t k, int64_t k_count,
            Side side, uint8_t* out) const override;

 private:
  QuantizedRows rows_;
};

// Scales are those of whole rows, as in multiply_groups without a scale for each group.
void multiply_dots(const DotMachine& machine, const DotSource& left, const DotSource& right,
                   int64_t m, int64_t n, int64_t k, const OuterScales& scales,
                   const ProductOutput& output);

// Without scales, for a left operand that several products share: `packed` is null, or what an earlier
// one put there, and then nothing of `left` is read.
void multiply_shared_dots(const DotMachine& machine, const DotSource& left, const DotSource& right,
                          int64_t m, int64_t n, int64_t k, const ProductOutput& output,
                          std::shared_ptr<PackedOperand>& packed);

// The same, whose result in bf16 goes to `out_packed` and nowhere else; `output` has neither place nor
// type. False, and nothing done, where there is no kernel for it.
bool multiply_dots_for_dots(const DotMachine& machine, const DotSource& left,
                            const DotSource& right, int64_t m, int64_t n, int64_t k,
                            const ProductOutput& output, std::shared_ptr<PackedOperand>& packed,
                            std::shared_ptr<PackedOperand>& out_packed);

// The right operand of folded products, all of whose groups can be folded.
struct FoldableMatrix {
  QuantizedRows rows;
  // [panels of 32 rows][groups of 512 columns]: 1 where products need not survey exponents, since the
  // group is known to have one level and, of all rows, the scale 2^-4 l0. 0 without group scales.
  std::span<const uint8_t> regular;
};

// The folded product of quantized matrices, as multiply_groups has it; false, and nothing done, when
// a group cannot be folded. `scale_each_group`: matrices have their fp32 scales per group, and sums
// start at the bias. `packed` is null, or what an earlier product with this left operand put there.
bool multiply_folded(const DotMachine& machine, const QuantizedRows& left,
                     const FoldableMatrix& right, int64_t m, int64_t n, int64_t k,
                     bool scale_each_group, const OuterScales& scales, const ProductOutput& output,
                     std::shared_ptr<PackedOperand>& packed);

// Encodes a matrix [m, k] with a scale for every group, by encode(rows): with rows that encoding
// may fold too, or null. `packed` becomes what multiply_folded takes, or null.
void encode_folded(const DotMachine& machine, const QuantizedRows& matrix, int64_t m, int64_t k,
                   const std::function<void(const FoldedRows*)>& encode,
                   std::shared_ptr<PackedOperand>& packed);

// The folded product of matrices with a scale for every group, rounded to bf16 and encoded:
// `encode` has everything of the whole result but x, columns and folded. False, and nothing done,
// where there is no kernel for it. What it leaves in `packed` is as of encode_folded, of the
// encoded matrix `out`.
struct EncodedOutput {
  const float* bias;
  Function function;
  QuantizeArgs encode;
  QuantizedRows out;
};
bool multiply_encoded(const DotMachine& machine, const QuantizedRows& left,
                      const FoldableMatrix& right, int64_t m, int64_t n, int64_t k,
                      const EncodedOutput& output, std::shared_ptr<PackedOperand>& packed,
                      std::shared_ptr<PackedOperand>& out_packed);

// FoldableMatrix::regular of a matrix; none if it has a group that cannot be folded.
std::optional<std::vector<uint8_t>> find_regular_groups(const DotMachine& machine,
                                                        const QuantizedRows& matrix, int64_t rows,
                                                        int64_t k, bool scale_each_group);

}  // namespace mxdit::cpu
