"""A day's grid as rectangles and lines of text, and how each kind of them looks.

The HTML page, SVG, PNG and PDF are all drawn from these shapes, so they show the same.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import date as calendar_date
from datetime import timedelta
from typing import NamedTuple

from festival.analysis import findings
from festival.analysis.grid import (
    CUT_WIDTH,
    NAME_LINE,
    NAME_SIZE,
    PADDING,
    TIME_LINE,
    TIME_SIZE,
    Card,
    DayGrid,
    wrapped,
)
from festival.lineup.model import wall_clock
from festival.text import counted

# From light yellow to darker blue in even steps of lightness: the order survives grey printing and
# every kind of colour blindness, and black letters are legible on all of them.
RAMP = ("#fdf6c4", "#d5e8a4", "#9fd3a6", "#6cb8b8", "#5f9fc9")
EDGE = "#c62f0b"
# The dashes of each finding's edge, so that the kinds differ even without colour.
EDGES: dict[str, tuple[int, ...]] = {
    findings.OVERLAP: (),
    findings.TWO_PLACES: (7, 3),
    findings.LONG: (2, 2),
    findings.ZERO: (1, 3),
    findings.EARLY: (10, 3, 2, 3),
    findings.ALIKE: (4, 2),
    findings.FAR: (12, 4),
}
HEADER = 34
MARGIN = 16
STAGE_WIDTH = 130
KEY_WIDTH = 220
SWATCH_WIDTH, SWATCH_HEIGHT = 22, 14


class Look(NamedTuple):
    """How a kind of rectangle is drawn: fill, line, the line's width in pixels, its dashes."""

    fill: str
    line: str = "none"
    width: float = 0
    dashes: tuple[int, ...] = ()


class Lettering(NamedTuple):
    """How a kind of text is written: size in pixels, weight, colour."""

    size: float
    weight: int
    colour: str


LOOKS: dict[str, Look] = {
    **{f"p{number}": Look(fill, "#555555", 0.7) for number, fill in enumerate(RAMP, 1)},
    "p0": Look("#ffffff", "#555555", 0.7, (3, 2)),
    "r": Look("#ececec", "#9a9a9a", 0.6),
    "g": Look("#88888844"),
    "n": Look("#888888"),
    "x": Look("#88888833"),
    **{f"f{number}": Look("none", EDGE, 2.5, dash) for number, dash in enumerate(EDGES.values())},
}
# The letters on a card are dark in every theme, because the cards are light in every theme.
LETTERINGS: dict[str, Lettering] = {
    "w": Lettering(NAME_SIZE, 400, "#111111"),
    "t": Lettering(TIME_SIZE, 400, "#333333"),
    "b": Lettering(NAME_SIZE, 700, "#111111"),
    "d": Lettering(16, 700, "#111111"),
}


class Rect(NamedTuple):
    """A rectangle in pixels; `kind` is a key of `LOOKS`."""

    kind: str
    x: float
    y: float
    width: float
    height: float


class Words(NamedTuple):
    """A line of text; `kind` is a key of `LETTERINGS`, and `y` is its base line."""

    kind: str
    x: float
    y: float
    text: str


Shape = Rect | Words


def moved(shapes: Iterable[Shape], x: float, y: float) -> Iterator[Shape]:
    """The shapes, moved right by `x` and down by `y` pixels."""
    return (shape._replace(x=shape.x + x, y=shape.y + y) for shape in shapes)


def card_shapes(card: Card) -> Iterator[Shape]:
    """One performance, with its own corner at 0, 0: label room, time, edge and text."""
    if card.room > card.width + 1:
        yield Rect("r", 0, 0, card.room - 1, card.height)
    yield Rect(f"p{step(card.row.popularity)}", 0, 0, max(card.width - 1, 2), card.height)
    for finding in card.findings[:1]:
        kind = list(EDGES).index(finding.kind)
        yield Rect(f"f{kind}", 1, 1, max(card.room - 3, 2), card.height - 2)
    down = PADDING - 2
    for line in card.label.name:
        down += NAME_LINE
        yield Words("w", PADDING, down - 2, line)
    for number, line in enumerate(card.label.times):
        down += TIME_LINE
        # An arrow marks an end that lies outside the drawing.
        yield Words("t", PADDING, down - 2, f"{line} →" if card.goes_on and not number else line)


def line_shapes(day: DayGrid) -> Iterator[Shape]:
    """The lines under the cards: hours, midnights, cuts and stage borders."""
    for left in day.clock.cuts:
        yield Rect("x", left, 0, CUT_WIDTH, day.height)
    for hour in day.clock.hours:
        kind = "n" if hour and hour % 24 == 0 else "g"
        yield Rect(kind, day.clock.at(hour * 60), 0, 1, day.height)
    for stage in day.stages:
        yield Rect("g", 0, stage.top + stage.height - 1, day.width, 1)


