"""The timeline of a lineup's day: stages as rows, performances as bars, findings marked."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from festival.analysis import checks
from festival.analysis.checks import Finding
from festival.analysis.drawing import FILL, INK, QUIET, drawable, picture, text_width
from festival.lineup.model import MINUTES_PER_DAY, Performance, wall_clock

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
# More empty hours than this are left out; what is drawn in their place is this wide.
_EMPTY_HOURS_DRAWN = 3
_CUT_HOURS = 0.8


def day_timelines(
    performances: Iterable[Performance], findings: Iterable[Finding] = ()
) -> Iterator[Figure]:
    """A timeline for each day of a lineup, in order. Days are the lineup's: a night stays whole."""
    marked = list(findings)
    for _, rows in groupby(sorted(performances, key=_in_order), attrgetter("date")):
        yield day_timeline(list(rows), marked)


def day_timeline(rows: Sequence[Performance], findings: Iterable[Finding] = ()) -> Figure:
    """One day: stages as rows, performances as bars, findings hatched and with a bold edge.

    Performances that overlap on a stage share its row, one below the other. Long empty stretches
    are left out, and marked grey.
    """
    kinds = _kind_of(findings)
    clock = _Clock.of(rows)
    stages = _in_lanes(rows)
    depth = [lane for lanes in stages.values() for lane in lanes]
    with picture(11, 1.3 + 0.42 * len(depth)) as (figure, axes):
        for place, lane in enumerate(depth):
            for row in lane:
                _bar(axes, row, clock, place, kinds.get(row))
        _stage_axis(axes, stages)
        _clock_axis(axes, clock)
        _write_names(figure, axes, clock, depth)
        day = rows[0].date if rows else "no performance"
        axes.set_title(f"{day}: {len(rows):,} performances on {len(stages)} stages")
        _legend(axes, [kinds[row] for row in rows if row in kinds])
    return figure


