// All state of the emulator, shared by its libraries, behind one mutex.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "ascend_emulator/device_memory.h"
#include "ascend_emulator/handles.h"
#include "ascend_emulator/objects.h"
#include "ascend_emulator/settings.h"
#include "ascend_emulator/streams.h"

namespace ascend_emulator {

struct OperatorInfo;
class Executor;

struct TensorObject {
  std::shared_ptr<const Tensor> tensor;
  Uses uses;
  const void* list = nullptr;  // the tensor list that owns it
};

struct TensorListObject {
  std::vector<const aclTensor*> members;
};

struct HostBlock {
  size_t size = 0;
  Uses uses;
};

struct DeviceState {
  int references = 0;
  std::shared_ptr<Context> context;
};

struct State {
  std::mutex mutex;
  std::condition_variable changed;  // queues, completions, settings
  int waiting = 0;                  // host threads that wait for queued work

  Settings settings;
  bool initialized = false;
  bool finalized = false;
  std::map<int, DeviceState> devices;  // those with references
  HandleTable<Context> contexts{1};
  HandleTable<Stream> streams{2};  // without default streams
  HandleTable<Event> events{3};
  uint64_t streams_made = 0;

  DeviceMemory memory;
  std::map<uint64_t, HostBlock> pinned;  // by address

  HandleTable<TensorObject> tensors{4};
  HandleTable<Scalar> scalars{5};
  HandleTable<Dims> int_arrays{6};
  HandleTable<TensorListObject> tensor_lists{7};
  HandleTable<Executor> executors{8};
  std::vector<const OperatorInfo*> operators;

  // What the device would not report: it would go on with undefined results.
  std::vector<std::string> broken_rules;
  std::map<std::string, uint64_t> counters;

  void count(const std::string& name, uint64_t by = 1) { counters[name] += by; }
  void broken(const std::string& rule);
};

// Never destroyed: queue threads may outlive main().
State& state();

// Appends to the thread's message and returns `status`.
int fail(int status, const std::string& message);
// The thread's message, cleared.
std::string take_message();

// The handle that is current in this thread, alive or not.
void*& current_context_handle();
// nullptr without aclrtSetDevice, and after the context is gone.
std::shared_ptr<Context> current_context();

// Starts every entry of the runtime that needs a context: 0, 100001 before aclInit, 107002.
int require_context(const char* function, std::shared_ptr<Context>& context);
// The stream that a handle means in this context: NULL is its default stream; 107017 for no stream,
// 107003 for another context's.
int require_stream(const char* function, const Context& context, const void* handle,
                   std::shared_ptr<Stream>& stream);

// Everything that was not given back, one line for what is alike.
std::vector<std::string> leaks();
// Ends all queues and forgets everything but counters and settings.
void clear(Lock& lock);
// Appends the lines to the report file, if there is one.
void write_report(const std::vector<std::string>& lines);

}  // namespace ascend_emulator
