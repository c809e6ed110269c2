"""What the readers of the shapes hand on: some rows of a file, not yet judged."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from festival.lineup.model import Position, Rejection, RowWarning


@dataclass(slots=True)
class Rows:
    """Consecutive rows: their lines, themselves (cells, or an object), their six cells.

    `rejections` are those that could not be divided into cells at all, `warnings` what was assumed
    while reading. `end` is the place behind them.
    """

    lines: Sequence[int]
    rows: Sequence[Any]
    cells: Iterable[tuple[Any, ...]]
    end: Position | None
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)
