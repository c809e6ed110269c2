"""Rows of a spreadsheet, as a library gives their cells."""

from datetime import date, datetime, time, timedelta

import pytest

from festival.errors import LineupError
from festival.inspection.workbook import inspect_rows, read_rows
from festival.lineup.mapping import LineupMapping

HEADER = ("Performer", "Stage", "Date", "Start", "End", "Popularity")


def performances(*rows, header=HEADER, **options):
    blocks = read_rows([header, *rows], mapping=LineupMapping.from_dict(options))
    return [each for block in blocks for each in block.performances]


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (datetime(2025, 6, 12), time(20, 0), time(21, 30)),
        (date(2025, 6, 12), datetime(2025, 6, 12, 20), datetime(2025, 6, 12, 21, 30)),
        ("2025-06-12", datetime(1899, 12, 30, 20), datetime(1900, 1, 1, 21, 30)),
        ("2025-06-12", 2000, 2130.0),
        ("2025-06-12", timedelta(hours=20), "9:30pm"),
        ("2025-06-12", "20:00", "21h30"),
    ],
)
def test_cells_are_text_numbers_dates_or_times(day, start, end):
    [performance] = performances(("Abba", "Main", day, start, end, 80.0))
    assert performance == ("Abba", "Main", "2025-06-12", 1200, 1290, 80, 2)


def test_a_band_whose_name_is_a_number_is_its_text():
    assert performances((1914.0, 3, "2025-06-12", 2000, 2100, None))[0][:2] == ("1914", "3")


def test_blank_rows_are_none_and_lines_are_the_sheets():
    rows = [(None,) * 6, ("Abba", "Main", "2025-06-12", "8pm", "9pm"), ("",), ()]
    [block] = read_rows([(None, None), HEADER, *rows])
    assert [each.line for each in block.performances] == [4]
    assert (block.read, block.rejections, block.end) == (1, [], None)


def test_a_refused_row_is_there_as_it_stood():
    row = ("Abba", "Main", datetime(2025, 6, 12), "later", time(21), 7)
    [block] = read_rows([HEADER, row, ("B", "S", "2025-06-12", "8pm", "9pm", 5, "more")])
    assert [(each.line, each.field, each.value) for each in block.rejections] == [
        (2, "Start", "later"),
        (3, "", "B S 2025-06-12 8pm 9pm 5 more"),
    ]
    assert block.rejections[0].original == {
        "Performer": "Abba",
        "Stage": "Main",
        "Date": "2025-06-12",
        "Start": "later",
        "End": "21:00:00",
        "Popularity": 7,
    }


def test_a_mapping_reads_a_sheet_as_it_reads_a_file():
    rows = performances(
        ("Abba", "Main", datetime(2025, 6, 13, 1, 30), datetime(2025, 6, 13, 2, 30)),
        header=("act", "place", "from", "to"),
        columns={"Stage": "place", "Date": "from"},
        day_starts_at="06:00",
        date_is="calendar_day",
    )
    assert [each[2:5] for each in rows] == [("2025-06-12", 1530, 1590)]


@pytest.mark.parametrize(
    "rows", [[], [(None,)], [HEADER], [("Performer", "Stage"), ("Abba", "Main")]]
)
def test_a_sheet_without_header_columns_or_rows_is_an_error(rows):
    with pytest.raises(LineupError, match="expected"):
        list(read_rows(rows))


def test_a_long_sheet_comes_in_blocks():
    row = ("Abba", "Main", "2025-06-12", "8pm", "9pm", 5)
    blocks = list(read_rows([HEADER, *[row] * 10_000]))
    assert [block.read for block in blocks] == [4096, 4096, 1808]


def test_a_sheet_is_inspected_as_a_file_is():
    inspection = inspect_rows(
        [("act", "stage", "day", "from", "to"), ("A", "S", "FRIDAY", time(20), time(21))]
    )
    assert (inspection.shape, inspection.rows) == ("workbook", 1)
    assert [each.option for each in inspection.questions] == ["first_date"]
    assert inspect_rows([]).problem
