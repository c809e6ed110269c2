"""The capacity rules, against figures worked out by hand from DynamoDB's documentation."""

from festival.analysis.cost.capacity import (
    page_units,
    put_units,
    query_units,
    stored_bytes,
    write_units,
)
from festival.lineup.model import Performance
from festival.table.item import item_size, to_item

BJORK = Performance("Björk", "Main Stage", "2025-07-12", 1290, 1380, 97, 2)
UNRANKED = BJORK._replace(popularity=None)
ITEM = to_item(BJORK)


def test_a_new_row_with_popularity_costs_four_wru_and_one_without_three():
    assert put_units(ITEM).total == 4
    assert put_units(to_item(UNRANKED)).total == 3
    assert "PopularityIndex" not in put_units(to_item(UNRANKED)).indexes


def test_an_item_of_more_than_a_kilobyte_costs_two_wru_on_the_table_and_on_each_index():
    units = put_units(to_item(BJORK, source="s" * 1024))
    assert (units.table, set(units.indexes.values()), units.total) == (2, {2}, 8)


def test_a_write_begins_a_new_unit_with_each_kilobyte():
    assert [write_units(size) for size in (0, 1, 1024, 1025, 2048, 2049)] == [1, 1, 1, 2, 2, 3]


def test_reads_add_up_a_page_before_they_round_to_four_kilobytes():
    assert page_units([200] * 20) == 0.5
    assert page_units([200] * 21) == 1.0


def test_a_query_that_finds_nothing_costs_half_a_unit():
    assert query_units([]) == 0.5


def test_each_page_of_a_megabyte_is_rounded_for_itself():
    # 260 × 4,100 B: the 256th item reaches 1 MB, so pages of 256 (257 blocks) and 4 (5 blocks).
    assert query_units([4100] * 260) == (257 + 5) / 2


def test_a_page_includes_the_item_that_crosses_a_megabyte():
    # 4,000 items of 300 B: 3,496 items are 1,048,800 B, 256.05 blocks, and so 257.
    assert query_units([300] * 3496) == 257 / 2


def test_every_copy_of_an_item_is_stored_with_a_hundred_bytes_more():
    assert stored_bytes(ITEM) == 4 * (item_size(ITEM) + 100)
    assert stored_bytes(to_item(UNRANKED)) == 3 * (item_size(to_item(UNRANKED)) + 100)
    assert stored_bytes(ITEM, indexes=()) == item_size(ITEM) + 100
