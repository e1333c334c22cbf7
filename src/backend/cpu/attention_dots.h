// Attention on operands packed as dots: the driver of AttentionKernels.
#pragma once

#include "backend/backend.h"
#include "backend/cpu/kernel_table.h"
#include "backend/cpu/memory_pool.h"
#include "core/thread_pool.h"

namespace mxdit::cpu {

// bf16 without a bias, where the table has the kernels. Any head dimension: it is filled up with
// zeros to a multiple of 32.
bool takes_dots(const KernelTable& kernels, DType type, bool bias) noexcept;

// Whether attend_dots() has scores in int8 for heads of that size; if not, it takes bf16.
bool takes_int8_scores(const KernelTable& kernels, int64_t head_dim) noexcept;

// As Backend::attention. Keys and values are packed once and shared by all queries, as many heads
// at a time as fit in 64 MiB.
void attend_dots(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                 const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out);

}  // namespace mxdit::cpu
