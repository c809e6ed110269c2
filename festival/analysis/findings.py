"""Findings: oddities that an ingest accepts, but that a person should see before publication."""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date as calendar_date
from itertools import combinations, pairwise

from festival.lineup.model import Performance, clock
from festival.query.names import plain, words_of

LONGEST_MINUTES = 4 * 60
EARLY_MINUTES = 6 * 60
FAR_DAYS = 30
# In names shorter than this, one letter makes a different name: AIR and AIM.
SHORTEST_TYPO = 5
# Of more spellings than this in one bucket, only neighbours in alphabetical order are compared.
BUCKET = 50

OVERLAP = "overlap on a stage"
TWO_PLACES = "one performer, two stages"
LONG = "long"
ZERO = "zero length"
ALIKE = "names nearly alike"
EARLY = "starts before 06:00"
FAR = "date far from the others"
UNRANKED = "no popularity"


@dataclass(frozen=True, slots=True)
class Finding:
    """One oddity: its kind, a description, and the performances it is about."""

    kind: str
    what: str
    performances: tuple[Performance, ...]


def find_all(
    performances: Iterable[Performance], *, longest: int = LONGEST_MINUTES
) -> list[Finding]:
    """Every finding in a lineup, sorted by kind, then by time or name.

    A performance of more than `longest` minutes is a finding. The time is nearly linear in the
    number of performances: an overlap is reported only with the earlier performance that ends last.
    """
    rows = sorted(performances, key=_order)
    return [
        *overlaps_on_a_stage(rows),
        *in_two_places(rows),
        *too_long(rows, longest),
        *zero_length(rows),
        *alike("stage", rows, lambda row: row.stage),
        *alike("performer", rows, lambda row: row.performer),
        *early(rows),
        *far_dates(rows),
        *without_popularity(rows),
    ]


def overlaps_on_a_stage(rows: Sequence[Performance]) -> Iterator[Finding]:
    """Performances that begin before an earlier one on the same stage has ended."""
    for stage, before, after in _overlaps(rows, lambda row: row.stage):
        what = f"{isolated(stage)}: {_who(after)} begins before {_who(before)} has ended"
        yield Finding(OVERLAP, what, (before, after))


def in_two_places(rows: Sequence[Performance]) -> Iterator[Finding]:
    """Performers on two stages at the same time."""
    for performer, before, after in _overlaps(rows, lambda row: row.performer):
        if before.stage != after.stage:
            what = f"{isolated(performer)}: {_where(before)} and {_where(after)} at once"
            yield Finding(TWO_PLACES, what, (before, after))


def too_long(rows: Iterable[Performance], longest: int = LONGEST_MINUTES) -> Iterator[Finding]:
    """Performances of more than `longest` minutes, often because an end was mistyped."""
    for row in rows:
        if (minutes := row.end - row.start) > longest:
            what = f"{_who_where(row)} lasts {minutes // 60} h {minutes % 60:02d} min"
            yield Finding(LONG, what, (row,))


def zero_length(rows: Iterable[Performance]) -> Iterator[Finding]:
    """Performances that end at the minute they begin."""
    for row in rows:
        if row.end == row.start:
            yield Finding(ZERO, f"{_who_where(row)} ends when it begins", (row,))


def early(rows: Iterable[Performance]) -> Iterator[Finding]:
    """Performances that start before 06:00: their date may be the calendar's or the festival's."""
    for row in rows:
        if row.start < EARLY_MINUTES:
            what = f"{_who_where(row)}: the night before {row.date}, or the night after?"
            yield Finding(EARLY, what, (row,))


def far_dates(rows: Sequence[Performance], far: int = FAR_DAYS) -> Iterator[Finding]:
    """Dates more than `far` days from most performances' dates: usually a wrong year."""
    by_date: dict[str, list[Performance]] = defaultdict(list)
    for row in rows:
        by_date[row.date].append(row)
    groups: list[list[str]] = []
    for day in sorted(by_date):
        if groups and _days(day) - _days(groups[-1][-1]) <= far:
            groups[-1].append(day)
        else:
            groups.append([day])
    sizes = [sum(len(by_date[day]) for day in group) for group in groups]
    main = groups[sizes.index(max(sizes))] if groups else []
    for day in (day for group in groups if group is not main for day in group):
        away = min(abs(_days(day) - _days(edge)) for edge in (main[0], main[-1]))
        what = f"{day} is {away:,} days from {main[0]} to {main[-1]}, where most performances are"
        yield Finding(FAR, what, tuple(by_date[day]))


def without_popularity(rows: Sequence[Performance]) -> Iterator[Finding]:
    """One finding for all performances without a popularity."""
    missing = tuple(row for row in rows if row.popularity is None)
    if missing:
        what = f"{len(missing):,} of {len(rows):,} performances: no question about popularity finds"
        yield Finding(UNRANKED, f"{what} them", missing)


