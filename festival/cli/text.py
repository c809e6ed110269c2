"""Aligned tables for a terminal."""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence

from festival.text import printable

GAP = "  "


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table: columns as wide as their widest cell, numbers to the right.

    Control characters are shown as escapes, so that a file's content cannot steer a terminal.
    """
    cells = [[_shown(value) for value in row] for row in rows]
    to_right = [all(_is_number(row[n]) for row in cells) and bool(cells) for n in range(len(heads))]
    widths = [max(width(row[n]) for row in [heads, *cells]) for n in range(len(heads))]
    for row in [heads, ["─" * size for size in widths], *cells]:
        yield GAP.join(map(_pad, row, widths, to_right)).rstrip()


def _shown(value: object) -> str:
    return "" if value is None else printable(str(value))


def _is_number(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").replace(".", "").isdigit()


def _pad(cell: str, size: int, to_right: bool) -> str:
    blank = " " * (size - width(cell))
    return blank + cell if to_right else cell + blank


def width(text: str) -> int:
    """How many columns of a terminal the text takes: wide signs two, combining ones none."""
    return len(text) if text.isascii() else sum(map(_sign_width, text))


def _sign_width(sign: str) -> int:
    if unicodedata.category(sign) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(sign) in ("W", "F") else 1
