"""Pictures of a lineup: the timeline of a day, popularity by stage, how busy each hour is."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle
from matplotlib.ticker import FixedFormatter, FixedLocator, MaxNLocator

from festival.analysis import checks
from festival.analysis.checks import Finding
from festival.analysis.drawing import COLOURS, FILL, INK, QUIET, drawable, picture
from festival.lineup.model import Performance, wall_clock

HATCHES = {
    checks.OVERLAP: "////",
    checks.TWO_PLACES: "xxxx",
    checks.LONG: "....",
    checks.ZERO: "||||",
    checks.EARLY: "\\\\\\\\",
    checks.ALIKE: "----",
    checks.FAR: "++++",
    checks.UNRANKED: "",
}
_NAME_POINTS = (8.0, 7.0, 6.0)
_ZERO_MINUTES_DRAWN = 4
# A letter of DejaVu Sans is 0.6 of its size wide on average; the wide scripts begin with Hangul.
_LETTER_WIDTH = 0.6
_WIDE_SCRIPTS = 0x1100


def day_timelines(
    performances: Iterable[Performance], findings: Iterable[Finding] = ()
) -> Iterator[Figure]:
    """A timeline for each day of a lineup, in order. Days are the lineup's: a night stays whole."""
    marked = list(findings)
    for _, rows in groupby(sorted(performances, key=_by_day), attrgetter("date")):
        yield day_timeline(list(rows), marked)


def day_timeline(rows: Sequence[Performance], findings: Iterable[Finding] = ()) -> Figure:
    """One day: stages as rows, performances as bars, findings hatched and with a bold edge.

    Performances that overlap on a stage share its row, one below the other.
    """
    kinds = _kind_of(findings)
    lanes = _lanes(rows)
    tops = list(_tops(lanes))
    depth = sum(count for _, count in tops)
    with picture(11, 1.3 + 0.34 * depth) as (figure, axes):
        top = 0
        for stage, count in tops:
            for row, lane in lanes[stage]:
                _bar(axes, row, top + lane, kinds.get(row))
            axes.axhline(top - 0.5, color="#d9d9d9", linewidth=0.6)
            top += count
        _stage_axis(axes, tops)
        _clock_axis(axes, rows)
        _write_names(figure, axes, [(row, place) for row, place in _places(lanes, tops)])
        day = rows[0].date if rows else "no performance"
        axes.set_title(f"{day}: {len(rows):,} performances on {len(tops)} stages")
        _legend(axes, [kinds[row] for row in rows if row in kinds])
    return figure


def popularity_by_stage(frame: pd.DataFrame) -> Figure:
    """Each performance's popularity as a dot in its stage's row, and the median of each stage."""
    known = frame.dropna(subset=["Popularity"])
    medians = known.groupby("Stage")["Popularity"].median().sort_values()
    with picture(9, 1.2 + 0.42 * max(len(medians), 1)) as (figure, axes):
        for place, (stage, median) in enumerate(medians.items()):
            values = known.loc[known["Stage"] == stage, "Popularity"].astype(float).sort_values()
            # A fixed up and down keeps equal values apart without chance.
            height = place + 0.12 * (np.arange(len(values)) % 3 - 1)
            axes.plot(values, height, "o", color=COLOURS[0], alpha=0.55, markersize=5, mew=0)
            axes.plot([median] * 2, [place - 0.32, place + 0.32], color=INK, linewidth=2)
            axes.text(101.5, place, f"{median:.0f}", va="center")
        axes.set_yticks(range(len(medians)), [drawable(str(stage)) for stage in medians.index])
        axes.set_xlim(0, 101)
        axes.set_xlabel("Popularity, 1 to 100 (bar and figure: the stage's median)")
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        missing = len(frame) - len(known)
        without = f" ({missing} have none and are not shown)" if missing else ""
        axes.set_title(f"Popularity of {len(known)} performances by stage{without}")
    return figure


