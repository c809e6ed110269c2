"""What DynamoDB charges for a write, a read and a stored item, by its own rules.

Rules: "DynamoDB read and write operations" (capacity unit consumption), "Using Global Secondary
Indexes in DynamoDB" (read and write considerations) and "DynamoDB item sizes and formats".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from festival.lineup.model import Performance
from festival.table.item import item_size, to_item
from festival.table.schema import INDEXES, Index

WRITE_BLOCK = 1024
READ_BLOCK = 4096
PAGE_BYTES = 1024 * 1024
STORED_OVERHEAD = 100

Item = Mapping[str, Mapping[str, str]]

# `Source` of a file in the stack's own bucket: its bucket and its key.
EXAMPLE_SOURCE = "o240-festival-uploads-123456789012-us-east-1/lineup.csv"


def written_item(performance: Performance, source: str = EXAMPLE_SOURCE) -> Item:
    """The item that an ingest of the file `source` writes for a performance."""
    return to_item(performance, source=source)


@dataclass(frozen=True, slots=True)
class WriteUnits:
    """The WRU of one put: on the table, and by name on each index that holds the item."""

    table: int
    indexes: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.table + sum(self.indexes.values())


def write_units(size: int) -> int:
    """WRU to write one entry of `size` bytes: one for each started kilobyte, and at least one."""
    return max(1, -(-size // WRITE_BLOCK))


def put_units(item: Item) -> WriteUnits:
    """The WRU of putting a new item: on the table, and on each index that holds it."""
    units = write_units(item_size(item))
    return WriteUnits(units, {index.name: units for index in INDEXES if _holds(index, item)})


def _holds(index: Index, item: Item) -> bool:
    """Whether an index holds an item: it takes only items that have both its keys."""
    return index.partition_key in item and index.sort_key in item


def page_units(sizes: Iterable[int]) -> float:
    """RRU of one page of a Query or Scan: the summed sizes of all items it read, rounded up.

    The read is eventually consistent, the only kind that an index offers, and costs half. An empty
    page costs as much as 4 KB: 0.5 RRU.
    """
    return max(1, -(-sum(sizes) // READ_BLOCK)) / 2


def query_units(sizes: Iterable[int]) -> float:
    """RRU of a whole Query or Scan: pages of 1 MB, each rounded up separately."""
    return sum(map(page_units, _pages(sizes)))


def _pages(sizes: Iterable[int]) -> list[list[int]]:
    """The sizes divided into pages: the item that reaches 1 MB is the last of its page."""
    pages: list[list[int]] = [[]]
    room = PAGE_BYTES
    for size in sizes:
        if room <= 0:
            pages.append([])
            room = PAGE_BYTES
        pages[-1].append(size)
        room -= size
    return pages


def stored_bytes(item: Item, *, indexes: Sequence[Index] = INDEXES) -> int:
    """Bytes billed for storing the item: 100 more than its size, in the table and in each index."""
    copies = 1 + sum(_holds(index, item) for index in indexes)
    return copies * (item_size(item) + STORED_OVERHEAD)
