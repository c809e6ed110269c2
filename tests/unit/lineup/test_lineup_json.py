"""JSON arrays and JSON Lines."""

import json

import pytest

from festival.lineup.decode import Limits
from festival.lineup.formats.json_text import Extent
from tests.lineup_reading import read

ABBA = {"Performer": "Abba", "Stage": "Main", "Date": "2025-06-12", "Start": "8pm", "End": "9pm"}
BLUR = {**ABBA, "Performer": "Blur"}
PULP = {**ABBA, "Performer": "Pulp"}


def test_an_array_of_objects_is_a_lineup_and_lines_are_indexes():
    reading = read(json.dumps([ABBA, {**BLUR, "Start": "8"}, PULP], indent=2))
    assert [(each.performer, each.line) for each in reading.performances] == [
        ("Abba", 1),
        ("Pulp", 3),
    ]
    assert reading.refused == [(2, "Start", "8")]
    assert reading.rejections[0].original == {**BLUR, "Start": "8"}


def test_json_lines_are_told_by_their_content_and_lines_are_lines():
    text = "\n".join(["", json.dumps(ABBA), "  ", "{broken", "[1]", json.dumps(PULP)])
    reading = read(text)
    assert [(each.performer, each.line) for each in reading.performances] == [
        ("Abba", 2),
        ("Pulp", 6),
    ]
    assert [each.line for each in reading.rejections] == [4, 5]
    assert reading.rejections[0].original == "{broken"


def test_one_object_is_a_line_and_a_broken_first_line_does_not_hide_the_others():
    assert read(json.dumps(ABBA)).names == ["Abba"]
    assert read('{"Performer": \n' + json.dumps(PULP)).names == ["Pulp"]


def test_keys_match_as_header_names_do_object_by_object():
    other = {"STAGE": "Main", "artist": "Blur", "start_time": 2000, "end_time": 2100}
    assert read(json.dumps([ABBA, {**other, "date": "2025-06-12"}])).names == ["Abba", "Blur"]


def test_keys_that_are_one_field_refuse_the_object_and_name_both():
    reading = read(json.dumps([{**ABBA, "performer": "Blur"}, PULP]))
    assert reading.names == ["Pulp"]
    assert "'Performer' and 'performer'" in reading.rejections[0].reason


def test_a_key_that_comes_twice_is_taken_last_and_told():
    text = json.dumps([ABBA]).replace('"Stage"', '"Stage": "Tent", "Stage"')
    reading = read(text)
    assert [each.stage for each in reading.performances] == ["Main"]
    assert [(each.line, each.field, each.value) for each in reading.warnings] == [
        (1, "Stage", "Main")
    ]


@pytest.mark.parametrize("element", [3, None, True, "Abba", ["Abba"], 1.5, "", [], {}])
def test_an_element_that_is_no_lineup_row_is_refused_alone(element):
    reading = read(json.dumps([ABBA, element, PULP]))
    assert reading.names == ["Abba", "Pulp"]
    assert [each.line for each in reading.rejections] == [2]


@pytest.mark.parametrize("number", ["1914", "0.10", "1e3", "9" * 5_000, "-0", "1" + "0" * 400])
def test_a_number_for_a_name_is_its_text(number):
    text = json.dumps([ABBA]).replace('"Abba"', number)
    assert read(text).names == [number]
    assert read(text[1:-1]).names == [number]


def test_nan_is_how_a_missing_value_is_written():
    text = json.dumps([{**ABBA, "Popularity": float("nan")}, {**PULP, "End": float("nan")}])
    reading = read(text)
    assert [each.popularity for each in reading.performances] == [None]
    assert reading.refused == [(2, "End", "")]


def test_infinity_is_no_popularity():
    reading = read(json.dumps([{**ABBA, "Popularity": float("inf")}]))
    assert [(each.field, each.value) for each in reading.warnings] == [("Popularity", "Infinity")]


@pytest.mark.parametrize("value", [["Abba"], {"name": "Abba"}, True])
def test_a_name_that_is_no_text_is_refused(value):
    reading = read(json.dumps([{**ABBA, "Performer": value}]))
    assert reading.refused == [(1, "Performer", json.dumps(value))]
    assert reading.rejections[0].original == {**ABBA, "Performer": value}