def busy_hours(frame: pd.DataFrame) -> Figure:
    """How many performances are on in each hour of each day; a night belongs to its lineup day."""
    grid = hours_grid(frame)
    with picture(11, 1.5 + 0.42 * max(len(grid), 1)) as (figure, axes):
        axes.set_title("Performances on stage, by day and hour")
        if grid.empty:
            axes.set_axis_off()
            return figure
        top = int(grid.to_numpy().max())
        axes.imshow(grid, cmap="Blues", vmin=0, vmax=top * 1.25, aspect="auto")
        for (day, hour), count in np.ndenumerate(grid.to_numpy()):
            if count:
                colour = "white" if count > 0.75 * top else INK
                axes.text(hour, day, str(count), ha="center", va="center", color=colour)
        axes.set_xticks(range(grid.shape[1]), [f"{hour % 24:02d}" for hour in grid.columns])
        axes.set_yticks(range(len(grid)), [f"{day:%a %Y-%m-%d}" for day in grid.index])
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set_xlabel("Hour of the day (from :00 to :59; after midnight the same row goes on)")
    return figure


def hours_grid(frame: pd.DataFrame) -> pd.DataFrame:
    """Days by hours since the day's midnight (24 is 00:00 of the night): performances that are on.

    A performance counts in every hour it is on for some of; a zero-length one in none.
    """
    begin = (frame["Start"] - frame["Date"]).dt.total_seconds() // 3600
    # Up to the hour in which it ends, without it where it ends on the hour.
    end = -(-(frame["End"] - frame["Date"]).dt.total_seconds() // 3600)
    cells = [
        (day, hour)
        for day, first, behind in zip(frame["Date"], begin, end, strict=True)
        for hour in range(int(first), int(behind))
    ]
    counts = pd.DataFrame(cells, columns=["Date", "Hour"]).value_counts().unstack(fill_value=0)
    if counts.empty:
        return pd.DataFrame(dtype=int)
    hours = range(int(counts.columns.min()), int(counts.columns.max()) + 1)
    return counts.reindex(columns=hours, fill_value=0).sort_index()


def _by_day(row: Performance) -> tuple[str, str, int, int]:
    return (row.date, row.stage, row.start, row.end)


def _kind_of(findings: Iterable[Finding]) -> dict[Performance, str]:
    """The kind each performance is marked with: the first in the order of the hatches."""
    kinds: dict[Performance, str] = {}
    rank = list(HATCHES)
    for finding in sorted(findings, key=lambda finding: -rank.index(finding.kind)):
        kinds.update(dict.fromkeys(finding.performances, finding.kind))
    return kinds


def _lanes(rows: Iterable[Performance]) -> dict[str, list[tuple[Performance, int]]]:
    """By stage, each performance with the lane of its stage's row in which it overlaps nothing."""
    lanes: dict[str, list[tuple[Performance, int]]] = {}
    for stage, found in groupby(
        sorted(rows, key=attrgetter("stage", "start")), attrgetter("stage")
    ):
        ends: list[int] = []
        lanes[stage] = []
        for row in found:
            free = next((lane for lane, end in enumerate(ends) if end <= row.start), len(ends))
            ends[free : free + 1] = [max(row.end, row.start + _ZERO_MINUTES_DRAWN)]
            lanes[stage].append((row, free))
    return lanes


def _tops(lanes: Mapping[str, list[tuple[Performance, int]]]) -> Iterator[tuple[str, int]]:
    for stage, found in lanes.items():
        yield stage, 1 + max(lane for _, lane in found)


def _places(
    lanes: Mapping[str, list[tuple[Performance, int]]], tops: Iterable[tuple[str, int]]
) -> Iterator[tuple[Performance, int]]:
    top = 0
    for stage, count in tops:
        yield from ((row, top + lane) for row, lane in lanes[stage])
        top += count


def _bar(axes: Axes, row: Performance, place: int, kind: str | None) -> None:
    length = max(row.end - row.start, _ZERO_MINUTES_DRAWN)
    style: dict[str, Any] = {"facecolor": FILL, "edgecolor": "white", "linewidth": 1.0}
    if kind is not None:
        style |= {"edgecolor": INK, "linewidth": 1.6, "hatch": HATCHES[kind]}
    if kind == checks.UNRANKED:
        style |= {"facecolor": "white", "linewidth": 0.8, "linestyle": "--"}
    axes.add_patch(Rectangle((row.start, place - 0.4), length, 0.8, **style))


def _write_names(figure: Figure, axes: Axes, bars: Sequence[tuple[Performance, int]]) -> None:
    """Write each name into its bar, as large as it fits; where it fits not at all, leave it out."""
    figure.draw_without_rendering()
    points_a_minute = axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]
    points_a_minute *= 72 / figure.dpi
    for row, place in bars:
        fitting = _fit(drawable(row.performer), (row.end - row.start) * points_a_minute - 4)
        if fitting is not None:
            text, size = fitting
            axes.text(
                (row.start + row.end) / 2,
                place,
                text,
                fontsize=size,
                linespacing=0.95,
                ha="center",
                va="center",
                bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
            )


