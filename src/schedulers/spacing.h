// Noise levels as numpy computes them for diffusers: double arithmetic, in numpy's order.
// Compiled without contraction, since UniPC cuts sigma * T to whole numbers.
#pragma once

#include <vector>

namespace mxdit {

// numpy.linspace(first, last, count): `count` values, both ends included.
std::vector<double> linspace(double first, double last, int count);

// shift * s / (1 + (shift - 1) * s) of every level.
void shift_levels(double shift, std::vector<double>* levels);

// Stretches 1 - s so that the last level is `terminal`.
void stretch_levels(double terminal, std::vector<double>* levels);

}  // namespace mxdit
