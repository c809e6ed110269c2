"""The timeline's layout: for each day a grid with stages as rows, time across, and full names.

Pure arithmetic in CSS pixels. A name is written into its performance's rectangle, on as many lines
as it needs. If it does not fit, the card becomes wider to the right (`Card.room`), and performances
that it would cover move to another lane of their stage. So no name is left out or shortened.
"""

import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby
from operator import attrgetter
from statistics import median

from festival.analysis.findings import LONGEST_MINUTES, UNRANKED, Finding
from festival.errors import FestivalError
from festival.lineup.model import Performance, wall_clock

NAME_SIZE, NAME_LINE = 12, 14
TIME_SIZE, TIME_LINE = 10, 12
PADDING = 4
LANE_GAP = 2
STAGE_GAP = 6
# The narrowest column for stage names, on a telephone; the browser wraps the names.
STAGE_COLUMN = 84

# Pixels a minute. The grid uses the first scale at which the share MOST of the names fit.
SCALES = (1.2, 1.6, 2.0, 2.5, 3.0, 3.5)
MOST = 0.85
MOST_LINES = 3
WIDEST_NAME = 260
ZERO_WIDTH = 4
# More empty hours than this are left out; a cut of this width replaces them.
EMPTY_HOURS_DRAWN = 3
CUT_WIDTH = 26
# Performances longer than LONGEST_MINUTES widen the day only if at least this share is so long.
USUAL = 0.1

# Letter widths as shares of the font size: of DejaVu Sans, the widest of the likely fonts.
_WIDTHS = (
    ("ijlI.,:;'’|! ", 0.34),
    ("ftrJ-()/", 0.43),
    ("csvxyzkLFT", 0.6),
    ("abdeghnopquEPY0123456789$", 0.64),
    ("ABCKRSVXZ–&", 0.7),
    ("DGHNOQUw+", 0.82),
    ("mMW@%…—", 1.0),
)

LINEUP, POPULARITY = "lineup", "popularity"
ORDERS = (LINEUP, POPULARITY)


@dataclass(frozen=True, slots=True)
class Clock:
    """Converts minutes since midnight to pixels, leaving out long empty stretches.

    `stretches` are the hours that are drawn, as pairs of first and last.
    """

    stretches: tuple[tuple[int, int], ...]
    scale: float

    def at(self, minute: float) -> float:
        """A minute's position in pixels from the left; one that is not drawn goes to an edge."""
        left = 0.0
        for number, (first, last) in enumerate(self.stretches):
            if number and minute < first * 60:
                return left - CUT_WIDTH
            if minute <= last * 60:
                return left + max(0.0, minute - first * 60) * self.scale
            left += (last - first) * 60 * self.scale + CUT_WIDTH
        return left - CUT_WIDTH

    @property
    def width(self) -> float:
        return self.at(self.end)

    @property
    def end(self) -> int:
        """The last minute drawn."""
        return self.stretches[-1][1] * 60

    @property
    def hours(self) -> list[int]:
        return [hour for first, last in self.stretches for hour in range(first, last + 1)]

    @property
    def beginnings(self) -> list[int]:
        """The hours that are drawn in full, and so have room for a label."""
        return [hour for first, last in self.stretches for hour in range(first, last)]

    @property
    def cuts(self) -> list[float]:
        """The left edges of the cuts that replace empty hours."""
        return [self.at(last * 60) for _, last in self.stretches[:-1]]


@dataclass(frozen=True, slots=True)
class Label:
    """A name and its times, divided into lines, and their width in pixels."""

    name: tuple[str, ...]
    times: tuple[str, ...]
    width: float

    @property
    def height(self) -> float:
        return len(self.name) * NAME_LINE + len(self.times) * TIME_LINE + 2 * PADDING


@dataclass(frozen=True, slots=True)
class Card:
    """A performance on the grid: `left` and `width` show its time, `room` is for its label.

    `goes_on` means that it ends after the last minute drawn.
    """

    row: Performance
    label: Label
    left: float
    width: float
    room: float
    top: float
    height: float
    goes_on: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class StageBand:
    """A stage's row of the grid, with one lane or more."""

    name: str
    top: float
    height: float
    cards: tuple[Card, ...]


@dataclass(frozen=True, slots=True)
class DayGrid:
    """The layout of one day of a lineup. A night belongs to the day on which it began."""

    date: str
    clock: Clock
    stages: tuple[StageBand, ...]
    width: float
    height: float

    @property
    def cards(self) -> Iterator[Card]:
        return (card for stage in self.stages for card in stage.cards)


