"""Where the rows of a nested document are: on evidence, with counts, and more than one way."""

import json

import pytest

from festival.inspection.paths import find_paths, flat, looks_like_a_date, reading_of
from festival.lineup.formats.json_text import whole_value

ANA = {"artist": "Ana", "start": "18:00", "end": "19:00"}
BEN = {"artist": "Ben", "stage": "Tent", "date": "2025-06-13", "start": "18:00", "end": "19:00"}


def found(document):
    return find_paths(whole_value(json.dumps(document)))


def test_every_row_is_counted_and_the_level_that_may_be_the_stage_is_asked_about():
    days = {"Friday": {"Main": [ANA], "Tent": [ANA]}, "Saturday": {"Main": [ANA], "Tent": [ANA]}}
    readings = found({"arena": days, "village": {"Friday": {"Main": [ANA]}}})
    assert [(each.path, each.rows, each.missed) for each in readings] == [
        (("*", "<Date>", "<Stage>"), 5, 0),
        (("<Stage>", "<Date>", "*"), 5, 0),
        (("*", "<Date>", "*"), 5, 0),
    ]
    assert readings[0].example == "Date Friday, Stage Main"
    assert readings[1].example == "Stage arena, Date Friday"


def test_keys_are_not_a_stage_if_the_rows_have_one_of_their_own():
    assert [each.path for each in found({"headliners": [BEN], "support": [BEN]})] == [("*",)]
    by_room = {"rooms": {"Hall": [{**ANA, "room": "Hall"}], "Yard": [{**ANA, "room": "Yard"}]}}
    assert found(by_room)[0].path == ("rooms", "*")


def test_keys_are_not_a_date_if_the_rows_have_one_of_their_own():
    assert found({"Friday": [BEN], "Saturday": [BEN]})[0].path == ("*",)
    assert found({"Friday": [ANA], "Saturday": [ANA]})[0].path == ("<Date>",)


def test_two_lists_of_rows_beside_each_other_are_both_read():
    assert [
        (each.path, each.rows) for each in found({"music": [BEN], "n": 1, "comedy": [BEN]})
    ] == [(("*",), 2)]


def test_rows_that_no_one_path_reaches_are_counted_and_their_place_is_named():
    [reading] = found({"days": {"sets": [BEN, BEN]}, "extra": [BEN]})
    assert (reading.path, reading.rows, reading.missed) == (("days", "sets"), 2, 1)
    assert reading.missed_at == "'extra'"


def test_a_path_that_was_given_is_counted_in_the_same_way():
    document = whole_value(json.dumps({"music": [BEN], "comedy": [BEN, BEN]}))
    reading = reading_of(document, ("music",))
    assert (reading.rows, reading.missed, reading.missed_at) == (1, 2, "'comedy'")


def test_what_holds_rows_is_not_a_row_itself():
    festival = {"name": "Summer", "startDate": "2025-06-13T12:00", "subEvent": [
        {"name": "Ana", "startDate": "2025-06-13T20:00"}]}  # fmt: skip
    assert [each.path for each in found(festival)] == [("subEvent",)]


def test_rows_without_a_performer_of_their_own_are_found_by_their_start():
    joined = {
        "acts": [{"id": 1, "name": "Ana", "updated": "2025-01-01T10:00:00Z"}],
        "sets": [{"act": 1, "stage": 5, "start": "20:00", "end": "21:00"}],
    }
    assert [each.path for each in found(joined)] == [("sets",)]


def test_what_is_in_objects_and_lists_has_a_path():
    assert flat({"a": {"b": {"c": 1}}, "d": [{"e": 2}, {"e": 3}], "f": ["x"], "g": []}) == {
        "a.b.c": 1,
        "d[0].e": 2,
        "f[0]": "x",
        "g": [],
    }


@pytest.mark.parametrize("key", ["2025-06-13", "Friday", "Fri 13 June", "Day 2", "1718301600"])
def test_some_keys_look_like_dates(key):
    assert looks_like_a_date(key)


@pytest.mark.parametrize("key", ["Main", "422", "arena", "20:00", ""])
def test_other_keys_do_not(key):
    assert not looks_like_a_date(key)
