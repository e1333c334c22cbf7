"""Trains the text encoder (UMT5, 2 layers of 128) so that every token carries all attributes linearly.

Four linear heads read colour, background, kind and direction from each token's output, with noise.
The encoder is frozen afterwards; cross-attention then only needs an average over the tokens.
"""
import argparse
import os
import time

import numpy as np
import sentencepiece as spm
import torch
import torch.nn.functional as F
from transformers import UMT5Config, UMT5EncoderModel

import data

CONFIG = dict(vocab_size=448, d_model=128, d_kv=32, d_ff=256, num_layers=2, num_heads=4, dropout_rate=0.0,
              relative_attention_num_buckets=32, relative_attention_max_distance=128, feed_forward_proj="gated-gelu",
              pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, tokenizer_class="T5Tokenizer")
CLASSES = (9, 9, 5, 5)  # the last class of each head: not said
PREFIXES = ["", "", "", "", "", "a clip of ", "an animation of ", "video: ", "bright ", "slowly, "]
SUFFIXES = ["", "", "", "", ".", ".", " slowly", " in a video"]


def vary(text, rng):
    return PREFIXES[rng.integers(len(PREFIXES))] + text + SUFFIXES[rng.integers(len(SUFFIXES))]


def pad(ids):
    n = max(map(len, ids))
    out = torch.zeros(len(ids), n, dtype=torch.long)
    for i, row in enumerate(ids):
        out[i, : len(row)] = torch.tensor(row)
    return out, (torch.arange(n)[None] < torch.tensor([len(r) for r in ids])[:, None]).long()


def sample(combos, sp, rng, n):
    texts, labels = [], []
    for _ in range(n):
        if rng.random() < 0.06:
            texts.append("")
            labels.append((8, 8, 4, 4))
            continue
        combo = combos[rng.integers(len(combos))]
        texts.append(vary(data.caption(combo, rng), rng))
        labels.append(combo)
    ids, mask = pad([sp.encode(t) + [1] for t in texts])
    return ids, mask, torch.tensor(labels)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--tokenizer", default="../tokenizer/spiece.model")
    ap.add_argument("--out", default="work/text.pt")
    ap.add_argument("--seconds", type=float, default=150)
    a = ap.parse_args()
    os.makedirs(os.path.dirname(a.out) or ".", exist_ok=True)
    torch.set_num_threads(1)
    torch.manual_seed(11)
    rng = np.random.default_rng(11)
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    model = UMT5EncoderModel(UMT5Config(**CONFIG))
    heads = torch.nn.ModuleList(torch.nn.Linear(128, n) for n in CLASSES)
    params = list(model.parameters()) + list(heads.parameters())
    opt = torch.optim.AdamW(params, lr=2e-3, betas=(0.9, 0.98), weight_decay=0.01)
    train, held = data.split()
    start, step = time.time(), 0
    while True:
        p = (time.time() - start) / a.seconds
        if p >= 1:
            break
        for g in opt.param_groups:
            g["lr"] = 2e-3 * min(1, (step + 1) / 50) * min(1, 0.02 + (1 - p) / 0.7)
        ids, mask, labels = sample(train, sp, rng, 128)
        h = model(ids, mask).last_hidden_state
        keep = mask.bool()
        flat = h[keep]
        flat = flat + 0.5 * min(1, step / 300) * torch.randn_like(flat)
        target = labels[:, None].expand(-1, ids.shape[1], -1)[keep]
        loss = sum(F.cross_entropy(head(flat), target[:, i], label_smoothing=0.02) for i, head in enumerate(heads))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        opt.step()
        opt.zero_grad()
        step += 1
        if step % 100 == 0:
            print(f"{time.time()-start:5.0f}s step {step} loss {loss.item():.4f} rms {h[keep].pow(2).mean().sqrt():.3f}", flush=True)
    with torch.no_grad():  # unit variance, then the accuracy per token on unseen combinations
        ids, mask, labels = sample(held, sp, rng, 512)
        h = model(ids, mask).last_hidden_state[mask.bool()]
        target = labels[:, None].expand(-1, ids.shape[1], -1)[mask.bool()]
        acc = [(head(h).argmax(-1) == target[:, i]).float().mean().item() for i, head in enumerate(heads)]
        rms = h.pow(2).mean().sqrt()
        model.encoder.final_layer_norm.weight /= rms
    print(f"end: {step} steps, unseen combinations, per token: " + " ".join(f"{x:.4f}" for x in acc))
    torch.save(model.state_dict(), a.out)
