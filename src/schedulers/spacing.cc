#include "schedulers/spacing.h"

#include <stddef.h>

namespace mxdit {

std::vector<double> linspace(double first, double last, int count) {
  std::vector<double> values(static_cast<size_t>(count), first);
  if (count < 2) return values;
  const double step = (last - first) / (count - 1);
  for (int i = 0; i < count; ++i) values[static_cast<size_t>(i)] = i * step + first;
  values.back() = last;
  return values;
}

void shift_levels(double shift, std::vector<double>* levels) {
  for (double& s : *levels) s = shift * s / (1 + (shift - 1) * s);
}

void stretch_levels(double terminal, std::vector<double>* levels) {
  const double scale = (1 - levels->back()) / (1 - terminal);
  for (double& s : *levels) s = 1 - (1 - s) / scale;
}

}  // namespace mxdit
