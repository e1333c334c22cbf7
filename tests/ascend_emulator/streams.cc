#include "ascend_emulator/streams.h"

#include <algorithm>
#include <utility>

#include "ascend_emulator/operator.h"
#include "ascend_emulator/state.h"

namespace ascend_emulator {

namespace {

uint64_t hash(uint64_t seed, uint64_t number) {
  uint64_t x = seed * 0x9E3779B97F4A7C15ull + number + 1;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
  return x ^ (x >> 31);
}

// How late the next task starts. Work after a synchronization always waits, some of the rest does.
std::chrono::microseconds delay_of(const Stream& stream) {
  const Settings& settings = state().settings;
  if (settings.start != Start::delayed || settings.delay == 0) return {};
  const uint64_t random = hash(stream.seed, stream.completed);
  const bool first = stream.completed == stream.observed;
  if (!first && random % 64 != 0) return {};
  const uint64_t least = first ? settings.delay / 4 : 0;
  return std::chrono::microseconds(least + (random >> 8) % (settings.delay - least + 1));
}

bool may_start(const Stream& stream) {
  if (stream.queue.empty()) return false;
  if (state().settings.start == Start::lazy && state().waiting == 0) return false;
  const auto& record = stream.queue.front().waits_for;
  return !record || record->place.stream->completed >= record->place.position;
}

void run_task(Lock& lock, Stream& stream, Task& task) {
  if (!task.work || stream.context->failure != ACL_SUCCESS) return;
  aclError failure = ACL_SUCCESS;
  std::string message;
  lock.unlock();
  try {
    task.work();
  } catch (const KernelFault& fault) {
    failure = fault.status;
    message = fault.message;
  } catch (const std::exception& error) {
    failure = ACL_ERROR_RT_AICORE_EXCEPTION;
    message = task.name + ": " + error.what();
  }
  task.work = nullptr;  // what it captured may be large
  lock.lock();
  if (failure != ACL_SUCCESS && stream.context->failure == ACL_SUCCESS) {
    stream.context->failure = failure;
    stream.context->failure_message = message;
  }
}

void serve(const std::shared_ptr<Stream>& stream) {
  State& all = state();
  Lock lock(all.mutex);
  while (true) {
    all.changed.wait(lock, [&] { return stream->stop || may_start(*stream); });
    if (stream->stop) return;
    if (const auto delay = delay_of(*stream); delay.count() > 0) {
      lock.unlock();
      std::this_thread::sleep_for(delay);
      lock.lock();
      if (stream->stop) return;
      if (!may_start(*stream)) continue;
    }
    Task task = std::move(stream->queue.front());
    stream->queue.pop_front();
    run_task(lock, *stream, task);
    ++stream->completed;
    if (task.records) task.records->time = std::chrono::steady_clock::now();
    all.changed.notify_all();
  }
}

// What the record's stream had behind it, this stream has behind it from here on.
void learn(Stream& stream, const Record& record) {
  std::erase_if(stream.known,
                [](const auto& entry) { return entry.first->observed >= entry.second; });
  Clock known = record.known;
  known[record.place.stream] = record.place.position;
  for (const auto& [other, position] : known) {
    if (other.get() == &stream || other->observed >= position) continue;
    uint64_t& mine = stream.known[other];
    mine = std::max(mine, position);
  }
}

}  // namespace

void Uses::add(const Place& place) {
  for (Place& known : places_) {
    if (known.stream == place.stream) {
      known.position = std::max(known.position, place.position);
      return;
    }
  }
  places_.push_back(place);
}

bool Uses::pending() const {
  std::erase_if(places_,
                [](const Place& place) { return place.stream->observed >= place.position; });
  return !places_.empty();
}

Place submit(Stream& stream, Task task) {
  Place place{stream.shared_from_this(), ++stream.submitted};
  if (task.waits_for && task.waits_for->place.stream != place.stream) {
    stream.dependencies.push_back({place.position, task.waits_for->place});
    learn(stream, *task.waits_for);
  }
  if (task.records) {
    task.records->place = place;
    task.records->known = stream.known;
  }
  stream.queue.push_back(std::move(task));
  if (!stream.thread.joinable()) stream.thread = std::thread(serve, place.stream);
  state().changed.notify_all();
  return place;
}

void observe(const Place& place) {
  Stream& stream = *place.stream;
  if (place.position <= stream.observed) return;
  stream.observed = place.position;
  std::vector<Place> others;
  std::erase_if(stream.dependencies, [&](const Stream::Dependency& dependency) {
    if (dependency.own > place.position) return false;
    others.push_back(dependency.other);
    return true;
  });
  for (const Place& other : others) observe(other);
}

aclError wait_for(Lock& lock, const Place& place) {
  State& all = state();
  ++all.waiting;
  all.changed.notify_all();
  all.changed.wait(lock,
                   [&] { return place.stream->completed >= place.position || place.stream->stop; });
  --all.waiting;
  observe(place);
  const std::shared_ptr<Context>& context = place.stream->context;
  if (context->failure == ACL_SUCCESS) return ACL_SUCCESS;
  // Nothing of this context runs any more, and now the host knows: it may take everything down.
  for (const auto& [number, stream] : all.streams.objects()) {
    if (stream->context == context) observe({stream, stream->submitted});
  }
  if (const auto& stream = context->default_stream) observe({stream, stream->submitted});
  return fail(context->failure, context->failure_message);
}

bool has_unobserved_work(const Stream& stream) {
  return stream.observed < stream.submitted;
}

void stop_stream(Lock& lock, const std::shared_ptr<Stream>& stream) {
  stream->stop = true;
  state().changed.notify_all();
  std::deque<Task> dropped = std::move(stream->queue);
  stream->queue.clear();
  std::thread thread = std::move(stream->thread);
  lock.unlock();
  if (thread.joinable()) thread.join();
  dropped.clear();
  lock.lock();
  stream->completed = stream->submitted;
  observe({stream, stream->submitted});
  stream->known.clear();
  state().changed.notify_all();
}

}  // namespace ascend_emulator
