"""Draws loss_curve.png from loss.csv."""
import csv
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

folder = sys.argv[1] if len(sys.argv) > 1 else "."
series = {}
with open(f"{folder}/loss.csv") as f:
    for row in csv.DictReader(f):
        for name in ("s0-.4", "s.4-.7", "s.7-.9", "s.9-.98", "s.98-1"):
            if float(row[name]) > 0:
                series.setdefault((row["run"], name), []).append((int(row["seconds"]), float(row[name])))
plt.figure(figsize=(7, 4), dpi=80)
for (run, name), points in series.items():
    plt.plot(*zip(*points), label=f"{run} {name}", linewidth=1)
plt.xlabel("seconds"), plt.ylabel("velocity loss"), plt.ylim(0, 2.1), plt.grid(alpha=0.3), plt.legend(fontsize=7)
plt.tight_layout()
plt.savefig(f"{folder}/loss_curve.png")
