"""Trains the transformer on cached latents with flow matching.

The training forward works on the parameters of the stock WanTransformer3DModel and gives the same
result, but faster: it stays in the token domain, and the 490 or so zero text columns of the stock
pipeline, which are all alike, are one column whose logit has log(count) added.
"""
import argparse
import csv
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import WanTransformer3DModel

import training

CONFIG = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=128, in_channels=16, out_channels=16,
              text_dim=128, freq_dim=256, ffn_dim=768, num_layers=4, cross_attn_norm=True,
              qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=1024)
TEXT_TOKENS = 512
BINS = [0.0, 0.4, 0.7, 0.9, 0.98, 1.0001]
# Position of (channel, y, x) input features in the (y, x, channel) order of proj_out.
OUT_ORDER = torch.arange(64).view(16, 2, 2).permute(1, 2, 0).reshape(-1)


def to_tokens(z):
    """(B, 16, T, H, W) to (B, T, H/2, W/2, 64)."""
    b, c, t, h, w = z.shape
    return z.view(b, c, t, h // 2, 2, w // 2, 2).permute(0, 2, 3, 5, 1, 4, 6).reshape(b, t, h // 2, w // 2, 4 * c)


@torch.no_grad()
def init(m):
    for name, p in m.named_parameters():
        if p.ndim == 2 and "blocks" in name:
            torch.nn.init.orthogonal_(p, 0.7)
            if "to_out" in name or "ffn.net.2" in name:
                p *= 0.5
            if "attn2.to_v" in name or "attn2.to_out" in name:
                p *= 1.5
        elif p.ndim == 1 and name.endswith("bias"):
            p.zero_()
    g = torch.Generator().manual_seed(1)
    for block in m.blocks:
        block.scale_shift_table.zero_()
        block.scale_shift_table[0, 2] = 1  # gates open from the start
        block.scale_shift_table[0, 5] = 1
        block.attn1.norm_q.weight.fill_(0.6)  # nearly uniform self-attention
        # zero text columns get little weight: q looks along u, a column without text lies at -u
        u = F.normalize(torch.randn(2, 128, generator=g), dim=1).flatten()
        block.attn2.to_q.bias.copy_(8 * u)
        block.attn2.to_k.bias.copy_(-2 * u)
    m.scale_shift_table.zero_()
    ce = m.condition_embedder
    ce.time_proj.weight.mul_(0.3)
    torch.nn.init.orthogonal_(ce.text_embedder.linear_1.weight, 1.4)
    torch.nn.init.orthogonal_(ce.text_embedder.linear_2.weight, 1.4)
    m.patch_embedding.weight.copy_(torch.nn.init.orthogonal_(torch.empty(256, 64), 1.0).view_as(m.patch_embedding.weight))
    m.proj_out.weight.mul_(0.1)


def rope(m, t, h, w):
    dummy = torch.empty(1, 1, t, 2 * h, 2 * w)
    cos, sin = m.rope(dummy)  # (1, N, 1, 128)
    return cos.float(), sin.float()


def rotate(x, cos, sin):
    """x: (B, N, heads, 128); cos and sin repeat each value twice."""
    pairs = x.unflatten(-1, (-1, 2))
    turned = torch.stack((-pairs[..., 1], pairs[..., 0]), -1).flatten(-2)
    return x * cos + turned * sin


def rms(x, w, eps):
    return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + eps) * w


def heads(x):
    return x.unflatten(-1, (2, 128))


def attend(q, k, v, bias=None):
    """q, k, v: (B, tokens, heads, 128)."""
    b, n, hd, d = q.shape
    q = q.transpose(1, 2).reshape(b * hd, n, d)
    k = k.transpose(1, 2).reshape(b * hd, -1, d)
    v = v.transpose(1, 2).reshape(b * hd, -1, d)
    s = torch.bmm(q, k.transpose(1, 2)) * (d**-0.5)
    if bias is not None:
        s = (s.view(b, hd, n, -1) + bias).view(b * hd, n, -1)
    o = torch.bmm(s.softmax(-1), v)
    return o.view(b, hd, n, d).transpose(1, 2).reshape(b, n, hd * d)


