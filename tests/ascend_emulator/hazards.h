// Accesses to device memory that nothing orders: two streams without an event between them, or the
// host beside queued work. What such a program computes depends on the device's mood; here it is a
// broken rule, found from the order of calls alone and therefore always.
//
// A task T1 comes before T2 when both are in one stream, when an event that T1's stream recorded
// after T1 was waited for by T2's stream before T2, directly or through others, or when a host
// thread had waited for T1 when T2 was submitted.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace ascend_emulator {

struct Allocation;
struct Place;
struct Stream;

// Bytes [begin, end) of an allocation.
struct Access {
  std::shared_ptr<Allocation> allocation;
  uint64_t begin = 0;
  uint64_t end = 0;
  bool writes = false;
};

// Of one allocation: what each stream does to which bytes. Rows of strided views count with the
// gaps between them. Guarded by the state's mutex.
class AccessLog {
 public:
  // Notes an access, and returns true if another stream's is not ordered before it.
  bool add(const Place& place, const Access& access);
  // True if the host, which is ordered after what it waited for only, would race with queued work.
  bool races_with_host(const Access& access) const;

 private:
  using Range = std::pair<uint64_t, uint64_t>;
  struct OfStream {
    std::shared_ptr<Stream> stream;
    uint64_t last = 0;
    // Position of the last task with this range.
    std::map<Range, uint64_t> reads;
    std::map<Range, uint64_t> writes;
  };
  // A conflicting access of the stream after `ordered`.
  static bool conflicts(const OfStream& log, const Access& access, uint64_t ordered);

  std::vector<OfStream> streams_;
};

// Notes the accesses of a task; unordered ones are broken rules. `what` names it.
void note_accesses(const std::string& what, const Place& place,
                   const std::vector<Access>& accesses);
// The same for the host's synchronous copies and fills, which are in no stream.
void check_host_accesses(const std::string& what, const std::vector<Access>& accesses);

}  // namespace ascend_emulator