def test_half_a_surrogate_pair_refuses_its_row_and_what_is_kept_of_it_can_be_written():
    reading = read(json.dumps([{**ABBA, "Performer": "Abba \ud83d"}, PULP]))
    assert reading.names == ["Pulp"]
    json.dumps(reading.rejections[0].original, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[%s,]", "element 2"),
        ("[%s,,%s]", "element 2"),
        ("[%s %s]", "element 2"),
        ("[%s", "element 2"),
        ("[%s,", "element 2"),
        ("[%s, {", "element 2"),
        ('[%s, {"Performer": "Blur', "element 2"),
        ('[%s, {"Performer": tru}]', "element 2"),
        ("[%s] x", "element 2"),
        ("[%s][%s]", "element 2"),
        ("[%s}", "element 2"),
    ],
)
def test_an_array_that_breaks_gives_the_rows_before_and_names_the_place(text, place):
    whole = text.replace("%s", json.dumps(ABBA))
    for size in (1, 1 << 20):
        reading = read(whole, size)
        assert reading.names == ["Abba"]
        assert place in reading.error
        assert "byte" in reading.error


def test_a_truncated_array_names_the_byte_where_the_file_ends():
    text = json.dumps([ABBA, PULP])[:-10]
    assert f"byte {len(text)}," in read(text).error


@pytest.mark.parametrize("text", ["[]", " [ ] ", "[", "{}x", "\n"])
def test_an_array_without_an_element_is_no_lineup(text):
    reading = read(text)
    assert reading.performances == []
    assert reading.error


def test_deep_nesting_is_refused_and_reading_goes_on():
    deep = "[" * 100_000 + "]" * 100_000
    inside = json.dumps(BLUR)[:-1] + f', "x": {deep}' + "}"
    text = f"[{json.dumps(ABBA)},{deep},{inside},{json.dumps(PULP)}]"
    for whole in (text, text[1:-1].replace("},", "}\n").replace("],{", "]\n{")):
        reading = read(whole, 1_000)
        assert reading.names == ["Abba", "Pulp"]
        assert [each.line for each in reading.rejections] == [2, 3]
        assert reading.error == ""


def test_an_element_over_the_limit_is_refused_and_reading_goes_on():
    long = {**BLUR, "Story": 'x"]}\\' * 3_000}
    text = json.dumps([ABBA, long, "y" * 9_000, PULP])
    for size, block_bytes in ((7, 300), (1 << 20, 300), (1 << 20, 1 << 20)):
        limits = Limits(record_bytes=1_000, block_bytes=block_bytes)
        reading = read(text, size, limits=limits)
        assert reading.names == ["Abba", "Pulp"]
        assert [each.line for each in reading.rejections] == [2, 3]
        assert "1,000 bytes" in reading.rejections[0].reason


@pytest.mark.parametrize(
    "value", ['{"a": "]}\\"", "b": [1, {}]}', '"x\\\\"', "123", "null", "[[]]", '""', "[]"]
)
def test_where_a_value_ends_is_found_however_it_is_cut(value):
    text = value + ", more]"
    for cut in range(1, len(text)):
        extent = Extent()
        end = extent.end(text[:cut])
        found = end if end >= 0 else cut + extent.end(text[cut:])
        assert found == len(value)


def test_one_json_document_is_no_lineup_by_itself():
    assert "one JSON object" in read('{"days": [{"date": "2025-06-12"}]}').error
    days = {"Thursday": {"Main": [ABBA], "Tent": [BLUR]}}
    assert "one JSON object" in read(json.dumps(days, indent=1)).error


def test_a_document_with_one_list_of_the_kits_own_fields_needs_no_mapping():
    wrapped = {"updated": "2025-05-01", "data": {"sets": [ABBA, BLUR]}}
    assert read(json.dumps(wrapped, indent=1)).names == ["Abba", "Blur"]
    other = {"sets": [{**ABBA, "Performer": None, "act": "Abba"}], "tags": [{"id": 1}]}
    assert "one JSON object" in read(json.dumps(other)).error


def test_keys_that_are_no_field_are_told_once():
    rows = [{**ABBA, "genre": "Pop"}, {**BLUR, "id": 7}, {**PULP, "genre": "Rock"}]
    reading = read(json.dumps(rows))
    assert [(each.line, each.value) for each in reading.warnings] == [(0, "genre, id")]
