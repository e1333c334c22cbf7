"""Shared helpers: paths, seeds, weight randomisation, safetensors output."""

import json
import os
import pathlib
import warnings

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
warnings.filterwarnings("ignore")

import torch
from safetensors.torch import save_file

torch.set_num_threads(1)
torch.use_deterministic_algorithms(True)
torch.set_grad_enabled(False)

MAKE = pathlib.Path(__file__).resolve().parent
GOLDENS = MAKE.parent


def folder(*parts):
    path = GOLDENS.joinpath(*parts)
    path.mkdir(parents=True, exist_ok=True)
    return path


def generator(seed):
    return torch.Generator("cpu").manual_seed(seed)


def randn(seed, *shape, scale=1.0):
    return torch.randn(shape, generator=generator(seed)) * scale


def save_cases(path, tensors, cases):
    """Tensors with `__metadata__.cases` (JSON); floats must be f32."""
    out = {}
    for name, value in tensors.items():
        assert value.dtype in (torch.float32, torch.int64, torch.int32), (name, value.dtype)
        if value.is_floating_point():
            assert torch.isfinite(value).all(), name
        out[name] = value.detach().contiguous().clone()
    # one metadata key only: safetensors does not keep an order of several, and the file hash would change from run to run
    save_file(out, str(path), metadata={"cases": json.dumps(cases)})
    os.chmod(path, 0o644)
    return out


def save_json(path, value):
    path = pathlib.Path(path)
    path.write_text(json.dumps(value, indent=1, ensure_ascii=True) + "\n")


def describe(label, value):
    print(
        f"  {label:44s} {str(tuple(value.shape)):24s} mean {value.mean():+.3f} std {value.std():.3f} "
        f"absmax {value.abs().max():.3f}"
    )


def randomise(model, seed, gain=1.0, gains=()):
    """Give every parameter random values; none stays at zero or one.

    `gains` is a list of (substring of the name, factor) applied on top.
    """
    g = generator(seed)
    for name, p in model.named_parameters():
        last = name.rsplit(".", 1)[-1]
        noise = torch.randn(p.shape, generator=g)
        parent = name.lower()
        is_norm = "norm" in parent or last == "gamma"
        if last == "bias" and not is_norm:
            value = noise * 0.15
        elif is_norm and last == "bias":
            value = noise * 0.2
        elif is_norm:
            value = 1.0 + noise * 0.25
        elif last == "scale_shift_table":
            value = noise * 0.4
        elif last == "pos_embed":
            value = noise * 0.5
        elif "relative_attention_bias" in name:
            value = noise
        elif "shared" in name or "embed_tokens" in name:
            value = noise
        else:
            fan_in = p[0].numel() if p.ndim > 1 else p.numel()
            value = noise * gain / fan_in**0.5
        for part, factor in gains:
            if part in name:
                value = value * factor
        p.copy_(value.reshape(p.shape))
    return model.eval()
