"""Programs that measure one run whenever they are told to.

A paced process reads lines from its standard input and answers each with a line of JSON that has
`seconds`, as `mxdit bench ... --paced` and torch_worker.py do. Between lines it waits, so that
several programs can be measured in turn without their start and set-up being part of any time.
"""
import json
import os
import select
import subprocess
import tempfile
import time


class MeasurementError(Exception):
    """A program that could not measure, with what it said last."""


class PacedProcess:
    def __init__(self, command, environment=None, timeout=3600):
        self.command, self.timeout = command, timeout
        self.environment = {**os.environ, **(environment or {})}
        self.process, self.errors, self.pending = None, None, b""

    def start(self):
        self.errors = tempfile.TemporaryFile()
        try:
            self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE,
                                            stdout=subprocess.PIPE, stderr=self.errors,
                                            env=self.environment)
        except OSError as error:
            self.errors.close()
            raise MeasurementError(f"{self.command[0]}: {error.strerror}") from error

    def run(self):
        """One run: the answer's object. Raises MeasurementError."""
        if self.process is None:
            self.start()
        try:
            self.process.stdin.write(b"run\n")
            self.process.stdin.flush()
        except OSError:
            self._fail()
        line = self._read_line()
        try:
            answer = json.loads(line)
            answer["seconds"] = float(answer["seconds"])
        except (ValueError, KeyError, TypeError):
            raise MeasurementError(f"expected JSON with seconds, got {line[:200]!r}") from None
        return answer

    def close(self):
        if self.process is None:
            return
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()
        self.errors.close()
        self.process = None

    def _read_line(self):
        end = time.monotonic() + self.timeout
        while b"\n" not in self.pending:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.process.stdout], [], [], left)[0]:
                raise MeasurementError(f"no answer within {self.timeout} seconds")
            piece = os.read(self.process.stdout.fileno(), 65536)
            if not piece:
                self._fail()
            self.pending += piece
        line, self.pending = self.pending.split(b"\n", 1)
        return line.decode(errors="replace")

    def _fail(self):
        status = self.process.wait()
        self.errors.seek(0)
        said = self.errors.read().decode(errors="replace").strip().splitlines()
        ended = f"signal {-status}" if status < 0 else f"status {status}"
        raise MeasurementError(f"ended with {ended}" + (f": {said[-1]}" if said else ""))


class RepeatedProgram:
    """A program that is started anew for each run; `seconds_of` reads them from what it left."""

    def __init__(self, command, seconds_of, environment=None):
        self.command, self.seconds_of = command, seconds_of
        self.environment = {**os.environ, **(environment or {})}

    def run(self):
        try:
            done = subprocess.run(self.command, capture_output=True, text=True, check=False,
                                  env=self.environment)
        except OSError as error:
            raise MeasurementError(f"{self.command[0]}: {error.strerror}") from error
        if done.returncode != 0:
            said = done.stderr.strip().splitlines()
            raise MeasurementError(f"ended with status {done.returncode}" +
                                   (f": {said[-1]}" if said else ""))
        return {"seconds": self.seconds_of()}

    def close(self):
        pass


def alternate(programs, repeat, warmup, pause=0.2, report=None):
    """Runs every program in turn, A B C A B C ...

    programs: name -> object with run() and close(). Returns name -> list of answers, or the
    MeasurementError of a program that failed (the others go on). The pause lets threads that spin
    for work after a run come to rest.
    """
    results = {name: [] for name in programs}
    try:
        for turn in range(warmup + repeat):
            for name, program in programs.items():
                if isinstance(results[name], MeasurementError):
                    continue
                try:
                    answer = program.run()
                except MeasurementError as error:
                    results[name] = error
                    program.close()
                    continue
                if turn >= warmup:
                    results[name].append(answer)
                if report:
                    report(name, turn - warmup, answer["seconds"])
                time.sleep(pause)
    finally:
        for program in programs.values():
            program.close()
    return results
