"""What all charts share: one style, colours that stay distinct in grey, names in any script.

The colours are Okabe and Ito's, "Color Universal Design" (2008): colour-blind readers can tell them
apart. Each line also has its own dash pattern and label, so nothing depends on colour.
"""

import sys
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib as mpl
import matplotlib.font_manager as fonts
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text

from festival.errors import FestivalError

INK = "#222222"
QUIET = "#767676"
FILL = "#c6dbef"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00", "#56b4e9", "#7a7a7a")
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)), (0, (8, 3)))
FAMILY = "DejaVu Sans"
SUFFIXES = (".svg", ".png", ".pdf")
# For a letter that no font here has, the layout reserves a narrow box. A browser may draw the
# letter wider, by this share of the font's size.
EXTRA_WIDTH = 0.5

STYLE: dict[Any, Any] = {
    "figure.dpi": 110,
    "savefig.bbox": "tight",
    "font.family": [FAMILY, "sans-serif"],
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
    # Text stays text in an SVG, so a browser can draw every script.
    "svg.fonttype": "none",
}


class Picture(Figure):
    """A figure that a notebook shows as SVG with real text: any script, sharp at any size."""

    def _ipython_display_(self) -> None:
        # Only IPython calls this, so it is loaded.
        ipython: Any = sys.modules["IPython"]
        ipython.display.display({"image/svg+xml": self.svg(), "text/plain": repr(self)}, raw=True)

    def svg(self) -> str:
        """The picture as SVG, with room for letters that no font on this machine has."""
        pad = 0.1 + max((_extra_width(text) for text in _texts(self)), default=0.0)
        file = StringIO()
        with mpl.rc_context(STYLE), warnings.catch_warnings():
            # A letter without a font spoils only a PNG: a browser has its own fonts.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            self.savefig(file, format="svg", bbox_inches="tight", pad_inches=pad)
        return file.getvalue()

    def save(self, path: str | Path) -> Path:
        """Write it in the format of the name's ending: `.svg`, `.png` or `.pdf`.

        Raises FestivalError for another ending, and for a file that cannot be written.
        """
        target = Path(path)
        kind = target.suffix.lower()
        if kind not in SUFFIXES:
            raise FestivalError(
                f"picture {str(target)!r}: expected a name that ends in {', '.join(SUFFIXES)}"
            )
        try:
            if kind == ".svg":
                target.write_text(self.svg(), encoding="utf-8")
            else:
                with mpl.rc_context(STYLE):
                    self.savefig(target)
        except OSError as error:
            raise FestivalError(f"{target} cannot be written: {error.strerror}") from None
        return target


@contextmanager
def picture(width: float, height: float) -> Iterator[tuple[Picture, Axes]]:
    """A figure of this size in inches with one pair of axes, and with fonts for all its letters."""
    with mpl.rc_context(STYLE):
        figure = Picture(figsize=(width, height), layout="constrained")
        yield figure, figure.subplots()
        for text in _texts(figure):
            text.set_fontfamily(families(text.get_text()))


def families(text: str) -> list[str]:
    """The font families for a text: the usual one, then one for each letter that it lacks.

    >>> families("Björk")
    ['DejaVu Sans', 'sans-serif']
    """
    missing = frozenset(text) - _letters(fonts.findfont(FAMILY))
    others = (_family_of(letter) for letter in sorted(missing))
    return [FAMILY, *dict.fromkeys(name for name in others if name), "sans-serif"]


def undrawable(texts: Iterable[str]) -> list[str]:
    """The letters that no font on this machine has."""
    missing = frozenset().union(*texts) - _letters(fonts.findfont(FAMILY))
    return sorted(letter for letter in missing if letter.isprintable() and not _family_of(letter))


def spread_out(positions: Sequence[float], gap: float) -> list[float]:
    """The positions moved apart until neighbours are at least `gap` apart, in the same order."""
    order = sorted(range(len(positions)), key=lambda number: positions[number])
    moved = [positions[number] for number in order]
    for _ in range(100):
        close = False
        for number in range(len(moved) - 1):
            missing = gap - (moved[number + 1] - moved[number])
            if missing > 1e-9:
                moved[number] -= missing / 2
                moved[number + 1] += missing / 2
                close = True
        if not close:
            break
    result = [0.0] * len(positions)
    for position, number in zip(moved, order, strict=True):
        result[number] = position
    return result


def _texts(figure: Figure) -> list[Text]:
    return [text for text in figure.findobj(Text) if isinstance(text, Text) and text.get_text()]


def _extra_width(text: Text) -> float:
    """How many inches wider a text may become in a browser."""
    missing = set(undrawable([text.get_text()]))
    letters = sum(letter in missing for letter in text.get_text())
    return EXTRA_WIDTH * float(text.get_fontsize()) / 72 * letters


@cache
def _family_of(letter: str) -> str | None:
    """The first installed family that has the letter, sans serifs first."""
    for name, path in _installed():
        if letter in _letters(path):
            return name
    return None


@cache
def _installed() -> tuple[tuple[str, str], ...]:
    # matplotlib caches its list of fonts; this adds those installed since.
    for path in set(fonts.findSystemFonts()) - {font.fname for font in fonts.fontManager.ttflist}:
        # Broken font files and bitmap fonts are skipped.
        with suppress(OSError, RuntimeError, UnicodeError):
            fonts.fontManager.addfont(path)
    plain = [
        font
        for font in fonts.fontManager.ttflist
        # matplotlib cannot draw colour fonts, and fonts of last resort contain only boxes.
        if font.style == "normal" and font.weight in (400, "normal")
        if not any(word in font.name for word in ("Color", "Last Resort"))
    ]
    plain.sort(key=lambda font: ("Sans" not in font.name, "CJK" in font.name, font.name))
    return tuple((font.name, font.fname) for font in plain)


@cache
def _letters(path: str) -> frozenset[str]:
    try:
        return frozenset(map(chr, fonts.get_font(path).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()
