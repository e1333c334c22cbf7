// The CPU back end: splits every operator into ranges, runs them on the thread pool, and leaves the
// arithmetic to the kernel table chosen at construction. One file per family of operators.
#pragma once

#include <algorithm>
#include <functional>

#include "backend/backend.h"
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/memory_pool.h"
#include "core/thread_pool.h"

namespace mxdit::cpu {

class DotFilter;

class CpuBackend : public Backend {
 public:
  explicit CpuBackend(const BackendOptions& options);

  std::string name() const override { return "cpu"; }
  std::string description() const override;
  DeviceReport report() const override;

  Tensor empty(DType dtype, const Shape& shape) override;
  Tensor from_host(const Tensor& host) override { return host; }
  Tensor to_host(const Tensor& device) override;
  void synchronize() override {}
  void release_idle() noexcept override { memory_->trim(); }

  void cast(const Tensor& in, Tensor& out) override;
  void copy_strided(const Tensor& in, const StridedView& view_in, const Shape& extents, Tensor& out,
                    const StridedView& view_out) override;
  void gather_rows(const Tensor& table, const Tensor& ids, Tensor& out) override;

  std::shared_ptr<PreparedWeight> prepare_linear(const Tensor& weight, LinearUse use) override;
  void linear(const Tensor& x, const PreparedWeight& weight, const Tensor* bias, Activation act,
              Tensor& out) override;
  void shared_linear(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                     Activation act, Tensor& out) override;
  bool linear_packed(const PlainMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                     Activation act, const PreparedWeight& next, PlainMatrix& out) override;
  KernelChoice linear_kernel(DType weight, int64_t out_features, int64_t in_features,
                             LinearUse use) const override;
  void quantize(const Tensor& x, const QuantizeOptions& options, QuantizedMatrix& out) override;
  void dequantize(const QuantizedMatrix& x, Tensor& out) override;
  std::shared_ptr<PreparedWeight> prepare_quantized(const QuantizedMatrix& weight) override;
  void quantized_linear(const QuantizedMatrix& x, const PreparedWeight& weight, const Tensor* bias,
                        Activation act, Tensor& out) override;
  bool quantized_linear_encoded(const QuantizedMatrix& x, const PreparedWeight& weight,
                                const Tensor* bias, Activation act, const QuantizeOptions& options,
                                QuantizedMatrix& out) override;
  KernelChoice quantized_kernel(const QuantFormat& x, const QuantFormat& weight,
                                int64_t out_features, int64_t in_features) const override;
  std::shared_ptr<PreparedWeight> prepare_conv3d(const Tensor& weight, DType input) override;
  void conv3d(std::span<const Tensor> clips, const PreparedWeight& weight, const Tensor* bias,
              const Conv3dParams& params, const Conv3dTail& tail, Tensor& out) override;
  void attention(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) override;
  KernelChoice attention_kernel(DType activation, bool bias,
                                AttentionPrecision precision) const override;

  void layer_norm(const Tensor& x, const Tensor* gain, const Tensor* bias, float eps,
                  Tensor& out) override;
  void norm_modulate(const Tensor& x, const Tensor& shift, const Tensor& scale, float eps,
                     Tensor& out) override;
  void rms_norm(const Tensor& x, const Tensor& gain, float eps, Tensor& out) override;
  void channel_norm(const Tensor& x, const Tensor& gain, Activation act, int border,
                    Tensor& out) override;
  void gate_add(const Tensor& x, const Tensor& y, const Tensor& gate, Tensor& out) override;
  void add(const Tensor& a, const Tensor& b, Tensor& out) override;
  void activate(Activation act, const Tensor& x, const Tensor* y, Tensor& out) override;
  void rope(const Tensor& x, const Tensor& cos, const Tensor& sin, Tensor& out) override;
  void rms_norm_rope(const Tensor& x, const Tensor& gain, float eps, const Tensor& cos,
                     const Tensor& sin, Tensor& out) override;
  void norm_sum(const NormedSum& rows, Tensor& out) override;
  void quantize_normed(const NormedSum& rows, const QuantizeOptions& options,
                       QuantizedMatrix& out) override;
  void upsample2x(const Tensor& x, int border, Tensor& out) override;
  void linear_combination(std::span<const float> coefficients,
                          std::span<const Tensor* const> inputs, Tensor& out) override;

 protected:
  ThreadPool& threads() noexcept { return threads_; }
  const ThreadPool& threads() const noexcept { return threads_; }

 private:
  // Of inputs of that type.
  KernelChoice conv3d_kernel(DType type) const;

  // Runs kernel(args, begin, end) over `count` rows or elements of about `cost` elements each.
  template <typename Args>
  void run(RangeKernel<Args> kernel, const Args& args, int64_t count, int64_t cost = 1);

  // Calls work(row, buffer) for every row of x, by all threads. A buffer has room for a row and
  // stays in L1: what one kernel leaves there for the next does not go through memory.
  template <typename Work>
  void for_each_row(const Tensor& x, const Work& work);

  // Encodes into `out` by run_rows(args), which has `args` and where rows may be folded to.
  void encode(const QuantizeArgs& args, QuantizedMatrix& out,
              const std::function<void(const QuantizeArgs&)>& run_rows);

  void conv3d_tiles(std::span<const Tensor> clips, const PreparedWeight& weight,
                    const Tensor* bias, const Conv3dParams& params, Tensor& out);
  void conv3d_dots(std::span<const Tensor> clips, const DotFilter& filter, const Tensor* bias,
                   const Conv3dParams& params, const Conv3dTail& tail, Tensor& out);

  const KernelTable& kernels_;
  const std::string forced_;  // BackendOptions::isa
  ThreadPool threads_;
  std::shared_ptr<MemoryPool> memory_;
};

// Error{unsupported} for types that are not floating point or are f64.
Element element_of(DType dtype);
Function function_of(Activation activation) noexcept;

// Images [T, H, W, C]. `line` counts those of all frames without their borders.
int64_t line_bytes(const Tensor& x);
void* bordered_line(Tensor& out, int border, int64_t line);
void clear_border(int border, Tensor& out);

// How many rows or elements of that cost are work enough for a thread: long enough that waking it
// pays; a multiple of 64 keeps vector loops whole.
inline int64_t grain_of(int64_t cost) noexcept {
  constexpr int64_t kGrainElements = 1 << 15;
  return std::max<int64_t>(1, kGrainElements / std::max<int64_t>(1, cost));
}

template <typename Args>
void CpuBackend::run(RangeKernel<Args> kernel, const Args& args, int64_t count, int64_t cost) {
  threads_.parallel_for(count, grain_of(cost),
                        [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

template <typename Work>
void CpuBackend::for_each_row(const Tensor& x, const Work& work) {
  const int64_t columns = x.dim(-1);
  const size_t row_bytes = static_cast<size_t>(columns) * element_size(x.dtype());
  const int64_t rows = columns == 0 ? 0 : x.elements() / columns;
  threads_.parallel_for(rows, grain_of(columns), [&](int64_t begin, int64_t end) {
    const std::shared_ptr<Storage> buffer = memory_->allocate(row_bytes);
    for (int64_t row = begin; row < end; ++row) work(row, buffer->data());
  });
}

}  // namespace mxdit::cpu
