"""Caches normalised latents of training clips and the text encoder's output for their captions.

One 16 x 16 tile a clip is enough (see train_vae.py): its 2 x 2 latents are one transformer token a
latent frame, the same all over the frame. Rolling them by one latent moves the pattern by 8 px.
"""
import argparse
import time

import numpy as np
import sentencepiece as spm
import torch
from diffusers import AutoencoderKLWan
from transformers import UMT5Config, UMT5EncoderModel

import training
import data
import train_dit
import train_text
import train_vae


def encode_part(rank, world, a):
    train_vae.use_full()
    vae = AutoencoderKLWan(**train_vae.CONFIG)
    train_vae.load_state(vae, a.vae)
    train_vae.set_circular(True)
    train, _ = data.split()
    per = a.clips // len(train)  # clips per combination, at random phases
    jobs = [(i, j) for i in range(len(train)) for j in range(per)][rank::world]
    rng = np.random.default_rng(900 + rank)
    np.random.default_rng(77 + rank).shuffle(jobs)
    z, combos, start = [], [], time.time()
    with torch.no_grad():
        for at in range(0, len(jobs), 16):
            group = jobs[at : at + 16]
            x = torch.from_numpy(np.stack([data.render(train[i], rng, width=16, height=16) for i, _ in group]))
            z.append(train_vae.encode_full(vae, x)[0])
            combos += [i for i, _ in group]
            if rank == 0 and at % 800 == 0:
                print(f"{time.time()-start:4.0f}s {at}/{len(jobs)}", flush=True)
            if time.time() - start > a.seconds:
                break
    torch.save({"z": torch.cat(z), "combo": torch.tensor(combos)}, f"{a.out}.part{rank}")


def text_bank(a):
    train, _ = data.split()
    sp = spm.SentencePieceProcessor(model_file=a.tokenizer)
    model = UMT5EncoderModel(UMT5Config(**train_text.CONFIG)).eval()
    model.load_state_dict(torch.load(a.text, weights_only=True))
    rng = np.random.default_rng(5)
    longest, rows = 22, []
    bank = torch.zeros(len(train), a.variants, longest, 128)
    lengths = torch.zeros(len(train), a.variants, dtype=torch.long)
    with torch.no_grad():
        for i, combo in enumerate(train):
            texts = [train_text.vary(data.caption(combo, rng), rng) for _ in range(a.variants)]
            ids, mask = train_text.pad([(sp.encode(t) + [1])[:longest] for t in texts])
            h = model(ids, mask).last_hidden_state * mask[..., None]
            bank[i, :, : h.shape[1]] = h
            lengths[i] = mask.sum(1)
        empty = model(torch.tensor([[1]]), torch.ones(1, 1, dtype=torch.long)).last_hidden_state[0]
    longest = int(lengths.max())
    return bank[:, :, :longest].contiguous(), lengths, empty


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--vae", default="work/vae.pt")
    ap.add_argument("--text", default="work/text.pt")
    ap.add_argument("--tokenizer", default="../tokenizer/spiece.model")
    ap.add_argument("--out", default="work/latents.pt")
    ap.add_argument("--clips", type=int, default=7840)
    ap.add_argument("--variants", type=int, default=12)
    ap.add_argument("--seconds", type=float, default=130, help="stop after this time with what there is")
    ap.add_argument("--world", type=int, default=2)
    a = ap.parse_args()
    training.launch(encode_part, a.world, a, port=29613)
    parts = [torch.load(f"{a.out}.part{r}", weights_only=True) for r in range(a.world)]
    z = torch.cat([p["z"] for p in parts])
    combo = torch.cat([p["combo"] for p in parts])
    mean, std = z.mean((0, 2, 3, 4)), z.std((0, 2, 3, 4))
    z = (z - mean.view(1, 16, 1, 1, 1)) / std.view(1, 16, 1, 1, 1)
    # The loss floor at sigma 1: what the caption leaves unknown. noise (1) + variance given the caption.
    within = torch.stack([z[combo == c].var(0, unbiased=True).mean() for c in combo.unique()[::8]]).mean()
    print(f"{len(z)} clips, latents mean {mean.numpy().round(2)} std {std.numpy().round(2)}")
    print(f"variance left once the caption is known: {within:.3f} (of 1)")
    z = torch.cat([z.roll((i, j), (3, 4)) for i in (0, 1) for j in (0, 1)])
    combo = combo.repeat(4)
    bank, lengths, empty = text_bank(a)
    torch.save({"z": train_dit.to_tokens(z).flatten(1, 3), "combo": combo, "mean": mean, "std": std,
                "text": bank, "lengths": lengths, "empty": empty}, a.out)
