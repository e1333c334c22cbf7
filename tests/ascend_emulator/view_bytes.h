// Which bytes of its storage a view touches.
#pragma once

#include <cstdint>
#include <functional>

#include "ascend_emulator/objects.h"

namespace ascend_emulator {

// Calls `visit(begin, end)` for runs of bytes, as offsets from the storage's start; all of it for
// NZ.
void for_each_run(const Tensor& tensor, const std::function<void(uint64_t, uint64_t)>& visit);

// Both views are the same bytes in the same order, of elements of the same size.
bool same_view(const Tensor& a, const Tensor& b);
// At least one byte belongs to both. Exact, also for views whose rows interleave.
bool views_overlap(const Tensor& a, const Tensor& b);
// Two indices mean the same element, as in a broadcast view.
bool repeats_elements(const Tensor& tensor);

}  // namespace ascend_emulator
