"""Findings: what ingest rightly lets through but a person wants to see before the gates open."""

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
# Under this many letters one letter makes another name: AIR and AIM.
SHORTEST_TYPO = 5
# More spellings than this within one letter of each other are only compared in a row.
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
    """Something odd: of what kind, what it is in words, and the performances it is about."""

    kind: str
    what: str
    performances: tuple[Performance, ...]


def find_all(
    performances: Iterable[Performance], *, longest: int = LONGEST_MINUTES
) -> list[Finding]:
    """Every finding of a lineup, by kind, within a kind in the order of time or name.

    `longest` is the length in minutes past which a performance is worth a look. Near-linear in the
    number of performances: an overlap is reported with the one performance before it that ends
    last, not with all of them.
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
    """A performance that begins on a stage before the one before it has ended."""
    for stage, before, after in _overlaps(rows, lambda row: row.stage):
        what = f"{isolated(stage)}: {_who(after)} begins before {_who(before)} has ended"
        yield Finding(OVERLAP, what, (before, after))


def in_two_places(rows: Sequence[Performance]) -> Iterator[Finding]:
    """One performer on two stages at once."""
    for performer, before, after in _overlaps(rows, lambda row: row.performer):
        if before.stage != after.stage:
            what = f"{isolated(performer)}: {_where(before)} and {_where(after)} at once"
            yield Finding(TWO_PLACES, what, (before, after))


def too_long(rows: Iterable[Performance], longest: int = LONGEST_MINUTES) -> Iterator[Finding]:
    """Performances of more than `longest` minutes: often an end that was mistyped."""
    for row in rows:
        if (minutes := row.end - row.start) > longest:
            what = f"{_who_where(row)} lasts {minutes // 60} h {minutes % 60:02d} min"
            yield Finding(LONG, what, (row,))


def zero_length(rows: Iterable[Performance]) -> Iterator[Finding]:
    """Performances that end when they begin."""
    for row in rows:
        if row.end == row.start:
            yield Finding(ZERO, f"{_who_where(row)} ends when it begins", (row,))


def early(rows: Iterable[Performance]) -> Iterator[Finding]:
    """Starts in the small hours: of this calendar day, or of the festival day before?"""
    for row in rows:
        if row.start < EARLY_MINUTES:
            what = f"{_who_where(row)}: the night before {row.date}, or the night after?"
            yield Finding(EARLY, what, (row,))


def far_dates(rows: Sequence[Performance], far: int = FAR_DAYS) -> Iterator[Finding]:
    """Dates more than `far` days away from where most performances are: a wrong year, usually."""
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
    """One finding for all performances that have no popularity."""
    missing = tuple(row for row in rows if row.popularity is None)
    if missing:
        what = f"{len(missing):,} of {len(rows):,} performances: no question about popularity finds"
        yield Finding(UNRANKED, f"{what} them", missing)


def alike(
    what: str, rows: Iterable[Performance], name_of: Callable[[Performance], str]
) -> Iterator[Finding]:
    """Names that differ by spelling alone: case, accents, punctuation, or one letter.

    A finding is about the performances with the rarer spelling, the likelier slip of the two.

    Names that differ in a digit or in a word of one letter are different on purpose (`Stage 1`,
    `Stage 2`; `Hall A`, `Hall B`).
    """
    by_name: dict[str, list[Performance]] = defaultdict(list)
    for row in rows:
        by_name[name_of(row)].append(row)
    for one, other in sorted(_near_pairs(by_name)):
        rare, usual = sorted((one, other), key=lambda name: len(by_name[name]))
        text = f"{what} '{rare}' ({_times(by_name[rare])}), '{usual}' ({_times(by_name[usual])})"
        yield Finding(ALIKE, text, tuple(by_name[rare]))


def _near_pairs(names: Iterable[str]) -> set[tuple[str, str]]:
    """Pairs of names within one slip of each other, found by buckets and not pair by pair.

    Two words are at most one insertion, deletion, replacement or swap apart only if they, or they
    less one letter, have a spelling in common.
    """
    by_plain: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_plain[plain(name)].append(name)
    pairs = {pair for same in by_plain.values() for pair in pairwise(sorted(same))}
    buckets: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for name in by_plain:
        if len(name) >= SHORTEST_TYPO:
            # Other numbers make other names, so that they need not even meet.
            numbers = re.findall(r"\d+", name)
            for spelling in _less_one_letter(name) | {name}:
                buckets[(spelling, *numbers)].append(name)
    for bucket in buckets.values():
        close = combinations(bucket, 2) if len(bucket) <= BUCKET else pairwise(sorted(bucket))
        for one, other in close:
            first, second = sorted((by_plain[one][0], by_plain[other][0]))
            if _one_slip(one, other) and not _meant(first, second):
                pairs.add((first, second))
    return pairs


def _less_one_letter(name: str) -> set[str]:
    return {name[:place] + name[place + 1 :] for place in range(len(name))}


def _one_slip(one: str, other: str) -> bool:
    """At most one letter more, less or other, or two neighbours swapped."""
    if len(one) > len(other):
        one, other = other, one
    same = next((place for place, letter in enumerate(one) if letter != other[place]), len(one))
    if len(other) > len(one):
        return len(other) - len(one) == 1 and one[same:] == other[same + 1 :]
    swapped = one[same + 1 : same + 2] + one[same : same + 1] + one[same + 2 :]
    return one[same + 1 :] == other[same + 1 :] or swapped == other[same:]


def _meant(one: str, other: str) -> bool:
    """Whether the names differ in words of one letter only: `Hall A`, `Hall B`."""
    differing = set(words_of(one)) ^ set(words_of(other))
    return bool(differing) and all(len(word) == 1 for word in differing)


def _overlaps(
    rows: Sequence[Performance], key: Callable[[Performance], str]
) -> Iterator[tuple[str, Performance, Performance]]:
    """Within each key, each row that begins before the latest end so far, with that row."""
    latest: dict[str, Performance] = {}
    for row in sorted(rows, key=_order):
        before = latest.get(key(row))
        if before is not None and row.begins < before.ends:
            yield key(row), before, row
        if before is None or row.ends > before.ends:
            latest[key(row)] = row


def _order(row: Performance) -> tuple[int, int, str, str]:
    # At one start the shorter first, so that a zero-length one is not inside its neighbour.
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
    """How many findings there are of each kind, most first."""
    return dict(Counter(finding.kind for finding in findings).most_common())


def isolated(name: str) -> str:
    """A name as it may stand in a sentence: one that is written from right to left in marks that
    keep it from turning around what follows it (Unicode UAX 9, first strong isolate).

    >>> isolated("Elbow"), isolated("فيروز")
    ('Elbow', '\\u2068فيروز\\u2069')
    """
    turned = any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in name)
    return f"\u2068{name}\u2069" if turned else name