def day_grids(
    performances: Iterable[Performance], findings: Iterable[Finding], order: str = LINEUP
) -> Iterator[DayGrid]:
    """A grid for each day, in order; stages in the lineup's order, or the most popular first.

    Raises FestivalError for another order.
    """
    rows = list(performances)
    stages = stage_order(rows, order)
    reasons = _reasons(findings)
    scale = _scale(rows)
    days = groupby(sorted(rows, key=attrgetter("date")), attrgetter("date"))
    return (_day(day, list(of_day), stages, reasons, scale) for day, of_day in days)


def stage_order(rows: Iterable[Performance], order: str) -> list[str]:
    """The stages in the order in which the rows name them, or by their most popular performance.

    >>> rows = [Performance("Yoga", "Tent", "2025-07-12", 600, 660, 12, 2),
    ...         Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 3)]
    >>> stage_order(rows, "lineup"), stage_order(rows, "popularity")
    (['Tent', 'Main Stage'], ['Main Stage', 'Tent'])
    """
    if order not in ORDERS:
        raise FestivalError(f"stage order {order!r}: expected {' or '.join(ORDERS)}")
    popularities: dict[str, list[int]] = {}
    for row in rows:
        popularities.setdefault(row.stage, []).append(row.popularity or 0)
    if order == LINEUP:
        return list(popularities)
    return sorted(popularities, key=lambda stage: sorted(popularities[stage])[::-1], reverse=True)


def text_width(text: str, size: float) -> float:
    """A line's width in pixels, in the widest of the usual sans-serif fonts."""
    return size * sum(map(_em, text))


def wrapped(text: str, room: float, size: float) -> tuple[str, ...]:
    """The text in lines of at most `room` pixels, broken between words.

    A word that is wider, and text in a script without spaces, is broken between letters.

    >>> wrapped("Megan Thee Stallion", 90, 12)
    ('Megan Thee', 'Stallion')
    """
    lines, line, used = [], "", 0.0
    for piece in _pieces(text, room, size):
        width = text_width(piece, size)
        if line and used + text_width(piece.rstrip(), size) > room:
            lines.append(line.rstrip())
            line, used = "", 0.0
        line += piece
        used += width
    return (*lines, line.rstrip())


def _pieces(text: str, room: float, size: float) -> Iterator[str]:
    """The pieces that a line may be broken after: words, spaces, letters of unspaced scripts."""
    for word in text.split(" "):
        breakable = any(map(_is_wide, word)) or text_width(word, size) > room
        yield from _letters(word) if breakable else (word,)
        yield " "


def _widest_word(name: str) -> float:
    """The width of the widest word that should not be broken; unspaced scripts may be broken."""
    words = (word for word in name.split(" ") if not any(map(_is_wide, word)))
    return min(max((text_width(word, NAME_SIZE) for word in words), default=0.0), WIDEST_NAME)


def _letters(word: str) -> Iterator[str]:
    """The letters of a word, each with its combining marks and everything joined to it."""
    letter = ""
    for character in word:
        if letter and _em(character) and not letter.endswith("\u200d"):
            yield letter
            letter = ""
        letter += character
    yield letter


@cache
def _em(letter: str) -> float:
    """The width of a letter as a share of the font's size."""
    if unicodedata.category(letter) in ("Mn", "Me", "Cf"):
        return 0.0
    if _is_wide(letter):
        return 1.05
    widths = (width for letters, width in _WIDTHS if letter in letters)
    return next(widths, 0.76 if letter.isupper() else 0.66)


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"


def _reasons(findings: Iterable[Finding]) -> dict[Performance, tuple[Finding, ...]]:
    """The findings about each performance, except a missing popularity: a colour shows that."""
    reasons: dict[Performance, tuple[Finding, ...]] = {}
    for finding in findings:
        if finding.kind != UNRANKED:
            for row in finding.performances:
                reasons[row] = (*reasons.get(row, ()), finding)
    return reasons


def _scale(rows: Collection[Performance]) -> float:
    """The smallest scale at which most names fit into their performances."""
    for scale in SCALES:
        fitting = sum(_fits(row, (row.end - row.start) * scale) is not None for row in rows)
        if fitting >= MOST * len(rows):
            return scale
    return SCALES[-1]


def _day(
    day: str,
    rows: list[Performance],
    stages: Sequence[str],
    reasons: dict[Performance, tuple[Finding, ...]],
    scale: float,
) -> DayGrid:
    clock = _clock(rows, scale)
    by_stage: dict[str, list[Performance]] = {}
    for row in sorted(rows, key=lambda row: (row.start, row.end, row.performer)):
        by_stage.setdefault(row.stage, []).append(row)
    bands: list[StageBand] = []
    top = 0.0
    for stage in (stage for stage in stages if stage in by_stage):
        bands.append(_band(stage, top, _lanes(by_stage[stage], clock), reasons, clock))
        top += bands[-1].height
    rooms = [card.left + card.room for band in bands for card in band.cards]
    return DayGrid(day, clock, tuple(bands), max([clock.width, *rooms]), top)


