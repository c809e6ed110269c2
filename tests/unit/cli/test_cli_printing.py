from hypothesis import given
from hypothesis import strategies as st

from festival.cli.printing import table, width
from festival.text import counted, printable


def test_numbers_stand_to_the_right_and_words_to_the_left():
    lines = list(table(["Stage", "Popularity"], [["Main Stage", 97], ["Le Chapiteau", 100]]))
    assert lines == [
        "Stage         Popularity",
        "────────────  ──────────",
        "Main Stage            97",
        "Le Chapiteau         100",
    ]


def test_a_missing_number_leaves_its_column_to_the_right():
    lines = list(table(["Popularity", "End"], [[None, "01:00"], [7, "02:00"]]))
    assert lines[2:] == ["            01:00", "         7  02:00"]


def test_japanese_and_decomposed_accents_keep_the_columns_straight():
    names = ["夜の果樹園", "Beyonce\u0301", "AC\u200dDC"]
    assert [width(name) for name in names] == [10, 7, 4]
    lines = list(table(["Performer", "."], [[name, "|"] for name in names]))
    ends = {width(line) for line in lines[2:]}
    assert len(ends) == 1


def test_a_name_cannot_steer_the_terminal():
    assert "\x1b" not in "".join(table(["Performer"], [["\x1b[2J\x07Wipe"]]))
    assert printable("two\nlines\ud800") == r"two\nlines\ud800"


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_every_row_of_a_table_is_one_line(names):
    lines = list(table(["Performer"], [[name] for name in names]))
    assert len(lines) == 2 + len(names)
    assert not any("\n" in line or "\r" in line for line in lines)


def test_one_row_is_not_rows():
    assert counted(1, "row") == "1 row"
    assert counted(2000, "row") == "2,000 rows"
