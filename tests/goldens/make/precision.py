"""How far the stored f32 outputs are from the same computation in f64: a floor for test tolerances.

The classes cast a few intermediate values to f32 themselves (norms, modulation, softmax), so this is an estimate.
"""

import json

import torch
from golden_files import GOLDENS
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from safetensors import safe_open
from transformers import UMT5EncoderModel

torch.set_default_dtype(torch.float64)


def read(path):
    with safe_open(str(path), "pt") as f:
        tensors = {k: f.get_tensor(k) for k in f.keys()}
        return tensors, json.loads(f.metadata()["cases"])


def wide(x):
    return x.double() if x.is_floating_point() else x


def report(label, ref, got):
    diff = (ref.double() - got.double()).abs()
    print(f"{label:32s} max abs {diff.max():.1e}  rms {diff.pow(2).mean().sqrt():.1e}  (values: rms {ref.pow(2).mean().sqrt():.2f})")


def main():
    t, cases = read(GOLDENS / "umt5/cases.safetensors")
    model = UMT5EncoderModel.from_pretrained(GOLDENS / "umt5", dtype=torch.float64).eval()
    for c in cases:
        n = c["name"]
        report(f"umt5/{n}", t[f"{n}.output"], model(t[f"{n}.input_ids"], t[f"{n}.attention_mask"]).last_hidden_state)
    for path in sorted((GOLDENS / "dit").iterdir()):
        model = WanTransformer3DModel.from_pretrained(path).double().eval()
        t, cases = read(path / "cases.safetensors")
        for c in cases:
            n = c["name"]
            kw = {k: wide(t[f"{n}.{k}"]) for k in ("hidden_states", "timestep", "encoder_hidden_states",
                                                   "encoder_hidden_states_image") if f"{n}.{k}" in t}
            report(f"dit/{path.name}/{n}", t[f"{n}.output"], model(**kw).sample)
    for path in sorted((GOLDENS / "vae").iterdir()):
        model = AutoencoderKLWan.from_pretrained(path).double().eval()
        t, cases = read(path / "cases.safetensors")
        for c in cases:
            n = c["name"]
            model.use_tiling = False
            if "tiling" in c:
                model.enable_tiling(**c["tiling"])
            if c["kind"] == "decode":
                report(f"vae/{path.name}/{n}", t[f"{n}.frames"], model.decode(wide(t[f"{n}.latents"])).sample)
            else:
                report(f"vae/{path.name}/{n}", t[f"{n}.moments"], model.encode(wide(t[f"{n}.video"])).latent_dist.parameters)


if __name__ == "__main__":
    main()