def block_forward(blk, x, text, bias, e, cos, sin):
    e = blk.scale_shift_table + e
    sa, ca, ga, sf, cf, gf = (e[:, i : i + 1] for i in range(6))
    a = blk.attn1
    h = F.layer_norm(x, (256,), eps=1e-6) * (1 + ca) + sa
    q = rotate(heads(rms(a.to_q(h), a.norm_q.weight, 1e-6)), cos, sin)
    k = rotate(heads(rms(a.to_k(h), a.norm_k.weight, 1e-6)), cos, sin)
    x = x + a.to_out[0](attend(q, k, heads(a.to_v(h)))) * ga
    a = blk.attn2
    h = F.layer_norm(x, (256,), blk.norm2.weight, blk.norm2.bias, 1e-6)
    q = heads(rms(a.to_q(h), a.norm_q.weight, 1e-6))
    k = heads(rms(a.to_k(text), a.norm_k.weight, 1e-6))
    x = x + a.to_out[0](attend(q, k, heads(a.to_v(text)), bias))
    h = F.layer_norm(x, (256,), eps=1e-6) * (1 + cf) + sf
    f = blk.ffn.net
    return x + f[2](F.gelu(f[0].proj(h), approximate="tanh")) * gf


def forward(m, x, sigma, text, count, cos, sin):
    """x: (B, N, 64) tokens; text: (B, L, 128); count: (B,) valid text tokens. Velocity in proj_out's order."""
    ce = m.condition_embedder
    temb = ce.time_embedder(ce.timesteps_proj(sigma * 1000))
    e = ce.time_proj(F.silu(temb)).unflatten(1, (6, 256))
    b, n_text, _ = text.shape
    text = torch.cat([torch.zeros(b, 1, 128), text], 1)
    text = ce.text_embedder(text)
    valid = torch.arange(n_text)[None] < count[:, None]
    bias = torch.cat([(TEXT_TOKENS - count).float().log()[:, None], torch.where(valid, 0.0, -1e9)], 1)[:, None, None]
    x = F.linear(x, m.patch_embedding.weight.view(256, 64), m.patch_embedding.bias)
    for blk in m.blocks:
        x = block_forward(blk, x, text, bias, e, cos, sin)
    s = m.scale_shift_table + temb[:, None]
    x = F.layer_norm(x, (256,), eps=1e-6) * (1 + s[:, 1:2]) + s[:, 0:1]
    return m.proj_out(x)


def check_equal():
    """The fast forward against the stock model with 512 text columns."""
    torch.manual_seed(0)
    m = WanTransformer3DModel(**CONFIG)
    init(m)
    for p in m.parameters():
        p.data += 0.02 * torch.randn_like(p)
    z, sigma = torch.randn(3, 16, 4, 8, 8), torch.tensor([0.1, 0.7, 0.99])
    text, count = torch.randn(3, 15, 128), torch.tensor([1, 9, 15])
    full = torch.zeros(3, TEXT_TOKENS, 128)
    for i, c in enumerate(count):
        full[i, :c] = text[i, :c]
    with torch.no_grad():
        stock = m(z, sigma * 1000, full, return_dict=False)[0]
        cos, sin = rope(m, 4, 4, 4)
        fast = forward(m, to_tokens(z).flatten(1, 3), sigma, text, count, cos, sin)
        stock = to_tokens(stock).flatten(1, 3)[..., OUT_ORDER]
    print("largest difference to the stock model:", (stock - fast).abs().max().item(), "of", stock.std().item())


