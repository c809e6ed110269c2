"""The engine that is DynamoDB's own bulk load: all files as one operation.

Read every file under its lease, keep of each key the row that is to win, give DynamoDB the rest as
objects in S3, and wait. A file is written in the ledger once the operation has completed. What the
operation leaves open is ingested by this process, file by file, in order.
"""

import time
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from festival.analysis.ingest_time import NEW_TABLE_LIMIT
from festival.errors import FestivalError
from festival.ingest.direct import LONGEST_WAIT_SECONDS, new_owner, silent
from festival.ingest.events import FileEvent
from festival.ingest.leases import LeaseHeldError
from festival.ingest.service import Ingestor
from festival.ingest.source import unanswered
from festival.ops.bulk_leases import HeldLeases, at_once
from festival.ops.bulk_load import Load, LoadedFile, Loads
from festival.ops.bulk_operation import NotStartedError, follow, require_bulk, start
from festival.ops.bulk_read import LoadReader
from festival.ops.bulk_report import read_verdict
from festival.ops.bulk_settle import Settler
from festival.ops.bulk_verdict import Refused, Verdict
from festival.ops.direct_engine import ingest_one
from festival.ops.outcome import Outcome

SETTLED_AT_ONCE = 64

Settled = tuple[LoadedFile, Outcome]


@cache
def owner_of_this_process() -> str:
    """The same for every bulk load of a process, so that it finds its own leases again."""
    return new_owner()


@dataclass(frozen=True)
class BulkEngine:
    """Loads files by StartBulkPutItems. `dynamodb` is a low-level client, `say` tells a person.

    `write_units` is the highest rate, in write request units a second, that the operation may take
    (1,024 or more); the default is what a new on-demand table bears.
    """

    ingestor: Ingestor
    dynamodb: Any
    table: str
    write_units: int = NEW_TABLE_LIMIT
    say: Callable[[str], None] = silent
    sleep: Callable[[float], object] = time.sleep

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[Outcome, None, None]:
        """The outcome of each file (see Engine): of all of them when the operation has ended.

        Of two files that have a key, the later one in `files` wins it. Interrupted, the operation
        goes on in DynamoDB; the next run of a bulk load, from wherever, finds it and finishes it
        before it begins its own. Raises FestivalError where DynamoDB does not begin the operation,
        and RetryableError where AWS does not answer.
        """
        require_bulk(self.dynamodb)
        try:
            yield from self._run(files, again, stop_at_failure)
        except (ClientError, BotoCoreError) as error:
            raise unanswered("the bulk load stopped; run it again to go on", error) from error

    def _run(
        self, files: Sequence[FileEvent], again: bool, stop_at_failure: bool
    ) -> Generator[Outcome, None, None]:
        leases = HeldLeases(self.ingestor.means.ledger, owner_of_this_process())
        left = {(event.file, event.version): event for event in files}
        if earlier := self._take_up(leases):
            for loaded, outcome in self._finish(earlier, leases):
                if left.pop((loaded.file, loaded.version), None):
                    yield outcome
        if not left:
            return
        load, aside = self._prepare(list(left.values()), again, leases)
        for _, outcome in self._finish(load, leases) if load.files else ():
            yield outcome
        for event in aside:
            outcome = ingest_one(self.ingestor, event, again=again)
            yield outcome
            if outcome.failed and stop_at_failure:
                return

    def _prepare(
        self, files: Sequence[FileEvent], again: bool, leases: HeldLeases
    ) -> tuple[Load, list[FileEvent]]:
        reader = LoadReader(self.ingestor.means, leases, self.table, self.write_units)
        try:
            load, aside = reader.prepare(files, files[0].run, again)
            if load.files:
                self._loads.begin(load)
        except BaseException:
            leases.give_all_back()
            raise
        if load.files:
            self.say(f"{load.total:,} items of {len(load.files):,} files are ready to be loaded")
        return load, aside

    def _take_up(self, leases: HeldLeases) -> Load | None:
        """The load that an earlier run did not finish, as soon as nobody else works on it."""
        while load := self._loads.unfinished():
            if load.table != self.table:
                raise FestivalError(
                    f"the bulk load of run {load.run} into table {load.table} is not finished; "
                    f"expected one into {self.table}: run a bulk load into {load.table} first"
                )
            try:
                load = Settler(self.ingestor.means, leases).take_up(load)
            except LeaseHeldError as held:
                self.say(f"bulk load of run {load.run}: {held}")
                left = held.until - self.ingestor.means.ledger.now()
                self.sleep(max(0.2, min(LONGEST_WAIT_SECONDS, left)))
                continue
            self._loads.update(load)
            self.say(f"going on with the bulk load of run {load.run}, which was not finished")
            return load
        return None

    def _finish(self, load: Load, leases: HeldLeases) -> Generator[Settled, None, None]:
        """Carry out the operation and record every file; what is left open is ingested at last."""
        verdict = self._carry_out(load, leases)
        settler = Settler(self.ingestor.means, leases)
        refused: dict[int, list[Refused]] = {}
        for row in verdict.refused:
            refused.setdefault(row.number, []).append(row)

        def settle(number: int) -> Outcome | None:
            if number in verdict.left_open:
                return None
            return settler.settle(load, load.files[number], refused.get(number, ()))

        left_open = []
        for first in range(0, len(load.files), SETTLED_AT_ONCE):
            numbers = range(first, min(first + SETTLED_AT_ONCE, len(load.files)))
            for number, outcome in zip(numbers, at_once(settle, numbers), strict=True):
                if outcome is None:
                    left_open.append(load.files[number])
                else:
                    yield load.files[number], outcome
            leases.renew_in_time()
        if left_open:
            why = verdict.why or "others have worked on them since the load began"
            self.say(f"{len(left_open):,} files are ingested one by one: {why}")
        for file in left_open:
            yield file, self._ingest(file, load, leases)
        self._loads.end()

    def _carry_out(self, load: Load, leases: HeldLeases) -> Verdict:
        if not load.total:
            return Verdict()
        operation = load.operation
        if not operation:
            try:
                operation = start(self.dynamodb, load)
            except NotStartedError:
                self._loads.end()
                leases.give_all_back()
                raise
            self._loads.update(replace(load, operation=operation))

        def meanwhile(processed: int) -> None:
            leases.renew_in_time()
            self.say(f"DynamoDB has processed {processed:,} of {load.total:,} items")

        ended = follow(self.dynamodb, operation, meanwhile, self.sleep)
        return read_verdict(self.ingestor.means.s3, load, ended)

    def _ingest(self, file: LoadedFile, load: Load, leases: HeldLeases) -> Outcome:
        """A file by itself; in its newest version, and once more, where the load came behind it."""
        overtaken = file.overtaken or file.file in leases.lost
        leases.give_back(file.file)
        version = "" if overtaken else file.version
        event = FileEvent(file.bucket, file.key, version, run=load.run)
        return ingest_one(self.ingestor, event, again=overtaken)

    @property
    def _loads(self) -> Loads:
        return Loads(self.ingestor.means.s3, self.ingestor.means.reports.bucket)
