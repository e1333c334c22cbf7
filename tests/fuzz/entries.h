// What the fuzzers run on their input, and what fuzz_corpus_test runs on the corpus.
//
// Each entry takes any bytes. Refusing them with mxdit::Error is fine; everything else that goes
// wrong (another exception, an internal error, memory out of bounds) is a finding.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mxdit::fuzz {

// A safetensors file: header checks, then the first and last byte of every tensor.
void run_safetensors(const uint8_t* data, size_t size);

// A JSON file: the parser, typed access by every key, the shard index, the model index, an
// exporter's description.
void run_json(const uint8_t* data, size_t size);

}  // namespace mxdit::fuzz
