"""Rows that wait to be written: rows with one key never overtake each other. No threads here.

A row's partition key decides its lane. A lane's rows go in order, and a lane that has rows on their
way is held until these are settled.
"""

from collections import deque
from collections.abc import Iterable
from typing import NamedTuple

from festival.lineup.model import Performance
from festival.table.schema import MAX_BATCH_ITEMS


class Load(NamedTuple):
    """At most 25 rows to be sent together, and the lanes that are held until they are settled."""

    rows: list[Performance]
    lanes: list[int]


class Lanes:
    """The waiting rows of a writer."""

    def __init__(self, count: int) -> None:
        self.waiting = 0
        self._rows: list[deque[Performance]] = [deque() for _ in range(count)]
        self._held = [False] * count
        self._full: deque[int] = deque()

    def add(self, rows: Iterable[Performance]) -> None:
        """Queue rows behind those of the same key."""
        lanes, count = self._rows, len(self._rows)
        for row in rows:
            number = hash(row[0]) % count
            lane = lanes[number]
            lane.append(row)
            self.waiting += 1
            if len(lane) == MAX_BATCH_ITEMS and not self._held[number]:
                self._full.append(number)

    def take(self, *, partial: bool) -> Load | None:
        """A full batch of one lane; where `partial`, also what several lanes have left."""
        if self._full:
            return self._load([self._full.popleft()])
        if not partial:
            return None
        chosen, room = [], MAX_BATCH_ITEMS
        for number, lane in enumerate(self._rows):
            if lane and not self._held[number] and len(lane) <= room:
                chosen.append(number)
                room -= len(lane)
        return self._load(chosen) if chosen else None

    def give_back(self, load: Load) -> None:
        """Open the lanes of a load again: its rows are stored, refused or given up."""
        for number in load.lanes:
            self._held[number] = False
            if len(self._rows[number]) >= MAX_BATCH_ITEMS:
                self._full.append(number)

    def drain(self) -> list[Performance]:
        """All rows that still wait, taken out."""
        rows = [row for lane in self._rows for row in lane]
        for lane in self._rows:
            lane.clear()
        self._full.clear()
        self.waiting = 0
        return rows

    def _load(self, numbers: list[int]) -> Load:
        rows: list[Performance] = []
        for number in numbers:
            lane = self._rows[number]
            self._held[number] = True
            rows += [lane.popleft() for _ in range(min(len(lane), MAX_BATCH_ITEMS))]
        self.waiting -= len(rows)
        return Load(rows, numbers)
