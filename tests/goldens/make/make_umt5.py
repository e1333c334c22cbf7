"""umt5/: UMT5EncoderModel."""

import torch
from golden_files import describe, folder, randomise, save_cases
from make_tokenizer import load
from transformers import UMT5Config, UMT5EncoderModel

SEED = 100
PROMPTS = {
    "short": ["a red ball bouncing on a wooden floor"],
    "batch": ["A cat.", "A slow pan over a misty mountain lake at dawn, soft light, birds in the distance.", "画面静止"],
    "empty": [""],
}


def config(vocab, **kw):
    args = dict(vocab_size=vocab, d_model=48, d_kv=12, d_ff=80, num_layers=2, num_heads=3, relative_attention_num_buckets=32,
                relative_attention_max_distance=128, dropout_rate=0.0, layer_norm_epsilon=1e-6,
                feed_forward_proj="gated-gelu", pad_token_id=0, eos_token_id=1, decoder_start_token_id=0,
                tie_word_embeddings=False)
    args.update(kw)
    return UMT5Config(**args)


def build(cfg, seed):
    # UMT5 has no 1/sqrt(d_kv) in attention, so q is made smaller.
    gains = [("SelfAttention.q.weight", 1.5 * cfg.d_kv**-0.5)]
    return randomise(UMT5EncoderModel(cfg), seed, gains=gains)


def prompt_embeds(hidden, mask):
    """As WanPipeline: cut at the length, pad with zeros."""
    out = torch.zeros_like(hidden)
    for row, n in enumerate(mask.gt(0).sum(1).tolist()):
        out[row, :n] = hidden[row, :n]
    return out


def main():
    tokenizer = load()
    model = build(config(len(tokenizer)), SEED)
    path = folder("umt5")
    model.save_pretrained(path, safe_serialization=True)
    g = torch.Generator("cpu").manual_seed(SEED + 1)

    def ids(n):
        return torch.cat([torch.randint(3, len(tokenizer), (n - 1,), generator=g), torch.tensor([1])])

    inputs = {}
    for name, prompts in PROMPTS.items():
        length = {"short": None, "batch": None, "empty": 8}[name]
        t = tokenizer(prompts, padding="max_length" if length else "longest", max_length=length or 512, truncation=True,
                      return_tensors="pt")
        inputs[name] = (t.input_ids, t.attention_mask)
    inputs["len1"] = (torch.tensor([[1]]), torch.tensor([[1]]))
    inputs["s37"] = (ids(37)[None], torch.ones(1, 37, dtype=torch.int64))
    full = torch.zeros(2, 512, dtype=torch.int64)
    full[0] = ids(512)
    full[1, :203] = ids(203)
    inputs["s512"] = (full[:1], torch.ones(1, 512, dtype=torch.int64))
    inputs["s512_padded"] = (full[1:], (full[1:] != 0).long())

    tensors, cases = {}, []
    for name, (token_ids, mask) in inputs.items():
        out = model(token_ids, mask).last_hidden_state
        tensors[f"{name}.input_ids"], tensors[f"{name}.attention_mask"] = token_ids, mask
        tensors[f"{name}.output"] = out
        if name != "s512":  # identical to the output there
            tensors[f"{name}.prompt_embeds"] = prompt_embeds(out, mask)
        cases.append({"name": name, "lengths": mask.sum(1).tolist()})
        describe(f"umt5/{name}", out)
    save_cases(path / "cases.safetensors", tensors, cases)


if __name__ == "__main__":
    main()
