#include "ascend_emulator/arithmetic/row_functions.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ascend_emulator/arithmetic/dot_products.h"

namespace ascend_emulator::arithmetic {
namespace {

// Eight partial sums, so that the additions of a row do not wait for each other.
template <typename Term>
double sum_of(int64_t count, Term&& term) {
  double sums[8] = {};
  int64_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int64_t j = 0; j < 8; ++j) sums[j] += term(i + j);
  }
  for (; i < count; ++i) sums[0] += term(i);
  double total = 0;
  for (const double sum : sums) total += sum;
  return total;
}

std::vector<float> optional(const View* view) {
  return view ? widened(*view) : std::vector<float>();
}

// Softmax of one row: p = fp32(exp(logit - maximum) / sum). Returns the sum.
double softmax_row(const float* logits, int64_t count, float maximum, double* p) {
  double total = 0;
  for (int64_t i = 0; i < count; ++i) {
    p[i] = std::exp(static_cast<double>(logits[i]) - static_cast<double>(maximum));
    total += p[i];
  }
  for (int64_t i = 0; i < count; ++i) p[i] = static_cast<float>(p[i] / total);
  return total;
}

float largest(const float* values, int64_t count) {
  float result = -std::numeric_limits<float>::infinity();
  for (int64_t i = 0; i < count; ++i) {
    // NaN is kept: a maximum of ordered comparisons would lose it.
    if (!(values[i] <= result)) result = values[i];
    if (std::isnan(result)) return result;
  }
  return result;
}

constexpr int64_t kQueryRows = 128;

View head_of(const View& view, int64_t batch, int64_t head) {
  const int64_t offset = batch * view.strides[0] + head * view.strides[1];
  char* data = static_cast<char*>(view.data) + offset * element_bits(view.element) / 8;
  return {data, view.element, {view.dims[2], view.dims[3]}, {view.strides[2], view.strides[3]}};
}

// Vector i, element k of a panel is values[i * row_stride + k * depth_stride].
PanelSource panels(const std::vector<float>& values, int64_t row_stride, int64_t depth_stride) {
  return [&values, row_stride, depth_stride](const PanelRequest& request) {
    for (int64_t k = 0; k < request.count; ++k) {
      const float* from =
          values.data() + request.first * row_stride + (request.k0 + k) * depth_stride;
      double* out = request.out + k * request.width;
      for (int64_t i = 0; i < request.vectors; ++i) out[i] = from[i * row_stride];
      for (int64_t i = request.vectors; i < request.width; ++i) out[i] = 0;
    }
  };
}

// One head with its operands widened; computes blocks of query rows.
class Head {
 public:
  Head(const Attention& attention, int64_t batch, int64_t head)
      : attention_(attention),
        queries_(attention.q.dims[2]),
        keys_(attention.k.dims[2]),
        depth_(attention.q.dims[3]),
        channels_(attention.v.dims[3]),
        row0_((batch * attention.q.dims[1] + head) * queries_) {
    const int64_t kv_head = head / (attention.q.dims[1] / attention.k.dims[1]);
    q_ = widened(head_of(attention.q, batch, head));
    k_ = widened(head_of(attention.k, batch, kv_head));
    v_ = widened(head_of(attention.v, batch, kv_head));
    out_ = head_of(attention.out, batch, head);
    if (attention.mask) {
      mask_ = head_of(broadcast_to(*attention.mask,
                                   {attention.q.dims[0], attention.q.dims[1], queries_, keys_}),
                      batch, head);
    }
  }

  void run() const {
    std::vector<float> results(static_cast<size_t>(queries_ * channels_));
    for (int64_t row = 0; row < queries_; row += kQueryRows) {
      const int64_t rows = std::min(kQueryRows, queries_ - row);
      std::vector<float> logits = scores(row, rows);
      const std::vector<double> p = probabilities(row, rows, &logits);
      mix(p, rows, results.data() + row * channels_);
    }
    store(results.data(), out_);
  }

 private:
  std::vector<float> scores(int64_t row, int64_t rows) const {
    std::vector<float> logits(static_cast<size_t>(rows * keys_));
    const PanelSource all = panels(q_, depth_, 1);
    const PanelSource from_row = [&all, row](PanelRequest request) {
      request.first += row;
      all(request);
    };
    dot_products(
        {rows, keys_, depth_, 0}, from_row, panels(k_, depth_, 1),
        [&](const DotTile& tile) {
          for (int64_t i = 0; i < tile.rows; ++i) {
            float* line = logits.data() + (tile.row0 + i) * keys_ + tile.col0;
            for (int64_t j = 0; j < tile.cols; ++j) {
              line[j] = static_cast<float>(tile.sums[i * tile.stride + j]) * attention_.scale;
            }
          }
        },
        false);
    return logits;
  }

  void apply_mask(int64_t row, float* logits) const {
    const auto* mask = static_cast<const uint8_t*>(mask_.data) + row * mask_.strides[0];
    for (int64_t j = 0; j < keys_; ++j) {
      if (mask[j * mask_.strides[1]]) logits[j] = -std::numeric_limits<float>::infinity();
    }
  }

