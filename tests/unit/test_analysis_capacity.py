"""The capacity rules, against figures worked out by hand from DynamoDB's documentation."""

from hypothesis import given
from hypothesis import strategies as st

from festival.analysis.capacity import (
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


def big(size: int) -> dict[str, dict[str, str]]:
    """Björk's item, filled up to exactly so many bytes."""
    filled = {**ITEM, "Note": {"S": ""}}
    return {**ITEM, "Note": {"S": "x" * (size - item_size(filled))}}


def test_a_new_row_with_popularity_costs_four_wru_and_one_without_three():
    assert put_units(ITEM).total == 4
    assert put_units(to_item(UNRANKED)).total == 3
    assert "PopularityIndex" not in put_units(to_item(UNRANKED)).indexes


def test_an_identical_overwrite_costs_the_tables_write_alone():
    units = put_units(ITEM, ITEM)
    assert (units.table, dict(units.indexes)) == (1, {})


def test_a_changed_end_costs_one_write_on_every_index():
    units = put_units(to_item(BJORK._replace(end=1395)), ITEM)
    assert units.indexes == {"DateIndex": 1, "StageIndex": 1, "PopularityIndex": 1}


def test_a_changed_index_key_costs_two_writes_there_and_one_on_the_others():
    units = put_units(to_item(BJORK._replace(popularity=98)), ITEM)
    assert units.indexes == {"DateIndex": 1, "StageIndex": 1, "PopularityIndex": 2}


def test_a_popularity_that_appears_or_goes_costs_one_write_on_its_index():
    assert put_units(ITEM, to_item(UNRANKED)).indexes["PopularityIndex"] == 1
    assert put_units(to_item(UNRANKED), ITEM).indexes["PopularityIndex"] == 1


def test_a_write_begins_a_new_unit_with_each_kilobyte():
    assert [write_units(size) for size in (0, 1, 1024, 1025, 2048, 2049)] == [1, 1, 1, 2, 2, 3]


def test_the_table_charges_the_larger_of_the_old_and_the_new_item():
    assert put_units(ITEM, big(3000)).table == 3
    assert put_units(big(3000), ITEM).table == 3


def test_a_moved_entry_charges_the_old_and_the_new_entry_by_their_own_sizes():
    moved = {**ITEM, "Popularity": {"N": "50"}}
    assert put_units(moved, big(2500)).indexes["PopularityIndex"] == 3 + 1


def test_reads_add_up_a_page_before_they_round_to_four_kilobytes():
    assert page_units([200] * 20) == 0.5
    assert page_units([200] * 21) == 1.0
    assert page_units([200] * 21, consistent=True) == 2.0


def test_a_query_that_finds_nothing_costs_half_a_unit():
    assert query_units([]) == 0.5
    assert query_units([], consistent=True) == 1.0


def test_each_page_of_a_megabyte_is_rounded_for_itself():
    # 260 × 4,100 B are 261 blocks; as pages of 255 items (256 blocks) and of 5 (6 blocks) one more.
    assert query_units([4100] * 260) == (256 + 6) / 2


def test_every_copy_of_an_item_is_stored_with_a_hundred_bytes_more():
    assert stored_bytes(ITEM) == 4 * (item_size(ITEM) + 100)
    assert stored_bytes(to_item(UNRANKED)) == 3 * (item_size(to_item(UNRANKED)) + 100)
    assert stored_bytes(ITEM, indexes=()) == item_size(ITEM) + 100


@given(old=st.integers(300, 9000), new=st.integers(300, 9000), key=st.booleans())
def test_an_overwrite_never_costs_more_than_taking_away_and_putting_anew(old, new, key):
    before, after = big(old), big(new)
    if key:
        after = {**after, "Popularity": {"N": "12"}}
    units = put_units(after, before)
    assert units.table <= units.total
    assert units.total <= put_units(before).total + put_units(after).total
    assert all(wru <= write_units(old) + write_units(new) for wru in units.indexes.values())
