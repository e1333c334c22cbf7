#include "ascend_emulator/hazards.h"

#include <algorithm>

#include "ascend_emulator/state.h"

namespace ascend_emulator {

namespace {

// Up to which task of `other` everything comes before the next task of `stream`.
uint64_t ordered_before(const Stream& stream, const std::shared_ptr<Stream>& other) {
  const auto known = stream.known.find(other);
  return std::max(other->observed, known == stream.known.end() ? 0 : known->second);
}

std::string bytes_text(const Access& access) {
  return "bytes " + std::to_string(access.begin) + " to " + std::to_string(access.end) +
         " of an allocation of " + std::to_string(access.allocation->size);
}

}  // namespace

bool AccessLog::conflicts(const OfStream& log, const Access& access, uint64_t ordered) {
  if (log.last <= ordered) return false;
  const auto any = [&](const std::map<Range, uint64_t>& ranges) {
    return std::ranges::any_of(ranges, [&](const auto& entry) {
      const auto& [range, position] = entry;
      return position > ordered && range.first < access.end && access.begin < range.second;
    });
  };
  return any(log.writes) || (access.writes && any(log.reads));
}

bool AccessLog::add(const Place& place, const Access& access) {
  bool conflict = false;
  OfStream* own = nullptr;
  for (OfStream& log : streams_) {
    if (log.stream == place.stream) {
      own = &log;
    } else {
      conflict = conflict || conflicts(log, access, ordered_before(*place.stream, log.stream));
    }
  }
  if (own == nullptr) own = &streams_.emplace_back(OfStream{place.stream, 0, {}, {}});
  if (own->stream->observed >= own->last) {
    // All of it was waited for: nothing can race with it any more.
    own->reads.clear();
    own->writes.clear();
  }
  own->last = place.position;
  (access.writes ? own->writes : own->reads)[{access.begin, access.end}] = place.position;
  return conflict;
}

bool AccessLog::races_with_host(const Access& access) const {
  return std::ranges::any_of(
      streams_, [&](const OfStream& log) { return conflicts(log, access, log.stream->observed); });
}

void note_accesses(const std::string& what, const Place& place,
                   const std::vector<Access>& accesses) {
  for (const Access& access : accesses) {
    if (access.begin >= access.end || !access.allocation->log.add(place, access)) continue;
    state().broken(what + ": " + bytes_text(access) +
                   (access.writes ? " are written" : " are read") +
                   " while another stream uses them, with no event between");
  }
}

void check_host_accesses(const std::string& what, const std::vector<Access>& accesses) {
  for (const Access& access : accesses) {
    if (access.begin >= access.end || !access.allocation->log.races_with_host(access)) continue;
    state().broken(what + ": " + bytes_text(access) +
                   (access.writes ? " are written" : " are read") +
                   " by the host while queued work uses them, with no synchronization between");
  }
}

}  // namespace ascend_emulator
