"""manifest.json: versions, seeds, size and sha256 of every file of the goldens."""

import hashlib
import importlib.metadata
import platform

import make_dit
import make_noise
import make_pipeline
import make_quantization
import make_umt5
import make_vae
from golden_files import GOLDENS, save_json

PACKAGES = ["torch", "diffusers", "transformers", "tokenizers", "sentencepiece", "safetensors", "ftfy", "numpy", "regex"]
FAMILIES = ["umt5", "tokenizer", "dit", "vae", "schedulers", "noise", "pipeline", "tiny", "quantization"]


def main():
    files = {}
    for family in FAMILIES:
        for path in sorted((GOLDENS / family).rglob("*")):
            if path.is_file():
                data = path.read_bytes()
                files[path.relative_to(GOLDENS).as_posix()] = {
                    "bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
    seeds = {
        "umt5": make_umt5.SEED,
        "dit": {v: 300 + i for i, v in enumerate(make_dit.VARIANTS)},
        "vae": {v: 500 + i for i, v in enumerate(make_vae.VARIANTS)},
        "pipeline": {n: s["seed"] for n, s in make_pipeline.PIPELINES.items()},
        "noise": [str(s) for _, s in make_noise.SEEDS],
        "inputs": "fixed in the scripts",
        "quantization": make_quantization.SEED,
    }
    total = sum(f["bytes"] for f in files.values())
    save_json(GOLDENS / "manifest.json", {
        "versions": {"python": platform.python_version(), **{p: importlib.metadata.version(p) for p in PACKAGES}},
        "dtype": "float32", "seeds": seeds, "total_bytes": total, "files": files})
    print(f"manifest: {len(files)} files, {total / 1e6:.2f} MB")
    assert total <= 9_500_000


if __name__ == "__main__":
    main()
