// How an operator is made. One file of operators/ has:
//
//   const OperatorInfo kSilu{.name = "aclnnSilu", .library = Library::nn};
//   const Registration registered(kSilu);
//
//   aclnnStatus aclnnSiluGetWorkspaceSize(const aclTensor* self, aclTensor* out, uint64_t* size,
//                                         aclOpExecutor** executor) {
//     return plan(kSilu, size, executor, [&](Call& call) {
//       const Operand x = call.input("self", self);       // 161001 when null: fetch all arguments
//       first const Operand y = call.output("out", out); call.require(x->dtype == y->dtype,
//       ACLNN_ERR_PARAM_INVALID, "out: expected ...");  // in order call.workspace(64 << 10);
//       call.run([=](Run& run) { silu(run.view(x), run.view(y)); });
//     });
//   }
//   ASCEND_OPERATOR_LAUNCH(aclnnSilu, kSilu)
//
// The core does the rest: SoC before everything, null size and executor, device addresses (host
// pointers, alignment, allocation large enough, freed memory) after the operator's own checks, the
// executor's states, workspace, and on the queue thread: freed memory, NZ bytes read as ND or the
// reverse, operands that overlap, writes outside of the output views.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/objects.h"

namespace ascend_emulator {

enum class Library { nn, math, transformer };
enum class Soc { any, a5 };
// Generated operators check the size of the workspace (161002); hand-written ones do not: a
// workspace too small is a kernel that fails.
enum class Origin { hand_written, generated };

struct OperatorInfo {
  const char* name;  // of the second phase
  Library library;
  const char* since = "8.0";  // first CANN version, "major.minor"
  Soc soc = Soc::any;
  aclnnStatus wrong_soc = ACLNN_ERR_RUNTIME_ERROR;
  Origin origin = Origin::hand_written;
  bool repeatable = true;  // aclSetAclOpExecutorRepeatable is accepted
  bool in_place = false;   // an output may be exactly an input's view; else they share no byte
  bool writes_nz = false;  // an output of format NZ becomes NZ bytes: FormatCast alone
};

// Keeps the list of operators that a library offers; `info` outlives it.
class Registration {
 public:
  explicit Registration(const OperatorInfo& info);
  ~Registration();
  Registration(const Registration&) = delete;
  Registration& operator=(const Registration&) = delete;

 private:
  const OperatorInfo* info_;
};

// Thrown out of the checks of phase 1.
struct Refusal {
  aclnnStatus status;
  std::string message;
};

// Thrown out of a kernel: the stream fails with this code, and the message is that of the next
// sync.
struct KernelFault {
  aclError status;
  std::string message;
};

// A tensor argument; empty for an optional one that was null.
class Operand {
 public:
  Operand() = default;
  const Tensor* operator->() const { return tensor_.get(); }
  const Tensor& operator*() const { return *tensor_; }
  explicit operator bool() const { return tensor_ != nullptr; }

 private:
  friend class Call;
  friend class Run;
  size_t index_ = 0;
  std::shared_ptr<const Tensor> tensor_;
};

// Memory of an operand while the kernel runs. Element i of dimension d lies at element
// offset + sum of index * stride of the storage (fp4: two elements a byte, the even one low).
struct View {
  std::byte* storage;
  int64_t offset;
  aclDataType dtype;
  aclFormat format;
  Dims shape;
  Dims strides;
  Dims storage_shape;
  // First byte of the view; not for fp4 at an odd offset.
  std::byte* data() const;
};

class Executor;

// The arguments of phase 1. Every function that fails throws Refusal with a text that names the
// operator and the argument.
class Call {
 public:
  Operand input(const char* argument, const aclTensor* tensor,
                aclnnStatus when_null = ACLNN_ERR_PARAM_NULLPTR);
  Operand output(const char* argument, const aclTensor* tensor,
                 aclnnStatus when_null = ACLNN_ERR_PARAM_NULLPTR);
  // Read and written, as selfRef of an operator that reads it.
  Operand updated(const char* argument, const aclTensor* tensor);
  Operand optional_input(const char* argument, const aclTensor* tensor);
  Operand optional_output(const char* argument, const aclTensor* tensor);
  std::vector<Operand> inputs(const char* argument, const aclTensorList* list);
  Dims int_array(const char* argument, const aclIntArray* array);
  std::optional<Dims> optional_int_array(const char* argument, const aclIntArray* array);
  Scalar scalar(const char* argument, const aclScalar* scalar);
  std::optional<Scalar> optional_scalar(const char* argument, const aclScalar* scalar);

  template <class... Text>
  void require(bool ok, aclnnStatus status, const Text&... text) const {
    if (!ok) refuse(status, text...);
  }
  template <class... Text>
  [[noreturn]] void refuse(aclnnStatus status, const Text&... text) const {
    std::ostringstream message;
    (message << ... << text);
    throw_refusal(status, message.str());
  }

  // Bytes of workspace. Positive for quantization, products and attention; keep it below about 64
  // KiB and dependent on the shape: it is poisoned before each run.
  void workspace(uint64_t bytes);
  // What the queue thread does later. It captures operands and values, never handles or references.
  void run(std::function<void(class Run&)> kernel);

 private:
  friend struct CallAccess;
  explicit Call(const OperatorInfo& info);
  Operand operand(const char* argument, const aclTensor* tensor, bool reads, bool writes,
                  aclnnStatus when_null);
  [[noreturn]] void throw_refusal(aclnnStatus status, std::string text) const;

  const OperatorInfo& info_;
  std::shared_ptr<Executor> executor_;
};

// One run of a kernel, on the queue thread. The memory of the declared operands is checked before
// and after; nothing else may be touched.
class Run {
 public:
  View view(const Operand& operand) const;

 private:
  friend struct RunAccess;
  std::vector<std::byte*> storages_;
};

// Phase 1. Writes *workspace_size and *executor only when it returns 0.
aclnnStatus plan(const OperatorInfo& info, uint64_t* workspace_size, aclOpExecutor** executor,
                 const std::function<void(Call&)>& check);
// Phase 2.
aclnnStatus launch(const OperatorInfo& info, void* workspace, uint64_t workspace_size,
                   aclOpExecutor* executor, aclrtStream stream);
// A function that only looks at its arguments, as NpuFormatCastCalculateSizeAndFormat.
aclnnStatus direct(const OperatorInfo& info, const std::function<void(Call&)>& check);

#define ASCEND_OPERATOR_LAUNCH(function, info)                                            \
  aclnnStatus function(void* workspace, uint64_t workspace_size, aclOpExecutor* executor, \
                       aclrtStream stream) {                                              \
    return ascend_emulator::launch(info, workspace, workspace_size, executor, stream);    \
  }

}  // namespace ascend_emulator
