"""Rows with one key: which are told as duplicates, with which lines."""

from hypothesis import given
from hypothesis import strategies as st

from festival.ingest.tally import DuplicateRows, KeyLog, Tally
from festival.lineup.model import Block, Performance, RowWarning, WarningKind


def row(performer, line):
    return Performance(performer, "Main Stage", "2025-07-12", 1200, 1260, None, line)


def test_the_last_of_three_rows_is_the_one_that_is_kept():
    rows = DuplicateRows()
    rows.note([row("Björk", 2), row("Low", 3), row("Björk", 5)])
    rows.note([row("Björk", 9)])
    key = "Björk | 2025-07-12#20:00#Main Stage"
    assert list(rows) == [
        {"line": 2, "kept_line": 9, "key": key},
        {"line": 5, "kept_line": 9, "key": key},
    ]


@given(st.lists(st.integers(0, 3000), max_size=4000))
def test_the_key_log_knows_what_a_dict_knows(numbers):
    keys = KeyLog()
    last = {}
    for line, number in enumerate(numbers, 1):
        told = keys.note([row(f"band {number}", line)])
        expected = [(row(f"band {number}", line), last[number])] if number in last else []
        assert told == expected
        last[number] = line
    for number, line in last.items():
        assert keys.line_of(row(f"band {number}", 0).identity) == line


def test_another_stage_date_or_start_is_another_key():
    rows = DuplicateRows()
    first = row("Low", 2)
    rows.note(
        [
            first,
            first._replace(stage="Tent", line=3),
            first._replace(date="2025-07-13", line=4),
            first._replace(start=1201, line=5),
        ]
    )
    assert len(rows) == 0


def test_a_row_over_a_limit_of_the_table_is_rejected_and_never_handed_on():
    wide, fits = row("Z" * 2049, 2), row("Z" * 2048, 3)
    tally = Tally(source="friday.csv")
    assert tally.take(Block([wide, fits], [], [], 2, None)) == [fits]
    (rejected,) = tally.report("friday.csv").rejections
    assert (rejected["line"], rejected["field"]) == (2, "Performer")
    assert "2,049 bytes" in rejected["reason"]


def test_warnings_of_the_whole_file_are_shown_before_those_of_its_rows():
    tally = Tally()
    said = [RowWarning(line, "End", "", "is missing", WarningKind.NO_END) for line in range(2, 30)]
    tally.take(Block([], [], said, 0, None))
    whole = RowWarning(0, "Start", "8:15", "has no am or pm", WarningKind.CLOCK)
    tally.take(Block([], [], [whole], 0, None))
    assert [each["line"] for each in tally.preview["warnings"]] == [0, *range(2, 11)]
