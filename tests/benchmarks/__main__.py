"""The benchmarks: this project next to boto3 and awswrangler, on this machine, in one run.

    python -m tests.benchmarks --out runs/bench

prints which call was measured, what it took and the ratios, and saves them as `benchmarks.json` and
`benchmarks.png`; `--publish` also saves the run for the README and renews its table. It is not a
test: nothing fails because a machine is slow. awswrangler is compared with where it is installed
(`pip install 'festival[bench]'`, in this environment or in one that `--wrangler` names).
"""

import argparse
import json
import os
import platform
import subprocess
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tests.benchmarks import readme
from tests.benchmarks.cold_start import runtime_python
from tests.benchmarks.lines import LINES, Plan, python_with_awswrangler
from tests.benchmarks.run import ROOT, Result


def machine(wrangler: str) -> dict[str, Any]:
    """What the figures depend on; `wrangler` is the Python that has awswrangler, or ''."""
    installed = [f"{name} {version(name)}" for name in ("boto3", "pandas") if _is_installed(name)]
    if wrangler:
        code = "from importlib.metadata import version; print(version('awswrangler'))"
        answer = subprocess.check_output([wrangler, "-c", code], text=True)
        installed.append(f"awswrangler {answer.strip()}")
    return {
        "date": f"{datetime.now(UTC):%Y-%m-%d}",
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 2),
        "python": f"Python {platform.python_version()}",
        "versions": ", ".join(installed),
    }


def _is_installed(name: str) -> bool:
    try:
        return bool(version(name))
    except ImportError:
        return False


def told(result: Result) -> str:
    """One line for a person."""
    value = f"{result.value:,.2f}" if result.value < 100 else f"{result.value:,.0f}"
    text = f"  {result.cores:<5}{result.call:<34} {value:>10} {result.unit:<12}"
    if result.ratio is not None:
        text += f" {result.ratio:6.2f} × {result.against}"
    if result.reached is not None:
        text += f"   goal {result.goal}: {'reached' if result.reached else 'MISSED'}"
    return text.rstrip()


def measure(names: list[str], plan: Plan) -> list[Result]:
    results: list[Result] = []
    for name in names:
        print(f"\n{LINES[name].__doc__}", flush=True)
        began = time.monotonic()
        title = ""
        for result in LINES[name](plan):
            if result.what != title:
                title = result.what
                print(f" {title}")
            print(told(result), flush=True)
            results.append(result)
        print(f"  ({time.monotonic() - began:.0f} s)")
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("lines", nargs="*", choices=[*LINES, []], help="which lines (default all)")
    parser.add_argument("--rows", type=int, default=100_000, help="rows of a lineup (100,000)")
    parser.add_argument("--times", type=int, default=5, help="runs of each, for a median (5)")
    parser.add_argument("--out", type=Path, default=Path("runs/bench"), help="folder for the files")
    parser.add_argument("--wrangler", default="", help="a Python that has awswrangler")
    parser.add_argument("--runtime", default="", help="a Python of the function's, with boto3")
    parser.add_argument("--publish", action="store_true", help="renew the README's table, too")
    arguments = parser.parse_args()

    wrangler = python_with_awswrangler(arguments.wrangler)
    document = {**machine(wrangler), "rows": arguments.rows, "times": arguments.times}
    print(", ".join(f"{value}" for value in document.values()))
    if not wrangler:
        print(
            "awswrangler is not installed: its lines are left out (pip install 'festival[bench]')"
        )
    arguments.out.mkdir(parents=True, exist_ok=True)
    runtime = runtime_python(arguments.runtime, arguments.out / "runtime")
    with tempfile.TemporaryDirectory(prefix="festival-bench-") as folder:
        plan = Plan(arguments.rows, arguments.times, Path(folder), wrangler, runtime)
        results = measure(arguments.lines or list(LINES), plan)

    saved = [asdict(result) | {"reached": result.reached} for result in results]
    text = json.dumps(document | {"results": saved}, indent=1, ensure_ascii=False) + "\n"
    path = arguments.out / "benchmarks.json"
    path.write_text(text, encoding="utf-8")
    print(f"\n{path}")
    if any(result.ratio is not None for result in results):
        from tests.benchmarks.picture import draw

        print(draw(results, document, arguments.out / "benchmarks.png"))
    if arguments.publish:
        readme.FIGURES.write_text(text, encoding="utf-8")
        readme.write(json.loads(text))
        print(f"{readme.FIGURES.relative_to(ROOT)} and the README's table are renewed")


if __name__ == "__main__":
    main()
