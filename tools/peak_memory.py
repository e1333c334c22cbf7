#!/usr/bin/env python3
"""Runs a command and prints the peaks of its anonymous and of its resident memory (Linux).

usage: tools/peak_memory.py COMMAND ARGUMENTS...
"""
import re
import subprocess
import sys
import time


def kib(status, field):
    found = re.search(rf"^{field}:\s+(\d+) kB", status, re.MULTILINE)
    return int(found.group(1)) if found else 0


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    process = subprocess.Popen(sys.argv[1:])
    peaks = {"RssAnon": 0, "VmRSS": 0}
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/status") as file:
                status = file.read()
        except OSError:
            break
        for field in peaks:
            peaks[field] = max(peaks[field], kib(status, field))
        time.sleep(0.005)
    print(f"peak anonymous {peaks['RssAnon'] / 1024:.0f} MiB, peak resident {peaks['VmRSS'] / 1024:.0f} MiB")
    sys.exit(process.wait())


if __name__ == "__main__":
    main()
