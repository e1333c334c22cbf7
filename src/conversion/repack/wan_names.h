// Names of a Wan transformer's tensors: "original" as in the checkpoints of its authors and of
// quantizers that work on them (blocks.0.self_attn.q.weight), and diffusers' (blocks.0.attn1.to_q.
// weight). Renaming replaces whole path segments only.
//
// The exporter wraps a layer whose input it scales: the layer's own tensors get the segment
// `linear`, its scale the segment `div`. Towards diffusers both segments go. Back they come from
// one rule: a layer that has a tensor `mul_scale` is a wrapped one.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace mxdit::conversion {

enum class Direction { to_diffusers, to_original };

// One row of the table; `N` stands for any block number.
struct NamePair {
  std::string_view original;
  std::string_view diffusers;
};
const std::vector<NamePair>& wan_name_table();

// Names that no row begins with are kept, but for the wrapper's segments.
std::string to_diffusers_name(std::string_view original);
// `wrapped`: whether the tensor's layer has a tensor `mul_scale`.
std::string to_original_name(std::string_view diffusers, bool wrapped = false);

// "blocks.0.attn1.to_q" and "weight" of "blocks.0.attn1.to_q.weight".
std::string layer_of(std::string_view name);
std::string_view last_segment(std::string_view name);

// Renames all tensors of one checkpoint; name -> new name. `where` (a file or folder) is for
// messages. Errors: bad_input when two names become one, and when names are of the other side
// already.
std::map<std::string, std::string> rename_all(const std::vector<std::string>& names,
                                              Direction direction, const std::string& where);

}  // namespace mxdit::conversion
