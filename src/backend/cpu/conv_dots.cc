#include "backend/cpu/conv_dots.h"

#include <algorithm>
#include <cstring>

#include "backend/cpu/rounding.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kStepElements = kDotStep / 2;  // of bf16
constexpr int64_t kPixelBytes = 2;               // of one channel

// A chunk's pixels of one panel take less than half of L1. A task's sums and the weights of one
// chunk for its output channels share L2 with the lines it reads.
constexpr int64_t kChunkBytes = 20 << 10;
constexpr int64_t kTaskPanels = 16;  // of pixels
constexpr int64_t kTaskColumns = 12;  // panels of output channels

Element element_of_weight(DType type) {
  if (type == DType::f8_e4m3) return Element::f8_e4m3;
  return type == DType::f8_e5m2 ? Element::f8_e5m2 : Element::bf16;
}

}  // namespace

bool DotFilter::takes(const KernelTable& kernels, const Tensor& weight, DType input) {
  const bool exact = weight.dtype() == DType::bf16 || weight.dtype() == DType::f8_e4m3 ||
                     weight.dtype() == DType::f8_e5m2;
  return input == DType::bf16 && exact && weight.elements() > 0 &&
         weight.dim(1) * weight.dim(4) >= kStepElements && kernels.dots.multiply != nullptr &&
         kernels.matrix.nr == kDotRows;
}

DotFilter::DotFilter(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                     const Tensor& weight)
    : out_(weight.dim(0)),
      channels_(weight.dim(1)),
      kt_(weight.dim(2)),
      kh_(weight.dim(3)),
      kw_(weight.dim(4)) {
  cut_chunks();
  const int64_t steps = chunks_.back().first_step + chunks_.back().steps();
  storage_ = memory.allocate(static_cast<size_t>(steps * panels() * kDotStepBytes));
  threads.parallel_for(static_cast<int64_t>(chunks_.size()), 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const Chunk& chunk = chunks_[static_cast<size_t>(i)];
      pack_chunk(kernels, weight, chunk,
                 static_cast<uint8_t*>(storage_->data()) +
                     chunk.first_step * panels() * kDotStepBytes);
    }
  });
}

void DotFilter::cut_chunks() {
  const int64_t run = kw_ * channels_;
  const int64_t line_bytes = (kDotRows + kw_ - 1) * channels_ * kPixelBytes;
  const int64_t lines = std::clamp<int64_t>(kChunkBytes / line_bytes, 1, kh_);
  int64_t step = 0;
  for (int64_t dt = 0; dt < kt_; ++dt) {
    for (int64_t dy = 0; dy < kh_; dy += lines) {
      Chunk& chunk = chunks_.emplace_back();
      chunk.dt = dt;
      chunk.first_step = step;
      for (int64_t line = dy; line < std::min(kh_, dy + lines); ++line) {
        for (int64_t first = 0; first < run; first += kStepElements) {
          chunk.taps.push_back(line);
          chunk.runs.push_back(std::min(first, run - kStepElements));
        }
      }
      step += chunk.steps();
    }
  }
}

// The weights of one output channel for the steps of a chunk, side by side; `row` is zero.
void DotFilter::gather_row(const Tensor& weight, const Chunk& chunk, int64_t channel_out,
                           uint8_t* row) const {
  const size_t element = element_size(weight.dtype());
  const auto* stored = static_cast<const uint8_t*>(weight.data());
  int64_t covered = 0;  // of the line of taps
  for (size_t s = 0; s < chunk.taps.size(); ++s, row += kStepElements * element) {
    const int64_t first = chunk.runs[s];
    if (first == 0) covered = 0;
    for (int64_t i = std::max<int64_t>(0, covered - first); i < kStepElements; ++i) {
      const int64_t in = (first + i) % channels_, dx = (first + i) / channels_;
      const int64_t plane = ((channel_out * channels_ + in) * kt_ + chunk.dt) * kh_;
      const int64_t from = (plane + chunk.taps[s]) * kw_ + dx;
      std::memcpy(row + static_cast<size_t>(i) * element,
                  stored + static_cast<size_t>(from) * element, element);
    }
    covered = first + kStepElements;
  }
}

