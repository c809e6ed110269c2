"""The rows of many files as input objects of a bulk load: every key once, in any order.

DynamoDB reads the objects of a bulk load in parallel, so that of two items with one key either may
stay. Rows are therefore dealt out to parts by a hash of their key, on disk: all rows of a key meet
in one part, a part fits into memory, the last row wins there, and what remains is shuffled. The
same hash makes the parts alike in size and spreads neighbouring keys ("Best practices for bulk put
items": similarly sized objects, random order).
"""

import gzip
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from threading import Lock
from typing import IO, Any
from zlib import crc32

from festival.lineup.model import Performance
from festival.table.item import to_item
from festival.table.writer import WriteOutcome

# "Quotas for bulk put items": 50,000 objects of 5 GB each. Fewer parts than that keep their buffers
# in memory, and 4,096 of them still take 250 GB before one has to be larger than it should be.
MOST_PARTS = 4_096
PART_BYTES = 64 * 1024 * 1024
BUFFERS_BYTES = 64 * 1024 * 1024
# A row of 60 bytes in a CSV becomes a line of 450.
LINE_GROWTH = 8


def part_count(stored_bytes: int) -> int:
    """Into how many parts files of so many bytes (unpacked) are dealt out."""
    return max(1, min(MOST_PARTS, -(-stored_bytes * LINE_GROWTH // PART_BYTES)))


def part_of(performer: str, sort_key: str, parts: int) -> int:
    """The part that has all rows of a key."""
    return crc32(f"{performer}\0{sort_key}".encode("utf-8", "surrogatepass")) % parts


class Parts:
    """Rows dealt out to files of a folder. `add` may be called from several threads."""

    def __init__(self, folder: Path, count: int) -> None:
        self.count = count
        self._folder = folder
        self._buffers = [bytearray() for _ in range(count)]
        self._buffer_bytes = max(4096, BUFFERS_BYTES // count)
        self._lock = Lock()

    def add(self, number: int, performances: Iterable[Performance]) -> None:
        """Take rows of the load's file `number`, in the order of the file."""
        for performance in performances:
            part = part_of(*performance.key, self.count)
            line = json.dumps([number, *performance]).encode() + b"\n"
            with self._lock:
                buffer = self._buffers[part]
                buffer += line
                if len(buffer) >= self._buffer_bytes:
                    self._store(part)

    def rows(self, part: int) -> Iterator[tuple[int, Performance]]:
        """A part's rows with the number of their file, in the order they were added."""
        with self._lock:
            self._store(part)
        with self._path(part).open("rb") as stored:
            for line in stored:
                number, *values = json.loads(line)
                yield number, Performance(*values)

    def _store(self, part: int) -> None:
        with self._path(part).open("ab") as stored:
            stored.write(self._buffers[part])
        self._buffers[part].clear()

    def _path(self, part: int) -> Path:
        return self._folder / f"part-{part:05d}"


@dataclass
class PartWriter:
    """What an ingest takes for its table: the rows of one file go to the parts."""

    parts: Parts
    number: int
    deadline: float = field(default=float("inf"))
    stopped: str = ""

    def put(self, performances: list[Performance]) -> None:
        self.parts.add(self.number, performances)

    def flush(self) -> WriteOutcome:
        """Nothing can be refused yet."""
        return WriteOutcome((), (), "", 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """One item of the load: the row that won its key, its file, and the files that lost it."""

    number: int
    performance: Performance
    losers: frozenset[int] = frozenset()


def last_of_each_key(rows: Iterable[tuple[int, Performance]]) -> list[Line]:
    """Of each key the row of the file with the highest number, and of that file the last."""
    kept: dict[tuple[str, str], Line] = {}
    for number, performance in rows:
        key = performance.key
        there = kept.get(key)
        if there is None or number == there.number:
            kept[key] = Line(number, performance, there.losers if there else frozenset())
        elif number > there.number:
            kept[key] = Line(number, performance, there.losers | {there.number})
        else:
            kept[key] = replace(there, losers=there.losers | {number})
    return list(kept.values())


def write_part(
    lines: Sequence[Line], sources: Sequence[str], items: IO[bytes], index: IO[bytes]
) -> None:
    """A part's lines, shuffled: as DynamoDB JSON to `items`, and where each is from to `index`.

    `sources` are the names of the load's files. Line n of the index is of line n of the items:
    `[file number, line in that file, the files that lost the key…]`. Both are gzip.
    """
    shuffled = list(lines)
    Random(len(shuffled)).shuffle(shuffled)
    with gzip.open(items, "wt", 6, "ascii", newline="\n") as item_lines:
        for line in shuffled:
            item = to_item(line.performance, source=sources[line.number])
            item_lines.write(json.dumps({"Item": item}, separators=(",", ":")) + "\n")
    with gzip.open(index, "wt", 6, "ascii", newline="\n") as index_lines:
        for line in shuffled:
            place = [line.number, line.performance.line, *sorted(line.losers)]
            index_lines.write(json.dumps(place, separators=(",", ":")) + "\n")


def read_lines(stored: Any) -> Iterator[Any]:
    """The JSON Lines of a gzip object's body."""
    with gzip.open(stored, "rt", encoding="ascii") as lines:
        for line in lines:
            yield json.loads(line)
