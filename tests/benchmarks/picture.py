"""The ratios of a benchmark run as one picture."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from tests.benchmarks.run import Result

BAR, GOAL = "#3b6ea5", "#1a1a1a"


def draw(results: Sequence[Result], machine: Mapping[str, object], path: Path) -> Path:
    """Bars of each ratio on a logarithmic axis, with the goal as a mark; saved at `path`."""
    shown = [result for result in results if result.ratio is not None][::-1]
    figure = Figure(figsize=(9, 1.4 + 0.5 * len(shown)), layout="constrained")
    axes = figure.add_subplot()
    for place, result in enumerate(shown):
        assert result.ratio is not None
        axes.barh(place, result.ratio - 1, left=1, height=0.55, color=BAR)
        end = max(result.ratio, 1.0)
        axes.annotate(f" {result.ratio:.3g} ×", (end, place), va="center", fontsize=9)
        if result.goal:
            bound = float(result.goal.split()[1])
            axes.plot([bound, bound], [place - 0.4, place + 0.4], color=GOAL, linewidth=1.5)
    axes.set_yticks(
        range(len(shown)),
        [f"{result.what}, {result.cores}\n{result.call} / {result.against}" for result in shown],
        fontsize=8,
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda ratio, _: f"{ratio:g} ×"))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.margins(x=0.15)
    axes.axvline(1, color="grey", linewidth=0.8)
    axes.set_xlabel("times the reference (black mark: the goal)")
    axes.set_title(
        ", ".join(str(value) for value in machine.values()), fontsize=9, loc="right", color="grey"
    )
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(axis="y", length=0)
    figure.savefig(path, dpi=150)
    return path