void DotFilter::pack_chunk(const KernelTable& kernels, const Tensor& weight, const Chunk& chunk,
                           uint8_t* out) const {
  const size_t row_bytes =
      static_cast<size_t>(chunk.steps() * kStepElements) * element_size(weight.dtype());
  std::vector<uint8_t> rows(kDotRows * row_bytes);
  std::vector<const void*> pointers;
  for (size_t r = 0; r < kDotRows; ++r) pointers.push_back(&rows[r * row_bytes]);
  for (int64_t panel = 0; panel < panels(); ++panel) {
    const int64_t first = panel * kDotRows, count = std::min(kDotRows, out_ - first);
    std::fill(rows.begin(), rows.end(), uint8_t{0});
    for (int64_t r = 0; r < count; ++r)
      gather_row(weight, chunk, first + r, &rows[static_cast<size_t>(r) * row_bytes]);
    kernels.dots.pack({.rows = pointers.data(),
                       .count = count,
                       .offset = 0,
                       .k = chunk.steps() * kStepElements,
                       .type = element_of_weight(weight.dtype()),
                       .side = Side::right,
                       .out = out + panel * chunk.steps() * kDotStepBytes});
  }
}

namespace {

// Where panels of output pixels lie. Positions are multiples of the stride along a line; a segment
// is a range of positions that panels divide: the whole frame where lines are a whole number of
// positions apart, else each line for itself, whichever computes less.
class PanelGrid {
 public:
  PanelGrid(const DotFilter& filter, const DotFrames& frames, const Conv3dParams& params,
            int64_t out_height, int64_t out_width)
      : width_(out_width), height_(out_height) {
    const int64_t pixel = filter.channels() * kPixelBytes;
    row_stride_ = params.stride_w * pixel;
    line_stride_ = params.stride_h * frames.width * pixel;
    const int64_t reach = ((filter.kh() - 1) * frames.width + filter.kw()) * pixel;
    last_start_ = frames.bytes - reach - (kDotRows - 1) * row_stride_;
    const int64_t by_line = out_height * blocks(out_width, kDotRows);
    pitch_ = line_stride_ % row_stride_ == 0 ? line_stride_ / row_stride_ : 0;
    const int64_t positions = (out_height - 1) * pitch_ + out_width;
    is_flat_ = pitch_ > 0 && blocks(positions, kDotRows) <= by_line;
    panels_ = is_flat_ ? blocks(positions, kDotRows) : by_line;
  }

  int64_t panels() const noexcept { return panels_; }
  int64_t row_stride() const noexcept { return row_stride_; }
  bool holds_panels() const noexcept { return last_start_ >= row_stride_; }

  struct Panel {
    int64_t start;  // bytes from the start of the frame
    int64_t line, column;  // output pixel of row `first`; columns from the width on are none
    int64_t first, rows;   // rows that are new
  };

  Panel at(int64_t index) const {
    Panel panel = {0, 0, 0, 0, kDotRows};
    if (is_flat_) {
      const int64_t position = index * kDotRows;
      panel.line = position / pitch_;
      panel.column = position % pitch_;
      panel.start = position * row_stride_;
    } else {
      const int64_t per_line = blocks(width_, kDotRows);
      panel.line = index / per_line;
      panel.column = index % per_line * kDotRows;
      panel.start = panel.line * line_stride_ + panel.column * row_stride_;
    }
    // The last panels begin earlier, where they would read behind the frame.
    if (panel.start > last_start_) {
      panel.first = std::min(blocks(panel.start - last_start_, row_stride_), kDotRows);
      panel.start -= panel.first * row_stride_;
      panel.rows = kDotRows - panel.first;
    }
    return panel;
  }

  // Calls work(row, count, line, column) for runs of rows that are output pixels of one line.
  template <typename Work>
  void for_each_run(Panel panel, const Work& work) const {
    const int64_t end = panel.first + panel.rows;
    for (int64_t row = panel.first; row < end && panel.line < height_;) {
      const int64_t count = std::min(end - row, width_ - panel.column);
      if (count > 0) work(row, count, panel.line, panel.column);
      if (!is_flat_) return;
      row += pitch_ - panel.column;
      panel.column = 0;
      ++panel.line;
    }
  }

