#include "models/registry.h"

#include "core/error.h"
#include "models/umt5/encoder.h"
#include "models/wan_dit/transformer.h"
#include "models/wan_vae/autoencoder.h"

namespace mxdit {

namespace {

template <typename Interface>
struct Entry {
  const char* class_name;
  std::unique_ptr<Interface> (*make)(const ModelSource& source);
};

template <typename Interface, typename Model>
std::unique_ptr<Interface> construct(const ModelSource& source) {
  return std::make_unique<Model>(source);
}

// One line per model, in the class name of transformers or diffusers.
constexpr Entry<TextEncoder> kTextEncoders[] = {
    {"UMT5EncoderModel", construct<TextEncoder, umt5::Encoder>},
};
constexpr Entry<Denoiser> kDenoisers[] = {
    {"WanTransformer3DModel", construct<Denoiser, wan_dit::Transformer>},
};
constexpr Entry<VideoAutoencoder> kAutoencoders[] = {
    {"AutoencoderKLWan", make_wan_autoencoder},
};

template <typename Interface, size_t N>
std::unique_ptr<Interface> make(const Entry<Interface> (&entries)[N], const char* what,
                                const std::string& class_name, const ModelSource& source) {
  std::string known;
  for (const Entry<Interface>& entry : entries) {
    if (class_name == entry.class_name) return entry.make(source);
    known += (known.empty() ? "" : ", ") + std::string(entry.class_name);
  }
  fail(ErrorKind::unsupported, "[models] ", source.config_file, " ", what, ": expected one of ",
       known, ", got ", class_name);
}

}  // namespace

std::unique_ptr<TextEncoder> make_text_encoder(const std::string& class_name,
                                               const ModelSource& source) {
  return make(kTextEncoders, "text encoder", class_name, source);
}

std::unique_ptr<Denoiser> make_denoiser(const std::string& class_name, const ModelSource& source) {
  return make(kDenoisers, "denoiser", class_name, source);
}

std::unique_ptr<VideoAutoencoder> make_autoencoder(const std::string& class_name,
                                                   const ModelSource& source) {
  return make(kAutoencoders, "autoencoder", class_name, source);
}

}  // namespace mxdit
