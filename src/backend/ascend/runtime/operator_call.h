// Operators of aclnn: two phases, with executors kept for calls that repeat.
//
//   calls.call(op::add, a, b, ScalarValue(1), out);
//
// On the first call with certain arguments (addresses included) acl's objects are made and phase
// one gives an executor and the size of its workspace; where CANN lets it be repeatable it is kept,
// and the next call with equal arguments only runs phase two. Otherwise it is used once. Objects
// are destroyed only after the stream has passed the calls they were made for.
//
// Errors: Error{unsupported} for an operator that the libraries lack; Error{internal} with CANN's
// message for a refused call. Nothing is queued then.
#pragma once

#include <array>
#include <list>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

#include "backend/ascend/cann/libraries.h"
#include "backend/ascend/runtime/operator_values.h"
#include "backend/ascend/runtime/stream_memory.h"

namespace mxdit::ascend {

// An operator with the types of its arguments.
template <typename... Args>
struct Operator {
  cann::OperatorId id;
};

namespace op {
#define MXDIT_CANN_TYPED(identifier, symbol, since, use, ...) \
  inline constexpr Operator<__VA_ARGS__> identifier{cann::OperatorId::identifier};
MXDIT_CANN_OPERATORS(MXDIT_CANN_TYPED)
#undef MXDIT_CANN_TYPED
}  // namespace op

namespace detail {

// What C sees of an argument: the object made of it, or the value itself.
template <typename T>
struct Passed {
  using Type = T;
  static T get(const ArgumentRef& argument, void*) { return std::get<T>(argument); }
};
template <>
struct Passed<Text> {
  using Type = const char*;
  static Type get(const ArgumentRef& argument, void*) { return std::get<Text>(argument).text; }
};
template <typename Object>
struct PassedObject {
  using Type = Object*;
  static Type get(const ArgumentRef&, void* object) { return static_cast<Object*>(object); }
};
template <>
struct Passed<TensorView> : PassedObject<cann::AclTensor> {};
template <>
struct Passed<ScalarValue> : PassedObject<cann::AclScalar> {};
template <>
struct Passed<IntArray> : PassedObject<cann::AclIntArray> {};

template <typename T>
ArgumentRef reference(const T& argument) {
  if constexpr (std::is_constructible_v<ArgumentRef, std::in_place_type_t<const T*>, const T*>)
    return ArgumentRef(std::in_place_type<const T*>, &argument);
  else
    return ArgumentRef(std::in_place_type<T>, argument);
}

using PlanCall = cann::Status (*)(void* function, std::span<const ArgumentRef> arguments,
                                  std::span<void* const> objects, uint64_t* workspace,
                                  cann::AclOpExecutor** executor);

template <typename... Args>
struct Plan {
  static cann::Status run(void* function, std::span<const ArgumentRef> arguments,
                          std::span<void* const> objects, uint64_t* workspace,
                          cann::AclOpExecutor** executor) {
    return apply(function, arguments, objects, workspace, executor,
                 std::index_sequence_for<Args...>());
  }

 private:
  template <size_t... I>
  static cann::Status apply(void* function, std::span<const ArgumentRef> arguments,
                            std::span<void* const> objects, uint64_t* workspace,
                            cann::AclOpExecutor** executor, std::index_sequence<I...>) {
    using Function =
        cann::Status (*)(typename Passed<Args>::Type..., uint64_t*, cann::AclOpExecutor**);
    return reinterpret_cast<Function>(function)(Passed<Args>::get(arguments[I], objects[I])...,
                                                workspace, executor);
  }
};

}  // namespace detail

class OperatorCalls {
 public:
  // `most_kept`: executors that are kept, the least recently used one going first.
  OperatorCalls(std::shared_ptr<const cann::Libraries> libraries, cann::Stream stream,
                StreamMemory& memory, size_t most_kept);
  ~OperatorCalls() { close(); }
  OperatorCalls(const OperatorCalls&) = delete;
  OperatorCalls& operator=(const OperatorCalls&) = delete;

  template <typename... Args>
  void call(const Operator<Args...>& op, const std::type_identity_t<Args>&... args) {
    const std::array<ArgumentRef, sizeof...(Args)> list{detail::reference<Args>(args)...};
    run(op.id, list, &detail::Plan<Args...>::run);
  }
  bool has(cann::OperatorId id) const noexcept { return libraries_->has(id); }
  template <typename... Args>
  bool has(const Operator<Args...>& op) const noexcept {
    return has(op.id);
  }

  // The stream has passed everything: destroys what calls before needed.
  void passed();
  // Device memory that is about to be freed: executors that refer to it are dropped. The stream has
  // passed.
  void forget(const void* block, size_t bytes);
  // Drops everything; the stream has passed or is lost.
  void close() noexcept;

  uint64_t calls() const noexcept { return calls_; }
  size_t kept() const noexcept { return entries_.size(); }
  uint64_t planned() const noexcept { return planned_; }  // phases one so far
  // Operators queued since passed(), for messages: "23 operator calls, the last: aclnnAdd [2, 4]".
  std::string queued() const;

 private:
  // What one executor needs as long as it may run.
  struct Prepared {
    cann::OperatorId id{};
    cann::AclOpExecutor* executor = nullptr;
    bool repeatable = false;
    uint64_t workspace = 0;
    std::vector<void*> objects;  // one for each argument; null for plain values
    std::vector<size_t> kinds;   // ArgumentRef::index() of each
    std::vector<const void*> memory;
    std::shared_ptr<const std::string> text;  // "aclnnAdd (F32 [2, 4], ...)"
  };
  struct Entry {
    std::string key;
    Prepared prepared;
  };
  using Entries = std::list<Entry>;  // the most recently used first

  void run(cann::OperatorId id, std::span<const ArgumentRef> arguments, detail::PlanCall plan);
  Prepared prepare(cann::OperatorId id, std::span<const ArgumentRef> arguments,
                   detail::PlanCall plan);
  void make_objects(std::span<const ArgumentRef> arguments, Prepared& prepared);
  void* make_object(const ArgumentRef& argument);
  void launch(Prepared& prepared);
  void keep(const std::string& key, Prepared prepared);
  void drop(Entries::iterator entry);
  void destroy(Prepared& prepared) noexcept;
  void note(const Prepared& prepared);

  static constexpr size_t kNamed = 4;  // of the operators queued, the last ones

  std::shared_ptr<const cann::Libraries> libraries_;
  const cann::Functions& cann_;
  cann::Stream stream_;
  StreamMemory& memory_;
  const size_t most_kept_;
  uint64_t calls_ = 0, planned_ = 0, queued_ = 0;
  std::string key_;                     // of the present call
  std::shared_ptr<Storage> workspace_;  // shared by all calls, in the stream's order
  Entries entries_;
  std::unordered_map<std::string_view, Entries::iterator> found_by_key_;
  std::vector<Prepared> retired_;  // to destroy when the stream has passed
  std::array<std::shared_ptr<const std::string>, kNamed> last_;
};

}  // namespace mxdit::ascend
