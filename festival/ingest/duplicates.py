"""Which keys a file has had so far: last row wins, and the others are told with both lines."""

from array import array
from collections.abc import Iterable, Iterator
from typing import Any

from festival.ingest.spool import Spool
from festival.lineup.model import Performance

FIRST_SLOTS = 1024


class KeyLog:
    """The keys of a file by 64-bit hash, each with the line that had it last.

    Open addressing over two arrays, 12 bytes a slot and never more than two thirds full: at most
    54 bytes a row while it doubles, where a dict takes 110. Two keys of a million rows share a hash
    once in thirty million files; such a row is told as a duplicate, and still written.
    """

    def __init__(self) -> None:
        self._grow(FIRST_SLOTS)
        self._used = 0

    def _grow(self, slots: int) -> None:
        self._mask = slots - 1
        self._hashes = array("q", bytes(8 * slots))
        self._lines = array("L" if array("L").itemsize == 4 else "I", bytes(4 * slots))

    def note(self, performances: Iterable[Performance]) -> list[tuple[Performance, int]]:
        """Remember the rows; give back those that replace an earlier row, with that row's line."""
        replacing = []
        hashes, lines, mask = self._hashes, self._lines, self._mask
        for performance in performances:
            mark = hash(performance[:4]) or 1  # performer, stage, date, start: what the key is of
            slot = mark & mask
            while (there := hashes[slot]) != mark and there:
                slot = (slot + 1) & mask
            if there:
                replacing.append((performance, lines[slot]))
            else:
                hashes[slot] = mark
                self._used += 1
            lines[slot] = performance.line
            if self._used * 3 > mask * 2:
                self._double()
                hashes, lines, mask = self._hashes, self._lines, self._mask
        return replacing

    def _double(self) -> None:
        hashes, lines = self._hashes, self._lines
        self._grow(2 * (self._mask + 1))
        mask = self._mask
        for mark, line in zip(hashes, lines, strict=True):
            if mark:
                slot = mark & mask
                while self._hashes[slot]:
                    slot = (slot + 1) & mask
                self._hashes[slot] = mark
                self._lines[slot] = line

    def line_of(self, key: tuple[Any, ...]) -> int:
        """The line that had this (performer, stage, date, start) last; 0 where none had."""
        mark = hash(key) or 1
        slot = mark & self._mask
        while (there := self._hashes[slot]) != mark and there:
            slot = (slot + 1) & self._mask
        return self._lines[slot]


class DuplicateRows:
    """The rows that a later row of the same key replaced: `{line, kept_line, key}` each."""

    def __init__(self) -> None:
        self._keys = KeyLog()
        self._rows = Spool()

    def note(self, performances: Iterable[Performance]) -> int:
        """Remember these rows; how many earlier rows they replace."""
        replacing = self._keys.note(performances)
        for performance, line in replacing:
            self._rows.append([line, *performance[:4]])
        return len(replacing)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line, performer, stage, date, start in self._rows:
            kept = Performance(performer, stage, date, start, start, None, 0)
            yield {
                "line": line,
                "kept_line": self._keys.line_of((performer, stage, date, start)),
                "key": f"{performer} | {kept.sort_key}",
            }
