// One loop per multiplier, over registers or over factors in L1. Functions of this file carry their instruction set
// as an attribute, so that it needs no flags of its own; others are in the ISA folders.
#include "backend/peak.h"

#include <algorithm>
#include <barrier>
#include <chrono>
#include <cstdint>
#include <random>
#include <thread>

#include "backend/cpu/isa.h"
#include "backend/cpu/peak_kernels.h"
#include "backend/registry.h"
#include "core/error.h"
#include "core/thread_pool.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace mxdit {
namespace {

// Runs `rounds` rounds on the calling thread; the result only keeps the compiler from leaving the
// work out.
using Loop = float (*)(int64_t rounds, const uint8_t* operands);

enum class Operands { none, bytes, bf16, zeros };

struct Multiplier {
  const char* isa;
  const char* type;
  uint32_t needs;  // kIsa* bits
  Loop loop;
  double operations;  // of one round, two per multiply-add
  Operands operands = Operands::none;
};

struct alignas(64) OperandData {
  uint8_t bytes[cpu::kPeakOperandBytes] = {};
};

// Values as products have them: all bytes, or bf16 of both signs with magnitudes from 1/4 to 4.
OperandData make_operands(Operands kind) {
  OperandData data;
  if (kind == Operands::none || kind == Operands::zeros) return data;
  std::mt19937 random(1);
  for (int64_t i = 0; i < cpu::kPeakOperandBytes; i += 2) {
    uint32_t bits = random() >> 16;
    // Sign and mantissa are random; so are the lower two bits of the exponent.
    if (kind == Operands::bf16) bits = (bits & 0x81FFu) + (125u << 7);
    data.bytes[i] = static_cast<uint8_t>(bits);
    data.bytes[i + 1] = static_cast<uint8_t>(bits >> 8);
  }
  return data;
}

// Chains that hide a latency of four or five cycles on two ports.
constexpr int kChains = 12;

float scalar_fp32(int64_t rounds, const uint8_t*) {
  float sum[kChains] = {};
  volatile float source = 0.5f;
  const float factor = source, step = source;
  for (int64_t round = 0; round < rounds; ++round)
    for (float& value : sum) value = value * factor + step;
  float total = 0;
  for (const float value : sum) total += value;
  return total;
}

#if defined(__x86_64__)

__attribute__((target("avx2,fma"))) float avx2_fp32(int64_t rounds, const uint8_t*) {
  volatile float source = 0.5f;
  const __m256 factor = _mm256_set1_ps(source), step = _mm256_set1_ps(source);
  __m256 sum[kChains];
  for (__m256& value : sum) value = _mm256_setzero_ps();
  for (int64_t round = 0; round < rounds; ++round)
    for (__m256& value : sum) value = _mm256_fmadd_ps(value, factor, step);
  __m256 total = sum[0];
  for (int i = 1; i < kChains; ++i) total = _mm256_add_ps(total, sum[i]);
  return _mm256_cvtss_f32(total);
}

__attribute__((target("avx512f"))) float avx512_fp32(int64_t rounds, const uint8_t*) {
  volatile float source = 0.5f;
  const __m512 factor = _mm512_set1_ps(source), step = _mm512_set1_ps(source);
  __m512 sum[kChains];
  for (__m512& value : sum) value = _mm512_setzero_ps();
  for (int64_t round = 0; round < rounds; ++round)
    for (__m512& value : sum) value = _mm512_fmadd_ps(value, factor, step);
  __m512 total = sum[0];
  for (int i = 1; i < kChains; ++i) total = _mm512_add_ps(total, sum[i]);
  return _mm512_cvtss_f32(total);
}

#endif

// One line per multiplier.
constexpr Multiplier kMultipliers[] = {
    {"scalar", "fp32", 0, scalar_fp32, 2.0 * kChains},
#if defined(__x86_64__)
    {"avx2", "fp32", cpu::kIsaAvx2, avx2_fp32, 2.0 * 8 * kChains},
    {"avx512", "fp32", cpu::kIsaAvx512, avx512_fp32, 2.0 * 16 * kChains},
    {"avx512_vnni", "int8", cpu::kIsaAvx512Vnni, cpu::avx512_vnni::int8_peak,
     2.0 * cpu::kVnniProducts, Operands::bytes},
    {"amx", "int8", cpu::kIsaAmx, cpu::amx::int8_peak, 2.0 * cpu::kTileInt8Products,
     Operands::bytes},
    {"amx", "int8, zeros", cpu::kIsaAmx, cpu::amx::int8_peak, 2.0 * cpu::kTileInt8Products,
     Operands::zeros},
    {"amx", "bf16", cpu::kIsaAmx, cpu::amx::bf16_peak, 2.0 * cpu::kTileBf16Products,
     Operands::bf16},
    {"amx", "bf16, zeros", cpu::kIsaAmx, cpu::amx::bf16_peak, 2.0 * cpu::kTileBf16Products,
     Operands::zeros},
#endif
};

// Seconds until all threads have done their rounds.
double time_threads(const Multiplier& multiplier, const OperandData& operands, int64_t rounds,
                    int threads) {
  using Clock = std::chrono::steady_clock;
  std::vector<Clock::time_point> begin(static_cast<size_t>(threads)), end(begin);
  std::barrier start(threads);
  const auto work = [&](int thread) {
    start.arrive_and_wait();
    begin[static_cast<size_t>(thread)] = Clock::now();
    volatile float kept = multiplier.loop(rounds, operands.bytes);
    (void)kept;
    end[static_cast<size_t>(thread)] = Clock::now();
  };
  std::vector<std::thread> others;
  for (int thread = 1; thread < threads; ++thread) others.emplace_back(work, thread);
  work(0);
  for (std::thread& other : others) other.join();
  return std::chrono::duration<double>(*std::max_element(end.begin(), end.end()) -
                                       *std::min_element(begin.begin(), begin.end()))
      .count();
}

double best_of(int tries, const Multiplier& multiplier, const OperandData& operands, int64_t rounds,
               int threads) {
  double best = time_threads(multiplier, operands, rounds, threads);
  for (int i = 1; i < tries; ++i)
    best = std::min(best, time_threads(multiplier, operands, rounds, threads));
  return best;
}

// The best of many tries: what disturbs only slows down. They are shorter than a scheduler's slice, so
// that some find all threads undisturbed on a machine with other work.
double measure(const Multiplier& multiplier, int threads) {
  constexpr double kSeconds = 0.002;
  constexpr int kTries = 200;
  const OperandData operands = make_operands(multiplier.operands);
  int64_t rounds = 100;
  while (best_of(3, multiplier, operands, rounds, 1) < kSeconds / 8) rounds *= 2;
  rounds *= 8;
  const double seconds = best_of(kTries, multiplier, operands, rounds, threads);
  return multiplier.operations * static_cast<double>(rounds) * threads / seconds;
}

}  // namespace

std::vector<PeakRate> measure_peaks(const std::string& device, int threads) {
  if (!is_device_name(device))
    fail(ErrorKind::usage, "[backend] device: expected one that mxdit knows, got ", device);
  if (device != "cpu") return {};
  const int count = ThreadPool(threads).size();
  const uint32_t present = cpu::machine_isa();
  std::vector<PeakRate> rates;
  for (const Multiplier& multiplier : kMultipliers)
    if ((multiplier.needs & ~present) == 0)
      rates.push_back({multiplier.isa, multiplier.type, measure(multiplier, count), count});
  return rates;
}

}  // namespace mxdit