def _fit(name: str, room: float) -> tuple[str, float] | None:
    """The name in one line or two, and its size, so that it is `room` points wide at most."""
    for text in (name, _in_two_lines(name)):
        letters = max(_letters_wide(line) for line in text.splitlines())
        for size in _NAME_POINTS if text == name else _NAME_POINTS[1:]:
            if _LETTER_WIDTH * size * letters <= room:
                return text, size
    return None


def _in_two_lines(name: str) -> str:
    spaces = [place for place, letter in enumerate(name) if letter == " "]
    if not spaces:
        return name
    middle = min(spaces, key=lambda place: abs(place - len(name) / 2))
    return f"{name[:middle]}\n{name[middle + 1 :]}"


def _letters_wide(line: str) -> float:
    return sum(1.0 if ord(letter) < _WIDE_SCRIPTS else 1.7 for letter in line)


def _stage_axis(axes: Axes, tops: Sequence[tuple[str, int]]) -> None:
    depth, middles = 0, []
    for _, count in tops:
        middles.append(depth + (count - 1) / 2)
        depth += count
    axes.set_yticks(middles, [drawable(stage) for stage, _ in tops])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(depth, 1) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)


def _clock_axis(axes: Axes, rows: Sequence[Performance]) -> None:
    first = min((row.start for row in rows), default=0) // 60 * 60
    last = -(-max((row.end for row in rows), default=1440) // 60) * 60
    axes.set_xlim(first, max(last, first + 60))
    ticks = MaxNLocator(14, steps=[1, 2, 3, 6, 10], integer=True).tick_values(first / 60, last / 60)
    hours = [int(hour) * 60 for hour in ticks if first <= hour * 60 <= last]
    axes.xaxis.set_major_locator(FixedLocator(hours))
    axes.xaxis.set_major_formatter(FixedFormatter([wall_clock(hour) for hour in hours]))
    axes.grid(axis="x")
    if last > 1440 > first:
        axes.axvline(1440, color=QUIET, linewidth=1, linestyle=":")
    axes.set_xlabel("Local time (dotted: midnight)" if last > 1440 > first else "Local time")


def _legend(axes: Axes, kinds: Iterable[str]) -> None:
    present = set(kinds)
    patches = [
        Patch(
            facecolor="white" if kind == checks.UNRANKED else FILL,
            edgecolor=INK,
            linestyle="--" if kind == checks.UNRANKED else "-",
            hatch=hatch,
            label=kind,
        )
        for kind, hatch in HATCHES.items()
        if kind in present
    ]
    if patches:
        axes.figure.legend(handles=patches, loc="outside lower left", ncols=4, handlelength=2.5)
