#!/usr/bin/env python3
"""Measures mxdit and PyTorch side by side and prints a table.

usage: bench/side_by_side.py [--cases linear,dit] [--python PYTHON_WITH_TORCH] [--json FILE]

All programs of a case are set up first and then run in turn, A B C A B C ..., so that whatever the
machine does meanwhile disturbs them alike. Only the standard library is needed here; torch and
diffusers are needed by the interpreter that --python names, and without them mxdit runs alone.
"""
import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time

from comparison_cases import GROUPS, WORKER, Cases, Settings
from paced_process import MeasurementError, alternate

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", default=",".join(GROUPS),
                        help="of " + ", ".join(GROUPS) + " (default: all)")
    parser.add_argument("--repeat", type=int, default=5, help="measured runs of each (default: 5)")
    parser.add_argument("--warmup", type=int, default=1, help="runs before them (default: 1)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)),
                        help="of every program (default: one per processor)")
    parser.add_argument("--mxdit", help="the program (default: this tree's release build, else PATH)")
    parser.add_argument("--python", default=sys.executable, help="interpreter that has torch")
    parser.add_argument("--no-torch", action="store_true", help="mxdit alone")
    parser.add_argument("--torch-amx", default="", metavar="FOLDER",
                        help="with a module torch_amx that makes oneDNN's AMX kernels work here")
    parser.add_argument("--quantization", default="mxfp4_npu", help="methods (default: mxfp4_npu)")
    parser.add_argument("--isa", default="avx512_vnni",
                        help="mxdit's kernels in the case avx512 (default: avx512_vnni)")
    parser.add_argument("--tokens", type=int, default=4680,
                        help="other than 4680 for a trial; not the vae")
    parser.add_argument("--layers", type=int, default=0, help="of the 1.3B model, for a trial")
    parser.add_argument("--json", metavar="FILE", help="write the results there")
    arguments = parser.parse_args()
    arguments.groups = arguments.cases.split(",")
    for group in arguments.groups:
        if group not in GROUPS:
            parser.error(f"--cases: expected some of {', '.join(GROUPS)}, got {group}")
    for flag in ("repeat", "threads", "tokens"):
        if getattr(arguments, flag) < 1:
            parser.error(f"--{flag}: expected at least 1, got {getattr(arguments, flag)}")
    if arguments.warmup < 0 or arguments.layers < 0:
        parser.error("--warmup, --layers: expected at least 0")
    return arguments


def find_mxdit(given):
    built = os.path.join(ROOT, "build", "release", "bin", "mxdit")
    found = given or (built if os.path.exists(built) else shutil.which("mxdit"))
    if not found or not os.path.exists(found):
        sys.exit(f"--mxdit: expected the program mxdit, got {given or 'none'}")
    return os.path.abspath(found)


def probe_torch(arguments):
    """The versions of the peer; None, with a word on standard error, when it cannot run."""
    if arguments.no_torch:
        return None
    command = [arguments.python, WORKER, "--probe"]
    if arguments.torch_amx:
        command += ["--torch-amx", arguments.torch_amx]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return json.loads(done.stdout)
        said = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
    except OSError as error:
        said = error.strerror
    print(f"PyTorch is left out: {arguments.python}: {said}", file=sys.stderr)
    return None


class Peaks:
    """What the multipliers reach at most: measured several times, since other work on the machine
    only lowers it."""

    def __init__(self, mxdit, threads):
        self.command = [mxdit, "bench", "peak", "--json", "--threads", str(threads)]
        self.best = {}

    def measure(self):
        done = subprocess.run(self.command, capture_output=True, text=True, check=True)
        for peak in json.loads(done.stdout)["peaks"]:
            key = peak["isa"], peak["type"]
            rate = peak["operations_per_second"]
            if key not in self.best or rate > self.best[key]["operations_per_second"]:
                self.best[key] = peak

    def list(self):
        return list(self.best.values())


def peak_for(party, peaks):
    """The fastest multiplier of the party's kind; where none was measured, the next wider type.

    Peaks with zeros have a type of their own, "bf16, zeros", and count for nobody."""
    kinds = ["int8", "bf16", "fp32"]
    for kind in kinds[kinds.index(party.multiplies):]:
        fitting = [p for p in peaks if p["type"] == kind and p["isa"].startswith(party.isa)]
        if fitting:
            return max(fitting, key=lambda p: p["operations_per_second"])
    return None


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor()


