"""What side_by_side.py compares: for each case the programs, and the peak each is held against."""
import json
import math
import os
import tempfile
from dataclasses import dataclass, field

from paced_process import PacedProcess, RepeatedProgram

WAN_SIZES = [(1536, 8960), (3072, 14336), (5120, 13824)]  # dim, ffn
WORKER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "torch_worker.py")
TINY_PROMPT = "red dots on a blue background moving left"


@dataclass
class Settings:
    mxdit: str
    python: str  # with torch; empty: without it
    torch_amx: str
    threads: int
    quantizations: list
    isa: str  # of the case avx512
    tokens: int
    layers: int  # 0: all


@dataclass
class Party:
    who: str
    program: object
    multiplies: str  # type of the factors: "bf16", "int8", "fp32"
    isa: str = ""    # only multipliers whose name begins so
    is_torch: bool = False
    is_base: bool = False  # mxdit without quantization


@dataclass
class Comparison:
    group: str
    name: str
    parties: list = field(default_factory=list)


def token_grid(tokens):
    """Latent frames, height and width of that many tokens, as mxdit bench --tokens has them."""
    for frames in range(1, 1025):
        if tokens % frames:
            continue
        plane = tokens // frames
        for rows in range(math.isqrt(plane), 0, -1):
            if plane % rows == 0 and plane // rows <= 1024:
                return [frames, 2 * rows, 2 * (plane // rows)]
    raise SystemExit(f"--tokens: expected a product of three numbers up to 1024, got {tokens}")


class Cases:
    def __init__(self, settings):
        self.settings = settings

    def mxdit(self, subject, *flags):
        command = [self.settings.mxdit, "bench", subject, "--paced", "--warmup", "0", "--threads",
                   str(self.settings.threads)]
        return PacedProcess(command + [str(flag) for flag in flags])

    def torch(self, case, *flags, highest_isa="", dtype="bf16"):
        command = [self.settings.python, WORKER, case, "--dtype", dtype, "--threads",
                   str(self.settings.threads)]
        if self.settings.torch_amx and not highest_isa:
            command += ["--torch-amx", self.settings.torch_amx]
        threads = str(self.settings.threads)
        environment = {"OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if highest_isa:
            environment["ONEDNN_MAX_CPU_ISA"] = highest_isa
        return PacedProcess(command + [str(flag) for flag in flags], environment)

    def compared(self, group, name, subject, mxdit_flags, torch_case, torch_flags,
                 quantizations=None):
        """PyTorch, mxdit in bf16, and mxdit quantized."""
        case = Comparison(group, name)
        if self.settings.python:
            case.parties.append(Party("PyTorch bf16", self.torch(torch_case, *torch_flags), "bf16",
                                      is_torch=True))
        case.parties.append(Party("mxdit bf16", self.mxdit(subject, *mxdit_flags), "bf16",
                                  is_base=True))
        for key in self.settings.quantizations if quantizations is None else quantizations:
            program = self.mxdit(subject, *mxdit_flags, "--quantization", key)
            case.parties.append(Party(f"mxdit {key}", program, factors_of(key)))
        return case

    def linear(self):
        tokens = self.settings.tokens
        for dim, ffn in WAN_SIZES:
            for inputs, outputs in [(dim, dim), (dim, ffn), (ffn, dim)]:
                flags = ["--tokens", tokens, "--in", inputs, "--out", outputs]
                yield self.compared("linear", f"{tokens} x {inputs} -> {outputs}", "linear", flags,
                                    "linear", flags)

    def attention(self):
        tokens = self.settings.tokens
        for queries, keys in [(tokens, tokens), (tokens * 5 // 3, tokens * 5 // 3), (tokens, 512)]:
            flags = ["--tokens", queries, "--keys", keys, "--heads", 12]
            yield self.compared("attention", f"{queries} tokens, {keys} keys, 12 heads",
                                "attention", flags, "attention", flags, quantizations=[])

    def size_flags(self):
        """Of mxdit, and the latents that PyTorch gets."""
        if self.settings.tokens == 4680:
            return ["--height", 480, "--width", 832, "--num-frames", 9], [3, 60, 104]
        return ["--tokens", self.settings.tokens], token_grid(self.settings.tokens)

    def forward_flags(self, shape, heads, ffn, layers):
        # The text's keys and values are part of a forward in PyTorch, so here as well.
        size, latents = self.size_flags()
        mxdit = ["--shape", shape, "--layers", layers, "--encode-text", *size]
        torch = ["--heads", heads, "--ffn-dim", ffn, "--layers", layers, "--latents", *latents]
        return mxdit, torch

    def block(self):
        mxdit, torch = self.forward_flags("wan2.2-t2v-a14b-block", 40, 13824, 1)
        yield self.compared("block", f"one A14B block, {self.settings.tokens} tokens", "dit", mxdit,
                            "forward", torch)

    def small_model(self):
        layers = self.settings.layers or 30
        name = f"1.3B forward, {layers} layers, {self.settings.tokens} tokens"
        return name, *self.forward_flags("wan2.1-t2v-1.3b", 12, 8960, layers)

    def dit(self):
        name, mxdit, torch = self.small_model()
        yield self.compared("dit", name, "dit", mxdit, "forward", torch)

    def vae(self):
        yield self.compared("vae", "VAE decode, 9 frames 240x416", "vae",
                            ["--num-frames", 9, "--height", 240, "--width", 416], "decode",
                            ["--latents", 3, 30, 52], quantizations=[])

    def avx512(self):
        """Both sides without AMX. At oneDNN's plain level PyTorch's bf16 products crawl, so it also
        gets fp32, and bf16 with bf16 instructions; the fastest of them is what counts."""
        name, mxdit, torch = self.small_model()
        case = Comparison("avx512", name + ", without AMX")
        isa = ["--isa", self.settings.isa]
        if self.settings.python:
            for dtype, level in [("bf16", "AVX512_CORE"), ("fp32", "AVX512_CORE"),
                                 ("bf16", "AVX512_CORE_BF16")]:
                program = self.torch("forward", *torch, highest_isa=level, dtype=dtype)
                case.parties.append(Party(f"PyTorch {dtype}, {level}", program, dtype,
                                          isa="avx512", is_torch=True))
        case.parties.append(Party(f"mxdit bf16, {self.settings.isa}",
                                  self.mxdit("dit", *mxdit, *isa), "bf16", isa="avx512",
                                  is_base=True))
        for key in self.settings.quantizations:
            program = self.mxdit("dit", *mxdit, *isa, "--quantization", key)
            case.parties.append(Party(f"mxdit {key}, {self.settings.isa}", program,
                                      factors_of(key), isa="avx512"))
        yield case

    def tiny(self):
        """The embedded model from prompt to frames; only mxdit has it."""
        case = Comparison("tiny", "embedded model, prompt to frames")
        for key in [""] + self.settings.quantizations:
            handle, path = tempfile.mkstemp(prefix="mxdit_bench_", suffix=".json")
            os.close(handle)
            command = [self.settings.mxdit, "generate", TINY_PROMPT, "--no-save-output",
                       "--perf-dump-path", path, "--threads", str(self.settings.threads)]
            program = GenerateRun(command + (["--quantization", key] if key else []), path)
            case.parties.append(Party("mxdit " + (key or "bf16"), program,
                                      factors_of(key) if key else "bf16", is_base=not key))
        yield case


class GenerateRun(RepeatedProgram):
    """mxdit generate, by the time its own report states (without the start of the program)."""

    def __init__(self, command, path):
        super().__init__(command, self.read)
        self.path = path

    def read(self):
        with open(self.path) as file:
            return json.load(file)["total_duration_ms"] / 1000

    def close(self):
        if os.path.exists(self.path):
            os.remove(self.path)


def factors_of(quantization):
    """What the multiplier sees: 4-bit elements of two-level MXFP4 are folded to int8, the other
    formats are widened to bf16."""
    return "int8" if quantization == "mxfp4_npu" else "bf16"


GROUPS = ["linear", "attention", "block", "dit", "vae", "tiny", "avx512"]
