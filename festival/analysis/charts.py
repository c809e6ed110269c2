"""Pictures of many performances at once: popularity by stage, how busy each hour is."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from festival.analysis.drawing import COLOURS, INK, drawable, picture


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
