#!/usr/bin/env python3
"""Tests of the comparison on sizes of milliseconds. usage: side_by_side_test.py MXDIT"""
import json
import os
import subprocess
import sys
import tempfile
import unittest
import xml.dom.minidom

from comparison_cases import Comparison, Party, token_grid
from paced_process import MeasurementError, PacedProcess, alternate
from scaling import fit, operation_counts
from side_by_side import summarize, table

FOLDER = os.path.dirname(os.path.abspath(__file__))
MXDIT = sys.argv.pop(1) if len(sys.argv) > 1 else "mxdit"
ECHO = ("import sys\nfor i, line in enumerate(sys.stdin):\n"
        "    print('{\"seconds\": %d}' % (i + OFFSET), flush=True)\n")


def echo(offset):
    return PacedProcess([sys.executable, "-c", ECHO.replace("OFFSET", str(offset))])


class Recorder:
    def __init__(self, name, log):
        self.name, self.log = name, log

    def run(self):
        self.log.append(self.name)
        return {"seconds": 1.0}

    def close(self):
        self.log.append("closed " + self.name)


class PacedTest(unittest.TestCase):
    def test_programs_take_turns(self):
        log = []
        answers = alternate({n: Recorder(n, log) for n in "ABC"}, repeat=2, warmup=1, pause=0)
        self.assertEqual(log, list("ABC" * 3) + ["closed A", "closed B", "closed C"])
        self.assertEqual([len(a) for a in answers.values()], [2, 2, 2])

    def test_warm_up_is_not_counted(self):
        answers = alternate({"x": echo(10)}, repeat=3, warmup=2, pause=0)
        self.assertEqual([a["seconds"] for a in answers["x"]], [12, 13, 14])

    def test_a_failure_leaves_the_others(self):
        broken = PacedProcess([sys.executable, "-c", "import sys; sys.exit('no such thing')"])
        answers = alternate({"bad": broken, "good": echo(0)}, repeat=2, warmup=0, pause=0)
        self.assertIsInstance(answers["bad"], MeasurementError)
        self.assertIn("no such thing", str(answers["bad"]))
        self.assertEqual(len(answers["good"]), 2)

    def test_missing_programs_and_wrong_answers(self):
        for command in (["/nonexistent/program"], [sys.executable, "-c", "input(); print('hm')"]):
            process = PacedProcess(command)
            with self.assertRaises(MeasurementError):
                process.run()
            process.close()


class SummaryTest(unittest.TestCase):
    def setUp(self):
        self.case = Comparison("dit", "a case", [
            Party("torch", None, "bf16", is_torch=True), Party("own", None, "bf16", is_base=True),
            Party("quantized", None, "int8"), Party("broken", None, "int8")])
        self.peaks = [{"isa": "amx", "type": "bf16, zeros", "operations_per_second": 5e12},
                      {"isa": "amx", "type": "bf16", "operations_per_second": 4e12},
                      {"isa": "avx512", "type": "bf16", "operations_per_second": 1e12},
                      {"isa": "amx", "type": "int8", "operations_per_second": 8e12},
                      {"isa": "amx", "type": "int8, zeros", "operations_per_second": 10e12}]
        self.answers = {"torch": [{"seconds": s} for s in (4.0, 3.0, 9.0)],
                        "own": [{"seconds": 2.0, "operations": 4e12}],
                        "quantized": [{"seconds": 1.0, "operations": 4e12}],
                        "broken": MeasurementError("died")}

    def test_ratios_and_shares(self):
        torch, own, quantized, broken = summarize(self.case, self.answers, self.peaks)["parties"]
        self.assertEqual((torch["min"], torch["median"], torch["max"]), (3.0, 4.0, 9.0))
        self.assertEqual((torch["times_torch"], own["times_torch"], quantized["times_torch"]),
                         (1.0, 2.0, 4.0))
        self.assertEqual((own["times_bf16"], quantized["times_bf16"]), (1.0, 2.0))
        self.assertEqual((own["share_of_peak"], own["peak"]), (0.5, "amx bf16"))
        self.assertEqual((quantized["share_of_peak"], quantized["peak"]), (0.5, "amx int8"))
        self.assertEqual(torch["tflops"], 1.0)
        self.assertEqual(broken["error"], "died")

    def test_without_amx_only_its_own_multipliers_count(self):
        self.case.parties[1].isa = "avx512"
        own = summarize(self.case, self.answers, self.peaks)["parties"][1]
        self.assertEqual((own["share_of_peak"], own["peak"]), (2.0, "avx512 bf16"))

    def test_the_table_shows_all(self):
        text = table([summarize(self.case, self.answers, self.peaks)])
        for part in ("a case", "quantized", "4.00", "50% amx int8", "failed: died"):
            self.assertIn(part, text)


class ScalingTest(unittest.TestCase):
    def test_rates_are_found_again(self):
        def point(n):
            weights, attention = 7 + 100 * n, 3 * n * n
            return {"tokens": n, "operations": weights + attention,
                    "median": weights / 50 + attention / 20}

        points = [point(n) for n in (10, 20, 40, 80)]
        counts = operation_counts(points)
        for got, expected in zip(counts, (7, 100, 3)):
            self.assertAlmostEqual(got, expected)
        per_weight, per_attention = fit(points, counts)
        self.assertAlmostEqual(1 / per_weight, 50)
        self.assertAlmostEqual(1 / per_attention, 20)


class ProgramTest(unittest.TestCase):
    def run_script(self, name, *arguments):
        with tempfile.TemporaryDirectory() as folder:
            files = [os.path.join(folder, kind) for kind in ("a.json", "b.svg")]
            arguments = [a.replace("JSON", files[0]).replace("SVG", files[1]) for a in arguments]
            done = subprocess.run([sys.executable, os.path.join(FOLDER, name), "--mxdit", MXDIT,
                                   *arguments], capture_output=True, text=True, check=False)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(files[0]) as file:
                report = json.load(file)
            picture = None
            if os.path.exists(files[1]):
                picture = xml.dom.minidom.parse(files[1])
            return done.stdout, report, picture

    def test_mxdit_alone(self):
        out, report, _ = self.run_script("side_by_side.py", "--no-torch", "--cases", "attention",
                                         "--tokens", "30", "--repeat", "2", "--json", "JSON")
        self.assertIn("mxdit bf16", out)
        self.assertEqual([case["group"] for case in report["cases"]], ["attention"] * 3)
        for case in report["cases"]:
            self.assertEqual(len(case["parties"]), 1)
            self.assertEqual(len(case["parties"][0]["seconds"]), 2)
            self.assertGreater(case["parties"][0]["share_of_peak"], 0)

    def test_scaling_draws(self):
        _, report, picture = self.run_script(
            "scaling.py", "--shape", "tiny", "--layers", "1", "--tokens", "4,8,16", "--threads",
            "1,2", "--quantization", "none", "--repeat", "1", "--json", "JSON", "--svg", "SVG")
        self.assertEqual(len(report["points"]), 3 * 2)
        self.assertEqual(picture.documentElement.tagName, "svg")

    def test_token_grids_are_those_of_mxdit(self):
        self.assertEqual(token_grid(4680), [1, 130, 144])
        with self.assertRaises(SystemExit):
            token_grid(1031)


if __name__ == "__main__":
    unittest.main()
