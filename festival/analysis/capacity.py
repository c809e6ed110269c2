"""What DynamoDB charges for a write, a read and a stored item, exactly.

Rules: "DynamoDB read and write operations" (capacity unit consumption), "Using Global Secondary
Indexes in DynamoDB" (read and write considerations) and "DynamoDB item sizes and formats".
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from festival.table.item import item_size
from festival.table.schema import INDEXES, Index

WRITE_BLOCK = 1024
READ_BLOCK = 4096
PAGE_BYTES = 1024 * 1024
STORED_OVERHEAD = 100

Item = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class WriteUnits:
    """The WRU of one put: on the table, and on each index by name (those without cost left out)."""

    table: int
    indexes: Mapping[str, int]

    @property
    def total(self) -> int:
        return self.table + sum(self.indexes.values())


def write_units(size: int) -> int:
    """WRU to write one entry of `size` bytes: one for each kilobyte begun, and never none."""
    return max(1, -(-size // WRITE_BLOCK))


def put_units(
    new: Item, old: Item | None = None, *, indexes: Sequence[Index] = INDEXES
) -> WriteUnits:
    """The WRU of putting `new` where `old` (or nothing) stood, table and indexes.

    The table charges the larger of the two items. An index charges nothing where it holds neither
    or where nothing it projects changed (the indexes here project everything), one write where an
    entry appears, goes or changes, and two where its own key changed: the old entry goes, the new
    one comes, each by its own size.
    """
    before = 0 if old is None else item_size(old)
    after = item_size(new)
    changes = {index.name: _index_units(index, old, new, before, after) for index in indexes}
    charged = {name: units for name, units in changes.items() if units}
    return WriteUnits(write_units(max(before, after)), charged)


def _index_units(index: Index, old: Item | None, new: Item, before: int, after: int) -> int:
    old_key = None if old is None else _key(index, old)
    new_key = _key(index, new)
    if old_key is None and new_key is None:
        return 0
    if old_key is None:
        return write_units(after)
    if new_key is None:
        return write_units(before)
    if old_key != new_key:
        return write_units(before) + write_units(after)
    return 0 if old == new else write_units(max(before, after))


def _key(index: Index, item: Item) -> tuple[str, str] | None:
    """The item's key in the index, or None where the index does not hold it (a sparse index)."""
    if index.partition_key not in item or index.sort_key not in item:
        return None
    (partition,) = item[index.partition_key].values()
    (sort,) = item[index.sort_key].values()
    return (partition, sort)


def page_units(sizes: Iterable[int], *, consistent: bool = False) -> float:
    """RRU of one Query or Scan page: the sizes of all items it looked at, added, then rounded up.

    An eventually consistent read, the only kind an index offers, costs half. A page that finds
    nothing costs as much as one that finds 4 KB: 0.5 RRU.
    """
    blocks = max(1, -(-sum(sizes) // READ_BLOCK))
    return float(blocks) if consistent else blocks / 2


def query_units(sizes: Iterable[int], *, consistent: bool = False) -> float:
    """RRU of a Query or Scan read to its end: pages of 1 MB, each rounded for itself."""
    return sum(page_units(page, consistent=consistent) for page in _pages(sizes))


def _pages(sizes: Iterable[int]) -> list[list[int]]:
    pages: list[list[int]] = [[]]
    room = PAGE_BYTES
    for size in sizes:
        if size > room and pages[-1]:
            pages.append([])
            room = PAGE_BYTES
        pages[-1].append(size)
        room -= size
    return pages


def stored_bytes(item: Item, *, indexes: Sequence[Index] = INDEXES) -> int:
    """Bytes billed for storing the item: 100 more than its size, in the table and in each index."""
    copies = 1 + sum(_key(index, item) is not None for index in indexes)
    return copies * (item_size(item) + STORED_OVERHEAD)
