#include "backend/ascend/runtime/device.h"

#include <atomic>
#include <mutex>

#include "backend/ascend/runtime/status.h"

namespace mxdit::ascend {
namespace {

// The device whose context this thread has. Numbers are never used twice.
thread_local uint64_t entered = 0;

uint64_t next_id() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

// aclInit once for all devices of the process, aclFinalize when the last is gone.
class Device::Process {
 public:
  explicit Process(std::shared_ptr<const cann::Libraries> libraries)
      : libraries_(std::move(libraries)) {
    const std::lock_guard lock(mutex());
    const cann::Functions& cann = libraries_->functions();
    if (devices() == 0) {
      const cann::Status status = cann.initialize(nullptr);
      // Another part of the process may have done it; then it is theirs to finalize.
      ours() = status != cann::kRepeatedInitialize;
      if (ours()) check_status(cann, status, "aclInit");
    }
    ++devices();
  }
  ~Process() {
    const std::lock_guard lock(mutex());
    if (--devices() == 0 && ours()) libraries_->functions().finalize();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

 private:
  static std::mutex& mutex() {
    static std::mutex mutex;
    return mutex;
  }
  static int& devices() {
    static int devices = 0;
    return devices;
  }
  static bool& ours() {
    static bool ours = false;
    return ours;
  }
  std::shared_ptr<const cann::Libraries> libraries_;
};

class Device::Source final : public BlockSource {
 public:
  explicit Source(Device& device) : device_(device), cann_(device.libraries_->functions()) {}

  void* allocate(size_t bytes) override {
    device_.enter();
    void* block = nullptr;
    const cann::Status status = cann_.malloc(&block, bytes, cann::MallocPolicy::huge_first);
    if (status == cann::kOutOfMemory) {
      recent_error(cann_);  // the pool tries again, and says what is missing itself
      return nullptr;
    }
    check_status(cann_, status, "aclrtMalloc of ", bytes, " bytes");
    return block;
  }
  void free(void* block) noexcept override { cann_.free(block); }
  void synchronize() override { device_.synchronize(); }
  Memory memory() noexcept override {
    size_t free = 0, total = 0;
    if (cann_.memory_info(cann::MemoryAttribute::hbm, &free, &total) != cann::kSuccess) return {};
    return {free, total};
  }

