"""Running contenders side by side, and what their figures come to."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Figures:
    """What one contender took: medians over its runs. Seconds and bytes."""

    rows: int
    cpu: float
    wall: float
    rss: float

    @property
    def rows_per_cpu_second(self) -> float:
        return self.rows / self.cpu

    @property
    def rows_per_second(self) -> float:
        return self.rows / self.wall


@dataclass(frozen=True)
class Result:
    """One line of the benchmark: what was measured, in which way, and its ratio to a reference."""

    what: str
    way: str
    value: float
    unit: str
    against: str = ""
    ratio: float | None = None
    goal: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether the ratio, or the value where there is none, is as the goal wants it."""
        if not self.goal:
            return None
        sign, bound = self.goal.split()
        have = self.value if self.ratio is None else self.ratio
        return have >= float(bound) if sign == "≥" else have <= float(bound)


def environment() -> dict[str, str]:
    """The shell's, with credentials that are worth nothing and nothing of the shell's own AWS."""
    # Compiled modules are kept, as they are where a package is installed.
    left_out = ("AWS_", "PYTHONDONTWRITEBYTECODE")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return kept | {
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
    }


@contextmanager
def stand_in(*arguments: str) -> Iterator[str]:
    """The stand-in endpoint in a process of its own; yields its URL."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.endpoint", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=environment(),
    )
    assert process.stdin and process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.stdin.close()
        process.wait()
        process.stdout.close()


def run(
    contender: str,
    endpoint: str = "",
    path: Path | str = "",
    *,
    python: str = sys.executable,
    settings: Mapping[str, str] | None = None,
) -> Figures:
    """One contender once, in a process of its own."""
    command = [python, "-m", "tests.benchmarks.contenders", contender, endpoint, str(path)]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=environment() | dict(settings or {}),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{contender} failed: {done.stderr.strip().splitlines()[-1]}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def side_by_side(
    contenders: Sequence[str],
    endpoint: str = "",
    path: Path | str = "",
    *,
    times: int,
    pythons: Mapping[str, str] | None = None,
) -> dict[str, Figures]:
    """Several contenders in turn, so that a busy moment of the machine hits all of them."""
    runs: dict[str, list[Figures]] = {contender: [] for contender in contenders}
    for _ in range(times):
        for contender in contenders:
            python = (pythons or {}).get(contender, sys.executable)
            runs[contender].append(run(contender, endpoint, path, python=python))
    return {contender: middle(figures) for contender, figures in runs.items()}


def middle(figures: Sequence[Figures]) -> Figures:
    return Figures(
        rows=figures[0].rows,
        cpu=median(each.cpu for each in figures),
        wall=median(each.wall for each in figures),
        rss=median(each.rss for each in figures),
    )
