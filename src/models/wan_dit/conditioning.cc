#include "models/wan_dit/conditioning.h"

#include <unordered_map>

#include "ops/ops.h"

namespace mxdit::wan_dit {

TimestepRows::TimestepRows(Backend& backend, std::span<const float> timesteps, int64_t batch)
    : backend_(backend), batch_(batch), count_(static_cast<int64_t>(timesteps.size())) {
  Tensor ids = Tensor::host(DType::i32, {count_});
  std::unordered_map<float, int32_t> seen;
  for (size_t i = 0; i < timesteps.size(); ++i) {
    const auto next = static_cast<int32_t>(distinct_.size());
    const auto [entry, added] = seen.emplace(timesteps[i], next);
    if (added) distinct_.push_back(timesteps[i]);
    ids.as_mutable<int32_t>()[i] = entry->second;
  }
  if (distinct_.size() != timesteps.size()) ids_ = backend_.from_host(ids);
}

Tensor TimestepRows::spread(const Tensor& table) const {
  const Tensor rows = ids_.defined() ? ops::gather_rows(backend_, table, ids_, DType::f32) : table;
  return rows.reshape({batch_, count_ / batch_, table.dim(1)});
}

Tensor Conditioning::modulation(Backend& backend, const Tensor& table, int64_t i) const {
  const int64_t distinct = projected.dim(1), width = projected.dim(2);
  const Tensor part = projected.slice(i, i + 1).reshape({distinct, width});
  return rows->spread(ops::add(backend, part, table.slice(i, i + 1).reshape({width})));
}

Tensor Conditioning::output_modulation(Backend& backend, const Tensor& table, int64_t i) const {
  const Tensor row = table.slice(i, i + 1).reshape({table.dim(1)});
  return rows->spread(ops::add(backend, embedding, row));
}

}  // namespace mxdit::wan_dit
