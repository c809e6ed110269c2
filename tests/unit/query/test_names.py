"""The names nearest to what somebody wrote."""

import pytest

from festival.query.names import matching, nearest, suggestion

NAMES = ["Megan Thee Stallion", "Meghan Trainor", "Björk", "Florence + The Machine", "1914", "AIR"]


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ("bjork", "Björk"),
        ("megan thee stalion", "Megan Thee Stallion"),
        ("florence and the machine", "Florence + The Machine"),
        ("Stallion", "Megan Thee Stallion"),
        ("The Air", "AIR"),
    ],
)
def test_case_accents_punctuation_and_slips_do_not_matter(asked, meant):
    assert nearest(asked, NAMES)[0] == meant


def test_nothing_is_offered_where_nothing_is_near():
    assert nearest("Radiohead", NAMES) == []
    assert suggestion("Radiohead", NAMES) == ""


def test_three_at_most_are_offered():
    assert len(nearest("Stage", [f"Stage {number}" for number in range(9)])) == 3


def test_a_part_of_a_name_finds_it_in_any_script():
    assert matching("meg", NAMES) == ["Megan Thee Stallion", "Meghan Trainor"]
    assert matching("夜", ["夜の果樹園", "Elbow"]) == ["夜の果樹園"]
    assert matching("", ["b", "A"]) == ["A", "b"]
