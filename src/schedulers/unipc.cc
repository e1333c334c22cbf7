#include "schedulers/unipc.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "schedulers/spacing.h"

namespace mxdit {
namespace {

// One level on the path: alpha = 1 - sigma, lambda = log(alpha / sigma), infinite at sigma 0.
struct Level {
  explicit Level(float s) : alpha(1.0 - s), sigma(s), lambda(std::log(alpha) - std::log(sigma)) {}
  double alpha, sigma, lambda;
};

constexpr int kMaxOrder = 3;
using Row = std::array<double, kMaxOrder>;

// The system R rhos = b of the B(h) form (section 3.2 of the paper): row i of R holds the powers
// ratios^i, and b[i] = (i + 1)! phi_{i+2}(hh) hh / B(h).
struct System {
  std::array<Row, kMaxOrder> r{};
  Row b{};
  double phi = 0;  // e^hh - 1
  double bh = 0;   // B(h)
};

// `ratios` holds `order` values, the last one 1.
System make_system(double h, bool bh2, const Row& ratios, int order) {
  System system;
  const double hh = -h;  // the x_0 form integrates backwards
  system.phi = std::expm1(hh);
  system.bh = bh2 ? system.phi : hh;
  double phi_k = system.phi / hh - 1;
  double factorial = 1;
  for (int i = 0; i < order; ++i) {
    for (int j = 0; j < order; ++j) system.r[i][j] = std::pow(ratios[j], i);
    system.b[i] = phi_k * factorial / system.bh;
    factorial *= i + 2;
    phi_k = phi_k / hh - 1 / factorial;
  }
  return system;
}

// Solves the leading n x n part by elimination with row exchanges.
Row solve(System system, int n) {
  auto& r = system.r;
  Row& b = system.b;
  for (int k = 0; k < n; ++k) {
    int pivot = k;
    for (int i = k + 1; i < n; ++i) {
      if (std::fabs(r[i][k]) > std::fabs(r[pivot][k])) pivot = i;
    }
    std::swap(r[k], r[pivot]);
    std::swap(b[k], b[pivot]);
    for (int i = k + 1; i < n; ++i) {
      const double f = r[i][k] / r[k][k];
      for (int j = k; j < n; ++j) r[i][j] -= f * r[k][j];
      b[i] -= f * b[k];
    }
  }
  Row x{};
  for (int k = n - 1; k >= 0; --k) {
    double sum = b[k];
    for (int j = k + 1; j < n; ++j) sum -= r[k][j] * x[j];
    x[k] = sum / r[k][k];
  }
  return x;
}

// Terms of one linear combination.
class Terms {
 public:
  void add(double coefficient, const Tensor& tensor) {
    MXDIT_CHECK(count_ < kMax, "[schedulers] terms: expected at most ", kMax);
    coefficients_[count_] = static_cast<float>(coefficient);
    tensors_[count_++] = &tensor;
  }
  Tensor sum(Backend& backend) const {
    Tensor out = backend.empty(DType::f32, tensors_[0]->shape());
    backend.linear_combination(std::span(coefficients_.data(), count_),
                               std::span(tensors_.data(), count_), out);
    return out;
  }