 private:
  Device& device_;
  const cann::Functions& cann_;
};

Device::Device(const DeviceOptions& options, std::shared_ptr<const cann::Libraries> libraries)
    : options_(options),
      libraries_(libraries ? std::move(libraries) : cann::Libraries::open()),
      process_(std::make_unique<Process>(libraries_)),
      id_(next_id()) {
  try {
    open();
  } catch (...) {
    close();
    throw;
  }
}

Device::~Device() {
  close();
}

void Device::open() {
  const cann::Functions& cann = libraries_->functions();
  uint32_t devices = 0;
  check_status(cann, cann.device_count(&devices), "aclrtGetDeviceCount");
  if (options_.index < 0 || static_cast<uint32_t>(options_.index) >= devices)
    fail(ErrorKind::not_found, "[backend] ascend: device: expected an index below ", devices,
         " (the devices that this process sees), got ", options_.index);
  check_status(cann, cann.set_device(options_.index), "aclrtSetDevice(", options_.index, ")");
  device_set_ = true;
  entered = 0;  // the thread has the device's own context now
  check_status(cann, cann.create_context(&context_, options_.index), "aclrtCreateContext");
  enter();
  check_status(cann, cann.create_stream(&stream_), "aclrtCreateStream");
  const char* soc = cann.soc_name();
  if (soc == nullptr)
    fail(ErrorKind::internal,
         "[backend] ascend: aclrtGetSocName: expected a name, got null: ", recent_error(cann));
  soc_ = soc;
  source_ = std::make_unique<Source>(*this);
  memory_ = std::make_unique<StreamMemory>(*source_);
  calls_ = std::make_unique<OperatorCalls>(libraries_, stream_, *memory_, options_.most_executors);
  memory_->on_free([this](const void* block, size_t bytes) { calls_->forget(block, bytes); });
  open_staging();
}

void Device::open_staging() {
  Staging::Hooks hooks;
  hooks.allocate = [this](size_t bytes) {
    enter();
    void* block = nullptr;
    const cann::Functions& cann = libraries_->functions();
    check_status(cann, cann.malloc_host(&block, bytes), "aclrtMallocHost of ", bytes, " bytes");
    return block;
  };
  hooks.free = [this](void* block) { libraries_->functions().free_host(block); };
  hooks.copy = [this](void* device, const void* pinned, size_t bytes) {
    enter();
    const cann::Functions& cann = libraries_->functions();
    check_status(
        cann,
        cann.memcpy_async(device, bytes, pinned, bytes, cann::CopyKind::host_to_device, stream_),
        "aclrtMemcpyAsync to the device, ", bytes, " bytes");
    copied_bytes_ += bytes;
  };
  hooks.wait = [this] { synchronize(); };
  staging_ = std::make_unique<Staging>(std::move(hooks));
}

// In the opposite order, whatever fails: memory and objects only after the stream has passed,
// unless the device is lost.
void Device::close() noexcept {
  const cann::Functions& cann = libraries_->functions();
  if (context_ != nullptr) {
    cann.set_current_context(context_);
    entered = id_;
  }
  if (stream_ != nullptr) cann.synchronize_stream(stream_);
  if (calls_) calls_->close();
  if (staging_) staging_->close();
  if (memory_) memory_->close();
  if (stream_ != nullptr) cann.destroy_stream(stream_);
  if (context_ != nullptr) cann.destroy_context(context_);
  if (device_set_) {
    cann.reset_device(options_.index);
    entered = 0;
  }
  stream_ = context_ = nullptr;
  device_set_ = false;
  process_.reset();
}

bool Device::is_a5() const noexcept {
  return soc_.starts_with("Ascend950") || soc_.starts_with("Ascend910_95");
}

BlockSource::Memory Device::memory() {
  enter();
  BlockSource::Memory memory = source_->memory();
  memory.free += memory_->idle_bytes();
  return memory;
}

void Device::enter() {
  if (!lost_.empty()) fail(ErrorKind::internal, lost_);
  if (entered == id_) return;
  const cann::Functions& cann = libraries_->functions();
  check_status(cann, cann.set_current_context(context_), "aclrtSetCurrentContext");
  entered = id_;
}

Tensor Device::empty(DType dtype, const Shape& shape, StreamMemory::Use use) {
  enter();
  return memory_->tensor(dtype, shape, use);
}

Tensor Device::upload(const Tensor& host, StreamMemory::Use use) {
  Tensor device = empty(host.dtype(), host.shape(), use);
  upload(host.data(), host.bytes(), device.mutable_data());
  return device;
}

void Device::upload(const void* host, size_t bytes, void* device) {
  enter();
  staging_->upload(device, host, bytes);
}

Tensor Device::download(const Tensor& device) {
  Tensor host = Tensor::host(device.dtype(), device.shape());
  download(device.data(), device.bytes(), host.mutable_data());
  return host;
}

// aclrtMemcpy does not wait for the stream.
void Device::download(const void* device, size_t bytes, void* host) {
  synchronize();
  if (bytes == 0) return;
  const cann::Functions& cann = libraries_->functions();
  check_status(cann, cann.memcpy(host, bytes, device, bytes, cann::CopyKind::device_to_host),
               "aclrtMemcpy to the host, ", bytes, " bytes");
  copied_bytes_ += bytes;
}

void Device::copy(void* destination, const void* source, size_t bytes) {
  enter();
  if (bytes == 0) return;
  const cann::Functions& cann = libraries_->functions();
  check_status(cann,
               cann.memcpy_async(destination, bytes, source, bytes,
                                 cann::CopyKind::device_to_device, stream_),
               "aclrtMemcpyAsync on the device, ", bytes, " bytes");
}

void Device::clear(void* destination, size_t bytes) {
  enter();
  if (bytes == 0) return;
  const cann::Functions& cann = libraries_->functions();
  check_status(cann, cann.memset_async(destination, bytes, 0, bytes, stream_),
               "aclrtMemsetAsync of ", bytes, " bytes");
}

std::optional<Device::NzStorage> Device::nz_storage(const TensorView& source) {
  enter();
  const cann::Functions& cann = libraries_->functions();
  if (cann.format_cast_size == nullptr) return std::nullopt;
  cann::AclTensor* tensor = cann.create_tensor(
      source.dims.data(), static_cast<uint64_t>(source.dims.rank()), source.dtype,
      source.strides.data(), source.offset, source.format, source.storage.data(),
      static_cast<uint64_t>(source.storage.rank()), source.data);
  if (tensor == nullptr)
    fail(ErrorKind::internal, "[backend] ascend: aclCreateTensor (", source.text(),
         "): expected an object, got null: ", recent_error(cann));
  int64_t* dims = nullptr;
  uint64_t rank = 0;
  int format = 0;
  const cann::Status status = cann.format_cast_size(tensor, static_cast<int>(Format::fractal_nz),
                                                    -1, &dims, &rank, &format);
  cann.destroy_tensor(tensor);
  const std::unique_ptr<int64_t[]> owned(dims);  // made by new[] in the library
  if (status != cann::kSuccess || rank > static_cast<uint64_t>(Extents::kMost)) {
    recent_error(cann);
    return std::nullopt;
  }
  return NzStorage{static_cast<Format>(format), Extents(std::span<const int64_t>(dims, rank))};
}

void Device::synchronize() {
  enter();
  const cann::Status status = libraries_->functions().synchronize_stream(stream_);
  ++synchronizations_;
  if (status != cann::kSuccess) lose(status);
  calls_->passed();
  staging_->passed();
}

void Device::lose(cann::Status status) {
  lost_ = failure_text(libraries_->functions(),
                       "device " + std::to_string(options_.index) + " after " + calls_->queued() +
                           ": aclrtSynchronizeStream",
                       status) +
          "; nothing more runs on it in this model";
  fail(kind_of(status), lost_);
}

void Device::release_idle() noexcept {
  try {
    enter();
    memory_->trim();
  } catch (...) {
    // Of a lost device, whose message every later call repeats.
  }
}

DeviceCounters Device::counters() const {
  DeviceCounters counters;
  counters.operator_calls = calls_->calls();
  counters.synchronizations = synchronizations_;
  counters.allocations = memory_->allocations();
  counters.allocated_bytes = memory_->allocated_bytes();
  counters.copied_bytes = copied_bytes_;
  return counters;
}

}  // namespace mxdit::ascend
