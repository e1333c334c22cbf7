#!/bin/sh
# Builds all fuzz targets (preset `fuzz`, needs clang++-14 and libclang-rt-14-dev) and runs each for
# SECONDS from the stored corpus. New inputs stay in the build folder; a finding ends the run with
# its file in build/fuzz/findings/. MXDIT_FUZZ_BUILD names another configured build folder.
# usage: tests/fuzz/run.sh SECONDS
set -eu
seconds=${1:?usage: tests/fuzz/run.sh SECONDS}
root=$(cd "$(dirname "$0")/../.." && pwd)
build=${MXDIT_FUZZ_BUILD:-$root/build/fuzz}

[ -f "$build/CMakeCache.txt" ] || (cd "$root" && cmake --preset fuzz)
targets="fuzz_safetensors fuzz_json fuzz_quantization"
cmake --build "$build" --target $targets
mkdir -p "$build/findings"
for target in $targets; do
  corpus=${target#fuzz_}
  mkdir -p "$build/corpus/$corpus"
  echo "== $target, $seconds s"
  "$build/tests/fuzz/$target" -max_total_time="$seconds" -max_len=4096 -timeout=10 \
    -rss_limit_mb=2048 -artifact_prefix="$build/findings/$target-" -print_final_stats=1 -verbosity=0 \
    -dict="$root/tests/fuzz/$corpus.dict" "$build/corpus/$corpus" \
    "$root/tests/fuzz/corpus/$corpus"
done
