#include "stop_signals.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>

namespace mxdit::cli {
namespace {

constexpr int kExitStatus = 130;

std::atomic<CancelToken*> active_token{nullptr};
std::atomic<int> received{0};
std::atomic<int> holds{0};

template <size_t Size>
void write_text(const char (&text)[Size]) {
  // Nothing can be done about a closed terminal here.
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, text, Size - 1);
}

void handle(int) {
  const int error = errno;
  if (received.fetch_add(1) == 0) {
    if (CancelToken* token = active_token.load()) token->cancel();
    write_text("\nmxdit: stopping; press Ctrl-C again to end at once\n");
  } else if (holds.load() == 0) {
    write_text("\n");
    _exit(kExitStatus);
  }
  errno = error;
}

}  // namespace

StopSignals::StopSignals(CancelToken* token) {
  received = 0;
  active_token = token;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < 3; ++i) {
    sigaction(kSignals[i], nullptr, &before_[i]);
    // What nohup and background jobs ignore stays ignored.
    if (before_[i].sa_handler != SIG_IGN) sigaction(kSignals[i], &action, nullptr);
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < 3; ++i) sigaction(kSignals[i], &before_[i], nullptr);
  active_token = nullptr;
}

StopSignals::Hold::Hold() {
  ++holds;
}

StopSignals::Hold::~Hold() {
  if (--holds == 0 && received.load() > 1) _exit(kExitStatus);
}

}  // namespace mxdit::cli
