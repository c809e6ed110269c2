"""What a row's cells make together: lengths, midnights, dates, the first broken rule."""

import doctest
import json

import pytest

from festival.errors import FestivalError
from festival.lineup import model
from festival.lineup import read as read_module
from festival.lineup.fields import times
from festival.lineup.formats import json_document, json_objects
from festival.lineup.mapped import dates
from festival.lineup.model import Performance
from festival.lineup.normalise import Normaliser
from festival.lineup.rules import AcceptedRow, RowRules
from tests.lineup_reading import csv_of, read, row


def one(**cells: str):
    [performance] = read(csv_of(row(**cells))).performances
    return performance


def test_a_set_that_ends_after_midnight_keeps_its_date():
    performance = one(start="23:00", end="12:30am")
    assert (performance.date, performance.start, performance.end) == ("2025-06-12", 1380, 1470)


def test_a_set_that_ends_at_midnight_ends_with_its_day():
    assert one(start="22:30", end="24:00").end == 1440
    assert one(start="22:30", end="00:00").end == 1440


def test_a_set_of_no_length_is_kept():
    assert one(start="20:00", end="8pm").end == 1200


def test_an_end_that_makes_more_than_twelve_hours_is_kept_and_told():
    reading = read(csv_of(row(start="15:35", end="14:50"), row(start="12:00", end="24:00")))
    assert [each.end for each in reading.performances] == [14 * 60 + 50 + 1440, 1440]
    [warning] = reading.warnings
    assert (warning.line, warning.field, warning.value) == (2, "End", "14:50")
    assert "23 h 15 min" in warning.reason


def test_date_times_tell_how_many_days_lie_between():
    performance = one(start="2025-06-12T20:00:00+02:00", end="2025-06-13T20:00:00+02:00")
    assert (performance.start, performance.end) == (1200, 1200 + 1440)
    assert one(start="2025-06-12T20:00", end="2025-06-12T24:00").end == 1440


def test_a_dated_set_of_no_length_is_kept():
    assert one(start="2025-06-12T20:00", end="2025-06-12T20:00").end == 1200


@pytest.mark.parametrize("end", ["2025-06-12T19:59", "2025-06-11T21:00", "2025-06-13T20:01"])
def test_dated_ends_before_the_start_or_a_day_behind_it_are_refused(end):
    reading = read(csv_of(row(start="2025-06-12T20:00", end=end)))
    assert reading.refused == [(2, "End", end)]


def test_a_date_time_on_another_day_than_date_is_a_warning_and_date_stays():
    reading = read(csv_of(row(start="2025-06-13T01:00", end="2025-06-13T02:00")))
    [performance], [warning] = reading.performances, reading.warnings
    assert (performance.date, performance.start, performance.end) == ("2025-06-12", 60, 120)
    assert (warning.field, warning.value) == ("Start", "2025-06-13T01:00")


def test_an_end_that_cannot_be_on_its_date_is_refused():
    fitting = read(csv_of(row(start="23:00", end="2025-06-13T01:00")))
    differing = read(csv_of(row(start="20:00", end="2025-06-14T21:00")))
    assert (fitting.performances[0].end, fitting.warnings) == (1500, [])
    assert differing.performances == []
    assert "more than 24 hours after the start, 2025-06-12 20:00" in differing.rejections[0].reason


@pytest.mark.parametrize(
    ("cells", "field", "value"),
    [
        ({"performer": " ", "stage": "", "date": "x"}, "Performer", " "),
        ({"stage": "", "date": "x"}, "Stage", ""),
        ({"date": "2025-06-31", "start": "x"}, "Date", "2025-06-31"),
        ({"start": "25:00", "end": "x"}, "Start", "25:00"),
        ({"end": "TBA", "popularity": "x"}, "End", "TBA"),
    ],
)
def test_the_first_broken_rule_is_the_one_that_is_told(cells, field, value):
    reading = read(csv_of(row("Blur"), row(**cells), row("Pulp")))
    assert reading.refused == [(3, field, value)]
    assert reading.names == ["Blur", "Pulp"]
    assert "expected" in reading.rejections[0].reason


def test_a_refused_row_is_there_as_it_stood():
    header = "Performer,Stage,Date,Start,End,Popularity,Genre"
    [rejection] = read(csv_of("Abba,Main,2025-06-12,25:00,21:00,90,Pop", header=header)).rejections
    assert rejection.original == {
        "Performer": "Abba",
        "Stage": "Main",
        "Date": "2025-06-12",
        "Start": "25:00",
        "End": "21:00",
        "Popularity": "90",
        "Genre": "Pop",
    }


CELLS = [
    ("Abba", " A  b ", "Sigur Rós", "", "Ab\x00ba", "\u200b", "Ae\u0301", "x\u200dy", "1914"),
    ("Main", "", "\u00a0B", "Zelt\u00ad"),
    ("2025-06-12", "2025-02-30", ""),
    ("20:00", "8", "23:30", "0:15", "2025-06-12T20:00", "2025-06-13T20:00", ""),
    ("21:00", "24:00", "00:30", "7:00", "2025-06-12T21:00", "2025-06-14T20:00", "TBA"),
    ("", "50", "500"),
]


def test_the_short_way_comes_to_what_the_rules_say():
    """The short way through the normaliser is only ever a faster one."""
    from itertools import product

    rows = [*product(*CELLS), ("Abba", "Main", "2025-06-12", ["20:00"], "21:00", None)]
    outcome = Normaliser().normalise(range(1, len(rows) + 1), rows, rows, lambda row: row)
    settled = [RowRules().settle(line, cells) for line, cells in enumerate(rows, 1)]
    kept = [each for each in settled if isinstance(each, AcceptedRow)]
    assert outcome.performances == [each.performance for each in kept]
    assert outcome.warnings == [warning for each in kept for warning in each.warnings]
    assert outcome.rejections == [each for each in settled if not isinstance(each, AcceptedRow)]
    assert len(kept) > 500


def test_json_numbers_and_texts_that_look_alike_stay_apart():
    rows = [
        {"Performer": "A", "Stage": "S", "Date": "2025-06-12", "Start": start, "End": "21:00"}
        for start in (8, "8", 0, "0", "100", 100, True)
    ]
    reading = read(json.dumps(rows))
    assert [each.start for each in reading.performances] == [0, 60, 60]
    assert [each.line for each in reading.rejections] == [1, 2, 4, 7]


def test_minutes_go_on_from_one_day_to_the_next():
    late = Performance("Abba", "Main", "2025-06-13", 23 * 60, 25 * 60, None, 2)
    early = Performance("Cher", "Main", "2025-06-14", 30, 90, None, 3)

    assert early.begins - late.begins == 90
    assert late.ends - early.begins == 30
    assert late.identity == ("Abba", "Main", "2025-06-13", 23 * 60)


def test_a_date_that_is_no_day_is_named_when_minutes_are_asked():
    with pytest.raises(FestivalError, match="2025-06-31"):
        _ = Performance("Abba", "Main", "2025-06-31", 0, 60, None, 2).begins


@pytest.mark.parametrize("module", [model, read_module, times, dates, json_objects, json_document])
def test_the_examples_in_the_documentation_hold(module):
    result = doctest.testmod(module)
    assert (result.failed, result.attempted > 0) == (0, True)
