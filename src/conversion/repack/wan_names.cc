#include "conversion/repack/wan_names.h"

#include <algorithm>
#include <set>

#include "core/error.h"

namespace mxdit::conversion {

namespace {

using Segments = std::vector<std::string_view>;

Segments split(std::string_view name) {
  Segments segments;
  for (size_t begin = 0;;) {
    const size_t end = name.find('.', begin);
    segments.push_back(name.substr(begin, end - begin));
    if (end == std::string_view::npos) return segments;
    begin = end + 1;
  }
}

std::string join(const Segments& segments) {
  std::string name(segments.front());
  for (size_t i = 1; i < segments.size(); ++i) name.append(1, '.').append(segments[i]);
  return name;
}

bool is_number(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

bool begins_with(const Segments& name, const Segments& pattern) {
  if (name.size() < pattern.size()) return false;
  for (size_t i = 0; i < pattern.size(); ++i)
    if (pattern[i] == "N" ? !is_number(name[i]) : name[i] != pattern[i]) return false;
  return true;
}

// The row with the longest matching beginning replaces it; what follows stays.
Segments replace_beginning(const Segments& name, std::string_view NamePair::*from,
                           std::string_view NamePair::*to) {
  size_t longest = 0;
  const NamePair* best = nullptr;
  for (const NamePair& row : wan_name_table()) {
    const Segments pattern = split(row.*from);
    if (pattern.size() <= longest || !begins_with(name, pattern)) continue;
    longest = pattern.size();
    best = &row;
  }
  if (best == nullptr) return name;
  Segments renamed = split(best->*to);
  for (std::string_view& segment : renamed)
    if (segment == "N") segment = name[1];  // every row with a number has it second
  renamed.insert(renamed.end(), name.begin() + static_cast<std::ptrdiff_t>(longest), name.end());
  return renamed;
}

bool is_wrapper(std::string_view segment) {
  return segment == "linear" || segment == "div";
}

void check_side(const std::string& name, Direction direction, const std::string& where) {
  const bool forward = direction == Direction::to_diffusers;
  const std::vector<std::string_view> foreign =
      forward ? std::vector<std::string_view>{"condition_embedder", "proj_out", "scale_shift_table"}
              : std::vector<std::string_view>{"time_embedding", "time_projection", "head"};
  const std::string_view first = split(name).front();
  if (std::find(foreign.begin(), foreign.end(), first) != foreign.end())
    fail(ErrorKind::bad_input, "[conversion] ", where, ": tensor \"", name, "\": expected ",
         forward ? "a name as in Wan's original checkpoints, got one of diffusers"
                 : "a name of diffusers, got one as in Wan's original checkpoints");
}

}  // namespace

const std::vector<NamePair>& wan_name_table() {
  static const std::vector<NamePair> table = {
      {"patch_embedding", "patch_embedding"},
      {"time_embedding.0", "condition_embedder.time_embedder.linear_1"},
      {"time_embedding.2", "condition_embedder.time_embedder.linear_2"},
      {"time_projection.1", "condition_embedder.time_proj"},
      {"text_embedding.0", "condition_embedder.text_embedder.linear_1"},
      {"text_embedding.2", "condition_embedder.text_embedder.linear_2"},
      {"img_emb.emb_pos", "condition_embedder.image_embedder.pos_embed"},
      {"img_emb.proj.0", "condition_embedder.image_embedder.norm1"},
      {"img_emb.proj.1", "condition_embedder.image_embedder.ff.net.0.proj"},
      {"img_emb.proj.3", "condition_embedder.image_embedder.ff.net.2"},
      {"img_emb.proj.4", "condition_embedder.image_embedder.norm2"},
      {"head.modulation", "scale_shift_table"},
      {"head.head", "proj_out"},
      {"blocks.N.modulation", "blocks.N.scale_shift_table"},
      // Numbered by their order in the block here, by their kind there.
      {"blocks.N.norm1", "blocks.N.norm1"},
      {"blocks.N.norm2", "blocks.N.norm3"},
      {"blocks.N.norm3", "blocks.N.norm2"},
      {"blocks.N.ffn.0", "blocks.N.ffn.net.0.proj"},
      {"blocks.N.ffn.2", "blocks.N.ffn.net.2"},
      // Whatever else an attention has (q_rot, k_rot, norm_q, norm_k) keeps its own name.
      {"blocks.N.self_attn", "blocks.N.attn1"},
      {"blocks.N.self_attn.q", "blocks.N.attn1.to_q"},
      {"blocks.N.self_attn.k", "blocks.N.attn1.to_k"},
      {"blocks.N.self_attn.v", "blocks.N.attn1.to_v"},
      {"blocks.N.self_attn.o", "blocks.N.attn1.to_out.0"},
      {"blocks.N.cross_attn", "blocks.N.attn2"},
      {"blocks.N.cross_attn.q", "blocks.N.attn2.to_q"},
      {"blocks.N.cross_attn.k", "blocks.N.attn2.to_k"},
      {"blocks.N.cross_attn.v", "blocks.N.attn2.to_v"},
      {"blocks.N.cross_attn.o", "blocks.N.attn2.to_out.0"},
      {"blocks.N.cross_attn.k_img", "blocks.N.attn2.add_k_proj"},
      {"blocks.N.cross_attn.v_img", "blocks.N.attn2.add_v_proj"},
      {"blocks.N.cross_attn.norm_k_img", "blocks.N.attn2.norm_added_k"},
  };
  return table;
}

std::string to_diffusers_name(std::string_view original) {
  Segments name = replace_beginning(split(original), &NamePair::original, &NamePair::diffusers);
  if (name.size() > 2)  // neither the first nor the last segment can be a wrapper's
    name.erase(std::remove_if(name.begin() + 1, name.end() - 1, is_wrapper), name.end() - 1);
  return join(name);
}

std::string to_original_name(std::string_view diffusers, bool wrapped) {
  Segments name = replace_beginning(split(diffusers), &NamePair::diffusers, &NamePair::original);
  if (wrapped) name.insert(name.end() - 1, name.back() == "mul_scale" ? "div" : "linear");
  return join(name);
}

std::string layer_of(std::string_view name) {
  const size_t dot = name.rfind('.');
  return std::string(name.substr(0, dot == std::string_view::npos ? 0 : dot));
}

std::string_view last_segment(std::string_view name) {
  return name.substr(name.rfind('.') + 1);  // npos + 1 is 0
}

std::map<std::string, std::string> rename_all(const std::vector<std::string>& names,
                                              Direction direction, const std::string& where) {
  std::set<std::string> wrapped;
  for (const std::string& name : names)
    if (last_segment(name) == "mul_scale") wrapped.insert(layer_of(name));
  std::map<std::string, std::string> renamed, taken;
  for (const std::string& name : names) {
    check_side(name, direction, where);
    std::string target = direction == Direction::to_diffusers
                             ? to_diffusers_name(name)
                             : to_original_name(name, wrapped.count(layer_of(name)) != 0);
    const auto [place, added] = taken.emplace(target, name);
    if (!added)
      fail(ErrorKind::bad_input, "[conversion] ", where, ": tensors \"", place->second, "\" and \"",
           name, "\": expected names of their own after renaming, got \"", target, "\" for both");
    renamed.emplace(name, std::move(target));
  }
  return renamed;
}

}  // namespace mxdit::conversion