 private:
  int64_t width_, height_;
  int64_t row_stride_ = 0, line_stride_ = 0, pitch_ = 0, last_start_ = 0, panels_ = 0;
  bool is_flat_ = false;
};

// The steps of one output frame, chunk by chunk, without those of frames of zeros.
struct FramePlan {
  const uint8_t* base = nullptr;
  std::vector<const DotFilter::Chunk*> chunks;
  std::vector<int64_t> steps;  // bytes from `base`, in the order of the chunks
};

FramePlan plan_frame(const DotFilter& filter, const DotFrames& frames, int64_t first) {
  FramePlan plan;
  const int64_t pixel = filter.channels() * kPixelBytes;
  for (const DotFilter::Chunk& chunk : filter.chunks()) {
    const uint8_t* frame = frames.frames[static_cast<size_t>(first + chunk.dt)];
    if (frame == nullptr) continue;
    if (plan.base == nullptr) plan.base = frame;
    const auto distance = static_cast<int64_t>(reinterpret_cast<intptr_t>(frame) -
                                               reinterpret_cast<intptr_t>(plan.base));
    plan.chunks.push_back(&chunk);
    for (size_t s = 0; s < chunk.taps.size(); ++s)
      plan.steps.push_back(distance + chunk.taps[s] * frames.width * pixel +
                           chunk.runs[s] * kPixelBytes);
  }
  return plan;
}

struct Task {
  int64_t panel, panels;    // of pixels
  int64_t column, columns;  // panels of output channels
};

struct Convolution {
  const KernelTable& kernels;
  const DotFilter& filter;
  const PanelGrid& grid;
  const DotOutput& output;

  void multiply(const FramePlan& plan, const Task& task, float* product) const;
  // `pixels` has room for the outputs of one panel.
  void store(int64_t frame, const Task& task, const float* product, uint8_t* pixels) const;
  void add_residual(uint8_t* to, int64_t stride, int64_t pixel, int64_t count, int64_t first,
                    int64_t columns) const;
};

void Convolution::multiply(const FramePlan& plan, const Task& task, float* product) const {
  const int64_t block = task.columns * kDotBlock;
  if (plan.chunks.empty()) std::fill_n(product, task.panels * block, 0.0f);
  const int64_t* steps = plan.steps.data();
  for (const DotFilter::Chunk* chunk : plan.chunks) {
    for (int64_t p = 0; p < task.panels; ++p) {
      kernels.dots.multiply({.left = plan.base + grid.at(task.panel + p).start,
                             .left_stride = grid.row_stride(),
                             .left_steps = steps,
                             .right = filter.right(*chunk, task.column),
                             .right_stride = chunk->steps() * kDotStepBytes,
                             .panels = task.columns,
                             .steps = chunk->steps(),
                             .product = product + p * block,
                             .product_stride = kDotBlock,
                             .accumulate = chunk != plan.chunks.front()});
    }
    steps += chunk->steps();
  }
}

// Adds the residual's columns from `first` on to `count` pixels; `stride` in bytes.
void Convolution::add_residual(uint8_t* to, int64_t stride, int64_t pixel, int64_t count,
                               int64_t first, int64_t columns) const {
  for (int64_t i = 0; i < count; ++i, to += stride)
    kernels.add({.a = to,
                 .b = static_cast<const uint8_t*>(output.residual) +
                      ((pixel + i) * filter.out() + first) * kPixelBytes,
                 .out = to,
                 .type = Element::bf16,
                 .b_type = Element::bf16,
                 .period = columns},
                0, columns);
}

void Convolution::store(int64_t frame, const Task& task, const float* product,
                        uint8_t* pixels) const {
  const int64_t first = task.column * kDotRows, pixel_bytes = filter.out() * kPixelBytes;
  const int64_t columns = std::min(filter.out() - first, task.columns * kDotRows);
  const int64_t border = output.border, full_width = output.width + 2 * border;
  const auto store_run = [&](const float* rows, int64_t count, int64_t line, int64_t column) {
    const int64_t pixel = (frame * output.height + line) * output.width + column;
    const int64_t place =
        (frame * (output.height + 2 * border) + border + line) * full_width + border + column;
    uint8_t* out = output.out + place * pixel_bytes;
    uint8_t* to = output.gain == nullptr ? out + first * kPixelBytes : pixels;
    kernels.matrix.store({.product = rows,
                          .product_stride = kDotBlock,
                          .rows = count,
                          .columns = columns,
                          .bias = output.bias == nullptr ? nullptr : output.bias + first,
                          .function = Function::none,
                          .out = to,
                          .out_type = Element::bf16,
                          .out_stride = filter.out()});
    if (output.residual != nullptr) add_residual(to, pixel_bytes, pixel, count, first, columns);
    if (output.gain != nullptr)
      kernels.channel_norm({.x = pixels,
                            .out = out,
                            .type = Element::bf16,
                            .columns = filter.out(),
                            .eps = 0.0f,
                            .gain = output.gain,
                            .function = output.function},
                           0, count);
  };
  for (int64_t p = 0; p < task.panels; ++p, product += task.columns * kDotBlock)
    grid.for_each_run(grid.at(task.panel + p),
                      [&](int64_t row, int64_t count, int64_t line, int64_t column) {
                        store_run(product + row * kDotRows, count, line, column);
                      });
}

}  // namespace

