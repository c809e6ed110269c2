"""What all pictures have in common: a calm style, colours that survive grey, names in any script.

Colours: Okabe and Ito, "Color Universal Design" (2008), told apart by colour-blind readers; every
line has a dash pattern and a label of its own besides, so that nothing hangs on colour.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import matplotlib.font_manager as fonts
import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.textpath import text_to_path

INK = "#222222"
QUIET = "#767676"
FILL = "#c6dbef"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9", "#7a7a7a")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))

STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "font.size": 9,
    "axes.titlesize": 11,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.axisbelow": True,
    "text.color": INK,
    # Names are words, not formulas: A$AP and $uicideboy$.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.6,
    "hatch.color": INK,
    "hatch.linewidth": 0.5,
    "legend.frameon": False,
}
_OTHER_SCRIPTS = ("Noto Sans", "Noto Sans CJK JP", "WenQuanYi Zen Hei", "Noto Emoji", "Symbola")


@contextmanager
def picture(width: float, height: float) -> Iterator[tuple[Figure, Axes]]:
    """A figure with one pair of axes, in inches; pyplot forgets it, so that it is shown once."""
    with plt.rc_context({**STYLE, "font.family": list(_families())}):
        figure, axes = plt.subplots(figsize=(width, height), layout="constrained")
        try:
            yield figure, axes
        finally:
            plt.close(figure)


def drawable(text: str) -> str:
    """The text with `▯` for each character that no installed font can draw."""
    return "".join(letter if ord(letter) in _letters() else "▯" for letter in text)


def text_width(text: str, size: float) -> float:
    """How wide a line of text is at a font size, in points."""
    properties = fonts.FontProperties(family=list(_families()), size=size)
    width, _, _ = text_to_path.get_text_width_height_descent(text, properties, ismath=False)
    return float(width)


def spread_out(places: Sequence[float], gap: float) -> list[float]:
    """The places moved apart until neighbours are at least `gap` from each other, order kept."""
    order = sorted(range(len(places)), key=lambda number: places[number])
    moved = [places[number] for number in order]
    for _ in range(100):
        close = False
        for number in range(len(moved) - 1):
            lack = gap - (moved[number + 1] - moved[number])
            if lack > 1e-9:
                moved[number] -= lack / 2
                moved[number + 1] += lack / 2
                close = True
        if not close:
            break
    result = [0.0] * len(places)
    for place, number in zip(moved, order, strict=True):
        result[number] = place
    return result


@cache
def _families() -> tuple[str, ...]:
    installed = {font.name for font in fonts.fontManager.ttflist}
    return ("DejaVu Sans", *(name for name in _OTHER_SCRIPTS if name in installed))


@cache
def _letters() -> frozenset[int]:
    paths = (fonts.findfont(fonts.FontProperties(family=name)) for name in _families())
    return frozenset(code for path in paths for code in fonts.get_font(path).get_charmap())
