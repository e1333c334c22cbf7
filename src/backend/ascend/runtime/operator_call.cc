#include "backend/ascend/runtime/operator_call.h"

#include <algorithm>

#include "backend/ascend/runtime/status.h"

namespace mxdit::ascend {
namespace {

template <typename T>
constexpr size_t kind() {
  return ArgumentRef(std::in_place_type<const T*>, nullptr).index();
}

}  // namespace

OperatorCalls::OperatorCalls(std::shared_ptr<const cann::Libraries> libraries, cann::Stream stream,
                             StreamMemory& memory, size_t most_kept)
    : libraries_(std::move(libraries)),
      cann_(libraries_->functions()),
      stream_(stream),
      memory_(memory),
      most_kept_(most_kept) {}

void OperatorCalls::run(cann::OperatorId id, std::span<const ArgumentRef> arguments,
                        detail::PlanCall plan) {
  key_.assign(1, static_cast<char>(id));
  for (const ArgumentRef& argument : arguments) append_key(key_, argument);
  const auto found = found_by_key_.find(key_);
  if (found != found_by_key_.end()) {
    entries_.splice(entries_.begin(), entries_, found->second);
    launch(entries_.front().prepared);
    return;
  }
  Prepared prepared = prepare(id, arguments, plan);
  try {
    if (retired_.size() == retired_.capacity()) retired_.reserve(2 * retired_.size() + 16);
    launch(prepared);
  } catch (...) {
    destroy(prepared);
    throw;
  }
  if (prepared.repeatable && most_kept_ > 0)
    keep(key_, std::move(prepared));
  else
    retired_.push_back(std::move(prepared));
}

OperatorCalls::Prepared OperatorCalls::prepare(cann::OperatorId id,
                                               std::span<const ArgumentRef> arguments,
                                               detail::PlanCall plan) {
  const cann::OperatorFunctions& functions = libraries_->find(id);
  Prepared prepared;
  prepared.id = id;
  prepared.memory = addresses(arguments);
  prepared.text = std::make_shared<const std::string>(std::string(cann::name(id)) + " (" +
                                                      describe(arguments) + ")");
  try {
    make_objects(arguments, prepared);
    const cann::Status status =
        plan(functions.plan, arguments, prepared.objects, &prepared.workspace, &prepared.executor);
    if (status != cann::kSuccess) {
      prepared.executor = nullptr;
      fail(kind_of(status), failure_text(cann_, std::string(cann::name(id)) + " phase 1", status),
           "; call: ", *prepared.text);
    }
  } catch (...) {
    destroy(prepared);
    throw;
  }
  ++planned_;
  prepared.repeatable = cann_.set_repeatable(prepared.executor) == cann::kSuccess;
  if (!prepared.repeatable) recent_error(cann_);  // refusing is no failure: forget its message
  return prepared;
}

void OperatorCalls::make_objects(std::span<const ArgumentRef> arguments, Prepared& prepared) {
  prepared.objects.reserve(arguments.size());
  prepared.kinds.reserve(arguments.size());
  for (const ArgumentRef& argument : arguments) {
    prepared.objects.push_back(make_object(argument));
    prepared.kinds.push_back(argument.index());
  }
}

// Null for plain values and for arguments that are null.
void* OperatorCalls::make_object(const ArgumentRef& argument) {
  const auto made = [&](void* object, const char* function) {
    if (object == nullptr)
      fail(ErrorKind::internal, "[backend] ascend: ", function, " (",
           describe(std::span(&argument, 1)),
           "): expected an object, got null: ", recent_error(cann_));
    return object;
  };
  if (const auto* view = std::get_if<const TensorView*>(&argument)) {
    const TensorView& v = **view;
    if (v.is_none()) return nullptr;
    return made(cann_.create_tensor(v.dims.data(), static_cast<uint64_t>(v.dims.rank()), v.dtype,
                                    v.strides.data(), v.offset, v.format, v.storage.data(),
                                    static_cast<uint64_t>(v.storage.rank()), v.data),
                "aclCreateTensor");
  }
  if (const auto* scalar = std::get_if<const ScalarValue*>(&argument)) {
    float value = (*scalar)->value;
    return made(cann_.create_scalar(&value, DataType::float32), "aclCreateScalar");
  }
  if (const auto* array = std::get_if<const IntArray*>(&argument)) {
    if (!(*array)->given) return nullptr;
    return made(cann_.create_int_array((*array)->values.data(), (*array)->values.size()),
                "aclCreateIntArray");
  }
  return nullptr;
}

void OperatorCalls::launch(Prepared& prepared) {
  if (prepared.workspace > 0 && (!workspace_ || workspace_->bytes() < prepared.workspace)) {
    workspace_.reset();  // its block is idle from here on, in the stream's order
    workspace_ = memory_.allocate(prepared.workspace);
  }
  void* workspace = prepared.workspace > 0 ? workspace_->data() : nullptr;
  cann::AclOpExecutor* executor = prepared.executor;
  if (!prepared.repeatable) prepared.executor = nullptr;  // phase two consumes it
  const cann::Status status =
      libraries_->find(prepared.id).launch(workspace, prepared.workspace, executor, stream_);
  if (status != cann::kSuccess)
    fail(kind_of(status),
         failure_text(cann_, std::string(cann::name(prepared.id)) + " phase 2", status),
         "; call: ", *prepared.text);
  ++calls_;
  note(prepared);
}

void OperatorCalls::note(const Prepared& prepared) {
  last_[queued_ % kNamed] = prepared.text;
  ++queued_;
}

void OperatorCalls::keep(const std::string& key, Prepared prepared) {
  if (entries_.size() >= most_kept_) drop(std::prev(entries_.end()));
  entries_.push_front({key, std::move(prepared)});
  found_by_key_.emplace(entries_.front().key, entries_.begin());
}

// Its objects live until the stream has passed.
void OperatorCalls::drop(Entries::iterator entry) {
  found_by_key_.erase(entry->key);
  retired_.push_back(std::move(entry->prepared));
  entries_.erase(entry);
}

void OperatorCalls::destroy(Prepared& prepared) noexcept {
  if (prepared.executor != nullptr) cann_.destroy_executor(prepared.executor);
  prepared.executor = nullptr;
  for (size_t i = 0; i < prepared.objects.size(); ++i) {
    void* object = prepared.objects[i];
    if (object == nullptr) continue;
    if (prepared.kinds[i] == kind<TensorView>())
      cann_.destroy_tensor(static_cast<cann::AclTensor*>(object));
    else if (prepared.kinds[i] == kind<ScalarValue>())
      cann_.destroy_scalar(static_cast<cann::AclScalar*>(object));
    else if (prepared.kinds[i] == kind<IntArray>())
      cann_.destroy_int_array(static_cast<cann::AclIntArray*>(object));
  }
  prepared.objects.clear();
}

void OperatorCalls::passed() {
  for (Prepared& prepared : retired_) destroy(prepared);
  retired_.clear();
  queued_ = 0;
}

void OperatorCalls::forget(const void* block, size_t bytes) {
  const std::less<const char*> before;
  const char* begin = static_cast<const char*>(block);
  const auto inside = [&](const void* address) {
    const char* at = static_cast<const char*>(address);
    return !before(at, begin) && before(at, begin + bytes);
  };
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto here = entry++;
    const std::vector<const void*>& memory = here->prepared.memory;
    if (!std::any_of(memory.begin(), memory.end(), inside)) continue;
    destroy(here->prepared);
    found_by_key_.erase(here->key);
    entries_.erase(here);
  }
}

void OperatorCalls::close() noexcept {
  for (Entry& entry : entries_) destroy(entry.prepared);
  for (Prepared& prepared : retired_) destroy(prepared);
  found_by_key_.clear();
  entries_.clear();
  retired_.clear();
  workspace_.reset();
}

std::string OperatorCalls::queued() const {
  if (queued_ == 0) return "no operator calls";
  std::string text = std::to_string(queued_) + " operator calls, the last: ";
  const uint64_t first = queued_ > kNamed ? queued_ - kNamed : 0;
  for (uint64_t i = first; i < queued_; ++i) text += (i == first ? "" : "; ") + *last_[i % kNamed];
  return text;
}

}  // namespace mxdit::ascend
