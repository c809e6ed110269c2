"""Real processes on the embedded AWS, killed or stopped: `python -m tests.faults.real --kills 100`.

A process is killed amid its work, or stopped (as by Ctrl-Z) until its lease has lapsed and another
one has ingested a newer version, and then goes on. In the end the table has the newest version.
"""

import argparse
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

from festival.embedded.aws import EmbeddedAws
from festival.ingest.ledger.ledger import Ledger
from festival.lineup.model import Performance
from festival.table.item import from_item

ROWS = 200
LONGEST_SECONDS = 400
FILES_A_ROUND = 5
HEADER = "Performer,Stage,Date,Start,End,Popularity\n"
INGEST, RECONCILE = "ingest", "reconcile"
Key = tuple[str, str]


class Act:
    """One file, ingested or reconciled by a process that is interrupted, and checked."""

    def __init__(self, aws: EmbeddedAws, outputs: Any, seed: str) -> None:
        self.random = Random(seed)
        self.key = f"{seed}.csv"
        self.file = f"s3://{outputs.upload_bucket}/{self.key}"
        self._aws, self._outputs = aws, outputs
        self._s3, self._dynamodb = (aws.session().client(name) for name in ("s3", "dynamodb"))
        self.kept: dict[Key, Performance] = {}
        self.said: list[str] = []

    def upload(self, version: int) -> None:
        """Another popularity for every row, and another stage for half of them."""
        rows = [
            Performance(
                f"Band {number} of {self.key}",
                f"Stage {version if number % 2 else 0}",
                "2025-06-28",
                1200,
                1260,
                version,
                0,
            )
            for number in range(ROWS)
        ]
        self.kept = {row.key: row for row in rows}
        text = HEADER + "".join(
            f"{row.performer},{row.stage},2025-06-28,20:00,21:00,{row.popularity}\n" for row in rows
        )
        self._s3.put_object(Bucket=self._outputs.upload_bucket, Key=self.key, Body=text.encode())

    def start(self, command: str) -> "subprocess.Popen[str]":
        options = ["--yes"] if command == RECONCILE else []
        return subprocess.Popen(
            [sys.executable, "-m", "festival", command, self.file, *options],
            env={**self._aws.environment, "PYTHONPATH": str(Path.cwd())},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]") -> int:
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        self.said.append(f"{process.returncode}: {said}")
        return process.returncode

    def run(self, command: str) -> None:
        """To its end; again if somebody was in the way."""
        for _ in range(5):
            if self.finish(self.start(command)) == 0:
                return
            time.sleep(5)

    def caught(self, command: str) -> "subprocess.Popen[str]":
        """A process that has the lease, somewhere in its work."""
        attempts, process = self.head().get("Attempt"), self.start(command)
        while process.poll() is None and self.head().get("Attempt") == attempts:
            time.sleep(0.2)
        time.sleep(self.random.uniform(0, 2.5 if command == INGEST else 1.5))
        return process

    def head(self) -> Mapping[str, Any]:
        found = self._dynamodb.get_item(
            TableName=self._outputs.ledger_table,
            Key={"File": {"S": self.file.removeprefix("s3://")}, "Entry": {"S": "HEAD"}},
        )
        return dict(found.get("Item", {}))

    def wrong(self, there: Mapping[Key, Performance]) -> list[str]:
        """What the table (its items of this file) and the ledger have, and should not."""
        missing = sum(there.get(key) != row for key, row in self.kept.items())
        stale = len(there.keys() - self.kept.keys())
        ledger = Ledger(self._dynamodb, self._outputs.ledger_table)
        newest = ledger.history(self.file.removeprefix("s3://"))[-1]
        found = [f"{missing} rows are missing or wrong"] * bool(missing)
        found += [f"{stale} rows are stale"] * bool(stale)
        found += [f"the ledger says {newest.status}"] * (not newest.is_done)
        return found


def items_by_file(dynamodb: Any, table: str) -> dict[str, dict[Key, Performance]]:
    """The whole table, by the file that each item came from."""
    found: dict[str, dict[Key, Performance]] = defaultdict(dict)
    for page in dynamodb.get_paginator("scan").paginate(TableName=table):
        for item in page["Items"]:
            row = from_item(item)
            found["s3://" + item["Source"]["S"]][row.key] = row
    return found


def killed(act: Act) -> str:
    """Killed up to three times, then let finish; an ingest, or the reconciling after it."""
    act.upload(1)
    if act.random.random() < 0.4:
        act.run(INGEST)
        act.upload(2)
        act.run(INGEST)
        return _kill(act, RECONCILE)
    return _kill(act, INGEST)


def _kill(act: Act, command: str) -> str:
    died = 0
    for _ in range(act.random.randint(1, 3)):
        process = act.caught(command)
        process.kill()
        died += act.finish(process) < 0
    act.run(command)
    return f"{command} killed" if died else f"{command} had ended already"


def stopped(act: Act) -> str:
    """Stopped amid its work, and continued when a newer version is in the table."""
    act.upload(1)
    command = RECONCILE if act.random.random() < 0.4 else INGEST
    if command == RECONCILE:
        act.run(INGEST)
        act.upload(2)
        act.run(INGEST)
    process = act.caught(command)
    was_there = process.poll() is None
    process.send_signal(signal.SIGSTOP)
    act.upload(3)
    act.run(INGEST)
    process.send_signal(signal.SIGCONT)
    act.finish(process)
    act.run(RECONCILE)
    return f"{command} stopped" if was_there else f"{command} had ended already"


def play(
    deeds: Sequence[tuple[Callable[[Act], str], int]], seed: str, together: int
) -> Iterator[tuple[str, list[str]]]:
    """What befell each file of a round, and what is wrong with it, on an AWS of their own.

    moto copies all of its tables for each transaction: few files at once take less, and sooner.
    """
    with EmbeddedAws() as aws:
        outputs = aws.deploy()

        def one(deed: Callable[[Act], str], number: int) -> tuple[str, Act]:
            act = Act(aws, outputs, f"{seed} {deed.__name__} {number}")
            return deed(act), act

        with ThreadPoolExecutor(together) as pool:
            played = list(pool.map(lambda each: one(*each), deeds))
        there = items_by_file(aws.session().client("dynamodb"), outputs.table)
        for what, act in played:
            if wrong := act.wrong(there[act.file]):
                print(act.file, what, *wrong, *act.said, sep="\n  ", flush=True)
            yield what, wrong


def main() -> int:
    parser = argparse.ArgumentParser(prog="real", description=__doc__)
    parser.add_argument("--kills", type=int, default=20, help="files whose process is killed")
    parser.add_argument("--stops", type=int, default=10, help="files whose process is stopped")
    parser.add_argument("--seed", default="real", help="another one, other moments")
    parser.add_argument("--together", type=int, default=4, help="how many at once (default 4)")
    wanted = parser.parse_args()
    deeds = [(killed, n) for n in range(wanted.kills)] + [(stopped, n) for n in range(wanted.stops)]
    Random(wanted.seed).shuffle(deeds)
    happened: Counter[str] = Counter()
    failed = 0
    for first in range(0, len(deeds), FILES_A_ROUND):
        for what, wrong in play(deeds[first : first + FILES_A_ROUND], wanted.seed, wanted.together):
            happened[what] += 1
            failed += bool(wrong)
        print(f"{time.strftime('%H:%M:%S')} {happened.total()} files, {failed} failed", flush=True)
    print(*(f"{times:5,}  {what}" for what, times in happened.most_common()), sep="\n")
    print(f"{failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
