"""Checks lineup files as an ingest would take them, without writing anything."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import inf
from typing import Any

from festival.analysis.findings import Finding
from festival.errors import FestivalError
from festival.ingest.pipeline import ingest_blocks
from festival.ingest.report import Counts, IngestReport, Outcome
from festival.ingest.tally import Tally
from festival.inspection.result import Inspection
from festival.inspection.sources import LineupSource, lineups_in
from festival.lineup.model import Performance
from festival.table.writer import WriteOutcome
from festival.text import counted


@dataclass(frozen=True, slots=True)
class CheckedLineup:
    """One checked file: how it is understood, its report, its performances."""

    file: str
    inspection: Inspection
    report: IngestReport
    performances: list[Performance]


def check_lineups(
    source: str, clients: Any = None, mapping: str | None = None
) -> Iterator[CheckedLineup]:
    """Check every lineup of a source.

    `source` is a file, a folder or `s3://bucket/prefix` (see `sources.lineups_in`). Raises
    FestivalError if there is nothing to check, and if `mapping` is not a mapping file.
    """
    return map(check_lineup, lineups_in(source, clients, mapping))


def check_lineup(lineup: LineupSource) -> CheckedLineup:
    """Check one lineup. Of rows with the same key the last is kept, as in the table."""
    rows, tally = _RowsByKey(), Tally(source=lineup.name)
    inspection = lineup.inspect()
    ended = ingest_blocks(lineup.blocks(), tally, rows)
    report = tally.report(lineup.name, error=ended.error)
    return CheckedLineup(lineup.name, inspection, report, list(rows.by_key.values()))


def all_performances(checked: Iterable[CheckedLineup]) -> list[Performance]:
    """The performances of all files; of those with the same key, the last file's."""
    by_key = {row.key: row for one in checked for row in one.performances}
    return list(by_key.values())


def require_clean(checked: Iterable[CheckedLineup]) -> None:
    """Raises FestivalError if a row was rejected or a file could not be read."""
    files = list(checked)
    refused = [one for one in files if one.report.counts.rejected]
    broken = [one.file for one in files if one.report.status == Outcome.FAILURE]
    rows = sum(one.report.counts.rejected for one in refused)
    if broken:
        raise FestivalError(f"strict: {', '.join(broken)} could not be kept; see the reasons above")
    if rows:
        raise FestivalError(
            f"strict: {counted(rows, 'row')} rejected in {len(refused)} of "
            f"{counted(len(files), 'file')}"
        )


def verdict(checked: Iterable[CheckedLineup], findings: Iterable[Finding]) -> str:
    """The result of the whole check in one sentence."""
    files = list(checked)
    counts = sum((one.report.counts for one in files), Counts())
    broken = sum(one.report.status == Outcome.FAILURE for one in files)
    return (
        f"{counted(len(files), 'file')}, {counted(counts.read, 'row')}: "
        f"{counts.written:,} would be written, {counts.rejected:,} rejected, "
        f"{counts.duplicates:,} replaced by later ones; "
        f"{counted(broken, 'file')} could not be kept; "
        f"{counted(len(list(findings)), 'finding')} to look at."
    )


class _RowsByKey:
    """Stands in for the table's writer: keeps the last performance of each key."""

    def __init__(self) -> None:
        self.by_key: dict[tuple[str, str], Performance] = {}
        self.deadline = inf
        self.stopped = ""

    def put(self, performances: list[Performance]) -> None:
        self.by_key.update((row.key, row) for row in performances)

    def flush(self) -> WriteOutcome:
        return WriteOutcome((), (), "", 0, 0, 0)
