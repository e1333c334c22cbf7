"""Trains the sentencepiece Unigram tokenizer on the captions and writes the files of tokenizer/.

Ids follow T5: <pad> 0, </s> 1, <unk> 2. Bytes are in the vocabulary, so that any UTF-8 text works.
"""
import argparse
import json
import os
import random

import sentencepiece as spm
import data

EXTRA = """a an the of in on over across with and is are to from at by video clip animation pattern background
foreground moving moves move drifting sliding slowly fast left right up down leftwards rightwards upwards downwards
red green blue yellow cyan magenta white black orange purple pink grey gray brown dark light bright
stripes stripe checks check checkerboard dots dot triangles triangle circles squares lines
blurry low quality static still noise text watermark ugly bad worst not no""".split()


def build(folder):
    os.makedirs(folder, exist_ok=True)
    rng = random.Random(3)
    words = sorted({w.strip(",.") for c in data.all_captions() for w in c.split()} | set(EXTRA))
    lines = list(data.all_captions())
    rng.shuffle(lines)
    lines = lines[:4000]
    lines += [" ".join(rng.sample(EXTRA, 8)) for _ in range(2000)]
    lines += [" ".join("abcdefghijklmnopqrstuvwxyz0123456789"), "! \" # $ % & ' ( ) * + , - . / : ; ? @ _"] * 50
    prefix = os.path.join(folder, "spiece")
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_prefix=prefix, model_type="unigram", vocab_size=448,
        hard_vocab_limit=False, byte_fallback=True, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", character_coverage=1.0,
        normalization_rule_name="nmt_nfkc_cf", add_dummy_prefix=True, remove_extra_whitespaces=True,
        user_defined_symbols=[], num_threads=1, minloglevel=2, seed_sentencepiece_size=20000, max_sentencepiece_length=16,
    )
    os.remove(prefix + ".vocab")
    sp = spm.SentencePieceProcessor(model_file=prefix + ".model")
    split = [w for w in words if len(sp.encode(w)) != 1]
    print(f"{sp.vocab_size()} pieces, {os.path.getsize(prefix + '.model')} bytes, not whole: {split}")
    return sp


def field(message, number):
    """The first length-delimited field of that number in a protobuf message (no protobuf package needed)."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = message[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(message):
        key = varint()
        kind = key & 7
        if kind == 0:
            varint()
        elif kind == 2:
            size = varint()
            if key >> 3 == number:
                return message[at : at + size]
            at += size
        else:
            at += 4 if kind == 5 else 8
    return b""


def save_fast(folder, sp):
    """tokenizer.json, equal to the sentencepiece model, for AutoTokenizer."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

    with open(os.path.join(folder, "spiece.model"), "rb") as f:
        charsmap = field(field(f.read(), 3), 2)
    vocab = [(sp.id_to_piece(i), sp.get_score(i)) for i in range(sp.vocab_size())]
    t = Tokenizer(models.Unigram(vocab, unk_id=2, byte_fallback=True))
    t.normalizer = normalizers.Sequence([
        normalizers.Precompiled(charsmap), normalizers.Strip(left=True, right=True), normalizers.Replace(Regex(" {2,}"), " ")])
    t.pre_tokenizer = pre_tokenizers.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)
    t.decoder = decoders.Sequence([
        decoders.ByteFallback(), decoders.Metaspace(replacement="\u2581", prepend_scheme="always", split=True)])
    t.post_processor = processors.TemplateProcessing(single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", 1)])
    t.save(os.path.join(folder, "tokenizer.json"), pretty=False)
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
              "model_max_length": 512, "padding_side": "right", "truncation_side": "right",
              "clean_up_tokenization_spaces": False, "model_input_names": ["input_ids", "attention_mask"]}
    with open(os.path.join(folder, "tokenizer_config.json"), "w") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
    special = {k: config[k] for k in ("pad_token", "eos_token", "unk_token")}
    with open(os.path.join(folder, "special_tokens_map.json"), "w") as f:
        json.dump(special, f, indent=2)
        f.write("\n")


ODD = ["", " ", "Red dots, moving LEFT!", "\u00e9\u4e2d\u6587 \U0001f600", "  a   b ", "don't \u2014 \u201cx\u201d \ufb01", "<0x41> \u2581 x",
       "x\ty\nz", "\u2026", "\uff32\uff25\uff24 \u2460", "red\u00a0dots \u200b a", "\u00c4\u00df\u0130", "a,b;c.", "RedDots123"]


def verify(folder, sp):
    """sentencepiece and AutoTokenizer must agree."""
    from transformers import AutoTokenizer

    t = AutoTokenizer.from_pretrained(folder)
    wrong = [s for s in ODD + sorted(set(data.all_captions())) if sp.encode(s) + [1] != t(s).input_ids]
    print(f"{type(t).__name__}: {len(wrong)} differ", [(s, sp.encode(s) + [1], t(s).input_ids) for s in wrong[:10]])


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--out", default="../tokenizer")
    folder = ap.parse_args().out
    model = build(folder)
    save_fast(folder, model)
    verify(folder, model)
