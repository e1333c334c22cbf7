#!/usr/bin/env python3
"""The PyTorch side of a comparison: one run for every line of standard input.

Sets a case up with random weights and answers each line with one line of JSON: `seconds` and the
versions. `--probe` only says what there is. Needs torch, and diffusers for forward and decode.

A folder with a module torch_amx (--torch-amx) is put in front of the search path and the module is
imported before anything is computed, for machines where oneDNN's AMX kernels need its help.
"""
import argparse
import json
import sys
import time


def linear(torch, arguments, dtype):
    x = torch.randn(arguments.tokens, arguments.inputs).to(dtype)
    weight = (0.02 * torch.randn(arguments.outputs, arguments.inputs)).to(dtype)
    bias = torch.randn(arguments.outputs).to(dtype)
    return lambda: torch.nn.functional.linear(x, weight, bias)


def attention(torch, arguments, dtype):
    def heads(rows):
        return torch.randn(1, arguments.heads, rows, arguments.head_dim).to(dtype)

    q = heads(arguments.tokens)
    k, v = heads(arguments.keys or arguments.tokens), heads(arguments.keys or arguments.tokens)
    return lambda: torch.nn.functional.scaled_dot_product_attention(q, k, v)


def forward(torch, arguments, dtype):
    from diffusers import WanTransformer3DModel

    model = WanTransformer3DModel(num_attention_heads=arguments.heads,
                                  attention_head_dim=arguments.head_dim, in_channels=16,
                                  out_channels=16, text_dim=4096, freq_dim=256,
                                  ffn_dim=arguments.ffn_dim, num_layers=arguments.layers)
    model = model.to(dtype).eval()
    latents = torch.randn(1, 16, *arguments.latents).to(dtype)
    text = torch.randn(1, arguments.text_tokens, 4096).to(dtype)
    timestep = torch.tensor([500])
    return lambda: model(hidden_states=latents, timestep=timestep, encoder_hidden_states=text,
                         return_dict=False)[0]


def decode(torch, arguments, dtype):
    from diffusers import AutoencoderKLWan

    vae = AutoencoderKLWan().to(dtype).eval()
    latents = torch.randn(1, 16, *arguments.latents).to(dtype)
    return lambda: vae.decode(latents, return_dict=False)[0]


CASES = {"linear": linear, "attention": attention, "forward": forward, "decode": decode}


def parse():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("case", nargs="?", choices=sorted(CASES))
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--torch-amx", metavar="FOLDER")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--dtype", choices=["bf16", "fp32"], default="bf16")
    parser.add_argument("--tokens", type=int, default=4680)
    parser.add_argument("--in", dest="inputs", type=int, default=1536)
    parser.add_argument("--out", dest="outputs", type=int, default=1536)
    parser.add_argument("--keys", type=int, default=0)
    parser.add_argument("--heads", type=int, default=12)
    parser.add_argument("--head-dim", type=int, default=128)
    parser.add_argument("--ffn-dim", type=int, default=8960)
    parser.add_argument("--layers", type=int, default=30)
    parser.add_argument("--text-tokens", type=int, default=512)
    parser.add_argument("--latents", type=int, nargs=3, default=[3, 60, 104],
                        metavar=("FRAMES", "HEIGHT", "WIDTH"))
    arguments = parser.parse_args()
    if not arguments.case and not arguments.probe:
        parser.error("expected a case or --probe")
    return arguments


def load_torch(folder):
    if folder:
        sys.path.insert(0, folder)
        import torch_amx  # noqa: F401  (its import is what helps)
    import torch

    return torch


def versions(torch):
    found = {"torch": torch.__version__, "diffusers": None}
    try:
        import diffusers

        found["diffusers"] = diffusers.__version__
    except ImportError:
        pass
    return found


def main():
    arguments = parse()
    torch = load_torch(arguments.torch_amx)
    if arguments.probe:
        print(json.dumps(versions(torch)), flush=True)
        return
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[arguments.dtype]
    with torch.inference_mode():
        run = CASES[arguments.case](torch, arguments, dtype)
        for _ in sys.stdin:
            begin = time.perf_counter()
            run()
            seconds = time.perf_counter() - begin
            print(json.dumps({"seconds": seconds, "threads": torch.get_num_threads()}), flush=True)


if __name__ == "__main__":
    main()
