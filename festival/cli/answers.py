"""The table's answers, printed."""

from collections.abc import Iterator, Sequence

from festival.cli.text import table
from festival.lineup.model import MINUTES_PER_DAY, Performance, wall_clock
from festival.query.columns import PageCost
from festival.query.patterns import AccessPattern
from festival.text import counted

HEADS = ("Date", "Start", "End", "Stage", "Performer", "Popularity")


def lines(performances: Sequence[Performance]) -> Iterator[str]:
    """A table of performances. `01:15+1` is a quarter past one on the day after Date."""
    rows = [
        (
            performance.date,
            time_of(performance.start),
            time_of(performance.end),
            performance.stage,
            performance.performer,
            performance.popularity,
        )
        for performance in performances
    ]
    yield from table(HEADS, rows)


def time_of(minutes: int) -> str:
    days = minutes // MINUTES_PER_DAY
    return wall_clock(minutes) + (f"+{days}" if days else "")


def footer(
    pattern: AccessPattern, performances: Sequence[Performance], pages: Sequence[PageCost]
) -> str:
    """What it took: the number of Queries, read units, milliseconds."""
    units = sum(page.read_units for page in pages)
    milliseconds = sum(page.milliseconds for page in pages)
    found = counted(len(performances), "performance")
    return f"{found} · {queries(pattern)}, {units:g} RRU, {milliseconds:,.0f} ms"


def queries(pattern: AccessPattern) -> str:
    return "1 Query" if len(pattern.queries) == 1 else f"{len(pattern.queries)} Queries"
