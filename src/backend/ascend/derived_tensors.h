// Parameters in the form an operator takes them in, made once: a bias in bf16, the cosines of
// rotary positions for both elements of a pair.
//
// A tensor has no identity but its address, which is its own as long as it lives. So an entry is
// dropped when its address is handed out again: handed_out() has to be told of every new tensor.
// Nobody writes to a parameter in place.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <utility>

#include "core/tensor.h"

namespace mxdit::ascend {

class DerivedTensors {
 public:
  enum class Form : uint8_t { bf16, f16, f32, both_of_pair };

  // Null when it was not made yet.
  const Tensor* find(const Tensor& of, Form form) const {
    const auto entry = entries_.find({of.data(), form});
    const bool fits = entry != entries_.end() && entry->second.source == of.shape() &&
                      entry->second.source_type == of.dtype();
    return fits ? &entry->second.made : nullptr;
  }
  void keep(const Tensor& of, Form form, Tensor made) {
    entries_.insert_or_assign({of.data(), form},
                              Entry{of.shape(), of.dtype(), of.block(), std::move(made)});
  }
  void handed_out(const Tensor& fresh) {
    const auto* begin = static_cast<const char*>(fresh.data());
    entries_.erase(entries_.lower_bound({begin, Form::bf16}),
                   entries_.lower_bound({begin + fresh.bytes(), Form::bf16}));
  }
  // Lets go of what was made of tensors that are gone.
  void drop_expired() {
    std::erase_if(entries_, [](const auto& entry) { return entry.second.alive.expired(); });
  }
  void clear() noexcept { entries_.clear(); }

 private:
  struct Entry {
    Shape source;
    DType source_type;
    std::weak_ptr<const Storage> alive;
    Tensor made;
  };
  std::map<std::pair<const void*, Form>, Entry> entries_;
};

}  // namespace mxdit::ascend