def shares(party, result, peaks, operations):
    peak = peak_for(party, peaks)
    if not operations:
        return
    result["tflops"] = operations / result["median"] * 1e-12
    if peak:
        result["peak"] = f"{peak['isa']} {peak['type']}"
        result["share_of_peak"] = operations / result["median"] / peak["operations_per_second"]


def summarize(case, answers, peaks):
    """One entry per party, with the ratios between them."""
    results = []
    # Every program does the same work; mxdit counts it.
    operations = max((a.get("operations", 0) for list_ in answers.values()
                      if not isinstance(list_, MeasurementError) for a in list_), default=0)
    for party in case.parties:
        measured = answers[party.who]
        if isinstance(measured, MeasurementError):
            results.append({"who": party.who, "error": str(measured)})
            continue
        seconds = [answer["seconds"] for answer in measured]
        result = {"who": party.who, "seconds": seconds, "min": min(seconds),
                  "median": statistics.median(seconds), "max": max(seconds)}
        for key in ("device", "isa", "kernel", "quantization", "peak_resident_bytes",
                    "peak_anonymous_bytes"):
            if key in measured[-1]:
                result[key] = measured[-1][key]
        shares(party, result, peaks, operations)
        results.append(result)
    add_ratios(case, results)
    return {"case": case.name, "group": case.group, "operations": operations, "parties": results}


def add_ratios(case, results):
    for flag, key in [("is_torch", "times_torch"), ("is_base", "times_bf16")]:
        base = [r["median"] for p, r in zip(case.parties, results)
                if getattr(p, flag) and "median" in r]
        for result in results:
            if base and "median" in result:  # of several peers the fastest counts
                result[key] = min(base) / result["median"]


def table(cases):
    rows = [["case", "who", "median s", "min", "max", "TFLOPS", "x PyTorch", "x own bf16",
             "of peak"]]
    for case in cases:
        for i, result in enumerate(case["parties"]):
            name = case["case"] if i == 0 else ""
            if "error" in result:
                rows.append([name, result["who"], "failed: " + result["error"][:100]])
                continue

            def number(key, form, source=result):
                return format(source[key], form) if key in source else "-"

            share = f"{result['share_of_peak']:.0%} {result['peak']}" if "peak" in result else "-"
            rows.append([name, result["who"], number("median", ".4g"), number("min", ".4g"),
                         number("max", ".4g"), number("tflops", ".3g"),
                         number("times_torch", ".2f"), number("times_bf16", ".2f"), share])
    widths = [max(len(row[i]) for row in rows if len(row) == len(rows[0]) or i < 2)
              for i in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if i < 2 or i == 8 or len(row) == 3 else cell.rjust(width)
                 for i, (cell, width) in enumerate(zip(row, widths))]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def write_json(path, report):
    temporary = path + ".part"
    with open(temporary, "w") as file:
        json.dump(report, file, indent=2)
        file.write("\n")
    os.replace(temporary, path)


def measure_all(cases, peaks, arguments, report):
    measured = []
    for group in arguments.groups:
        peaks.measure()
        for case in getattr(cases, group)():
            print(f"{case.name} ...", file=sys.stderr, flush=True)
            programs = {party.who: party.program for party in case.parties}
            measured.append((case, alternate(programs, arguments.repeat, arguments.warmup)))
            report["peaks"] = peaks.list()
            report["cases"] = [summarize(*entry, report["peaks"]) for entry in measured]
            if arguments.json:  # what is done is kept when a later case is stopped
                write_json(arguments.json, report)


def main():
    arguments = parse()
    mxdit = find_mxdit(arguments.mxdit)
    torch = probe_torch(arguments)
    version = subprocess.run([mxdit, "--version"], capture_output=True, text=True, check=True)
    settings = Settings(mxdit, arguments.python if torch else "", arguments.torch_amx,
                        arguments.threads, [q for q in arguments.quantization.split(",") if q],
                        arguments.isa, arguments.tokens, arguments.layers)
    report = {"command": sys.argv, "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
              "processor": processor(), "system": platform.platform(), "threads": arguments.threads,
              "repeat": arguments.repeat, "versions": {"mxdit": version.stdout.strip(), **(torch or {})},
              "peaks": [], "cases": []}
    measure_all(Cases(settings), Peaks(mxdit, arguments.threads), arguments, report)
    print(f"{report['processor']}, {arguments.threads} threads; "
          f"{report['versions']['mxdit']}" + (f", PyTorch {torch['torch']}" if torch else ""))
    for peak in report["peaks"]:
        print(f"  peak {peak['isa']} {peak['type']}: "
              f"{peak['operations_per_second'] * 1e-12:.3g} TOPS")
    print(table(report["cases"]))


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
