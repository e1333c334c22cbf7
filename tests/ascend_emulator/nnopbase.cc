// libnnopbase.so: tensors, scalars, arrays, lists, executors.
#include <limits>

#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/executor.h"
#include "ascend_emulator/state.h"

using namespace ascend_emulator;

namespace {

template <class Handle>
Handle* refused(const char* function, const std::string& text) {
  fail(ACLNN_ERR_PARAM_INVALID, std::string(function) + ": " + text);
  return nullptr;
}

// Text of what is wrong with a handle that should be alive, kept for aclFinalize as well.
aclnnStatus bad_handle(const char* function, const void* handle, HandleFate fate) {
  if (handle == nullptr) return fail(ACLNN_ERR_PARAM_NULLPTR, std::string(function) + ": got null");
  const std::string text =
      std::string(function) +
      (fate == HandleFate::gone ? ": destroyed before" : ": the handle is none of this kind");
  state().broken(text);
  return fail(ACLNN_ERR_PARAM_INVALID, text);
}

// False when the product does not fit, or an extent is negative.
bool fits(const Dims& shape) {
  int64_t product = 1;
  for (const int64_t extent : shape) {
    if (extent < 0) return false;
    if (extent > 0 && product > (int64_t{1} << 50) / extent) return false;
    product *= extent > 0 ? extent : 1;
  }
  return true;
}

// "" or what is wrong with the description.
std::string problem_of(const Tensor& tensor) {
  const int bits = bits_per_element(tensor.dtype);
  if (bits == 0) return "dtype: " + std::to_string(tensor.dtype) + " is unknown";
  if (!fits(tensor.shape)) return "view " + to_text(tensor.shape) + ": expected extents from 0";
  if (!fits(tensor.storage_shape))
    return "storage " + to_text(tensor.storage_shape) + ": bad extents";
  if (tensor.offset < 0) return "offset: expected at least 0, got " + std::to_string(tensor.offset);
  const int64_t storage = element_count(tensor.storage_shape);
  int64_t last = tensor.offset;
  for (size_t d = 0; d < tensor.shape.size(); ++d) {
    const int64_t stride = tensor.strides[d];
    if (stride < 0) return "strides " + to_text(tensor.strides) + ": expected at least 0";
    if (tensor.shape[d] > 1 && stride > storage) {
      return "strides " + to_text(tensor.strides) + " leave the storage " +
             to_text(tensor.storage_shape);
    }
    last += (tensor.shape[d] - 1) * stride;
    if (tensor.elements() > 0 && last >= storage) break;
  }
  if (tensor.elements() > 0 && last >= storage) {
    return "view " + to_text(tensor.shape) + " with strides " + to_text(tensor.strides) +
           " and offset " + std::to_string(tensor.offset) + " leaves the storage " +
           to_text(tensor.storage_shape);
  }
  return "";
}

}  // namespace

aclnnStatus aclnnInit(const char*) {
  return ACLNN_SUCCESS;
}
aclnnStatus aclnnFinalize() {
  return ACLNN_SUCCESS;
}

aclTensor* aclCreateTensor(const int64_t* view_dims, uint64_t view_rank, aclDataType dtype,
                           const int64_t* strides, int64_t offset, aclFormat format,
                           const int64_t* storage_dims, uint64_t storage_rank,
                           void* device_pointer) {
  const char* name = "aclCreateTensor";
  Lock lock(state().mutex);
  if ((view_dims == nullptr && view_rank > 0) || (storage_dims == nullptr && storage_rank > 0)) {
    return refused<aclTensor>(name, "viewDims, storageDims: expected pointers, got null");
  }
  auto tensor = std::make_shared<Tensor>();
  tensor->dtype = dtype;
  tensor->format = format;
  tensor->shape.assign(view_dims, view_dims + view_rank);
  tensor->storage_shape.assign(storage_dims, storage_dims + storage_rank);
  tensor->offset = offset;
  tensor->address = device_pointer;
  if (strides != nullptr) {
    tensor->strides.assign(strides, strides + view_rank);
  } else if (fits(tensor->shape)) {
    tensor->strides = contiguous_strides(tensor->shape);
  }
  if (const std::string problem = problem_of(*tensor); !problem.empty()) {
    return refused<aclTensor>(name, problem);
  }
  auto object = std::make_shared<TensorObject>();
  object->tensor = std::move(tensor);
  return static_cast<aclTensor*>(state().tensors.add(std::move(object)));
}

aclScalar* aclCreateScalar(void* value, aclDataType dtype) {
  Lock lock(state().mutex);
  const int bits = bits_per_element(dtype);
  const bool known = bits >= 8 && (dtype < ACL_HIFLOAT8 || dtype > ACL_FLOAT4_E1M2);
  if (value == nullptr || !known) {
    return refused<aclScalar>("aclCreateScalar", "expected a value of a plain type, got " +
                                                     (value ? dtype_name(dtype) : "null"));
  }
  auto scalar = std::make_shared<Scalar>();
  scalar->dtype = dtype;
  std::memcpy(scalar->bytes, value, static_cast<size_t>(bits / 8));
  return static_cast<aclScalar*>(state().scalars.add(std::move(scalar)));
}