def clock_shapes(day: DayGrid) -> Iterator[Words]:
    """The clock: each hour at its line, and below each midnight the new day."""
    for hour in day.clock.beginnings:
        left = day.clock.at(hour * 60) + 2
        yield Words("w", left, 14, wall_clock(hour * 60))
        if hour and hour % 24 == 0:
            following = calendar_date.fromisoformat(day.date) + timedelta(days=hour // 24)
            yield Words("t", left, 28, f"{following:%a %m-%d}")
    for left in day.clock.cuts:
        yield Words("w", left + CUT_WIDTH / 2 - 6, 14, "…")


def day_shapes(day: DayGrid) -> Iterator[Shape]:
    """A whole day with its title, clock and stage names."""
    yield Words("d", 0, 16, day_title(day))
    yield from moved(clock_shapes(day), STAGE_WIDTH, HEADER)
    for stage in day.stages:
        lines = wrapped(stage.name, STAGE_WIDTH - 2 * PADDING, NAME_SIZE)
        for number, line in enumerate(lines):
            down = 2 * HEADER + stage.top + PADDING + NAME_SIZE + number * NAME_LINE
            yield Words("b", 0, down, line)
    yield from moved(line_shapes(day), STAGE_WIDTH, 2 * HEADER)
    for card in day.cards:
        yield from moved(card_shapes(card), STAGE_WIDTH + card.left, 2 * HEADER + card.top)


def sheet(days: Sequence[DayGrid]) -> tuple[list[Shape], float, float]:
    """All days, one below another under one legend: the shapes, and the sheet's width and height.

    The legend wraps to the width of the widest day.
    """
    width = max((STAGE_WIDTH + day.width for day in days), default=KEY_WIDTH)
    columns = max(int(width // KEY_WIDTH), 1)
    shapes: list[Shape] = []
    for number, (kind, words) in enumerate(legend(days)):
        left, top = KEY_WIDTH * (number % columns), 20 * (number // columns)
        shapes += moved([swatch(kind), Words("w", SWATCH_WIDTH + 6, 12, words)], left, top)
    down = 20.0 * -(-len(legend(days)) // columns) + MARGIN
    for day in days:
        shapes += moved(day_shapes(day), 0, down)
        down += day.height + 2 * HEADER + MARGIN
    return list(moved(shapes, MARGIN, MARGIN)), width + 2 * MARGIN, down + MARGIN


def legend(days: Sequence[DayGrid]) -> list[tuple[str, str]]:
    """The legend's entries for these days: a kind of rectangle and its description."""
    cards = [card for day in days for card in day.cards]
    ranks = {step(card.row.popularity) for card in cards}
    finding_kinds = {card.findings[0].kind for card in cards if card.findings}
    entries = list(_steps()) if ranks - {0} else []
    entries += [("p0", "no popularity")] if 0 in ranks else []
    entries += [(f"f{number}", kind) for number, kind in enumerate(EDGES) if kind in finding_kinds]
    if any(card.room > card.width + 1 for card in cards):
        entries.append(("r", "room for a name, not time"))
    return entries


def swatch(kind: str) -> Rect:
    """A small rectangle of a kind, for the legend."""
    return Rect(kind, 1, 1, SWATCH_WIDTH - 2, SWATCH_HEIGHT - 2)


def step(popularity: int | None) -> int:
    """The colour step of a popularity: 1 (1 to 20) to 5 (81 to 100), or 0 if there is none.

    >>> step(1), step(20), step(21), step(100), step(None)
    (1, 1, 2, 5, 0)
    """
    return 0 if popularity is None else min(-(-popularity * len(RAMP) // 100), len(RAMP))


def day_title(day: DayGrid) -> str:
    """`Saturday 2025-07-12: 20 performances on 4 stages`."""
    rows = sum(1 for _ in day.cards)
    return f"{day_name(day)}: {counted(rows, 'performance')} on {counted(len(day.stages), 'stage')}"


def day_name(day: DayGrid) -> str:
    return f"{calendar_date.fromisoformat(day.date):%A %Y-%m-%d}"


def _steps() -> Iterator[tuple[str, str]]:
    size = 100 // len(RAMP)
    for number in range(1, len(RAMP) + 1):
        words = f"{size * (number - 1) + 1}–{size * number}"
        yield f"p{number}", f"popularity {words}" if number == 1 else words
