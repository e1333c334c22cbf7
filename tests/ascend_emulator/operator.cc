#include "ascend_emulator/operator.h"

#include <algorithm>
#include <exception>
#include <utility>

#include "ascend_emulator/executor.h"
#include "ascend_emulator/kernel_run.h"
#include "ascend_emulator/view_bytes.h"

namespace ascend_emulator {

namespace {

aclnnStatus fail_in(const OperatorInfo& info, aclnnStatus status, const std::string& text) {
  return fail(status, std::string(info.name) + ": " + text);
}

// An error that the device would not report: also kept for aclFinalize.
aclnnStatus break_rule(const OperatorInfo& info, aclnnStatus status, const std::string& text) {
  state().broken(std::string(info.name) + ": " + text);
  return fail_in(info, status, text);
}

bool is_a5(const std::string& soc) {
  return soc.starts_with("Ascend950") || soc.starts_with("Ascend910_95");
}

// What every function of an operator library needs: the runtime, and a SoC that has the operator.
aclnnStatus check_device(const OperatorInfo& info, std::shared_ptr<Context>& context) {
  if (const int status = require_context(info.name, context); status != ACL_SUCCESS) {
    return fail_in(info, ACLNN_ERR_RUNTIME_ERROR, "the runtime returned " + std::to_string(status));
  }
  const std::string& soc = state().settings.soc;
  if (info.soc == Soc::a5 && !is_a5(soc)) {
    return fail_in(info, info.wrong_soc,
                   "expected an Ascend950, got " + (soc.empty() ? "no SoC" : soc));
  }
  return ACLNN_SUCCESS;
}

// Rules about the memory of tensors; the device checks none of them.
std::string problem_of_operands(const Executor& executor, int device) {
  const OperatorInfo& info = executor.info();
  for (const Argument& argument : executor.arguments) {
    if (std::string problem = problem_of_memory(argument, device); !problem.empty()) return problem;
    if (!argument.writes) continue;
    if (is_nz(argument.tensor->format) && !info.writes_nz) {
      return argument.name + ": only NpuFormatCast writes FRACTAL_NZ";
    }
    if (repeats_elements(*argument.tensor)) {
      return argument.name + ": expected an output whose elements are distinct, got strides " +
             to_text(argument.tensor->strides);
    }
  }
  for (const Argument& output : executor.arguments) {
    if (!output.writes) continue;
    for (const Argument& other : executor.arguments) {
      if (&other == &output || !views_overlap(*output.tensor, *other.tensor)) continue;
      if (info.in_place && !other.writes && same_view(*output.tensor, *other.tensor)) continue;
      return output.name + ": overlaps " + other.name;
    }
  }
  return "";
}

uint64_t number_of(const void* address) {
  return reinterpret_cast<uint64_t>(address);
}

void note_uses(const Executor& executor, const Launch& launch, const Place& place) {
  State& all = state();
  std::vector<Access> accesses;
  for (const Argument& argument : executor.arguments) {
    all.tensors.find(argument.handle)->uses.add(place);
    const Tensor& tensor = *argument.tensor;
    if (tensor.elements() == 0) continue;
    const auto allocation = all.memory.find(tensor.address, tensor.storage_bytes());
    if (!allocation) continue;
    const uint64_t base = number_of(tensor.address) - allocation->address;
    accesses.push_back(
        {allocation, base + tensor.view_begin(), base + tensor.view_end(), argument.writes});
  }
  if (executor.workspace > 0 && launch.workspace != nullptr) {
    if (const auto allocation = all.memory.find(launch.workspace, executor.workspace)) {
      const uint64_t base = number_of(launch.workspace) - allocation->address;
      accesses.push_back({allocation, base, base + executor.workspace, true});
    }
  }
  for (const Access& access : accesses) access.allocation->uses->add(place);
  note_accesses(executor.info().name, place, accesses);
}

}  // namespace

struct CallAccess {
  static Call make(const OperatorInfo& info) { return Call(info); }
  static const std::shared_ptr<Executor>& executor(const Call& call) { return call.executor_; }
};

Registration::Registration(const OperatorInfo& info) : info_(&info) {
  Lock lock(state().mutex);
  state().operators.push_back(info_);
}

Registration::~Registration() {
  Lock lock(state().mutex);
  std::erase(state().operators, info_);
}

std::byte* View::data() const {
  return storage + offset * bits_per_element(dtype) / 8;
}

View Run::view(const Operand& operand) const {
  const Tensor& tensor = *operand;
  return {storages_[operand.index_],
          tensor.offset,
          tensor.dtype,
          tensor.format,
          tensor.shape,
          tensor.strides,
          tensor.storage_shape};
}

Call::Call(const OperatorInfo& info) : info_(info), executor_(std::make_shared<Executor>(info)) {}

Operand Call::operand(const char* argument, const aclTensor* tensor, bool reads, bool writes,
                      aclnnStatus when_null) {
  if (tensor == nullptr) refuse(when_null, argument, ": expected a tensor, got null");
  const auto object = state().tensors.find(tensor);
  if (!object) {
    const bool gone = state().tensors.fate(tensor) == HandleFate::gone;
    state().broken(std::string(info_.name) + ": " + argument +
                   (gone ? " was destroyed" : " is no tensor"));
    refuse(ACLNN_ERR_PARAM_INVALID, argument, gone ? ": the tensor was destroyed" : ": no tensor");
  }
  Operand operand;
  operand.index_ = executor_->arguments.size();
  operand.tensor_ = object->tensor;
  executor_->arguments.push_back({argument, tensor, object->tensor, reads, writes});
  return operand;
}

Operand Call::input(const char* argument, const aclTensor* tensor, aclnnStatus when_null) {
  return operand(argument, tensor, true, false, when_null);
}

Operand Call::output(const char* argument, const aclTensor* tensor, aclnnStatus when_null) {
  return operand(argument, tensor, false, true, when_null);
}

Operand Call::updated(const char* argument, const aclTensor* tensor) {
  return operand(argument, tensor, true, true, ACLNN_ERR_PARAM_NULLPTR);
}

Operand Call::optional_input(const char* argument, const aclTensor* tensor) {
  return tensor == nullptr ? Operand() : input(argument, tensor);
}

Operand Call::optional_output(const char* argument, const aclTensor* tensor) {
  return tensor == nullptr ? Operand() : output(argument, tensor);
}

std::vector<Operand> Call::inputs(const char* argument, const aclTensorList* list) {
  if (list == nullptr)
    refuse(ACLNN_ERR_PARAM_NULLPTR, argument, ": expected a tensor list, got null");
  const auto object = state().tensor_lists.find(list);
  if (!object) refuse(ACLNN_ERR_PARAM_INVALID, argument, ": the handle is no tensor list");
  std::vector<Operand> operands;
  for (size_t i = 0; i < object->members.size(); ++i) {
    const std::string name = std::string(argument) + "[" + std::to_string(i) + "]";
    operands.push_back(input(name.c_str(), object->members[i]));
  }
  return operands;
}

Dims Call::int_array(const char* argument, const aclIntArray* array) {
  if (array == nullptr) refuse(ACLNN_ERR_PARAM_NULLPTR, argument, ": expected an array, got null");
  const auto object = state().int_arrays.find(array);
  if (!object) refuse(ACLNN_ERR_PARAM_INVALID, argument, ": the handle is no integer array");
  return *object;
}

std::optional<Dims> Call::optional_int_array(const char* argument, const aclIntArray* array) {
  if (array == nullptr) return std::nullopt;
  return int_array(argument, array);
}

Scalar Call::scalar(const char* argument, const aclScalar* scalar) {
  if (scalar == nullptr) refuse(ACLNN_ERR_PARAM_NULLPTR, argument, ": expected a scalar, got null");
  const auto object = state().scalars.find(scalar);
  if (!object) refuse(ACLNN_ERR_PARAM_INVALID, argument, ": the handle is no scalar");
  return *object;
}

std::optional<Scalar> Call::optional_scalar(const char* argument, const aclScalar* value) {
  if (value == nullptr) return std::nullopt;
  return scalar(argument, value);
}

void Call::workspace(uint64_t bytes) {
  executor_->workspace = bytes;
}
void Call::run(std::function<void(Run&)> kernel) {
  executor_->kernel = std::move(kernel);
}

void Call::throw_refusal(aclnnStatus status, std::string text) const {
  throw Refusal{status, std::move(text)};
}

namespace {

// Runs the operator's own checks; exceptions end as a status.
aclnnStatus checked(const OperatorInfo& info, Call& call, const std::function<void(Call&)>& check) {
  try {
    check(call);
    return ACLNN_SUCCESS;
  } catch (const Refusal& refusal) {
    return fail_in(info, refusal.status, refusal.message);
  } catch (const std::exception& error) {
    return fail_in(info, ACLNN_ERR_INNER, error.what());
  }
}

}  // namespace

aclnnStatus plan(const OperatorInfo& info, uint64_t* workspace_size, aclOpExecutor** executor,
                 const std::function<void(Call&)>& check) {
  State& all = state();
  Lock lock(all.mutex);
  all.count(std::string(info.name) + "GetWorkspaceSize");
  std::shared_ptr<Context> context;
  if (const auto status = check_device(info, context); status != ACLNN_SUCCESS) return status;
  if (all.settings.plan_fails.strikes(info.name)) {
    return fail_in(info, all.settings.plan_fails.status, "the first phase failed");
  }
  if (workspace_size == nullptr || executor == nullptr) {
    return fail_in(info, ACLNN_ERR_PARAM_NULLPTR,
                   "workspaceSize, executor: expected pointers, got null");
  }
  Call call = CallAccess::make(info);
  if (const auto status = checked(info, call, check); status != ACLNN_SUCCESS) return status;
  const std::shared_ptr<Executor>& made = CallAccess::executor(call);
  if (!made->kernel) return fail_in(info, ACLNN_ERR_INNER, "the emulator has no kernel for this");
  if (const auto problem = problem_of_operands(*made, context->device); !problem.empty()) {
    return break_rule(info, ACLNN_ERR_PARAM_INVALID, problem);
  }
  *workspace_size = made->workspace;
  *executor = static_cast<aclOpExecutor*>(all.executors.add(made));
  return ACLNN_SUCCESS;
}

aclnnStatus direct(const OperatorInfo& info, const std::function<void(Call&)>& check) {
  Lock lock(state().mutex);
  state().count(info.name);
  std::shared_ptr<Context> context;
  if (const auto status = check_device(info, context); status != ACLNN_SUCCESS) return status;
  Call call = CallAccess::make(info);
  return checked(info, call, check);
}

namespace {

// The executor behind the handle, if this operator made it and it may be launched.
std::shared_ptr<Executor> find_executor(const OperatorInfo& info, const aclOpExecutor* handle) {
  const auto executor = state().executors.find(handle);
  std::string problem;
  if (!executor) {
    problem = state().executors.fate(handle) == HandleFate::gone
                  ? "the executor was used or destroyed before"
                  : "the handle is no executor";
  } else if (&executor->info() != &info) {
    problem = std::string("the executor was made by ") + executor->info().name + "GetWorkspaceSize";
  }
  for (const Argument& argument : executor ? executor->arguments : std::vector<Argument>()) {
    if (problem.empty() && state().tensors.fate(argument.handle) != HandleFate::alive) {
      problem = argument.name + ": the tensor was destroyed between the phases";
    }
  }
  if (problem.empty()) return executor;
  break_rule(info, ACLNN_ERR_INNER_CREATE_EXECUTOR, problem);
  return nullptr;
}

}  // namespace

aclnnStatus launch(const OperatorInfo& info, void* workspace, uint64_t workspace_size,
                   aclOpExecutor* handle, aclrtStream stream_handle) {
  State& all = state();
  Lock lock(all.mutex);
  all.count(info.name);
  if (handle == nullptr || (workspace_size > 0 && workspace == nullptr)) {
    return fail_in(info, ACLNN_ERR_PARAM_NULLPTR,
                   "executor, workspace: expected pointers, got null");
  }
  std::shared_ptr<Context> context;
  if (const auto status = check_device(info, context); status != ACLNN_SUCCESS) return status;
  const auto executor = find_executor(info, handle);
  if (!executor) return ACLNN_ERR_INNER_CREATE_EXECUTOR;
  // From here on the executor is used up, whatever comes of it.
  ++executor->launches;
  if (!executor->repeatable) all.executors.remove(handle);
  if (info.origin == Origin::generated && workspace_size < executor->workspace) {
    return fail_in(info, ACLNN_ERR_PARAM_INVALID,
                   "workspace: expected " + std::to_string(executor->workspace) + " bytes, got " +
                       std::to_string(workspace_size));
  }
  std::shared_ptr<Stream> stream;
  if (const int status = require_stream(info.name, *context, stream_handle, stream);
      status != ACL_SUCCESS) {
    return fail_in(info, ACLNN_ERR_RUNTIME_ERROR, "the runtime returned " + std::to_string(status));
  }
  const Launch work{executor, workspace, context->device};
  if (workspace_size > 0) {
    if (const auto problem = problem_of_workspace(work, workspace_size); !problem.empty()) {
      return break_rule(info, ACLNN_ERR_PARAM_INVALID, problem);
    }
  }
  const Place place = submit(*stream, {info.name, [work] { run_kernel(work); }, nullptr, nullptr});
  note_uses(*executor, work, place);
  return ACLNN_SUCCESS;
}

}  // namespace ascend_emulator
