"""Bugs that somebody could make, to be sown into the code: the schedules have to notice each.

Every function sows one, with pytest's monkeypatch.
"""

from collections.abc import Callable, Iterable, Iterator
from threading import local
from typing import Any

import pytest

from festival.ingest import attempt
from festival.ingest.attempt import Attempt, Ingestor
from festival.ingest.ledger.table import LedgerTable
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Position
from festival.table import batch

Sow = Callable[[pytest.MonkeyPatch], None]


def a_lease_for_each_version(patch: pytest.MonkeyPatch) -> None:
    """Two versions of a file are worked on at once."""
    mine = local()
    ingest, get, update = Ingestor.ingest, LedgerTable.get, LedgerTable.update

    def renamed(entry: str) -> str:
        return f"HEAD#{mine.version}" if entry == "HEAD" else entry

    def noting_the_version(self: Any, event: Any, *rest: Any, **options: Any) -> Any:
        mine.version = event.version
        return ingest(self, event, *rest, **options)

    patch.setattr(Ingestor, "ingest", noting_the_version)
    patch.setattr(LedgerTable, "get", lambda self, file, entry: get(self, file, renamed(entry)))
    patch.setattr(
        LedgerTable,
        "update",
        lambda self, file, entry, *rest: update(self, file, renamed(entry), *rest),
    )


def the_email_before_the_ledger(patch: pytest.MonkeyPatch) -> None:
    """People are told before it is recorded that the rows are written."""

    def settle(self: Any, status: str, report: Any, shown: Any) -> None:
        by = "e-mail " + self._resources.mailer.send(report)
        self._ledger.finish(self._lease, report.version, status, report, "{}", 0)
        self._ledger.mark_notified(self._lease, report.version, status, by)

    patch.setattr(Attempt, "_settle", settle)


def unprocessed_items_are_dropped(patch: pytest.MonkeyPatch) -> None:
    """What DynamoDB gives back counts as stored."""
    patch.setattr(batch, "_stored", lambda answer, rows: batch.Stored([]))


def the_first_row_wins_over_a_continuation(patch: pytest.MonkeyPatch) -> None:
    """A later pass leaves alone the keys that the first pass has stored."""
    take = Tally.take
    stored: dict[Any, set[Any]] = {}

    def wrong(self: Any, block: Block) -> Any:
        kept = take(self, block)
        if self._earlier.read:
            return [each for each in kept if each.identity not in stored.get(self._source, ())]
        stored.setdefault(self._source, set()).update(each.identity for each in kept)
        return kept

    patch.setattr(Tally, "take", wrong)


def a_cut_at_any_line_end(patch: pytest.MonkeyPatch) -> None:
    """A continuation begins at a line, even where that line is inside of quotes."""
    read_lineup = attempt.read_lineup

    def wrong(
        chunks: Iterable[bytes], *, start: Position | None = None, **options: Any
    ) -> Iterator[Block]:
        data = b"".join(chunks)
        begin = start.offset if start else 0
        for block in read_lineup([data], start=start, **options):
            yield block._replace(end=_at_a_line_end(data, begin, block.end))

    patch.setattr(attempt, "read_lineup", wrong)


def _at_a_line_end(data: bytes, begin: int, end: Position | None) -> Position | None:
    """The place one line before, where the last record has a line break in it."""
    if end is None or not end.offset:
        return end
    before = data[: end.offset - begin].rstrip(b"\n")
    last_line = before.rfind(b"\n") + 1
    if before.count(b'"', last_line) % 2 == 0:
        return end
    return end._replace(offset=begin + last_line, line=end.line - 1)


BUGS: tuple[Sow, ...] = (
    a_lease_for_each_version,
    the_email_before_the_ledger,
    unprocessed_items_are_dropped,
    the_first_row_wins_over_a_continuation,
    a_cut_at_any_line_end,
)
