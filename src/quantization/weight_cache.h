// Weights that were quantized at load, kept in a folder for the next start (--quantization-cache).
//
// An entry is found by content, so a changed checkpoint can never get an old one:
//   content = SHA-256 of the plain weight's bytes
//   key     = SHA-256 of (kQuantRules, format, dtype, shape, content)
//   DIR/<first two digits of key>/<key>.safetensors: elements, block_scale, scale, and in the
//     metadata what it is and a SHA-256 over these parts.
// Renamed tensors and files, other shards and copies of a checkpoint find their entries as well.
//
// Hashing would read every plain weight on every start. So a content is remembered under what the
// file system says of its file:
//   DIR/known/<xx>/<SHA-256 of (absolute path, FileIdentity, range of bytes)>: content
// The tensors, not the files, are hashed: each is read once, when it is quantized. The memo is
// written only when the file had not changed for two seconds before the hash began and not until it
// ended: any later write then gives it another time of change (see FileIdentity).
//
// An entry that is damaged (a wrong shape or checksum, cut off, not a safetensors file) is made
// anew. Files appear complete or not at all, so any number of processes may share a folder; writing
// the same entry twice gives the same bytes. A folder that can only be read serves the entries that
// it has. Nothing is ever removed: deleting the folder is safe.
#pragma once

#include <chrono>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "checkpoint/weight_store.h"
#include "formats/quantized_matrix.h"

namespace mxdit {

// Stands for all rules that decide an entry's bytes: those of formats/ and the rounding of wider
// weights to bf16. To be raised whenever one of them gives other bytes.
constexpr const char* kQuantRules = "1";

class WeightCache {
 public:
  // Creates the folder. Error{io} naming it when that fails. `settled`: how long a file must not
  // have changed for its contents to be remembered; other values than the default are for tests.
  explicit WeightCache(std::filesystem::path folder,
                       std::chrono::nanoseconds settled = std::chrono::seconds(2));

  // The plain tensor `tensor` [rows, columns] in `format`, its parts mapped from the entry. Without
  // one, `encode` gives it, in host memory, and the entry is written; should the checkpoint's file
  // change meanwhile, nothing is written and encode's result is returned.
  // Errors: not_found (the tensor); io naming the folder when it cannot be written; those of encode.
  QuantizedMatrix get(const WeightStore& weights, const std::string& tensor,
                      const QuantFormat& format,
                      const std::function<QuantizedMatrix()>& encode) const;

 private:
  std::string content_of(const WeightStore& weights, const std::string& tensor) const;
  void remember(const std::filesystem::path& memo, const std::string& content) const;
  std::optional<QuantizedMatrix> open_entry(const std::string& key, const QuantFormat& format,
                                            const Shape& shape, bool check_sum) const;
  void write_entry(const std::string& key, const QuantizedMatrix& matrix) const;
  // Runs `write` on the path of a file in the folder, whose own folder exists.
  void write_file(const std::filesystem::path& file, const std::function<void()>& write) const;

  std::filesystem::path folder_;
  std::chrono::nanoseconds settled_;
};

}  // namespace mxdit
