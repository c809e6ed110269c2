"""What a new version of a lineup changed, as a DataFrame and as a picture."""

from collections.abc import Iterable, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from festival.analysis.drawing import FILL, INK, QUIET, drawable, picture
from festival.ingest.reconcile import (
    CANCELLED,
    KINDS,
    MOVED,
    Change,
    place_and_time,
)
from festival.ingest.reconcile_files import Review
from festival.ingest.reconcile_record import Removal
from festival.lineup.model import Performance, wall_clock

MOST_DRAWN = 40


def files_frame(results: Iterable[tuple[Review, Removal]]) -> pd.DataFrame:
    """One row for each file: how many changes of each kind, and what becomes of the stale items."""
    rows = [
        (
            review.file,
            *(review.comparison.count(kind) for kind in KINDS),
            removal.removed,
            removal.kept,
            removal.gone,
        )
        for review, removal in results
    ]
    return pd.DataFrame(rows, columns=["file", *KINDS, "removed", "kept", "gone before"])


def changes_frame(changes: Iterable[Change]) -> pd.DataFrame:
    """One row for each change: what it is, who, where and when it was, and is now."""
    rows = [
        (
            change.kind,
            change.performance.performer,
            _told(change.old),
            _told(change.new),
            _minutes_later(change),
        )
        for change in changes
    ]
    frame = pd.DataFrame(rows, columns=["change", "performer", "was", "is", "minutes later"])
    frame["minutes later"] = frame["minutes later"].astype("Int64")
    return frame


def changes_picture(changes: Sequence[Change], title: str) -> Figure:
    """Each change on a row of its own, by the clock of its day: as it was hollow, as it is filled.

    The first forty are drawn; the title says how many there are.
    """
    ranked = sorted(changes, key=lambda change: KINDS.index(change.kind))
    drawn = ranked[:MOST_DRAWN]
    with picture(11, 1.6 + 0.3 * max(len(drawn), 1)) as (figure, axes):
        for place, change in enumerate(drawn):
            _bars(axes, place, change)
        axes.set_yticks(range(len(drawn)), [_label(change) for change in drawn])
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(max(len(drawn), 1) - 0.4, -0.6)
        _clock_axis(axes, [row for one in drawn for row in (one.old, one.new) if row])
        said = f" (the first {MOST_DRAWN} of {len(ranked):,})" if len(ranked) > MOST_DRAWN else ""
        axes.set_title(f"{drawable(title)}: {len(ranked):,} changes{said}")
    return figure


def _bars(axes: Axes, place: int, change: Change) -> None:
    old, new = change.old, change.new
    if old is not None:
        _bar(axes, place, old, {"facecolor": "none", "linestyle": "--"})
    if new is not None:
        _bar(axes, place, new, {"facecolor": FILL})
    if change.kind == CANCELLED and old is not None:
        axes.plot([old.start, old.end], [place, place], color=INK, linewidth=1.2)
    if old is not None and new is not None:
        both = ((old.date, new.date), (old.stage, new.stage))
        if elsewhere := [after for before, after in both if before != after]:
            text = drawable(f" now {', '.join(elsewhere)}")
            axes.text(max(old.end, new.end), place, text, va="center", color=QUIET)


def _bar(axes: Axes, place: int, row: Performance, style: dict[str, str]) -> None:
    axes.barh(
        place,
        max(row.end - row.start, 4),
        left=row.start,
        height=0.55,
        edgecolor=INK,
        linewidth=0.9,
        facecolor=style["facecolor"],
        linestyle=style.get("linestyle", "-"),
    )


def _label(change: Change) -> str:
    row = change.performance
    return drawable(f"{change.kind}: {row.performer}, {row.date}")


def _clock_axis(axes: Axes, rows: Sequence[Performance]) -> None:
    first = min((row.start for row in rows), default=0) // 60
    last = -(-max((row.end for row in rows), default=60) // 60)
    step = 1 if last - first <= 16 else 2
    hours = range(first, last + 1, step)
    axes.set_xlim(first * 60, max(last, first + 1) * 60)
    axes.set_xticks([60 * hour for hour in hours], [wall_clock(60 * hour) for hour in hours])
    axes.grid(axis="x")
    axes.set_xlabel("Local time; dashed: as it was; filled: as it is; struck through: cancelled")


def _told(row: Performance | None) -> str:
    if row is None:
        return ""
    popularity = "" if row.popularity is None else f" ({row.popularity})"
    return f"{place_and_time(row)}{popularity}"


def _minutes_later(change: Change) -> int | None:
    """How much later a moved performance begins than it did; None for any other change."""
    if change.kind != MOVED or change.old is None or change.new is None:
        return None
    days = pd.Timestamp(change.new.date) - pd.Timestamp(change.old.date)
    return days.days * 24 * 60 + change.new.start - change.old.start
