"""The cost model's charts: dollars by component, ingest time, partition limits."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from festival.analysis.cost.bill import DAYS, BillLine
from festival.analysis.cost.forecast import (
    BURST_SECONDS,
    COLD_START_SECONDS,
    Forecast,
    Range,
)
from festival.analysis.cost.original import ORIGINAL
from festival.analysis.cost.workload import StackProfile
from festival.analysis.drawing import COLOURS, DASHES, FILL, INK, QUIET, picture, spread_out

LAMBDA_TIMEOUT = 300
_LEAST_DOLLARS = 1e-4


def cost_by_component(bills: Mapping[int, Sequence[BillLine]], *, month: int) -> Figure:
    """Dollars a month by component against rows a day, on logarithmic axes.

    `bills` has the bill of the `month`-th month for each number of rows a day. The original
    README's ranges are drawn in grey.
    """
    rows = sorted(bills)
    components = list(dict.fromkeys(line.component for line in bills[rows[0]]))
    with picture(9.5, 5.2) as (figure, axes):
        ends: list[tuple[str, float]] = []
        for number, name in enumerate(components):
            costs = [_of(bills[count], name) for count in rows]
            if max(costs) > _LEAST_DOLLARS:
                _line(axes, rows, costs, number)
                ends.append((name, costs[-1]))
        totals = [sum(line.dollars for line in bills[count]) for count in rows]
        axes.plot(rows, totals, color=INK, linewidth=3)
        ends.append((f"total: ${totals[-1]:,.2f}", totals[-1]))
        for count, low, high in ORIGINAL:
            ends_at = [max(low * DAYS, _LEAST_DOLLARS), high * DAYS]
            axes.plot([count] * 2, ends_at, color=QUIET, linewidth=7, solid_capstyle="butt")
        axes.annotate(
            "grey: the original README",
            (ORIGINAL[1][0], ORIGINAL[1][2] * DAYS),
            xytext=(-6, 8),
            textcoords="offset points",
            ha="right",
            color=QUIET,
        )
        _log_axes(axes, "Rows a day", "US dollars a month")
        axes.yaxis.set_major_formatter(FuncFormatter(_dollars))
        axes.set_ylim(bottom=_LEAST_DOLLARS)
        _end_labels(axes, rows[-1], ends)
        axes.set_title(f"What the stack costs in month {month}, by component")
    return figure


def time_to_ingest(rows: Sequence[int], *, stack: StackProfile, shape: Forecast) -> Figure:
    """Seconds of one ingest against the file's rows: the whole, and each of its three limits.

    The limits are the processor, the requests and the hottest partition (in the median placement,
    without burst credit). A band shows the range of all placements, a line the function's time-out.
    """
    times = [stack.ingest_time(count, shape) for count in rows]
    lines = [
        (f"hottest partition: {times[0].hottest}", [time.partitions.median for time in times]),
        (f"processor at {stack.memory_mb} MB", [time.processor for time in times]),
        ("requests to DynamoDB", [time.requests for time in times]),
    ]
    with picture(9.5, 4.6) as (figure, axes):
        axes.fill_between(
            rows,
            [time.range.low for time in times],
            [time.range.high for time in times],
            color=FILL,
            linewidth=0,
        )
        for number, (_, seconds) in enumerate(lines):
            _line(axes, rows, seconds, number)
        axes.plot(rows, [time.seconds for time in times], color=INK, linewidth=3)
        axes.axhline(LAMBDA_TIMEOUT, color=QUIET, linewidth=1)
        axes.text(rows[0], LAMBDA_TIMEOUT * 1.15, "the function's time-out, 300 s", color=QUIET)
        _log_axes(axes, "Rows in the file", "Seconds")
        axes.yaxis.set_major_formatter(FuncFormatter(_plain))
        axes.set_ylim(bottom=COLD_START_SECONDS / 10)
        ends = [(name, seconds[-1]) for name, seconds in lines]
        _end_labels(axes, rows[-1], [*ends, ("ingest (black)", times[-1].seconds)])
        axes.set_title("How long an ingest takes, and what decides it")
    return figure


def forecasts(shapes: Mapping[str, Forecast], rows: int) -> Figure:
    """Seconds that `rows` rows take by each forecast: the range of all placements, and the median.

    Each is drawn twice: without burst credit, and with the credit of five idle minutes.
    """
    bars: dict[str, Range] = {}
    for name, shape in shapes.items():
        bars[f"{name}, no credit"] = shape.partitions(rows)
        bars[f"{name}, {BURST_SECONDS} s of credit"] = shape.partitions(rows, credit=BURST_SECONDS)
    with picture(9.5, 1.1 + 0.45 * max(len(bars), 1)) as (figure, axes):
        for y, seconds in enumerate(bars.values()):
            width = seconds.high - seconds.low
            axes.barh(y, width, left=seconds.low, height=0.6, color=FILL, edgecolor=INK)
            axes.plot([seconds.median] * 2, [y - 0.3, y + 0.3], color=INK, linewidth=2)
            axes.text(seconds.high, y, f"  {seconds}", va="center")
        axes.set_yticks(range(len(bars)), list(bars))
        axes.invert_yaxis()
        axes.tick_params(axis="y", length=0)
        axes.set_xlim(0, 1.6 * max([*(seconds.high for seconds in bars.values()), 0.1]))
        axes.set_xlabel(f"Seconds to write {rows:,} rows, over fifty placements of the keys")
        axes.grid(axis="x")
        axes.set_title("One file against partitions of 1,000 WRU/s each")
    return figure


def _of(lines: Sequence[BillLine], component: str) -> float:
    return sum(line.dollars for line in lines if line.component == component)


def _line(axes: Axes, x: Sequence[float], y: Sequence[float], number: int) -> None:
    axes.plot(x, y, color=COLOURS[number], linestyle=DASHES[number], linewidth=1.8)


def _log_axes(axes: Axes, x: str, y: str) -> None:
    axes.set(xscale="log", yscale="log", xlabel=x, ylabel=y)
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.grid(which="major")
    axes.minorticks_off()


def _end_labels(axes: Axes, x: float, ends: Sequence[tuple[str, float]]) -> None:
    """A label at the right end of each line; labels that would touch are moved apart."""
    low, high = np.log10(axes.get_ylim())
    logs = [float(np.log10(max(value, 10**low))) for _, value in ends]
    for (name, value), log in zip(ends, spread_out(logs, (high - low) / 22), strict=True):
        axes.annotate(
            name,
            (x, max(value, 10**low)),
            xytext=(1.02, (log - low) / (high - low)),
            textcoords=("axes fraction", "axes fraction"),
            va="center",
            arrowprops={"arrowstyle": "-", "color": QUIET, "linewidth": 0.6},
        )
    axes.set_xlim(right=x)


def _plain(value: float, _: int | None = None) -> str:
    return f"{value:,.0f}" if value >= 1 else f"{value:g}"


def _dollars(value: float, _: int | None = None) -> str:
    return f"${value:,.0f}" if value >= 1 else f"${value:g}"
