"""Read bytes as a lineup and look at everything that came of it."""

from dataclasses import dataclass
from typing import Any

from festival.errors import LineupError
from festival.lineup.model import Block, Performance, Rejection, RowWarning, wall_clock
from festival.lineup.read import read_lineup

HEADER = "Performer,Stage,Date,Start,End,Popularity"


@dataclass(frozen=True)
class Reading:
    """What a file gave: its rows, and the error it ended in."""

    blocks: list[Block]
    error: str

    @property
    def performances(self) -> list[Performance]:
        return [each for block in self.blocks for each in block.performances]

    @property
    def rejections(self) -> list[Rejection]:
        return [each for block in self.blocks for each in block.rejections]

    @property
    def warnings(self) -> list[RowWarning]:
        return [each for block in self.blocks for each in block.warnings]

    @property
    def names(self) -> list[str]:
        return [each.performer for each in self.performances]

    @property
    def refused(self) -> list[tuple[int, str, str]]:
        return [(each.line, each.field, each.value) for each in self.rejections]

    @property
    def times(self) -> list[tuple[str, str]]:
        return [(wall_clock(each.start), wall_clock(each.end)) for each in self.performances]

    def rows(self) -> tuple[Any, ...]:
        """All that must not depend on how the bytes arrived."""
        return self.performances, self.rejections, self.warnings, self.error


def read(data: bytes | str, size: int = 1 << 20, **options: Any) -> Reading:
    """Read a file that arrives in chunks of some size."""
    whole = data.encode() if isinstance(data, str) else data
    chunks = (whole[begin : begin + size] for begin in range(0, len(whole), size))
    blocks: list[Block] = []
    try:
        blocks.extend(read_lineup(chunks, **options))
    except LineupError as error:
        return Reading(blocks, str(error))
    return Reading(blocks, "")


def csv_of(*rows: str, header: str = HEADER) -> str:
    """A CSV with the usual header."""
    return "\n".join((header, *rows)) + "\n"


def row(
    performer: str = "Abba",
    stage: str = "Main",
    date: str = "2025-06-12",
    start: str = "20:00",
    end: str = "21:00",
    popularity: str = "",
) -> str:
    """A row under the usual header, in which only what matters is named."""
    return ",".join((performer, stage, date, start, end, popularity))
