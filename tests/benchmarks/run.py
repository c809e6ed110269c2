"""Running contenders side by side, and what their figures come to."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
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


# Free to use every core, and kept to one: Python's threads cost more where they are spread.
FREE, ONE = "free", "one"
CORES = (FREE, ONE) if hasattr(os, "sched_setaffinity") else (FREE,)


@dataclass(frozen=True)
class Result:
    """One line of the benchmark: what was measured by which call, and its ratio to a reference.

    `cores` says whether the process had every core of the machine or was kept to one.
    """

    what: str
    cores: str
    call: str
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
    cores: str = FREE,
) -> Figures:
    """One contender once, in a process of its own."""
    command = [python, "-m", "tests.benchmarks.contenders", contender, endpoint, str(path)]
    return figures_of(command, ROOT, dict(settings or {}), cores)


def figures_of(
    command: Sequence[str], folder: Path, settings: Mapping[str, str], cores: str
) -> Figures:
    """What a process prints on its last line."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment() | dict(settings),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=_keep_to_one_core if cores == ONE else None,
    )
    if done.returncode:
        raise RuntimeError(f"{command} failed: {done.stderr.strip().splitlines()[-1]}")
    return Figures(**json.loads(done.stdout.splitlines()[-1]))


def _keep_to_one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def side_by_side(
    runs: Mapping[str, Callable[[str], Figures]], *, times: int
) -> dict[tuple[str, str], Figures]:
    """Several contenders in turn, so that a busy moment of the machine hits all of them.

    `runs` has a function of the cores for each; the answer has medians by contender and cores.
    """
    found: dict[tuple[str, str], list[Figures]] = {}
    for _ in range(times):
        for cores in CORES:
            for contender, once in runs.items():
                found.setdefault((contender, cores), []).append(once(cores))
    return {each: middle(figures) for each, figures in found.items()}


def middle(figures: Sequence[Figures]) -> Figures:
    return Figures(
        rows=figures[0].rows,
        cpu=median(each.cpu for each in figures),
        wall=median(each.wall for each in figures),
        rss=median(each.rss for each in figures),
    )
