// Memory of the emulated devices. A device address lies in a range that no access is allowed to;
// the bytes are in a second range at the same distance from its start, which only the emulator
// knows (Allocation::bytes). Around each allocation there are pages that nobody can touch in either
// range.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <shared_mutex>
#include <string>

#include "ascend_emulator/hazards.h"
#include "ascend_emulator/objects.h"

namespace ascend_emulator {

class Uses;

// Bytes that FormatCast wrote in FRACTAL_NZ.
struct NzRegion {
  uint64_t bytes = 0;
  Dims storage_shape;
  int bits = 0;  // of an element
};

struct Allocation {
  uint64_t address = 0;
  uint64_t size = 0;  // as asked for, rounded up to 32
  int device = 0;
  bool freed = false;
  std::byte* bytes = nullptr;
  // By offset; ranges do not overlap.
  std::map<uint64_t, NzRegion> nz;
  // Work that was handed to streams and reads or writes this memory.
  std::unique_ptr<Uses> uses;
  AccessLog log;
  // Held while bytes are read (shared) or written: what runs at once on the device runs one after
  // the other here, so that a caller's race is wrong numbers and never undefined behaviour of the
  // emulator.
  std::shared_mutex running;

  Allocation();
  ~Allocation();  // gives the pages back: after aclrtFree and the last kernel that runs on them

  uint64_t end() const { return address + size; }
  void erase_nz(uint64_t begin, uint64_t end);
};

// Not thread-safe: the state's mutex guards it.
class DeviceMemory {
 public:
  DeviceMemory();

  // Filled with 0xFF; nullptr when `limit` bytes of this device would be exceeded.
  std::shared_ptr<Allocation> allocate(uint64_t size, int device, uint64_t limit);
  void free(const std::shared_ptr<Allocation>& allocation);
  // The live allocation that holds all of [address, address + bytes).
  std::shared_ptr<Allocation> find(const void* address, uint64_t bytes) const;
  // The live allocation that starts here.
  std::shared_ptr<Allocation> find_start(const void* address) const;
  // Any address of the devices' range, allocated or not.
  bool is_device(const void* address) const;
  // Why find() found nothing: "a host pointer", "freed memory", ...
  std::string describe(const void* address, uint64_t bytes) const;
  uint64_t used(int device) const;
  uint64_t peak() const { return peak_; }
  void reset_peak();
  const std::map<uint64_t, std::shared_ptr<Allocation>>& live() const { return live_; }
  // Forgets all, as after a reset of this device.
  void free_all(int device);

 private:
  uint64_t place(uint64_t bytes);
  void fill(std::byte* begin, uint64_t bytes);

  uint64_t range_ = 0;  // device addresses start here
  std::byte* mirror_ = nullptr;
  uint64_t next_ = 0;  // offset of the next address that was never used
  int pattern_ = -1;   // a file of 0xFF
  uint64_t peak_ = 0;
  std::map<int, uint64_t> used_;
  std::map<uint64_t, std::shared_ptr<Allocation>> live_;
  struct Freed {
    uint64_t size;
    std::weak_ptr<Allocation> allocation;  // alive while a kernel runs on it
  };
  // Quarantine, by address. Addresses are used again only when all were used.
  std::map<uint64_t, Freed> freed_;
};

}  // namespace ascend_emulator
