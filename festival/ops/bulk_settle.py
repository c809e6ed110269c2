"""The files of a bulk load in the ledger: taking them up again, recording what is written."""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace

from festival.ingest.leases import LeaseLostError
from festival.ingest.means import Means
from festival.ingest.records import FAILED, WRITTEN
from festival.ingest.report import IngestReport
from festival.ingest.tally import Tally
from festival.ops.bulk_leases import HeldLeases, at_once
from festival.ops.bulk_load import Load, LoadedFile
from festival.ops.bulk_verdict import Refused
from festival.ops.outcome import Outcome, outcome_of_report
from festival.table.item import rejection

# Rejected rows are kept in parts by the line they begin at, from 1 on: this part is DynamoDB's own.
REFUSED_BY_DYNAMODB = 0


@dataclass(frozen=True)
class Settler:
    """Records the files of a load, each under its lease."""

    means: Means
    leases: HeldLeases

    def take_up(self, load: Load) -> Load:
        """The load of a process that is gone, its files' leases and versions taken over.

        A file that had an attempt of somebody else's since is `overtaken`. Raises LeaseHeldError
        where somebody works on a file now; no lease is kept then.
        """
        try:
            at_once(lambda file: self.leases.take(file.file), load.files)
            return replace(
                load, files=tuple(at_once(lambda file: self._adopt(load.run, file), load.files))
            )
        except BaseException:
            self.leases.give_all_back()
            raise

    def settle(self, load: Load, file: LoadedFile, refused: Iterable[Refused]) -> Outcome | None:
        """Record a file as written, without the rows that DynamoDB refused.

        None where another attempt has worked on it since the load began.
        """
        if file.overtaken or file.file in self.leases.lost:
            return None
        report, shown = self._report(file, refused)
        ledger, lease = self.means.ledger, self.leases.of(file.file)
        status = FAILED if file.error else WRITTEN
        try:
            ledger.finish(lease, file.ingest, status, report, shown, file.milliseconds)
            ledger.mark_notified(lease, file.ingest, status, f"run {load.run}")
        except LeaseLostError:
            self.leases.lost.add(file.file)
            return None
        self.leases.give_back(file.file)
        return outcome_of_report(file.file, report, seconds=file.milliseconds / 1000)

    def _adopt(self, run: str, file: LoadedFile) -> LoadedFile:
        lease = self.leases.of(file.file)
        if file.overtaken or lease.attempt != file.attempt + 1:
            return replace(file, attempt=lease.attempt, overtaken=True)
        self.means.ledger.begin(lease, file.ingest)
        self.means.ledger.make_current(lease, file.ingest)
        return replace(file, attempt=lease.attempt)

    def _report(self, file: LoadedFile, refused: Iterable[Refused]) -> tuple[IngestReport, str]:
        """The file's report, and as JSON the first rows that an e-mail would show."""
        tally = Tally(file.counts, file.shown, keep_rows=True)
        tally.reject(
            rejection(row.performance, "", " ".join(row.performance.key), f"DynamoDB: {row.reason}")
            for row in refused
        )
        kept_at = file.rejected_rows_at
        if len(rows := tally.take_rejected_rows()):
            reports = self.means.reports
            reports.keep_rejected_rows(file.file, file.ingest, REFUSED_BY_DYNAMODB, rows)
            kept_at = reports.rejected_rows_at(file.file, file.ingest)
        report = tally.report(
            file.file, error=file.error, version=file.ingest, rejected_rows_at=kept_at
        )
        return report, json.dumps(tally.shown, default=str)
