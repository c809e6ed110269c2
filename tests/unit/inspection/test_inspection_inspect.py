"""Inspection: what a file is, what it leaves open, and a mapping to begin with."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.inspection.inspect import inspect_lineup
from festival.lineup.mapping import LineupMapping
from tests.lineup_reading import csv_of, read, row


def look(data, **options):
    whole = data.encode() if isinstance(data, str) else data
    return inspect_lineup([whole], mapping=LineupMapping.from_dict(options))


def asked(inspection, *, must=None):
    return [each.option for each in inspection.questions if must in (None, each.must)]


def test_a_lineup_in_the_kits_own_form_leaves_nothing_open():
    inspection = look(csv_of(row(popularity="50"), row("Blur")))
    assert (inspection.shape, inspection.encoding, inspection.delimiter) == ("csv", "UTF-8", ",")
    assert (inspection.rows, inspection.kept, inspection.questions) == (2, 2, ())
    assert inspection.proposal == LineupMapping()
    assert [each.how for each in inspection.columns] == ["name"] * 6


def test_columns_forms_and_encoding_are_told_with_counts_and_examples():
    header = "GROUPE;SCÈNE;JOUR;HORAIRE;id"
    rows = ["Air;Forêt;Jeudi;19h30 – 20h45;1", "Phénix;Forêt;Vendredi;TBA;2"]
    inspection = look(gzip.compress(csv_of(*rows, header=header).encode("cp1252")))
    assert inspection.encoding == "Windows-1252, as the last resort"
    assert inspection.compression == "gzip"
    uses = [(each.name, each.field, each.how) for each in inspection.columns]
    assert uses == [
        ("GROUPE", "Performer", "alias"),
        ("SCÈNE", "Stage", "alias"),
        ("JOUR", "Date", "alias"),
        ("HORAIRE", "Time", "alias"),
        ("id", "", ""),
    ]
    assert inspection.columns[0].examples == ("Air", "Phénix")
    forms = {(each.field, each.form): each.count for each in inspection.forms}
    assert forms["Date", "weekday"] == 2
    assert forms["Time", "range 19h30"] == 1
    assert forms["Time", "placeholder"] == 1
    assert asked(inspection, must=True) == ["first_date"]
    assert asked(inspection, must=False) == []


@pytest.mark.parametrize(
    ("dates", "order", "open_options"),
    [
        (["28/06/2023", "01/07/2023"], "day_first", []),
        (["06/28/2023", "07/01/2023"], "month_first", []),
        (["01/02/2023", "03/04/2023"], "", ["date_order"]),
        (["28/06/2023", "06/28/2023"], "", ["date_order"]),
    ],
)
def test_the_order_of_dates_is_proposed_on_evidence_and_asked_without(dates, order, open_options):
    inspection = look(csv_of(*(row(date=date) for date in dates)))
    assert inspection.proposal.date_order == order
    assert asked(inspection, must=True) == open_options
    assert inspection.kept == (2 if order else 0)


@pytest.mark.parametrize("date", ["Thursday June 13 2024", "2024/06/13", "2024-06-13 00:00:00"])
def test_a_date_in_another_clear_form_needs_no_mapping(date):
    inspection = look(csv_of(row(date=date)))
    assert inspection.proposal == LineupMapping()
    assert (inspection.kept, inspection.questions) == (1, ())


def test_words_for_dates_are_listed_to_be_decided():
    inspection = look(csv_of(row(date="Day 1"), row(date="Day 2"), row(date="Day 1")))
    [question] = inspection.questions
    assert (question.option, question.must) == ("dates", True)
    assert "Day 1, Day 2" in question.seen


def test_a_decision_that_is_made_is_asked_no_more():
    text = csv_of(row(date="FRIDAY", start="1:30", end="2:30"), row(date="SATURDAY"))
    first = look(text)
    assert asked(first) == ["first_date", "day_starts_at"]
    second = look(text, first_date="2025-06-12")
    assert asked(second) == ["day_starts_at"]
    third = look(text, first_date="2025-06-12", day_starts_at="06:00", date_is="festival_day")
    assert (asked(third), third.kept) == ([], 2)
    assert third.proposal.first_date == "2025-06-12"


def test_a_date_column_that_is_missing_is_found_in_date_times():
    act = {
        "name": "A",
        "location": "X",
        "startTime": "2024-06-13T20:00:00Z",
        "endTime": "2024-06-13T21:00:00Z",
    }
    inspection = look(json.dumps([act]))
    assert inspection.proposal.to_dict() == {"columns": {"Date": "startTime"}}
    assert (inspection.kept, asked(inspection)) == (1, ["time_zone"])


def test_epoch_numbers_ask_for_a_time_zone():
    act = {"name": "A", "location": "X", "start": 1718301600000, "end": 1718305200000}
    inspection = look(json.dumps([act]))
    assert asked(inspection, must=True) == ["time_zone"]
    assert look(json.dumps([act]), time_zone="Europe/Paris").kept == 1


def test_two_columns_for_one_field_and_missing_ones_are_asked_for():
    header = "artist,name,Date,from,wann"
    inspection = look(csv_of("Abba,x,2025-06-12,20:00,21:00", header=header))
    seen = [each.seen for each in inspection.questions if each.must]
    assert any("'artist' and 'name'" in each for each in seen)
    assert any("no column is the Stage" in each for each in seen)
    assert inspection.problem


@pytest.mark.parametrize(
    ("header", "field", "names"),
    [
        ("artist,act,subject,Stage,Date,Start,End", "Performer", ["artist", "act"]),
        ("artist,Stage,Date,times,set time,length", "Time", ["times", "set time"]),
    ],
)
def test_each_column_that_could_be_a_field_is_an_answer(header, field, names):
    cells = "Abba,Cher,x,Main,2025-06-12,20:00,21:00"
    if field == "Time":
        cells = "Abba,Main,2025-06-12,20:00 - 21:00,21:00 - 22:00,60"
    inspection = look(csv_of(cells, header=header))
    [question] = [each for each in inspection.questions if len(each.answers) > 1]
    assert [each.options for each in question.answers] == [
        {"columns": {field: name}} for name in names
    ]
    answered = look(csv_of(cells, header=header), **question.answers[1].options)
    assert question.seen not in [each.seen for each in answered.questions]


def test_a_question_about_a_rejected_row_gives_the_whole_reason():
    rows = [row(f"Act {at}") for at in range(3)] + [row("Late", end="when it is over")]
    [refused] = look(csv_of(*rows)).refused
    [question] = [each for each in look(csv_of(*rows)).questions if each.must]
    assert refused.reason in question.seen


def test_missing_ends_ranks_and_long_nights_are_told():
    rows = [row(f"B{rank}", end="", popularity=str(rank)) for rank in (1, 2, 1000, 1000, 1000)]
    rows.append(row("Long", start="15:35", end="14:50"))
    inspection = look(csv_of(*rows))
    assert asked(inspection) == ["default_length", "popularity_is", "popularity_none", "the file"]
    assert [(each.field, each.count) for each in inspection.refused] == [("End", 5)]


def test_the_way_to_the_rows_of_a_document_is_proposed():
    acts = [{"name": "A", "start": "8pm", "end": "9pm"}]
    days = {"Thursday": {"Main": acts, "Tent": acts}, "Friday": {"Main": [], "Tent": acts}}
    assert look(json.dumps(days)).proposal.rows == ("<Date>", "<Stage>")
    assert look(json.dumps({"data": {"lineup": acts}})).proposal.rows == ("data", "lineup")
    assert look(json.dumps([{"stage": "Main", "acts": acts}])).proposal.rows == ("acts",)
    assert look(json.dumps({"Main": acts, "Tent": acts})).proposal.rows == ("<Stage>",)
    by_id = {"acts": {"id7": acts[0], "id9": acts[0]}}
    assert look(json.dumps(by_id)).proposal.rows == ("acts", "*")
    assert "nothing in it looks like rows" in look(json.dumps({"a": {"b": 1}}, indent=1)).problem


def test_cells_in_objects_are_columns_by_their_path():
    act = {"name": "A", "stage": {"title": "X"}, "date": "2025-06-12", "start": "8pm", "end": "9pm"}
    inspection = look(json.dumps([act]))
    assert "stage.title" in [each.name for each in inspection.columns]
    assert inspection.proposal.to_dict() == {"columns": {"Stage": "stage.title"}}
    assert (inspection.kept, inspection.questions) == (1, ())


@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"\x1f\x8b\x08", b"hello", b"[1, 2"])
def test_what_is_no_lineup_is_a_problem_and_no_error(data):
    inspection = look(data)
    assert inspection.problem
    assert inspection.kept == 0


@pytest.mark.parametrize("text", [csv_of(row(date="FRIDAY")), json.dumps([{"name": "A"}]), "x"])
def test_an_inspection_is_lines_for_a_person_and_plain_values_for_a_program(text):
    inspection = look(text)
    assert all(line.isprintable() for line in inspection.lines())
    plain = json.loads(json.dumps(inspection.to_dict()))
    assert LineupMapping.from_dict(plain["proposal"]) == inspection.proposal


def test_only_the_first_ten_thousand_rows_are_looked_at():
    inspection = look(csv_of(*[row()] * 10_001))
    assert (inspection.rows, inspection.more) == (10_000, True)


cells = st.sampled_from(
    ["", "TBA", "20:00", "8pm - 9", "01/02/2025", "FRIDAY", "4. juli", "1718301600000", "x", "12.5"]
)


@given(st.lists(st.lists(cells, min_size=5, max_size=5), max_size=5), st.permutations(range(5)))
def test_any_cells_are_inspected_without_an_error(rows, order):
    names = ["artist", "stage", "day", "start", "popularity"]
    header = ",".join(names[place] for place in order)
    inspection = look(csv_of(*map(",".join, rows), header=header))
    inspection.lines()
    reading = read(csv_of(*map(",".join, rows), header=header), mapping=inspection.proposal)
    assert len(reading.performances) == (0 if reading.error else inspection.kept)
