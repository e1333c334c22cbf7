set(WAN_VAE_SOURCES
  wan_vae/attention_block.cc wan_vae/autoencoder.cc wan_vae/config.cc wan_vae/conv.cc
  wan_vae/decoder.cc wan_vae/encoder.cc wan_vae/memory_estimate.cc wan_vae/mid_block.cc
  wan_vae/resample.cc wan_vae/residual_block.cc wan_vae/tiling.cc)
set(WAN_VAE_TESTS
  wan_vae/autoencoder_test.cc wan_vae/config_test.cc wan_vae/memory_estimate_test.cc
  wan_vae/tiling_test.cc)