@dataclass(frozen=True, slots=True)
class _Clock:
    """Minutes since midnight to places on the axis, in hours, without the long empty stretches."""

    stretches: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, rows: Iterable[Performance]) -> "_Clock":
        """The hours in which something is on, joined where little time is between them."""
        stretches: list[tuple[int, int]] = []
        for row in sorted(rows, key=attrgetter("start")):
            first, last = row.start // 60, max(-(-row.end // 60), row.start // 60 + 1)
            if stretches and first - stretches[-1][1] <= _EMPTY_HOURS_DRAWN:
                begin, end = stretches.pop()
                first, last = begin, max(end, last)
            stretches.append((first, last))
        return cls(tuple(stretches or [(0, 24)]))

    def at(self, minute: float) -> float:
        minutes, places, place = [], [], 0.0
        for first, last in self.stretches:
            minutes += [first * 60, last * 60]
            places += [place, place + last - first]
            place += last - first + _CUT_HOURS
        return float(np.interp(minute, minutes, places))

    @property
    def end(self) -> float:
        return self.at(self.stretches[-1][1] * 60)

    @property
    def hours(self) -> list[int]:
        """The hours to label: all, or as few of them as leaves each a label's room."""
        step = 1 if self.end <= 16 else 2
        return [
            hour
            for first, last in self.stretches
            for hour in range(-(-first // step) * step, last + 1, step)
        ]


def _in_order(row: Performance) -> tuple[str, str, int, int]:
    return (row.date, row.stage, row.start, row.end)


def _kind_of(findings: Iterable[Finding]) -> dict[Performance, str]:
    """The kind each performance is marked with: the first in the order of the hatches."""
    kinds: dict[Performance, str] = {}
    rank = list(HATCHES)
    for finding in sorted(findings, key=lambda finding: -rank.index(finding.kind)):
        kinds.update(dict.fromkeys(finding.performances, finding.kind))
    return kinds


def _in_lanes(rows: Iterable[Performance]) -> dict[str, list[list[Performance]]]:
    """By stage, its performances in as many lanes as it takes for none to overlap in its lane."""
    stages: dict[str, list[list[Performance]]] = {}
    for row in sorted(rows, key=_in_order):
        lanes = stages.setdefault(row.stage, [])
        free = next((lane for lane in lanes if _drawn_end(lane[-1]) <= row.start), None)
        if free is None:
            lanes.append([row])
        else:
            free.append(row)
    return stages


def _drawn_end(row: Performance) -> int:
    return max(row.end, row.start + _ZERO_MINUTES_DRAWN)


def _bar(axes: Axes, row: Performance, clock: _Clock, place: int, kind: str | None) -> None:
    style: dict[str, Any] = {"facecolor": FILL, "edgecolor": "white", "linewidth": 1.0}
    if kind is not None:
        style |= {"edgecolor": INK, "linewidth": 1.6, "hatch": HATCHES[kind]}
    if kind == checks.UNRANKED:
        style |= {"facecolor": "white", "linewidth": 0.8, "linestyle": "--"}
    begin, end = clock.at(row.start), clock.at(_drawn_end(row))
    axes.add_patch(Rectangle((begin, place - 0.4), end - begin, 0.8, **style))


def _write_names(
    figure: Figure, axes: Axes, clock: _Clock, lanes: Sequence[Sequence[Performance]]
) -> None:
    """Write each name into its bar, as large as it fits; where it fits not at all, leave it out."""
    figure.draw_without_rendering()
    dots = axes.transData.transform([(0, 0), (1, 0)])
    points_an_hour = float(dots[1][0] - dots[0][0]) * 72 / figure.dpi
    for place, lane in enumerate(lanes):
        for row in lane:
            begin, end = clock.at(row.start), clock.at(row.end)
            fitting = _fit(drawable(row.performer), (end - begin) * points_an_hour - 3)
            if fitting is not None:
                text, size = fitting
                axes.text(
                    (begin + end) / 2,
                    place,
                    text,
                    fontsize=size,
                    linespacing=0.95,
                    ha="center",
                    va="center",
                    bbox={"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6},
                )


def _fit(name: str, room: float) -> tuple[str, float] | None:
    """The name in one to three lines, and its size, so that it is `room` points wide at most."""
    for lines in (1, 2, 3):
        text = _in_lines(name, lines)
        for size in _NAME_POINTS[lines - 1 :]:
            if max(text_width(line, size) for line in text.splitlines()) <= room:
                return text, size
    return None


def _in_lines(name: str, lines: int) -> str:
    """The name's words in so many lines of about the same length."""
    words, text = name.split(" "), ""
    for number in range(lines, 1, -1):
        goal = (sum(map(len, words)) + len(words) - 1) / number
        line = words.pop(0)
        while words and len(line) + len(words[0]) / 2 < goal:
            line += f" {words.pop(0)}"
        if not words:
            return text + line
        text += f"{line}\n"
    return text + " ".join(words)


def _stage_axis(axes: Axes, stages: Mapping[str, list[list[Performance]]]) -> None:
    depth, middles = 0, []
    for lanes in stages.values():
        axes.axhline(depth - 0.5, color="#d9d9d9", linewidth=0.6)
        middles.append(depth + (len(lanes) - 1) / 2)
        depth += len(lanes)
    axes.set_yticks(middles, [drawable(stage) for stage in stages])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(max(depth, 1) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)


def _clock_axis(axes: Axes, clock: _Clock) -> None:
    axes.set_xlim(0, clock.end)
    hours = [hour * 60 for hour in clock.hours]
    axes.set_xticks([clock.at(hour) for hour in hours], [wall_clock(hour) for hour in hours])
    axes.grid(axis="x")
    said = ["Local time"]
    for _, before in clock.stretches[:-1]:
        cut = clock.at(before * 60)
        axes.axvspan(cut, cut + _CUT_HOURS, color="#e8e8e8", linewidth=0)
    if len(clock.stretches) > 1:
        said.append("grey: empty hours left out")
    if clock.stretches[-1][1] * 60 > MINUTES_PER_DAY > clock.stretches[0][0] * 60:
        axes.axvline(clock.at(MINUTES_PER_DAY), color=QUIET, linewidth=1, linestyle=":")
        said.append("dotted: midnight")
    axes.set_xlabel("; ".join(said))


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