def run(rank, world, a):
    torch.manual_seed(a.seed + rank)
    rng = np.random.default_rng(a.seed + rank)
    cache = torch.load(a.latents, weights_only=True)
    z, combo = cache["z"], cache["combo"]  # (clips, T, 64) normalised, (clips,)
    bank, lengths = cache["text"], cache["lengths"]  # (combos, variants, L, 128), (combos, variants)
    empty = cache["empty"]  # (1, 128)
    variants, longest = bank.shape[1], bank.shape[2]
    m = WanTransformer3DModel(**CONFIG)
    init(m)
    if a.init:
        m.load_state_dict(torch.load(a.init, weights_only=True))
    for p in m.parameters():
        p.requires_grad_(True)
    params = list(m.parameters())
    matrices = [p for n, p in m.named_parameters() if n.startswith("blocks") and p.ndim == 2]
    ids = {id(p) for p in matrices}
    others = [p for p in params if id(p) not in ids]
    opts = [training.Muon(matrices, a.muon, weight_decay=0.01), torch.optim.AdamW(others, lr=a.lr, betas=(0.9, 0.98), weight_decay=0.0)]
    base = [a.muon, a.lr]
    ema = training.Ema(params, a.ema)
    fwd = torch.compile(forward, dynamic=False) if a.compile else forward
    tables = {s: rope(m, 4, s, s) for s in (1, 2, 4)}
    out = None
    if rank == 0:
        out = open(a.log, "a", newline="")
        log = csv.writer(out)
    start, step, seen = time.time(), 0, 0
    last_log = last_save = start
    sums, counts = np.zeros(len(BINS) - 1), np.zeros(len(BINS) - 1)
    while True:
        used = torch.tensor(time.time() - start)
        if world > 1:
            torch.distributed.broadcast(used, 0)
        p = used.item() / a.seconds
        if p >= 1:
            break
        lr = a.lr_from * min(1, (step + 1) / 30) if p < a.hold else a.lr_from + (a.lr_to - a.lr_from) * (p - a.hold) / (1 - a.hold)
        for o, b in zip(opts, base):
            for g in o.param_groups:
                g["lr"] = b * lr
        side = next(side for side, until in zip((1, 2, 4), a.until) if p < until)  # tokens a side, the same cost a step
        n = a.batch * 16 // side**2
        pick = torch.from_numpy(rng.integers(len(z), size=n))
        x0 = z[pick][:, :, None].expand(-1, -1, side * side, -1).reshape(n, -1, 64)
        c = combo[pick]
        v = torch.from_numpy(rng.integers(variants, size=n))
        text, count = bank[c, v].float(), lengths[c, v].clone()
        drop = torch.from_numpy(rng.random(n) < a.drop)
        text[drop] = 0
        text[drop, 0] = empty[0]
        count[drop] = 1
        # stratified noise levels, shifted as in sampling
        u = (torch.from_numpy(rng.permutation(n)) + torch.rand(n)) / n
        if a.expert == "high":
            u = a.u_split + (1 - a.u_split) * u
        elif a.expert == "low":
            u = a.u_split * u
        sigma = (a.shift * u / (1 + (a.shift - 1) * u)).float()
        noise = torch.randn_like(x0)
        s = sigma[:, None, None]
        target = (noise - x0)[..., OUT_ORDER]
        pred = fwd(m, (1 - s) * x0 + s * noise, sigma, text, count, *tables[side])
        per = (pred - target).pow(2).mean((1, 2))
        per.mean().backward()
        training.average_gradients(params, world)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        for o in opts:
            o.step()
            o.zero_grad(set_to_none=False)
        ema.update()
        step += 1
        seen += n * world
        b = np.digitize(sigma.numpy(), BINS) - 1
        np.add.at(sums, b, per.detach().numpy())
        np.add.at(counts, b, 1)
        now = time.time()
        if rank == 0 and now - last_log > 15:
            last_log = now
            mean = sums / np.maximum(counts, 1)
            row = [a.name, round(now - start), step, seen, side] + [round(float(x), 4) for x in mean]
            log.writerow(row)
            out.flush()
            print(f"{now-start:5.0f}s step {step} seen {seen} side {side} lr {lr:.2f} bins " + " ".join(f"{x:.3f}" for x in mean), flush=True)
            sums[:], counts[:] = 0, 0
        if rank == 0 and now - last_save > a.save_every:
            last_save = now
            save(m, ema, a.out)
    if rank == 0:
        save(m, ema, a.out)
        torch.save(m.state_dict(), a.out.replace(".pt", ".raw.pt"))
        print(f"end: {step} steps, {seen} clips, {time.time()-start:.0f} s", flush=True)


def save(m, ema, path):
    ema.swap()
    torch.save(m.state_dict(), path + ".tmp")
    os.replace(path + ".tmp", path)
    ema.swap()


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--latents", default="work/latents.pt")
    ap.add_argument("--out", default="work/dit.pt")
    ap.add_argument("--log", default="work/loss.csv")
    ap.add_argument("--init")
    ap.add_argument("--name", default="joint")
    ap.add_argument("--expert", choices=["both", "high", "low"], default="both")
    ap.add_argument("--u-split", type=float, default=0.5833, help="u where the experts change: sigma .875 at shift 5")
    ap.add_argument("--seconds", type=float, default=1500)
    ap.add_argument("--until", type=float, nargs=3, default=[0.3, 0.7, 1.0], help="shares of the time after which 1, 2, 4 tokens a side end")
    ap.add_argument("--hold", type=float, default=0.45)
    ap.add_argument("--lr-from", type=float, default=1.0)
    ap.add_argument("--lr-to", type=float, default=0.03)
    ap.add_argument("--lr", type=float, default=1.5e-3)
    ap.add_argument("--muon", type=float, default=0.02)
    ap.add_argument("--ema", type=float, default=0.995)
    ap.add_argument("--shift", type=float, default=5.0)
    ap.add_argument("--drop", type=float, default=0.1)
    ap.add_argument("--batch", type=int, default=16)
    ap.add_argument("--world", type=int, default=2)
    ap.add_argument("--seed", type=int, default=21)
    ap.add_argument("--save-every", type=float, default=60)
    ap.add_argument("--compile", type=int, default=0)
    ap.add_argument("--check", action="store_true")
    a = ap.parse_args()
    if a.check:
        check_equal()
    else:
        training.launch(run, a.world, a)
