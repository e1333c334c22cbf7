// libacl_rt.so: streams and events.
#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/state.h"

using namespace ascend_emulator;

namespace {

constexpr size_t kMostStreams = 1984;

aclError invalid(const char* function, const std::string& text) {
  return fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": " + text);
}

aclError require_event(const char* function, const void* handle, std::shared_ptr<Event>& event) {
  if (handle == nullptr) return invalid(function, "event is null");
  event = state().events.find(handle);
  if (event) return ACL_SUCCESS;
  const bool gone = state().events.fate(handle) == HandleFate::gone;
  return fail(
      ACL_ERROR_RT_INVALID_HANDLE,
      std::string(function) + (gone ? ": the event was destroyed" : ": the handle is no event"));
}

// Context and stream of a function that takes both from the caller.
aclError enter(const char* function, aclrtStream handle, std::shared_ptr<Stream>& stream) {
  std::shared_ptr<Context> context;
  if (const aclError error = require_context(function, context)) return error;
  return require_stream(function, *context, handle, stream);
}

}  // namespace

aclError aclrtCreateStream(aclrtStream* handle) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtCreateStream", context)) return error;
  if (handle == nullptr) return invalid("aclrtCreateStream", "stream is null");
  if (all.streams.objects().size() >= kMostStreams) {
    return fail(ACL_ERROR_RT_STREAM_RESOURCE, "aclrtCreateStream: there are 1984 streams already");
  }
  auto stream = std::make_shared<Stream>();
  stream->context = context;
  stream->seed = ++all.streams_made;
  stream->handle = all.streams.add(stream);
  *handle = stream->handle;
  return ACL_SUCCESS;
}

aclError aclrtDestroyStream(aclrtStream handle) {
  State& all = state();
  Lock lock(all.mutex);
  if (handle == nullptr) return invalid("aclrtDestroyStream", "stream is null");
  std::shared_ptr<Stream> stream;
  if (const aclError error = enter("aclrtDestroyStream", handle, stream)) return error;
  if (has_unobserved_work(*stream)) all.broken("aclrtDestroyStream: work was not waited for");
  all.streams.remove(handle);
  stop_stream(lock, stream);
  return ACL_SUCCESS;
}

aclError aclrtSynchronizeStream(aclrtStream handle) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Stream> stream;
  if (const aclError error = enter("aclrtSynchronizeStream", handle, stream)) return error;
  all.count("synchronizations");
  return wait_for(lock, {stream, stream->submitted});
}

aclError aclrtSynchronizeDevice() {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtSynchronizeDevice", context)) return error;
  all.count("synchronizations");
  std::vector<Place> places;
  for (const auto& [number, stream] : all.streams.objects()) {
    if (stream->context->device == context->device) places.push_back({stream, stream->submitted});
  }
  for (const auto& [number, other] : all.contexts.objects()) {
    if (other->device != context->device) continue;
    places.push_back({other->default_stream, other->default_stream->submitted});
  }
  aclError first = ACL_SUCCESS;
  for (const Place& place : places) {
    const aclError error = wait_for(lock, place);
    if (first == ACL_SUCCESS) first = error;
  }
  return first;
}

aclError aclrtCreateEvent(aclrtEvent* handle) {
  Lock lock(state().mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtCreateEvent", context)) return error;
  if (handle == nullptr) return invalid("aclrtCreateEvent", "event is null");
  *handle = state().events.add(std::make_shared<Event>());
  return ACL_SUCCESS;
}

aclError aclrtDestroyEvent(aclrtEvent handle) {
  Lock lock(state().mutex);
  std::shared_ptr<Event> event;
  if (const aclError error = require_event("aclrtDestroyEvent", handle, event)) return error;
  state().events.remove(handle);
  return ACL_SUCCESS;
}

aclError aclrtRecordEvent(aclrtEvent handle, aclrtStream stream_handle) {
  Lock lock(state().mutex);
  std::shared_ptr<Event> event;
  if (const aclError error = require_event("aclrtRecordEvent", handle, event)) return error;
  std::shared_ptr<Stream> stream;
  if (const aclError error = enter("aclrtRecordEvent", stream_handle, stream)) return error;
  event->last = std::make_shared<Record>();
  submit(*stream, {"record an event", nullptr, nullptr, event->last});
  return ACL_SUCCESS;
}

aclError aclrtStreamWaitEvent(aclrtStream stream_handle, aclrtEvent handle) {
  Lock lock(state().mutex);
  std::shared_ptr<Event> event;
  if (const aclError error = require_event("aclrtStreamWaitEvent", handle, event)) return error;
  std::shared_ptr<Stream> stream;
  if (const aclError error = enter("aclrtStreamWaitEvent", stream_handle, stream)) return error;
  // An event without a record orders nothing.
  if (event->last) submit(*stream, {"wait for an event", nullptr, event->last, nullptr});
  return ACL_SUCCESS;
}

aclError aclrtSynchronizeEvent(aclrtEvent handle) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtSynchronizeEvent", context)) return error;
  std::shared_ptr<Event> event;
  if (const aclError error = require_event("aclrtSynchronizeEvent", handle, event)) return error;
  all.count("synchronizations");
  return event->last ? wait_for(lock, event->last->place) : ACL_SUCCESS;
}

aclError aclrtEventElapsedTime(float* milliseconds, aclrtEvent start_handle,
                               aclrtEvent end_handle) {
  Lock lock(state().mutex);
  const char* name = "aclrtEventElapsedTime";
  if (milliseconds == nullptr) return invalid(name, "ms is null");
  std::shared_ptr<Event> start;
  if (const aclError error = require_event(name, start_handle, start)) return error;
  std::shared_ptr<Event> end;
  if (const aclError error = require_event(name, end_handle, end)) return error;
  for (const auto& event : {start, end}) {
    if (!event->last || event->last->place.stream->observed < event->last->place.position) {
      return invalid(name, "an event was not recorded, or not waited for");
    }
  }
  *milliseconds =
      std::chrono::duration<float, std::milli>(end->last->time - start->last->time).count();
  return ACL_SUCCESS;
}
