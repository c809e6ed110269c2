"""Writes the timeline as one PNG, or as a PDF with a page for each day.

matplotlib draws the same shapes as on the HTML page, with this machine's fonts.
"""

import warnings
from collections.abc import Iterable, Sequence
from functools import cache
from math import sqrt
from pathlib import Path

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_pdf import PdfPages
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Rectangle

from festival.analysis.drawing import STYLE, families, undrawable
from festival.analysis.grid import DayGrid
from festival.analysis.shapes import LETTERINGS, LOOKS, Rect, Shape, Words, sheet

INCH = 96  # CSS pixels
POINT = 72 / INCH
DOTS_AN_INCH = 144
# The most dots on a side that matplotlib draws, and the most in all that a viewer opens quickly.
MOST_DOTS = 60_000
MOST_DOTS_IN_ALL = 80_000_000


def save(days: Sequence[DayGrid], target: Path) -> None:
    """Write the days in the format of the name's ending: one PNG, or a PDF with a page for each.

    Warns about letters that no font on this machine has; they are drawn as boxes.
    """
    missing = undrawable(_texts(days))
    if missing:
        warnings.warn(
            f"{target}: no font on this machine has {' '.join(missing[:12])}: "
            f"install one, or save as .svg or .html",
            stacklevel=3,
        )
    style = {**STYLE, "savefig.bbox": None, "pdf.fonttype": 42}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from")
        if target.suffix.lower() == ".png":
            figure = _figure(days)
            figure.savefig(target, dpi=_dots_an_inch(*figure.get_size_inches()))
        else:
            with PdfPages(target) as pages:
                for day in days:
                    pages.savefig(_figure([day]))


def _dots_an_inch(width: float, height: float) -> float:
    most = sqrt(MOST_DOTS_IN_ALL / (width * height))
    return min(DOTS_AN_INCH, MOST_DOTS / max(width, height), most)


def _texts(days: Iterable[DayGrid]) -> list[str]:
    return [
        text
        for day in days
        for stage in day.stages
        for text in (stage.name, *(card.row.performer for card in stage.cards))
    ]


def _figure(days: Sequence[DayGrid]) -> Figure:
    shapes, width, height = sheet(days)
    figure = Figure(figsize=(width / INCH, height / INCH), facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.add_collection(_rectangles(shapes))
    for shape in shapes:
        if isinstance(shape, Words):
            _write(axes, shape)
    return figure


def _rectangles(shapes: Iterable[Shape]) -> PatchCollection:
    patches = []
    for shape in shapes:
        if isinstance(shape, Rect):
            look = LOOKS[shape.kind]
            dashes = (0, tuple(dash / max(look.width, 1) for dash in look.dashes))
            patches.append(
                Rectangle(
                    (shape.x, shape.y),
                    shape.width,
                    shape.height,
                    facecolor=look.fill,
                    edgecolor=look.line,
                    linewidth=look.width * POINT,
                    linestyle=dashes if look.dashes else "-",
                )
            )
    return PatchCollection(patches, match_original=True)


def _write(axes: Axes, words: Words) -> None:
    lettering = LETTERINGS[words.kind]
    axes.text(
        words.x,
        words.y,
        words.text,
        color=lettering.colour,
        fontproperties=_font(words.kind, tuple(families(words.text))),
        va="baseline",
    )


@cache
def _font(kind: str, names: tuple[str, ...]) -> FontProperties:
    lettering = LETTERINGS[kind]
    return FontProperties(family=list(names), size=lettering.size * POINT, weight=lettering.weight)