  std::vector<double> probabilities(int64_t row, int64_t rows, std::vector<float>* logits) const {
    std::vector<double> p(logits->size());
    for (int64_t i = 0; i < rows; ++i) {
      float* line = logits->data() + i * keys_;
      if (attention_.mask) apply_mask(row + i, line);
      const float maximum = largest(line, keys_);
      const bool empty = maximum == -std::numeric_limits<float>::infinity();
      const double total = empty ? 0 : softmax_row(line, keys_, maximum, p.data() + i * keys_);
      const int64_t at = (row0_ + row + i) * 8;
      if (attention_.maximum) std::fill_n(attention_.maximum + at, 8, maximum);
      if (attention_.sum) std::fill_n(attention_.sum + at, 8, static_cast<float>(total));
    }
    return p;
  }

  void mix(const std::vector<double>& p, int64_t rows, float* results) const {
    const PanelSource weights = [&](const PanelRequest& request) {
      for (int64_t k = 0; k < request.count; ++k) {
        double* out = request.out + k * request.width;
        const double* from = p.data() + request.first * keys_ + request.k0 + k;
        for (int64_t i = 0; i < request.vectors; ++i) out[i] = from[i * keys_];
        for (int64_t i = request.vectors; i < request.width; ++i) out[i] = 0;
      }
    };
    dot_products(
        {rows, channels_, keys_, 0}, weights, panels(v_, 1, channels_),
        [&](const DotTile& tile) {
          for (int64_t i = 0; i < tile.rows; ++i) {
            float* line = results + (tile.row0 + i) * channels_ + tile.col0;
            for (int64_t j = 0; j < tile.cols; ++j) {
              line[j] = static_cast<float>(tile.sums[i * tile.stride + j]);
            }
          }
        },
        false);
  }

  const Attention& attention_;
  int64_t queries_, keys_, depth_, channels_, row0_;
  std::vector<float> q_, k_, v_;
  View out_, mask_;
};

}  // namespace

void layer_norm(const View& x, const LayerNorm& norm, const View& out, const View* mean,
                const View* rstd) {
  const int64_t length = norm.length, rows = length ? x.count() / length : 0;
  std::vector<float> values = widened(x);
  const std::vector<float> weight = optional(norm.weight), bias = optional(norm.bias);
  std::vector<float> means(rows), reciprocals(rows);
  in_parallel(rows, x.count() * 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* line = values.data() + row * length;
      const double average =
          sum_of(length, [line](int64_t i) { return static_cast<double>(line[i]); }) / length;
      const double variance = sum_of(length,
                                     [line, average](int64_t i) {
                                       const double difference = line[i] - average;
                                       return difference * difference;
                                     }) /
                              length;
      const double deviation = std::sqrt(variance + norm.epsilon);
      for (int64_t i = 0; i < length; ++i) {
        double value = (line[i] - average) / deviation;
        if (!weight.empty()) value *= weight[i];
        if (!bias.empty()) value += bias[i];
        line[i] = static_cast<float>(value);
      }
      means[row] = static_cast<float>(average);
      reciprocals[row] = static_cast<float>(1.0 / deviation);
    }
  });
  store(values.data(), out);
  if (mean) store(means.data(), *mean);
  if (rstd) store(reciprocals.data(), *rstd);
}

void rms_norm(const View& x, const View& gamma, double epsilon, const View& y, const View& rstd) {
  const int64_t length = gamma.count(), rows = length ? x.count() / length : 0;
  std::vector<float> values = widened(x);
  const std::vector<float> weight = widened(gamma);
  std::vector<float> reciprocals(rows);
  in_parallel(rows, x.count() * 8, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      float* line = values.data() + row * length;
      const double squares =
          sum_of(length, [line](int64_t i) { return static_cast<double>(line[i]) * line[i]; });
      const double root = std::sqrt(squares / length + epsilon);
      for (int64_t i = 0; i < length; ++i) {
        line[i] = static_cast<float>(line[i] / root * weight[i]);
      }
      reciprocals[row] = static_cast<float>(1.0 / root);
    }
  });
  store(values.data(), y);
  store(reciprocals.data(), rstd);
}

void softmax(const View& x, int64_t axis, const View& out) {
  View from = x, to = out;
  for (View* view : {&from, &to}) {
    std::swap(view->dims[axis], view->dims.back());
    std::swap(view->strides[axis], view->strides.back());
  }
  const int64_t length = from.dims.back(), rows = length ? from.count() / length : 0;
  std::vector<float> values = widened(from);
  in_parallel(rows, x.count() * 32, [&](int64_t begin, int64_t end) {
    std::vector<double> p(static_cast<size_t>(length));
    for (int64_t row = begin; row < end; ++row) {
      float* line = values.data() + row * length;
      softmax_row(line, length, largest(line, length), p.data());
      for (int64_t i = 0; i < length; ++i) line[i] = static_cast<float>(p[i]);
    }
  });
  store(values.data(), to);
}

void attention(const Attention& attention) {
  const int64_t heads = attention.q.dims[0] * attention.q.dims[1];
  const int64_t work = attention.q.count() * attention.k.dims[2] +
                       heads * attention.q.dims[2] * attention.k.dims[2] * 8;
  in_parallel(heads, work, [&](int64_t begin, int64_t end) {
    for (int64_t index = begin; index < end; ++index) {
      Head(attention, index / attention.q.dims[1], index % attention.q.dims[1]).run();
    }
  });
}

}  // namespace ascend_emulator::arithmetic