def _clock(rows: Sequence[Performance], scale: float) -> Clock:
    """The hours with performances. A few very long performances do not widen the day."""
    usual = max(LONGEST_MINUTES, 3 * median(row.end - row.start for row in rows))
    long = {row for row in rows if row.end - row.start > usual}
    if len(long) >= USUAL * len(rows):
        long = set()
    spans = [(row.start, row.start + LONGEST_MINUTES if row in long else row.end) for row in rows]
    stretches: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        first, last = start // 60, max(-(-end // 60), start // 60 + 1)
        if stretches and first - stretches[-1][1] <= EMPTY_HOURS_DRAWN:
            first, last = stretches[-1][0], max(stretches.pop()[1], last)
        stretches.append((first, last))
    return Clock(tuple(stretches), scale)


@dataclass(frozen=True, slots=True)
class _Span:
    """A performance and its label, with their horizontal extent but no lane yet."""

    row: Performance
    label: Label
    left: float
    width: float

    @property
    def room(self) -> float:
        return max(self.width, self.label.width)


def _lanes(rows: Iterable[Performance], clock: Clock) -> list[list[_Span]]:
    """Performances in as many lanes as are needed so that no card covers another."""
    lanes: list[list[_Span]] = []
    for row in rows:
        span = _span(row, clock)
        for lane in lanes:
            if lane[-1].left + lane[-1].room <= span.left + 0.01:
                lane.append(span)
                break
        else:
            lanes.append([span])
    return lanes


def _span(row: Performance, clock: Clock) -> _Span:
    left = clock.at(row.start)
    width = max(clock.at(row.end) - left, ZERO_WIDTH)
    return _Span(row, _fits(row, width) or _label(row, _least_room(row)), left, width)


def _fits(row: Performance, width: float) -> Label | None:
    """The label, if it fits into this width with at most three lines for the name."""
    if width < 3 * NAME_SIZE or _widest_word(row.performer) > width - 2 * PADDING:
        return None
    label = _label(row, width)
    return label if label.width <= width and len(label.name) <= MOST_LINES else None


def _label(row: Performance, width: float) -> Label:
    room = width - 2 * PADDING
    name, times = wrapped(row.performer, room, NAME_SIZE), _times(row, room)
    widths = [text_width(line, NAME_SIZE) for line in name]
    widths += [text_width(line, TIME_SIZE) for line in times]
    return Label(name, times, max(widths) + 2 * PADDING)


def _times(row: Performance, room: float) -> tuple[str, ...]:
    """Start, end and popularity, if there is one, on one line or two."""
    times = f"{wall_clock(row.start)}–{wall_clock(row.end)}"
    if row.popularity is None:
        return (times,)
    line = f"{times} · {row.popularity}"
    return (line,) if text_width(line, TIME_SIZE) <= room else (times, str(row.popularity))


def _least_room(row: Performance) -> float:
    """The narrowest room for the name on three lines; for a very long name, the widest."""
    least = max(text_width("00:00–00:00", TIME_SIZE), _widest_word(row.performer))
    for room in range(int(least) + 1, WIDEST_NAME, 8):
        if len(wrapped(row.performer, room, NAME_SIZE)) <= MOST_LINES:
            return room + 2 * PADDING
    return WIDEST_NAME + 2 * PADDING


def _band(
    stage: str,
    top: float,
    lanes: Sequence[Sequence[_Span]],
    reasons: dict[Performance, tuple[Finding, ...]],
    clock: Clock,
) -> StageBand:
    cards: list[Card] = []
    down = top + STAGE_GAP / 2
    for lane in lanes:
        height = max(span.label.height for span in lane)
        cards += (_card(span, down, height, reasons, clock) for span in lane)
        down += height + LANE_GAP
    name_height = len(wrapped(stage, STAGE_COLUMN - 2 * PADDING, NAME_SIZE)) * NAME_LINE
    height = max(down - LANE_GAP + STAGE_GAP / 2 - top, name_height + 2 * PADDING)
    return StageBand(stage, top, height, tuple(cards))


def _card(
    span: _Span,
    top: float,
    height: float,
    reasons: dict[Performance, tuple[Finding, ...]],
    clock: Clock,
) -> Card:
    row, goes_on = span.row, span.row.end > clock.end
    findings = reasons.get(row, ())
    return Card(row, span.label, span.left, span.width, span.room, top, height, goes_on, findings)
