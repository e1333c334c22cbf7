// Streams, events and contexts: what is queued, what ran, and what a host thread knows to have run.
//
// Everything here is guarded by the state's mutex; only a task's work runs without it.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ascend_emulator/acl_abi.h"

namespace ascend_emulator {

using Lock = std::unique_lock<std::mutex>;

struct Context;
struct Stream;

// A place in a stream: everything up to and including its task number `position`.
struct Place {
  std::shared_ptr<Stream> stream;
  uint64_t position = 0;
};

// The last work on each stream that uses a tensor or a block of memory.
class Uses {
 public:
  void add(const Place& place);
  // True while a host thread has not waited for that work: a deterministic rule, unlike "still
  // runs".
  bool pending() const;

 private:
  mutable std::vector<Place> places_;
};

// Of other streams: up to which task everything comes before. See hazards.h.
using Clock = std::map<std::shared_ptr<Stream>, uint64_t>;

// One aclrtRecordEvent.
struct Record {
  Place place;
  Clock known;  // by the stream when it was recorded
  std::chrono::steady_clock::time_point time;
};

struct Event {
  std::shared_ptr<Record> last;  // nullptr before the first record
};

struct Task {
  std::string name;
  std::function<void()> work;  // may be empty; throws KernelFault
  std::shared_ptr<const Record> waits_for;
  std::shared_ptr<Record> records;
};

struct Stream : std::enable_shared_from_this<Stream> {
  std::shared_ptr<Context> context;
  void* handle = nullptr;  // nullptr for a context's default stream
  uint64_t seed = 0;       // of the delays
  std::deque<Task> queue;
  uint64_t submitted = 0;
  uint64_t completed = 0;
  uint64_t observed = 0;  // a host thread waited up to here
  bool stop = false;
  std::thread thread;  // started by the first task
  // Having observed `own`, a host has observed `other` too: events that this stream waited for.
  struct Dependency {
    uint64_t own;
    Place other;
  };
  std::vector<Dependency> dependencies;
  Clock known;  // by the next task, through events
};

struct Context {
  int device = 0;
  bool is_default = false;
  void* handle = nullptr;
  std::shared_ptr<Stream> default_stream;  // reset when the context is destroyed: it points back
  // The first kernel that failed; sticky: every later synchronization returns it, and no work runs.
  aclError failure = ACL_SUCCESS;
  std::string failure_message;
};

// Puts a task at the end of a stream.
Place submit(Stream& stream, Task task);
// Waits until the place was passed, and notes that the host knows. Returns the context's failure,
// with its message as the thread's.
aclError wait_for(Lock& lock, const Place& place);
// What a host thread that waited for the place knows.
void observe(const Place& place);
// Work that no host thread has waited for.
bool has_unobserved_work(const Stream& stream);
// Drops what has not started and ends the queue's thread.
void stop_stream(Lock& lock, const std::shared_ptr<Stream>& stream);

}  // namespace ascend_emulator
