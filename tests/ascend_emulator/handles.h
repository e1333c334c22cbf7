// Handles that are no addresses and are never given twice.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

namespace ascend_emulator {

// What has become of a handle.
enum class HandleFate { alive, gone, never_existed };

// Objects behind handles of one kind. Not thread-safe: the state's mutex guards it.
template <class T>
class HandleTable {
 public:
  // `kind` keeps the handles of different tables apart.
  explicit HandleTable(uint16_t kind) : kind_(kind) {}

  void* add(std::shared_ptr<T> object) {
    const uint64_t number = ++last_;
    objects_.emplace(number, std::move(object));
    return encode(number);
  }
  std::shared_ptr<T> find(const void* handle) const {
    const auto found = objects_.find(decode(handle));
    return found == objects_.end() ? nullptr : found->second;
  }
  bool remove(const void* handle) { return objects_.erase(decode(handle)) > 0; }
  HandleFate fate(const void* handle) const {
    const uint64_t number = decode(handle);
    if (number == 0 || number > last_) return HandleFate::never_existed;
    return objects_.contains(number) ? HandleFate::alive : HandleFate::gone;
  }
  const std::map<uint64_t, std::shared_ptr<T>>& objects() const { return objects_; }
  void clear() { objects_.clear(); }

 private:
  // Bits 63..48 make the number an address that no program can have (it is not canonical).
  static constexpr uint64_t kMark = 0xACE0ull << 48;

  void* encode(uint64_t number) const {
    return reinterpret_cast<void*>(kMark | (static_cast<uint64_t>(kind_) << 40) | number << 4);
  }
  uint64_t decode(const void* handle) const {
    const auto bits = reinterpret_cast<uint64_t>(handle);
    const uint64_t head = kMark | (static_cast<uint64_t>(kind_) << 40);
    return (bits & ~0xFFFFFFFFFFull) == head && (bits & 15) == 0 ? (bits & 0xFFFFFFFFFFull) >> 4
                                                                 : 0;
  }

  uint16_t kind_;
  uint64_t last_ = 0;
  std::map<uint64_t, std::shared_ptr<T>> objects_;
};

}  // namespace ascend_emulator