 private:
  static constexpr size_t kMax = kMaxOrder + 2;
  std::array<float, kMax> coefficients_{};
  std::array<const Tensor*, kMax> tensors_{};
  size_t count_ = 0;
};

}  // namespace

UniPcScheduler::UniPcScheduler(UniPcConfig config)
    : Scheduler(config.num_train_timesteps), config_(std::move(config)) {
  MXDIT_CHECK(config_.solver_order >= 1 && config_.solver_order <= kMaxOrder,
              "[schedulers] solver order: expected 1 to 3, got ", config_.solver_order);
}

void UniPcScheduler::make_schedule(int steps, std::vector<float>* timesteps,
                                   std::vector<float>* sigmas) const {
  const int train = config_.num_train_timesteps;
  std::vector<double> levels = linspace(1.0, 1.0 / train, steps + 1);
  levels.pop_back();
  shift_levels(config_.flow_shift, &levels);
  if (config_.shift_terminal != 0) stretch_levels(config_.shift_terminal, &levels);
  // diffusers' guard against log(alpha) = -inf at the first level.
  constexpr double kEps = 1e-6;
  if (std::fabs(levels[0] - 1) < kEps) levels[0] -= kEps;
  for (const double level : levels) {
    sigmas->push_back(static_cast<float>(level));
    timesteps->push_back(static_cast<float>(static_cast<int64_t>(level * train)));
  }
  sigmas->push_back(config_.final_sigma_zero ? 0.0f : sigmas->back());
}

void UniPcScheduler::forget() {
  outputs_.clear();
  last_sample_ = Tensor();
  last_order_ = 0;
}

bool UniPcScheduler::corrects(int index) const {
  const auto& off = config_.disable_corrector;
  return index > 0 && std::find(off.begin(), off.end(), index - 1) == off.end();
}

Tensor UniPcScheduler::advance(Backend& backend, const Tensor& model_output, int index,
                               const Tensor& sample) {
  Terms prediction;
  prediction.add(1.0, sample);
  prediction.add(-sigmas()[static_cast<size_t>(index)], model_output);
  Tensor x0 = prediction.sum(backend);

  Tensor current = corrects(index) ? correct(backend, x0, index, last_order_) : sample;
  const size_t kept = static_cast<size_t>(config_.solver_order);
  if (outputs_.size() == kept) outputs_.erase(outputs_.begin());
  outputs_.push_back(std::move(x0));

  const int left = static_cast<int>(timesteps().size()) - index;
  int order = std::min(config_.solver_order, index + 1);
  // The step to the end point is infinitely long, or none at all: only order 1 is finite there.
  if (config_.lower_order_final || left == 1) order = std::min(order, left);
  last_order_ = order;
  Tensor next = predict(backend, current, index, order);
  last_sample_ = std::move(current);
  return next;
}

// UniC: the sample at `index` again, from last_sample_ at index - 1, now that x0 at `index` is
// known.
Tensor UniPcScheduler::correct(Backend& backend, const Tensor& x0, int index, int order) const {
  const auto level = [&](int i) { return Level(sigmas()[static_cast<size_t>(i)]); };
  const Level to = level(index), from = level(index - 1);
  const double h = to.lambda - from.lambda;
  Row ratios{};
  for (int k = 1; k < order; ++k) ratios[k - 1] = (level(index - 1 - k).lambda - from.lambda) / h;
  ratios[order - 1] = 1;
  const System system = make_system(h, config_.bh2, ratios, order);
  const Row rhos = order == 1 ? Row{0.5} : solve(system, order);

  const double scale = to.alpha * system.bh;
  const size_t newest = outputs_.size() - 1;
  Terms terms;
  terms.add(to.sigma / from.sigma, last_sample_);
  double base = -to.alpha * system.phi + scale * rhos[order - 1];
  for (int k = 1; k < order; ++k) {
    const double weight = scale * rhos[k - 1] / ratios[k - 1];
    terms.add(-weight, outputs_[newest - static_cast<size_t>(k)]);
    base += weight;
  }
  terms.add(base, outputs_[newest]);
  terms.add(-scale * rhos[order - 1], x0);
  return terms.sum(backend);
}

// UniP: from `sample` at `index` to index + 1.
Tensor UniPcScheduler::predict(Backend& backend, const Tensor& sample, int index, int order) const {
  const auto level = [&](int i) { return Level(sigmas()[static_cast<size_t>(i)]); };
  const Level to = level(index + 1), from = level(index);
  const double h = to.lambda - from.lambda;
  Row ratios{};
  for (int k = 1; k < order; ++k) ratios[k - 1] = (level(index - k).lambda - from.lambda) / h;
  ratios[order - 1] = 1;
  const System system = make_system(h, config_.bh2, ratios, order);
  const Row rhos = order == 2 ? Row{0.5} : solve(system, order - 1);

  const size_t newest = outputs_.size() - 1;
  Terms terms;
  terms.add(to.sigma / from.sigma, sample);
  double base = -to.alpha * system.phi;
  for (int k = 1; k < order; ++k) {
    const double weight = to.alpha * system.bh * rhos[k - 1] / ratios[k - 1];
    terms.add(-weight, outputs_[newest - static_cast<size_t>(k)]);
    base += weight;
  }
  terms.add(base, outputs_[newest]);
  return terms.sum(backend);
}

}  // namespace mxdit
