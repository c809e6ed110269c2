"""What a new version of a lineup changed, and which items it makes stale. Pure functions.

A moved performance has a new key, so the table keeps the old item beside the new one until the
file is reconciled.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from festival.errors import FestivalError
from festival.ingest.tally import KeyLog
from festival.lineup.model import Performance, wall_clock

Key = tuple[str, str]


class ChangeKind(StrEnum):
    """What became of a performance, in the order a person reads it."""

    MOVED = "moved"
    CANCELLED = "cancelled"
    CHANGED = "changed"
    ADDED = "added"


# If a performer plays twice and swaps stages, these are two small moves, not one of a day.
OTHER_STAGE_MINUTES = 180
NEIGHBOURS = 8


class TooManyStaleError(FestivalError):
    """More items would be removed than is allowed without asking a person."""


@dataclass(frozen=True, slots=True)
class Listing:
    """The performances of one version of a file, by key. `settled`: all of it was ingested."""

    version: str
    rows: Mapping[Key, Performance]
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Change:
    """One performance before and after: `old` is None if it was added, `new` if cancelled."""

    kind: ChangeKind
    old: Performance | None = None
    new: Performance | None = None

    @property
    def performance(self) -> Performance:
        """The performance as it was; an added one as it is."""
        performance = self.old or self.new
        assert performance is not None
        return performance


@dataclass(frozen=True, slots=True)
class Comparison:
    """Every change, in order of time; `stale` are the rows whose key the newest version lacks.

    `before` is how many performances the previous version had.
    """

    changes: tuple[Change, ...] = ()
    stale: tuple[Performance, ...] = ()
    before: int = 0

    def count(self, kind: ChangeKind) -> int:
        return sum(change.kind == kind for change in self.changes)


def compare(older: Sequence[Listing], newest: Listing) -> Comparison:
    """Compare the newest version with those before it, given in the order they were ingested.

    Added and changed rows are those that differ from the last settled version. Stale rows may come
    from any older version. A stale row counts as moved if the newest version has a performance by
    the same performer that the stale row's version lacked: the nearest in time is taken, and a
    change of stage counts as three hours.
    """
    if not older:
        return Comparison()
    before = next((each for each in reversed(older) if each.settled), older[-1])
    last_with = {key: listing for listing in older for key in listing.rows}
    stale = [last_with[key].rows[key] for key in sorted(last_with.keys() - newest.rows.keys())]
    moved = _moves(stale, last_with, newest)
    arrived = set(moved.values())
    changes = [
        Change(ChangeKind.MOVED, row, moved[row])
        if row in moved
        else Change(ChangeKind.CANCELLED, row)
        for row in stale
    ]
    for key, row in newest.rows.items():
        old = before.rows.get(key)
        if old is None and row not in arrived:
            changes.append(Change(ChangeKind.ADDED, None, row))
        elif old is not None and (old.end, old.popularity) != (row.end, row.popularity):
            changes.append(Change(ChangeKind.CHANGED, old, row))
    return Comparison(tuple(sorted(changes, key=_order)), tuple(stale), len(before.rows))


def stale_performers(
    newest: Iterable[Performance], older: Iterable[Performance], most: int
) -> set[str]:
    """Performers with rows in older versions whose key the newest lacks. Needs little memory.

    Raises TooManyStaleError if there are more than `most` such rows.
    """
    current, stale = KeyLog(), KeyLog()
    current.note(newest)
    performers, count = set(), 0
    for row in older:
        if current.line_of(row.identity) or stale.note([row]):
            continue
        performers.add(row.performer)
        count += 1
        if count > most:
            raise TooManyStaleError(f"more than {most:,} performances would go")
    return performers


def guard(removals: int, before: int, percent: int) -> None:
    """Raises TooManyStaleError if more than this percentage of performances would be removed."""
    if removals * 100 > before * percent:
        raise TooManyStaleError(
            f"{removals:,} of {before:,} performances would go, more than the guard's {percent}%"
        )


def place_and_time(row: Performance) -> str:
    """`2025-07-12 23:30-01:00 Le Chapiteau`: the lineup's day, wall-clock times, the stage."""
    return f"{row.date} {wall_clock(row.start)}-{wall_clock(row.end)} {row.stage}"


def _moves(
    stale: Iterable[Performance], last_with: Mapping[Key, Listing], newest: Listing
) -> dict[Performance, Performance]:
    """The stale rows that moved, each with its new row. No new row is used twice.

    `last_with` has the last older version with each key.
    """
    missing: dict[str, list[Performance]] = defaultdict(list)
    for row in stale:
        missing[row.performer].append(row)
    candidates: dict[str, list[Performance]] = defaultdict(list)
    for row in newest.rows.values():
        if row.performer in missing:
            candidates[row.performer].append(row)
    moved: dict[Performance, Performance] = {}
    for performer, rows in missing.items():
        taken: set[Performance] = set()
        for _, row, new in sorted(_near(rows, candidates[performer], last_with)):
            if row not in moved and new not in taken:
                moved[row] = new
                taken.add(new)
    return moved


def _near(
    rows: Sequence[Performance],
    candidates: Sequence[Performance],
    last_with: Mapping[Key, Listing],
) -> Iterable[tuple[int, Performance, Performance]]:
    """Each row with a few new rows near it, and their distances from it in minutes."""
    for version in {last_with[row.key].version for row in rows}:
        old_rows = [row for row in rows if last_with[row.key].version == version]
        had = last_with[old_rows[0].key].rows
        new_rows = sorted((row.begins, row.key, row) for row in candidates if row.key not in had)
        for old in old_rows:
            middle = bisect_left(new_rows, (old.begins,))
            for minute, _, new in new_rows[max(0, middle - NEIGHBOURS) : middle + NEIGHBOURS]:
                distance = abs(minute - old.begins)
                yield distance + OTHER_STAGE_MINUTES * (new.stage != old.stage), old, new


def _order(change: Change) -> tuple[str, int, str, str]:
    row = change.performance
    return (row.date, row.start, row.stage, row.performer)
