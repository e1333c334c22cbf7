// conv3d in bf16 as a product of dots whose left panels are the frames themselves.
//
// A frame is a padded, channels-last image, so 32 output pixels of a line read, for every tap and
// 32 channels, 32 rows of 64 bytes at a fixed distance: one step of an unpacked left panel. Panels
// may run over the end of a line; what is computed between two lines is thrown away. The taps of
// one line are one run of kw * channels elements, cut into steps; a last one that is not whole
// begins earlier and has zeros for what is already covered.
//
// Sums are fp32 in the order of the steps, whatever the threads; steps of frames of zeros are left
// out. With weights of 8 bits per element the dots take 2 bytes.
#pragma once

#include <memory>
#include <vector>

#include "backend/backend.h"
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/memory_pool.h"
#include "core/thread_pool.h"

namespace mxdit::cpu {

// Weights as right panels: chunks of steps, in a chunk panels of 32 output channels.
class DotFilter {
 public:
  // Whether the table and the shape [Cout, Cin, kt, kh, kw] allow it: a line of taps has to fill a
  // step. Weights are bf16 or fp8, which bf16 holds exactly.
  static bool takes(const KernelTable& kernels, const Tensor& weight, DType input);
  DotFilter(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
            const Tensor& weight);

  // Lines of taps of one frame whose pixels stay in L1 while all output channels use them.
  struct Chunk {
    int64_t dt = 0;              // frame of the kernel
    std::vector<int64_t> taps;   // per step: line of the kernel ...
    std::vector<int64_t> runs;   // ... and first element of the line
    int64_t first_step = 0;      // of all chunks before
    int64_t steps() const noexcept { return static_cast<int64_t>(taps.size()); }
  };

  int64_t out() const noexcept { return out_; }
  int64_t channels() const noexcept { return channels_; }
  int64_t kt() const noexcept { return kt_; }
  int64_t kh() const noexcept { return kh_; }
  int64_t kw() const noexcept { return kw_; }
  int64_t panels() const noexcept { return (out_ + kDotRows - 1) / kDotRows; }
  size_t bytes() const noexcept { return storage_->bytes(); }
  const std::vector<Chunk>& chunks() const noexcept { return chunks_; }
  const uint8_t* right(const Chunk& chunk, int64_t panel) const noexcept {
    return static_cast<const uint8_t*>(storage_->data()) +
           (chunk.first_step * panels() + panel * chunk.steps()) * kDotStepBytes;
  }

 private:
  void cut_chunks();
  void gather_row(const Tensor& weight, const Chunk& chunk, int64_t channel_out,
                  uint8_t* row) const;
  void pack_chunk(const KernelTable& kernels, const Tensor& weight, const Chunk& chunk,
                  uint8_t* out) const;

  int64_t out_, channels_, kt_, kh_, kw_;
  std::vector<Chunk> chunks_;
  std::shared_ptr<Storage> storage_;
};

// Frames of bf16 pixels, padded as the convolution wants them.
struct DotFrames {
  std::vector<const uint8_t*> frames;  // null: a frame of zeros
  int64_t height = 0, width = 0;
  int64_t bytes = 0;  // readable from the start of a frame, at least those of the image
};

// Whether a panel of 32 pixels stays within the readable bytes; otherwise frames need a tail of
// `dot_tail_bytes`.
bool holds_panels(const DotFilter& filter, const DotFrames& frames, const Conv3dParams& params);
int64_t dot_tail_bytes(const DotFilter& filter, const Conv3dParams& params);

// bf16 [frames, height, width, Cout]; the pointers but `out` may be null. Terms are those of
// Conv3dTail.
struct DotOutput {
  const float* bias = nullptr;
  const void* residual = nullptr;
  const float* gain = nullptr;
  Function function = Function::none;
  int64_t border = 0;  // of `out`, which is there already
  int64_t frames = 0, height = 0, width = 0;
  uint8_t* out = nullptr;
};

// Whether `gain` may be given: a norm needs all channels of a pixel in one task.
bool fuses_norm(const DotFilter& filter);

// `params` gives the strides only.
void convolve_dots(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                   const DotFilter& filter, const DotFrames& frames, const Conv3dParams& params,
                   const DotOutput& output);

}  // namespace mxdit::cpu