def alike(
    what: str, rows: Iterable[Performance], name_of: Callable[[Performance], str]
) -> Iterator[Finding]:
    """Names that differ only in case, accents, punctuation or one letter.

    A finding has the performances with the rarer spelling, which is more likely to be wrong. Names
    that differ in a digit or in a word of one letter are meant to differ (`Stage 1`, `Stage 2`;
    `Hall A`, `Hall B`).
    """
    by_name: dict[str, list[Performance]] = defaultdict(list)
    for row in rows:
        by_name[name_of(row)].append(row)
    for one, other in sorted(_near_pairs(by_name)):
        rare, usual = sorted((one, other), key=lambda name: len(by_name[name]))
        text = f"{what} '{rare}' ({_times(by_name[rare])}), '{usual}' ({_times(by_name[usual])})"
        yield Finding(ALIKE, text, tuple(by_name[rare]))


def _near_pairs(names: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of names that are one typing error apart.

    Only names in a common bucket are compared. If one insertion, deletion, replacement or swap
    turns a word into another, the two are equal once at most one letter is left out of each.
    """
    by_plain: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_plain[plain(name)].append(name)
    pairs = {pair for same in by_plain.values() for pair in pairwise(sorted(same))}
    buckets: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in by_plain:
        if len(name) >= SHORTEST_TYPO:
            # Names with different numbers are different names, so they get different buckets.
            numbers = re.findall(r"\d+", name)
            for spelling in _without_one_letter(name) | {name}:
                buckets[(spelling, *numbers)].append(name)
    for bucket in buckets.values():
        close = combinations(bucket, 2) if len(bucket) <= BUCKET else pairwise(sorted(bucket))
        for one, other in close:
            first, second = sorted((by_plain[one][0], by_plain[other][0]))
            if _one_error_apart(one, other) and not _differ_on_purpose(first, second):
                pairs.add((first, second))
    return pairs


def _without_one_letter(name: str) -> set[str]:
    return {name[:index] + name[index + 1 :] for index in range(len(name))}


def _one_error_apart(one: str, other: str) -> bool:
    """Whether they differ by at most one letter, added, missing or other, or by one swap."""
    if len(one) > len(other):
        one, other = other, one
    same = next((index for index, letter in enumerate(one) if letter != other[index]), len(one))
    if len(other) > len(one):
        return len(other) - len(one) == 1 and one[same:] == other[same + 1 :]
    swapped = one[same + 1 : same + 2] + one[same : same + 1] + one[same + 2 :]
    return one[same + 1 :] == other[same + 1 :] or swapped == other[same:]


def _differ_on_purpose(one: str, other: str) -> bool:
    """Whether the names differ in words of one letter only: `Hall A`, `Hall B`."""
    differing = set(words_of(one)) ^ set(words_of(other))
    return bool(differing) and all(len(word) == 1 for word in differing)


def _overlaps(
    rows: Sequence[Performance], key: Callable[[Performance], str]
) -> Iterator[tuple[str, Performance, Performance]]:
    """Overlaps of rows with one key: the key, the earlier row that ends last, the later row."""
    latest: dict[str, Performance] = {}
    for row in sorted(rows, key=_order):
        before = latest.get(key(row))
        if before is not None and row.begins < before.ends:
            yield key(row), before, row
        if before is None or row.ends > before.ends:
            latest[key(row)] = row


def _order(row: Performance) -> tuple[int, int, str, str]:
    # Shorter ones first, so that one of zero length does not overlap one with the same start.
    return (row.begins, row.end, row.stage, row.performer)


def _days(day: str) -> int:
    return calendar_date.fromisoformat(day).toordinal()


def _who_where(row: Performance) -> str:
    return f"{_who(row)} on {isolated(row.stage)}"


def _who(row: Performance) -> str:
    return f"{isolated(row.performer)} ({row.date} {clock(row.start)}–{clock(row.end)})"


def _where(row: Performance) -> str:
    return f"{isolated(row.stage)} ({row.date} {clock(row.start)}–{clock(row.end)})"


def _times(rows: Sequence[Performance]) -> str:
    return "once" if len(rows) == 1 else f"{len(rows):,} times"


def count_by_kind(findings: Iterable[Finding]) -> dict[str, int]:
    """The number of findings of each kind, most frequent first."""
    return dict(Counter(finding.kind for finding in findings).most_common())


def isolated(name: str) -> str:
    """A name to put into a sentence. One written from right to left is enclosed in marks, so that
    it does not reorder the text after it (Unicode UAX 9, first strong isolate).

    >>> isolated("Elbow"), isolated("فيروز")
    ('Elbow', '\\u2068فيروز\\u2069')
    """
    right_to_left = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name)
    return f"\u2068{name}\u2069" if right_to_left else name