bool holds_panels(const DotFilter& filter, const DotFrames& frames, const Conv3dParams& params) {
  return PanelGrid(filter, frames, params, 1, 1).holds_panels();
}

int64_t dot_tail_bytes(const DotFilter& filter, const Conv3dParams& params) {
  return kDotRows * params.stride_w * filter.channels() * kPixelBytes;
}

bool fuses_norm(const DotFilter& filter) { return filter.panels() <= kTaskColumns; }

void convolve_dots(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                   const DotFilter& filter, const DotFrames& frames, const Conv3dParams& params,
                   const DotOutput& output) {
  if (output.frames * output.height * output.width == 0) return;
  const PanelGrid grid(filter, frames, params, output.height, output.width);
  const Convolution convolution = {kernels, filter, grid, output};
  std::vector<FramePlan> plans;
  for (int64_t t = 0; t < output.frames; ++t)
    plans.push_back(plan_frame(filter, frames, t * params.stride_t));
  const int64_t column_tasks = blocks(filter.panels(), kTaskColumns);
  const int64_t task_columns = blocks(filter.panels(), column_tasks);
  // Bands of nearly equal work for all threads.
  const int64_t threads_used = std::min<int64_t>(threads.size(), grid.panels());
  const int64_t bands =
      blocks(blocks(grid.panels(), kTaskPanels), threads_used) * threads_used;
  const int64_t band_panels = blocks(grid.panels(), bands);
  const int64_t frame_tasks = bands * column_tasks;
  const int64_t product_floats = band_panels * task_columns * kDotBlock;
  const int64_t pixel_floats = kDotRows * filter.out() / 2 + 1;
  threads.parallel_for(output.frames * frame_tasks, 1, [&](int64_t begin, int64_t end) {
    const auto scratch =
        memory.allocate(static_cast<size_t>(product_floats + pixel_floats) * sizeof(float));
    auto* product = static_cast<float*>(scratch->data());
    auto* pixels = reinterpret_cast<uint8_t*>(product + product_floats);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t frame = i / frame_tasks, band = i % frame_tasks / column_tasks;
      const int64_t panel = band * band_panels, column = i % column_tasks * task_columns;
      const Task task = {panel, std::min(band_panels, grid.panels() - panel), column,
                         std::min(task_columns, filter.panels() - column)};
      if (task.panels <= 0 || task.columns <= 0) continue;
      convolution.multiply(plans[static_cast<size_t>(frame)], task, product);
      convolution.store(frame, task, product, pixels);
    }
  });
}

}  // namespace mxdit::cpu
