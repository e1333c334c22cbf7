#!/usr/bin/env python3
"""Time of a transformer's forward against tokens and threads, as a picture.

usage: bench/scaling.py --svg docs/images/scaling.svg [--json FILE] [--quantization none,mxfp4_npu]

A forward of n tokens costs a n + b n^2 operations: products with weights grow with n, attention with
n^2. Both numbers of operations are known; the rates at which the two kinds run are fitted to the
measurements, and the line they give is drawn beside them. Only the standard library is needed.
"""
import argparse
import json
import math
import os
import statistics
import sys

from paced_process import MeasurementError, PacedProcess, alternate
from side_by_side import find_mxdit, processor, write_json

COLOURS = ["#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377"]


def numbers(text):
    return [int(part) for part in text.split(",")]


def parse():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mxdit", help="the program (default: this tree's release build, else PATH)")
    parser.add_argument("--shape", default="wan2.1-t2v-1.3b")
    parser.add_argument("--layers", type=int, default=2,
                        help="all layers cost the same (default: 2)")
    parser.add_argument("--tokens", type=numbers, default=[1024, 2048, 4096, 8192, 16384])
    parser.add_argument("--threads", type=numbers,
                        default=sorted({1, len(os.sched_getaffinity(0))}))
    parser.add_argument("--quantization", default="none,mxfp4_npu")
    parser.add_argument("--isa", default="", help="force mxdit's kernels")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--svg", required=True, metavar="FILE")
    parser.add_argument("--json", metavar="FILE")
    return parser.parse_args()


def measure(mxdit, arguments):
    """[{quantization, threads, tokens, seconds, operations}]; the variants of a length in turn."""
    points = []
    for tokens in arguments.tokens:
        variants = [(key, threads) for key in arguments.quantization.split(",")
                    for threads in arguments.threads]
        programs = {}
        for key, threads in variants:
            command = [mxdit, "bench", "dit", "--paced", "--warmup", "0", "--shape",
                       arguments.shape, "--layers", str(arguments.layers), "--tokens", str(tokens),
                       "--threads", str(threads), "--quantization", key]
            programs[key, threads] = PacedProcess(
                command + (["--isa", arguments.isa] if arguments.isa else []))
        print(f"{tokens} tokens ...", file=sys.stderr, flush=True)
        for (key, threads), answers in alternate(programs, arguments.repeat, 1).items():
            if isinstance(answers, MeasurementError):
                sys.exit(f"{key}, {threads} threads, {tokens} tokens: {answers}")
            seconds = [answer["seconds"] for answer in answers]
            points.append({"quantization": key, "threads": threads, "tokens": tokens,
                           "seconds": seconds, "median": statistics.median(seconds),
                           "operations": answers[-1]["operations"],
                           "device": answers[-1]["device"]})
    return points


def operation_counts(points):
    """c, a and b of the operations c + a n + b n^2, from three counts (they are exact)."""
    counts = sorted({(p["tokens"], p["operations"]) for p in points})
    if len(counts) < 3:
        sys.exit("--tokens: expected at least three lengths")
    (x0, y0), (x1, y1), (x2, y2) = counts[0], counts[len(counts) // 2], counts[-1]
    first, second = (y1 - y0) / (x1 - x0), (y2 - y1) / (x2 - x1)
    b = (second - first) / (x2 - x0)
    a = first - b * (x0 + x1)
    return y0 - a * x0 - b * x0 * x0, a, b


def fit(series, counts):
    """Seconds per operation of weights and of attention, least squares of relative errors."""
    c, a, b = counts
    rows = [((c + a * p["tokens"]) / p["median"], b * p["tokens"] ** 2 / p["median"])
            for p in series]
    xx, xy, yy = (sum(r[i] * r[j] for r in rows) for i, j in [(0, 0), (0, 1), (1, 1)])
    x, y = sum(r[0] for r in rows), sum(r[1] for r in rows)
    determinant = xx * yy - xy * xy
    if determinant > 1e-9 * xx * yy:
        per = (x * yy - y * xy) / determinant, (y * xx - x * xy) / determinant
        if min(per) > 0:
            return per
    both = [r[0] + r[1] for r in rows]  # one rate for all
    return (sum(both) / sum(v * v for v in both),) * 2


def seconds_text(value):
    return f"{value:.3g} s" if value >= 1 else f"{value * 1000:.3g} ms"


class Plot:
    """Two logarithmic axes."""

    def __init__(self, left, top, width, height, x_range, y_range):
        self.left, self.top, self.width, self.height = left, top, width, height
        self.x_range, self.y_range = x_range, y_range
        self.parts = []

    def x(self, value):
        low, high = map(math.log, self.x_range)
        return self.left + (math.log(value) - low) / (high - low) * self.width

    def y(self, value):
        low, high = map(math.log, self.y_range)
        return self.top + (high - math.log(value)) / (high - low) * self.height

    def text(self, x, y, text, anchor="start"):
        safe = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
        self.parts.append(f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{safe}</text>')

    def line(self, points, colour, width=1.5, dashes=""):
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dash = f' stroke-dasharray="{dashes}"' if dashes else ""
        self.parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" '
                          f'stroke-width="{width}"{dash}/>')

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"/>')

    def axes(self, x_ticks, x_title, title):
        right, bottom = self.left + self.width, self.top + self.height
        self.text(self.left, self.top - 12, title)
        exponent = math.floor(math.log10(self.y_range[0]))
        while 10 ** exponent <= self.y_range[1]:
            for factor in (1, 2, 5):
                value = factor * 10.0 ** exponent
                if self.y_range[0] <= value <= self.y_range[1]:
                    self.line([(self.left, self.y(value)), (right, self.y(value))], "#dddddd", 1)
                    self.text(self.left - 6, self.y(value) + 4, seconds_text(value), "end")
            exponent += 1
        for tick in x_ticks:
            self.line([(self.x(tick), bottom), (self.x(tick), bottom + 5)], "black", 1)
            self.text(self.x(tick), bottom + 19, str(tick), "middle")
        self.line([(self.left, self.top), (self.left, bottom), (right, bottom)], "black", 1)
        self.text(self.left + self.width / 2, bottom + 38, x_title, "middle")


def bounds(values, margin):
    return min(values) / margin, max(values) * margin


def series_of(points):
    found = {}
    for point in points:
        found.setdefault((point["quantization"], point["threads"]), []).append(point)
    return found


def label(key, threads):
    name = "bf16" if key == "none" else key
    return f"{name}, {threads} thread" + ("s" if threads > 1 else "")


def theory(series, counts):
    """The rates' reciprocals and the line [(tokens, seconds)] they give."""
    per_weight, per_attention = fit(series, counts)
    c, a, b = counts
    low, high = series[0]["tokens"], series[-1]["tokens"]
    steps = [low * (high / low) ** (k / 40) for k in range(41)]
    return per_weight, per_attention, [
        (n, (c + a * n) * per_weight + b * n * n * per_attention) for n in steps]


def draw_tokens(plot, points, counts):
    plot.axes(sorted({p["tokens"] for p in points}), "tokens",
              "One forward against tokens; lines: a n + b n\u00b2")
    for i, ((key, threads), series) in enumerate(series_of(points).items()):
        colour = COLOURS[i % len(COLOURS)]
        per_weight, per_attention, line = theory(series, counts)
        plot.line([(plot.x(n), plot.y(seconds)) for n, seconds in line], colour)
        for point in series:
            plot.dot(plot.x(point["tokens"]), plot.y(point["median"]), colour)
        y = plot.top + plot.height + 62 + 18 * i
        plot.dot(plot.left + 6, y - 4, colour)
        plot.text(plot.left + 18, y,
                  f"{label(key, threads)}: weights {1e-12 / per_weight:.3g} TOPS, "
                  f"attention {1e-12 / per_attention:.3g} TOPS")


def draw_threads(plot, points, tokens):
    threads = sorted({p["threads"] for p in points})
    plot.axes(threads, "threads", f"{tokens} tokens against threads; dashed: 1/threads")
    for i, key in enumerate(dict.fromkeys(p["quantization"] for p in points)):
        colour = COLOURS[(i * len(threads)) % len(COLOURS)]
        series = sorted((p for p in points if p["quantization"] == key and p["tokens"] == tokens),
                        key=lambda p: p["threads"])
        places = [(plot.x(p["threads"]), plot.y(p["median"])) for p in series]
        first = series[0]
        ideal = [(plot.x(t), plot.y(first["median"] * first["threads"] / t)) for t in threads]
        plot.line(ideal, colour, 1, "4 3")
        plot.line(places, colour)
        for place in places:
            plot.dot(*place, colour)
        y = plot.top + plot.height + 62 + 18 * i
        plot.dot(plot.left + 6, y - 4, colour)
        gain = first["median"] / series[-1]["median"]
        plot.text(plot.left + 18, y, f"{'bf16' if key == 'none' else key}: {gain:.2f} times as fast "
                                     f"with {series[-1]['threads']} as with {first['threads']}")


def picture(points, subject):
    counts = operation_counts(points)
    drawn = [p["median"] for p in points]
    for series in series_of(points).values():
        drawn += [seconds for _, seconds in theory(series, counts)[2]]
    seconds = bounds(drawn, 1.2)
    lengths = sorted({p["tokens"] for p in points})
    threads = sorted({p["threads"] for p in points})
    left = Plot(80, 40, 430, 330, bounds(lengths, 1.15), seconds)
    draw_tokens(left, points, counts)
    height = 40 + 330 + 62 + 18 * len(series_of(points)) + 14
    left.text(left.left, height - 12, subject)
    parts = left.parts
    width = 540
    if len(threads) > 1:
        middle = lengths[len(lengths) // 2]
        chosen = [p["median"] for p in points if p["tokens"] == middle]
        chosen.append(max(chosen) * threads[0] / threads[-1])
        chosen.append(min(p["median"] * p["threads"] / threads[-1] for p in points
                          if p["tokens"] == middle))
        right = Plot(630, 40, 300, 330, bounds(threads, 1.15), bounds(chosen, 1.2))
        draw_threads(right, points, middle)
        parts, width = parts + right.parts, 980
    return (f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" '
            'font-family="sans-serif" font-size="12">\n'
            '<rect width="100%" height="100%" fill="white"/>\n' + "\n".join(parts) + "\n</svg>\n")


def main():
    arguments = parse()
    points = measure(find_mxdit(arguments.mxdit), arguments)
    if arguments.json:
        write_json(arguments.json, {"shape": arguments.shape, "layers": arguments.layers,
                                    "points": points})
    temporary = arguments.svg + ".part"
    with open(temporary, "w") as file:
        file.write(picture(points, f"{arguments.shape}, {arguments.layers} layers; "
                                   f"{processor()}; {points[-1]['device']}"))
    os.replace(temporary, arguments.svg)
    for point in points:
        print(f"{label(point['quantization'], point['threads'])}, {point['tokens']} tokens: "
              f"{point['median']:.4g} s, {point['operations'] / point['median'] * 1e-12:.3g} TOPS")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
