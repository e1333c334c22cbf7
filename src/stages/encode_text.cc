#include "stages/encode_text.h"

#include <cstring>

#include "text/prompt_clean.h"

namespace mxdit {
namespace {

TokenBatch tokenize(const Components& components, const std::vector<std::string>& prompts,
                    int64_t max_length) {
  TokenBatch batch;
  batch.ids = Tensor::host(DType::i32, {static_cast<int64_t>(prompts.size()), max_length});
  for (size_t i = 0; i < prompts.size(); ++i) {
    const TokenIds row = components.tokenizer->encode(prompt_clean(prompts[i]), max_length);
    std::memcpy(batch.ids.as_mutable<int32_t>() + static_cast<int64_t>(i) * max_length,
                row.ids.data(), row.ids.bytes());
    batch.lengths.push_back(row.length);
  }
  return batch;
}

// 1 for real tokens, 0 for padding; i64 as transformers gives it.
Tensor attention_mask(const TokenBatch& tokens) {
  Tensor mask = Tensor::host(DType::i64, tokens.ids.shape());
  const int64_t length = tokens.ids.dim(1);
  for (int64_t i = 0; i < mask.elements(); ++i)
    mask.as_mutable<int64_t>()[i] = i % length < tokens.lengths[static_cast<size_t>(i / length)];
  return mask;
}

Tensor ids_as_i64(const TokenBatch& tokens) {
  Tensor ids = Tensor::host(DType::i64, tokens.ids.shape());
  for (int64_t i = 0; i < ids.elements(); ++i)
    ids.as_mutable<int64_t>()[i] = tokens.ids.as<int32_t>()[i];
  return ids;
}

Tensor encode(const Components& components, const RunContext& context, const TokenBatch& tokens,
              const std::string& prefix, Trace* trace) {
  Tensor embeds = components.text_encoder->encode(tokens.ids, tokens.lengths, context.cancel);
  if (trace != nullptr) {
    trace->record_host(prefix + "input_ids", ids_as_i64(tokens));
    trace->record_host(prefix + "attention_mask", attention_mask(tokens));
    trace->record(*components.backend,
                  prefix.empty() ? "prompt_embeds" : "negative_prompt_embeds", embeds);
  }
  return embeds;
}

}  // namespace

void EncodeText::run(const Components& components, const RunContext& context,
                     RunState& state) const {
  const SamplingParams& params = state.params;
  StageProgress progress(context, "encode_text", params.guided() ? 2 : 1);
  state.tokens = tokenize(components, params.prompts, params.max_sequence_length);
  state.prompt_embeds = encode(components, context, state.tokens, "", state.trace);
  progress.step(1);
  if (params.guided()) {
    // diffusers repeats the negative prompt for every prompt; one row serves them all here, and the
    // trace gets the repeated form.
    const std::vector<std::string> negative(state.trace != nullptr ? params.prompts.size() : 1,
                                            params.negative_prompt);
    state.negative_tokens = tokenize(components, negative, params.max_sequence_length);
    state.negative_prompt_embeds =
        encode(components, context, state.negative_tokens, "negative_", state.trace).slice(0, 1);
    progress.step(2);
  }
  progress.end();
}

}  // namespace mxdit
