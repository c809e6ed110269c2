"""Nested and wrapped JSON documents."""

import json

import pytest

from festival.lineup.decode import Limits
from festival.lineup.mapping import LineupMapping
from tests.lineup_reading import read


def act(name, **more):
    return {"name": name, "start": "8:00 PM", "end": "9:00 PM", **more}


def at(*steps, **options):
    return LineupMapping.from_dict({"rows": list(steps), **options})


def places(reading):
    return [(each.performer, each.stage, each.date) for each in reading.performances]


def test_days_and_stages_may_be_keys():
    document = {
        "Thursday": {"What Stage": [act("Wilderado")], "Which Stage": []},
        "Friday": {"What Stage": [act("Tyler, The Creator"), act("Wet Leg")]},
    }
    reading = read(
        json.dumps(document, indent=1), mapping=at("<Date>", "<Stage>", first_date="2025-06-12")
    )
    assert places(reading) == [
        ("Wilderado", "What Stage", "2025-06-12"),
        ("Tyler, The Creator", "What Stage", "2025-06-13"),
        ("Wet Leg", "What Stage", "2025-06-13"),
    ]
    assert [each.line for each in reading.performances] == [1, 2, 3]
    assert reading.blocks[0].end is None


def test_rows_may_be_wrapped():
    document = {"status": 200, "data": {"acts": [act("Abba", stage="Main", date="2025-06-12")]}}
    assert places(read(json.dumps(document), mapping=at("data", "acts"))) == [
        ("Abba", "Main", "2025-06-12")
    ]


def test_what_stands_beside_the_way_belongs_to_the_rows_below():
    document = {
        "days": [
            {
                "date": "2025-06-12",
                "stages": [
                    {"name": "Main", "acts": [act("Abba"), act("Blur", date="2025-06-13")]},
                    {"name": "Tent", "acts": [act("Pulp")]},
                ],
            }
        ]
    }
    mapping = at("days", "stages", "acts", columns={"Stage": "stages.name"})
    assert places(read(json.dumps(document), mapping=mapping)) == [
        ("Abba", "Main", "2025-06-12"),
        ("Blur", "Main", "2025-06-13"),
        ("Pulp", "Tent", "2025-06-12"),
    ]


def test_an_array_of_stages_holds_acts():
    document = [
        {"stage": "Main", "acts": [act("Abba", date="2025-06-12")]},
        {"stage": "Tent", "acts": [act("Pulp", date="2025-06-12"), "soon"]},
    ]
    reading = read(json.dumps(document), mapping=at("acts"))
    assert [stage for _, stage, _ in places(reading)] == ["Main", "Tent"]
    assert [each.line for each in reading.rejections] == [3]


def test_keys_that_say_nothing_are_gone_through():
    acts = {"id7": act("Abba", stage="S", date="2025-06-12"), "id9": act("Pulp", stage="S")}
    reading = read(json.dumps({"acts": acts}), mapping=at("acts", "*"))
    assert reading.names == ["Abba"]
    assert [each.line for each in reading.rejections] == [2]


def test_a_rows_own_date_goes_before_the_key_of_its_list():
    own = act("Abba", stage="Main", date="2025-06-13")
    document = {"2025-06-12": [own, act("Blur", stage="Main", date="")]}
    assert places(read(json.dumps(document), mapping=at("<Date>"))) == [
        ("Abba", "Main", "2025-06-13"),
        ("Blur", "Main", "2025-06-12"),
    ]


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        (("data", "artists"), "data → artists finds only 'acts'"),
        (("data", "acts", "sets"), "acts → sets finds only 'name, start, end'"),
        (("status", "acts"), "status → acts meets 200"),
    ],
)
def test_a_way_that_leads_nowhere_says_where_it_ends(steps, said):
    document = {"status": 200, "data": {"acts": [act("Abba")]}}
    assert said in read(json.dumps(document), mapping=at(*steps)).error


def test_a_document_over_the_limit_is_refused_with_the_limit():
    document = json.dumps({"data": [act("Abba", stage="S", date="2025-06-12")] * 100})
    limits = Limits(document_bytes=1 << 20)
    assert len(read(document, mapping=at("data"), limits=limits).performances) == 100
    small = Limits(document_bytes=1 << 12, block_bytes=100)
    assert "more than 0.00390625 MiB" in read(document, mapping=at("data"), limits=small).error


@pytest.mark.parametrize("text", ['{"data": [', '{"data": [}]}', "[1, 2", '{"a": 1} {"b": 2}'])
def test_a_broken_document_names_the_line_and_character(text):
    assert "line 1, character" in read(text, mapping=at("data")).error


def test_a_document_without_rows_or_without_a_way_to_them_says_what_it_has():
    assert "has no row" in read('{"data": []}', mapping=at("data")).error
    assert "'days, name'" in read(json.dumps({"days": [], "name": "x"}, indent=1)).error
    deep = '{"a":' * 100_000 + "1" + "}" * 100_000
    assert "nested too deep" in read(deep, mapping=at("a")).error


def test_a_document_in_windows_1252_is_read_with_a_warning():
    document = json.dumps(
        {"data": [act("Beyoncé", stage="S", date="2025-06-12")]}, ensure_ascii=False
    )
    reading = read(document.encode("cp1252"), mapping=at("data"))
    assert reading.names == ["Beyoncé"]
    assert "Windows-1252" in reading.warnings[0].reason
