"""Perturbs every parameter tensor in turn and reports those that no stored case notices."""

import torch
from golden_files import GOLDENS
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from precision import read
from transformers import UMT5EncoderModel

torch.set_default_dtype(torch.float32)


def scan(label, model, runs):
    base = [r() for r in runs]
    weakest = []
    for name, p in model.named_parameters():
        keep = p.clone()
        p.mul_(0.5)
        change = 0.0
        for r, b in zip(runs, base):
            change = max(change, float((r() - b).abs().max()))
            if change > 0.01:
                break
        p.copy_(keep)
        weakest.append((change, name))
    weakest.sort()
    print(label, f"{len(weakest)} parameters; weakest:", *[f"{c:.1e} {n}" for c, n in weakest[:4]], sep="\n    ")


def main():
    t, cases = read(GOLDENS / "umt5/cases.safetensors")
    model = UMT5EncoderModel.from_pretrained(GOLDENS / "umt5").eval()
    scan("umt5", model, [lambda n=n: model(t[f"{n}.input_ids"], t[f"{n}.attention_mask"]).last_hidden_state
                         for n in ("batch", "s37")])
    for path in sorted((GOLDENS / "dit").iterdir()):
        dit = WanTransformer3DModel.from_pretrained(path).eval()
        d, cases = read(path / "cases.safetensors")
        keys = ("hidden_states", "timestep", "encoder_hidden_states", "encoder_hidden_states_image")
        scan(f"dit/{path.name}", dit, [
            lambda n=c["name"]: dit(**{k: d[f"{n}.{k}"] for k in keys if f"{n}.{k}" in d}).sample for c in cases])
    for path in sorted((GOLDENS / "vae").iterdir()):
        vae = AutoencoderKLWan.from_pretrained(path).eval()
        v, cases = read(path / "cases.safetensors")
        runs = []
        for c in cases:
            if "tiling" in c or v.get(f"{c['name']}.video", torch.zeros(1)).numel() > 30000:
                continue
            n = c["name"]
            runs.append((lambda n=n: vae.decode(v[f"{n}.latents"]).sample) if c["kind"] == "decode"
                        else (lambda n=n: vae.encode(v[f"{n}.video"]).latent_dist.parameters))
        scan(f"vae/{path.name}", vae, runs)


if __name__ == "__main__":
    main()
