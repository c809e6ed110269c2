"""Fault schedules for as long as you like: `python -m tests.faults.soak --schedules 5000`.

With `--busy` people are busy, too: mappings change, versions are deleted, commands race.
"""

import argparse
import sys
import time

from .busy import run_busy
from .invocation import Ports
from .schedules import Result, Total, run_schedule

SHOWN = 5


def main() -> int:
    parser = argparse.ArgumentParser(prog="soak", description=__doc__)
    parser.add_argument("--schedules", type=int, default=1000, help="how many (default 1000)")
    parser.add_argument("--seed", type=int, default=0, help="the first one's seed (default 0)")
    parser.add_argument("--busy", action="store_true", help="with people who are busy")
    parser.add_argument("--log", action="store_true", help="show the log of what failed")
    wanted = parser.parse_args()
    total, ports, began = Total(), Ports(), time.monotonic()
    try:
        for number in range(wanted.seed, wanted.seed + wanted.schedules):
            result = (_busy if wanted.busy else run_schedule)(str(number), ports)
            total.add(result)
            if result.findings and len(total.failed) <= SHOWN:
                print(f"seed {number}:")
                print("\n".join(f"  {finding}" for finding in result.findings))
                if wanted.log:
                    print("\n".join(result.world.logs))
            elif total.schedules % 100 == 0:
                print(f"{total.schedules} schedules, {len(total.failed)} failed", flush=True)
    finally:
        ports.close()
    seconds = time.monotonic() - began
    print(
        f"\n{total.schedules:,} schedules in {seconds:,.0f} s: {total.uploads:,} uploads, "
        f"{total.invocations:,} runs of the function, {total.calls:,} calls to AWS, "
        f"{total.mails:,} e-mails, {total.dead_letters:,} dead-lettered and redriven."
    )
    print("Faults:")
    for kind, times in total.faults.most_common():
        print(f"  {times:8,}  {kind}")
    if total.failed:
        seeds = ", ".join(result.seed for result in total.failed[:20])
        print(f"FAILED: {len(total.failed):,} schedules, seeds {seeds}. One again, with its log:")
        options = "--busy --log" if wanted.busy else "--log"
        print(
            f"  python -m tests.faults.soak --schedules 1 --seed {total.failed[0].seed} {options}"
        )
        return 1
    print("Lost: nothing.")
    return 0


def _busy(seed: str, ports: Ports) -> Result:
    findings, world = run_busy(f"busy {seed}", ports)
    return Result(seed, findings, world)


if __name__ == "__main__":
    sys.exit(main())