aclIntArray* aclCreateIntArray(const int64_t* values, uint64_t size) {
  Lock lock(state().mutex);
  if (values == nullptr && size > 0) return refused<aclIntArray>("aclCreateIntArray", "got null");
  return static_cast<aclIntArray*>(
      state().int_arrays.add(std::make_shared<Dims>(values, values + size)));
}

aclTensorList* aclCreateTensorList(const aclTensor* const* tensors, uint64_t size) {
  State& all = state();
  Lock lock(all.mutex);
  if (tensors == nullptr && size > 0)
    return refused<aclTensorList>("aclCreateTensorList", "got null");
  auto list = std::make_shared<TensorListObject>();
  for (uint64_t i = 0; i < size; ++i) {
    const auto object = all.tensors.find(tensors[i]);
    if (!object || object->list != nullptr) {
      const std::string text =
          "member " + std::to_string(i) +
          (object ? " belongs to another list" : " is no tensor, or destroyed");
      all.broken("aclCreateTensorList: " + text);
      return refused<aclTensorList>("aclCreateTensorList", text);
    }
    list->members.push_back(tensors[i]);
  }
  void* handle = all.tensor_lists.add(list);
  for (const aclTensor* member : list->members) all.tensors.find(member)->list = handle;
  return static_cast<aclTensorList*>(handle);
}

namespace {

// Destroyed whatever happens; work that still needs the tensor fails.
aclnnStatus destroy_tensor(const char* function, const aclTensor* handle,
                           const TensorObject& object) {
  State& all = state();
  aclnnStatus status = ACLNN_SUCCESS;
  if (object.uses.pending()) {
    const std::string text = std::string(function) + ": tensor " +
                             dtype_name(object.tensor->dtype) + to_text(object.tensor->shape) +
                             " destroyed before the work that uses it was waited for";
    all.broken(text);
    status = fail(ACLNN_ERR_PARAM_INVALID, text);
  }
  all.tensors.remove(handle);
  return status;
}

}  // namespace

aclnnStatus aclDestroyTensor(const aclTensor* handle) {
  State& all = state();
  Lock lock(all.mutex);
  const auto object = all.tensors.find(handle);
  if (!object) return bad_handle("aclDestroyTensor", handle, all.tensors.fate(handle));
  if (object->list != nullptr) {
    all.broken("aclDestroyTensor: the tensor belongs to a list, which destroys it");
    return fail(ACLNN_ERR_PARAM_INVALID,
                "aclDestroyTensor: the tensor belongs to a list, which destroys it");
  }
  return destroy_tensor("aclDestroyTensor", handle, *object);
}

aclnnStatus aclDestroyScalar(const aclScalar* handle) {
  Lock lock(state().mutex);
  if (state().scalars.remove(handle)) return ACLNN_SUCCESS;
  return bad_handle("aclDestroyScalar", handle, state().scalars.fate(handle));
}

aclnnStatus aclDestroyIntArray(const aclIntArray* handle) {
  Lock lock(state().mutex);
  if (state().int_arrays.remove(handle)) return ACLNN_SUCCESS;
  return bad_handle("aclDestroyIntArray", handle, state().int_arrays.fate(handle));
}

aclnnStatus aclDestroyTensorList(const aclTensorList* handle) {
  State& all = state();
  Lock lock(all.mutex);
  const auto list = all.tensor_lists.find(handle);
  if (!list) return bad_handle("aclDestroyTensorList", handle, all.tensor_lists.fate(handle));
  aclnnStatus status = ACLNN_SUCCESS;
  for (const aclTensor* member : list->members) {
    const aclnnStatus one =
        destroy_tensor("aclDestroyTensorList", member, *all.tensors.find(member));
    if (status == ACLNN_SUCCESS) status = one;
  }
  all.tensor_lists.remove(handle);
  return status;
}

aclnnStatus aclSetAclOpExecutorRepeatable(aclOpExecutor* handle) {
  State& all = state();
  Lock lock(all.mutex);
  const auto executor = all.executors.find(handle);
  if (!executor)
    return bad_handle("aclSetAclOpExecutorRepeatable", handle, all.executors.fate(handle));
  const std::string name = std::string("aclSetAclOpExecutorRepeatable: ") + executor->info().name;
  if (!executor->info().repeatable)
    return fail(ACLNN_ERR_INNER_CREATE_EXECUTOR, name + " cannot repeat");
  if (executor->launches > 0) {
    all.broken(name + ": called after the second phase");
    return fail(ACLNN_ERR_INNER_CREATE_EXECUTOR, name + ": called after the second phase");
  }
  executor->repeatable = true;
  return ACLNN_SUCCESS;
}

aclnnStatus aclDestroyAclOpExecutor(aclOpExecutor* handle) {
  State& all = state();
  Lock lock(all.mutex);
  if (all.executors.remove(handle)) return ACLNN_SUCCESS;
  return bad_handle("aclDestroyAclOpExecutor", handle, all.executors.fate(handle));
}
