"""tokenizer/: a small Unigram sentencepiece model and prompt -> ids cases."""

import io

import sentencepiece as spm
from golden_files import folder, save_json
from corpus import sentences
from diffusers.pipelines.wan.pipeline_wan import prompt_clean
from prompts import NEGATIVE_ZH, all_prompts
from transformers import T5Tokenizer

VOCAB = 1100
# Always in the vocabulary; other characters of the prompts (Korean, Arabic, emoji, rare Han ...) are left to byte fallback.
REQUIRED = (
    "".join(chr(c) for c in range(0x21, 0x7F)) + "àâäåæçèéêëíîïñóôöøùúüßœÀÅÄÉÖÜ°©®×€£¥†–—•→"
    + "абвгдеёжзийклмнопрстуфхцчшщъыьэюяПМ" + "αβγδεζηθικλμνξοπρστυφχψω" + "のプロンプトカタ日本語中文、。「」《》"
    + "".join(sorted({c for c in NEGATIVE_ZH if c > "\u3000" and c < "\uff00"} - set("丑陋肢畸")))
)
CONFIG = {"tokenizer_class": "T5Tokenizer", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>", "extra_ids": 0,
          "additional_special_tokens": None, "model_max_length": 512}


def train(path):
    model = io.BytesIO()
    spm.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences()), model_writer=model, model_type="unigram", vocab_size=VOCAB,
        hard_vocab_limit=False, byte_fallback=True, normalization_rule_name="nmt_nfkc", add_dummy_prefix=True,
        remove_extra_whitespaces=True, character_coverage=0.998, required_chars=REQUIRED, pad_id=0, eos_id=1, unk_id=2, bos_id=-1,
        num_threads=1, minloglevel=2)
    path.write_bytes(model.getvalue())


def write_tokenizer(path):
    """spiece.model + tokenizer_config.json, as in a diffusers folder."""
    path.mkdir(parents=True, exist_ok=True)
    (path / "spiece.model").write_bytes((folder("tokenizer") / "spiece.model").read_bytes())
    save_json(path / "tokenizer_config.json", CONFIG)


def load(path=None):
    return T5Tokenizer.from_pretrained(str(path or folder("tokenizer")))


def main():
    path = folder("tokenizer")
    train(path / "spiece.model")
    write_tokenizer(path)
    hf = load()
    sp = spm.SentencePieceProcessor(model_file=str(path / "spiece.model"))
    cases = []
    for name, raw in all_prompts():
        clean = prompt_clean(raw)
        ids = hf(clean, add_special_tokens=True).input_ids
        short = hf(clean, padding="max_length", max_length=16, truncation=True, add_special_tokens=True).input_ids
        spm_ids = sp.encode(clean) + [sp.eos_id()]
        case = {"name": name, "raw": raw, "clean": clean, "ids": ids, "ids_truncated_16": short}
        if spm_ids != ids:
            case["ids_sentencepiece"] = spm_ids
            folded = []
            for i in spm_ids:
                if sp.is_byte(i):
                    i = sp.unk_id()
                if not (i == sp.unk_id() and folded and folded[-1] == i):
                    folded.append(i)
            case["difference"] = "byte_fallback" if folded == ids else "special_literal"
            assert folded == ids or name.startswith("special") or "<0x" in raw, name
        cases.append(case)
    save_json(path / "cases.json", {"vocab_size": sp.vocab_size(), "pad_id": sp.pad_id(), "eos_id": sp.eos_id(),
                                    "unk_id": sp.unk_id(), "cases": cases})
    differ = [c for c in cases if "ids_sentencepiece" in c]
    print(f"tokenizer: {len(cases)} prompts, vocabulary {sp.vocab_size()}, hf {len(hf)}, {len(differ)} differ from sentencepiece")
    print("  ", [c["name"] for c in differ if c["difference"] == "special_literal"])


if __name__ == "__main__":
    main()
