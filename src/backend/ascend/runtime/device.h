// One Ascend NPU: its libraries, context, stream, memory and operator calls.
//
// All work of a model is queued on one stream, in program order. One thread at a time uses the
// object; whichever it is gets the device's context. After an error of the device, which shows at a
// synchronization, the object refuses further work with the same message; destroying it is clean.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "backend/ascend/cann/libraries.h"
#include "backend/ascend/runtime/operator_call.h"
#include "backend/ascend/runtime/staging.h"
#include "backend/ascend/runtime/stream_memory.h"
#include "mxdit/device.h"

namespace mxdit::ascend {

struct DeviceOptions {
  int index = 0;
  // Executors that are kept. 0: none, every call is planned anew. A model of 40 blocks has about
  // 2000 different calls in a step.
  size_t most_executors = 16384;
};

class Device {
 public:
  // Error{unsupported} when CANN is missing or incomplete, Error{not_found} when there is no device
  // of that index, Error{internal} with CANN's message for anything else.
  explicit Device(const DeviceOptions& options,
                  std::shared_ptr<const cann::Libraries> libraries = nullptr);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  int index() const noexcept { return options_.index; }
  const std::string& soc() const noexcept { return soc_; }  // "Ascend950PR_9599"
  bool is_a5() const noexcept;  // has the microscaling units, which the dual-level operators need
  const cann::Libraries& libraries() const noexcept { return *libraries_; }
  // Free: what this object can still get, its idle blocks included.
  BlockSource::Memory memory();

  // Uninitialised device memory from the pool.
  Tensor empty(DType dtype, const Shape& shape) {
    return empty(dtype, shape, StreamMemory::Use::activation);
  }
  Tensor empty(DType dtype, const Shape& shape, StreamMemory::Use use);
  // A copy of a host tensor; the host's memory is free again on return, nothing is waited for.
  Tensor upload(const Tensor& host, StreamMemory::Use use = StreamMemory::Use::activation);
  void upload(const void* host, size_t bytes, void* device);
  // Waits for the stream, then copies.
  Tensor download(const Tensor& device);
  void download(const void* device, size_t bytes, void* host);

  // Queued on the stream.
  void copy(void* destination, const void* source, size_t bytes);
  void clear(void* destination, size_t bytes);  // zeros
  template <typename... Args>
  void call(const Operator<Args...>& op, const std::type_identity_t<Args>&... args) {
    enter();
    calls_->call(op, args...);
  }
  bool has(cann::OperatorId id) const noexcept { return libraries_->has(id); }
  template <typename... Args>
  bool has(const Operator<Args...>& op) const noexcept {
    return has(op.id);
  }

  // Storage of an ND tensor in FRACTAL_NZ as the native cast wants it. Nothing when the
  // device refuses.
  struct NzStorage {
    Format format = Format::fractal_nz;
    Extents dims;
  };
  std::optional<NzStorage> nz_storage(const TensorView& source);

  void synchronize();
  void release_idle() noexcept;
  DeviceCounters counters() const;

  // The context for this thread. Throws when the device is lost.
  void enter();

 private:
  class Source;
  class Process;
  void open();
  void open_staging();
  void close() noexcept;
  [[noreturn]] void lose(cann::Status status);

  DeviceOptions options_;
  std::shared_ptr<const cann::Libraries> libraries_;
  std::unique_ptr<Process> process_;
  uint64_t id_ = 0;  // of this object, in the process
  std::string soc_;
  bool device_set_ = false;
  cann::Context context_ = nullptr;
  cann::Stream stream_ = nullptr;
  std::unique_ptr<Source> source_;
  std::unique_ptr<StreamMemory> memory_;
  std::unique_ptr<Staging> staging_;
  std::unique_ptr<OperatorCalls> calls_;
  std::string lost_;  // the message of the error that ended the device's work
  uint64_t synchronizations_ = 0, copied_bytes_ = 0;
};

}  // namespace mxdit::ascend
