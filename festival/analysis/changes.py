"""What a new version of a lineup changed, as a DataFrame and as a chart."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.transforms import Transform

from festival.analysis.drawing import FILL, INK, picture
from festival.analysis.frames import NEEDED, performances_of
from festival.analysis.lineups import Performances, as_performances
from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.reconcile.compare import Change, ChangeKind, Listing, place_and_time
from festival.ingest.reconcile.compare import compare as changes_between
from festival.ingest.reconcile.reconciler import Review
from festival.lineup.model import Performance, wall_clock
from festival.text import counted

MOST_DRAWN = 40
MOST_TICKS = 10
LONGEST_NAME = 36


def files_frame(results: Iterable[tuple[Review, Removal]]) -> pd.DataFrame:
    """One row for each file: its changes by kind, and what happens to its stale items."""
    rows = [
        (
            review.file,
            *(review.comparison.count(kind) for kind in ChangeKind),
            removal.removed,
            removal.kept,
            removal.gone,
        )
        for review, removal in results
    ]
    return pd.DataFrame(rows, columns=["file", *ChangeKind, "removed", "kept", "gone before"])


def compare(old: Performances, new: Performances) -> pd.DataFrame:
    """What a new lineup changed: one row for each performance added, moved, cancelled or changed.

    `changed` means that the end or the popularity differs. `old` and `new` are each a lineup of
    `festival.read`, its performances, an answer of the table, or a file's name. The columns are
    `change`, `performer`, `was`, `is` and `minutes later` (Int64, for moved performances).

    >>> compare("sample/sample.csv", "sample/sample.csv").empty
    True
    """
    before, after = (
        Listing(name, {row.key: row for row in performances_of(as_performances(lineup, NEEDED))})
        for name, lineup in (("old", old), ("new", new))
    )
    return changes_frame(changes_between([before], after).changes)


def in_short(results: Sequence[tuple[Review, Removal]], *, dry_run: bool) -> str:
    """The changes in all files, and how many stale items they leave, in one sentence."""
    changes = _counted(change for review, _ in results for change in review.comparison.changes)
    stale = sum(removal.removed for _, removal in results)
    end = "nothing is removed in a dry run" if dry_run else "they are removed below"
    files, items = counted(len(results), "file"), counted(stale, "item")
    return f"{files}: {changes or 'no change'}; {items} left by older versions; {end}."


def changes_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """One row for each change: its kind, the performer, the old and the new place and time."""
    rows = [
        (
            change.kind,
            change.performance.performer,
            _in_words(change.old),
            _in_words(change.new),
            _minutes_later(change),
        )
        for change in changes
    ]
    frame = pd.DataFrame(rows, columns=["change", "performer", "was", "is", "minutes later"])
    frame["minutes later"] = frame["minutes later"].astype("Int64")
    return frame


def changes_picture(changes: Sequence[Change], title: str) -> Figure:
    """A chart with a row for each change, day by day: the old time dashed, the new one filled.

    Beside each row the change is written in words. The first forty are drawn; the title counts all.
    """
    ranked = sorted(changes, key=_by_day_and_kind)
    drawn = ranked[:MOST_DRAWN]
    days = sorted({change.performance.date for change in drawn})
    lines = len(drawn) + len(days)
    with picture(11, 1.4 + 0.27 * max(lines, 1)) as (figure, axes):
        labels: dict[int, str] = {}
        for number, day in enumerate(days):
            rows = [change for change in drawn if change.performance.date == day]
            top = number + len(labels)
            axes.text(0, top, f" {day}", va="center", weight="bold", transform=_beside(axes))
            for y, change in enumerate(rows, top + 1):
                _bars(axes, y, change)
                axes.text(1, y, f"  {_label(change)}", va="center", transform=_beside(axes))
                labels[y] = _shortened(change.performance.performer)
        axes.set_yticks(list(labels), list(labels.values()))
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(max(lines, 1) - 0.4, -0.6)
        _clock_axis(axes, [row for one in drawn for row in (one.old, one.new) if row])
        more = f" (the first {MOST_DRAWN} are drawn)" if len(ranked) > MOST_DRAWN else ""
        axes.set_title(f"{title}: {_counted(ranked) or 'nothing changed'}{more}")
    return figure


def _by_day_and_kind(change: Change) -> tuple[str, int, int, str]:
    row = change.performance
    return (row.date, list(ChangeKind).index(change.kind), row.start, row.performer)


def _beside(axes: Axes) -> Transform:
    """Coordinates for text: x from 0 at the left edge to 1 at the right one, y in rows."""
    return axes.get_yaxis_transform()


def _counted(changes: Iterable[Change]) -> str:
    """`2 moved, 1 added`, or '' if there is no change."""
    kinds = Counter(change.kind for change in changes)
    return ", ".join(f"{kinds[kind]:,} {kind}" for kind in ChangeKind if kinds[kind])


def _label(change: Change) -> str:
    """What differs, old and new: `moved: 20:00 → 21:00, Main Stage → Tent`."""
    old, new = change.old, change.new
    if old is None or new is None:
        row = change.performance
        return f"{change.kind}: {wall_clock(row.start)} {row.stage}"
    return f"{change.kind}: {', '.join(_differences(old, new))}"


def _differences(old: Performance, new: Performance) -> Iterator[str]:
    if old.date != new.date:
        yield f"{old.date} → {new.date}"
    if old.start != new.start:
        yield f"{wall_clock(old.start)} → {wall_clock(new.start)}"
    if old.end - old.start != new.end - new.start:
        yield f"until {wall_clock(old.end)} → {wall_clock(new.end)}"
    if old.stage != new.stage:
        yield f"{old.stage} → {new.stage}"
    if old.popularity != new.popularity:
        yield f"popularity {_rank(old)} → {_rank(new)}"


def _rank(row: Performance) -> str:
    return "none" if row.popularity is None else str(row.popularity)


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _bars(axes: Axes, y: int, change: Change) -> None:
    if change.old is not None:
        _bar(axes, y, change.old, "none", "--")
    if change.new is not None:
        _bar(axes, y, change.new, FILL, "-")
    if change.kind == ChangeKind.CANCELLED and change.old is not None:
        strike_out = [change.old.start, change.old.end]
        axes.plot(strike_out, [y, y], color=INK, linewidth=1.2)


def _bar(axes: Axes, y: int, row: Performance, fill: str, line: str) -> None:
    axes.barh(
        y,
        max(row.end - row.start, 4),
        left=row.start,
        height=0.6,
        edgecolor=INK,
        linewidth=0.9,
        facecolor=fill,
        linestyle=line,
    )


def _clock_axis(axes: Axes, rows: Sequence[Performance]) -> None:
    first = min((row.start for row in rows), default=0) // 60
    last = max(-(-max((row.end for row in rows), default=60) // 60), first + 1)
    step = next(hours for hours in (1, 2, 3, 4, 6, 12, 24) if (last - first) // hours <= MOST_TICKS)
    hours = range(first, last + 1, step)
    axes.set_xlim(first * 60, last * 60)
    axes.set_xticks([60 * hour for hour in hours], [wall_clock(60 * hour) for hour in hours])
    axes.grid(axis="x")
    axes.set_xlabel("Local time; dashed: old; filled: new; struck through: cancelled")


def _in_words(row: Performance | None) -> str:
    if row is None:
        return ""
    popularity = "" if row.popularity is None else f" ({row.popularity})"
    return f"{place_and_time(row)}{popularity}"


def _minutes_later(change: Change) -> int | None:
    """How many minutes later a moved performance now starts; None for any other change."""
    if change.kind != ChangeKind.MOVED or change.old is None or change.new is None:
        return None
    days = pd.Timestamp(change.new.date) - pd.Timestamp(change.old.date)
    return days.days * 24 * 60 + change.new.start - change.old.start
