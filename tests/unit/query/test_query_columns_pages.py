"""Pages of items by the quick way, held against the plain one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.lineup.model import Performance
from festival.query.columns import _unwrapped, texts
from festival.table.item import item_size, to_item

nasty = st.text(
    st.sampled_from('"\\{}[],:SNé🎸\x01\x02\n') | st.characters(codec="utf-8"), max_size=12
)
numbers = st.integers().map(str)
items = st.dictionaries(
    nasty.filter(bool),
    st.builds(lambda text: {"S": text}, nasty) | st.builds(lambda digits: {"N": digits}, numbers),
    min_size=1,
    max_size=4,
)


def page(items, separators=(",", ":"), **options):
    answer = {
        "ConsumedCapacity": {"CapacityUnits": 0.5, "TableName": "lineup"},
        "Count": len(items),
        "Items": items,
        "LastEvaluatedKey": {"Performer": {"S": '"}}]'}},
        "ScannedCount": len(items),
    }
    return json.dumps(answer, separators=separators, **options).encode()


def plain(items):
    return [{name: next(iter(value.values())) for name, value in item.items()} for item in items]


@given(st.lists(items, min_size=1, max_size=4), st.booleans())
def test_no_text_is_so_odd_that_it_is_read_as_another(items, ascii_only):
    assert texts(page(items, ensure_ascii=ascii_only))[0] == plain(items)


@pytest.mark.parametrize(
    "stage",
    ["Park", 'The "Other" Stage', "C:\\Stage\\", 'a"},{"S":"b', "[}]", "Größe 🎸"],
)
def test_ordinary_and_quoted_names_go_the_quick_way(stage):
    rows = [{"Stage": {"S": stage}, "StartMinutes": {"N": "1410"}}]
    assert _unwrapped(page(rows, ensure_ascii=False))[0] == plain(rows)


@pytest.mark.parametrize("stage", ["}", "},", "}}]", '}"}'])
def test_a_name_that_begins_with_a_brace_does_not_fool_the_quick_way(stage):
    rows = [{"Stage": {"S": stage}}]
    assert texts(page(rows))[0] == plain(rows)
    with pytest.raises(ValueError, match="begins with a brace"):
        _unwrapped(page(rows))


@given(st.lists(items, max_size=3))
def test_an_answer_spelled_with_spaces_is_read_all_the_same(items):
    assert texts(page(items, separators=(", ", ": ")))[0] == plain(items)


@pytest.mark.parametrize(
    "value",
    [{"B": "aGVhZGxpbmVy"}, {"BOOL": True}, {"L": [{"S": "a"}]}, {"M": {"k": {"B": "eA=="}}}],
)
def test_an_attribute_of_another_type_harms_no_other(value):
    rows = [{"Performer": {"S": "Elbow"}, "Other": value}, {"Performer": {"S": "Pulp"}}]
    assert [row["Performer"] for row in texts(page(rows))[0]] == ["Elbow", "Pulp"]


performances = st.builds(
    Performance,
    performer=nasty.filter(bool),
    stage=nasty.filter(bool),
    date=st.just("2024-06-28"),
    start=st.integers(0, 1439) | st.sampled_from([0, 100, 600, 1200]),
    end=st.integers(0, 2879),
    popularity=st.none() | st.integers(1, 100),
    line=st.just(0),
)


@given(st.lists(performances, min_size=1, max_size=4), st.booleans(), st.booleans())
def test_a_page_counts_for_as_many_bytes_as_its_items_do(rows, ascii_only, spaced):
    found = [to_item(row, source="friday.csv") for row in rows]
    separators = (", ", ": ") if spaced else (",", ":")
    body = page(found, separators=separators, ensure_ascii=ascii_only)
    assert texts(body)[1] == sum(map(item_size, found))


def test_an_empty_page_has_no_items():
    assert texts(b'{"Count":0,"Items":[],"ScannedCount":0}') == ([], 0)


@pytest.mark.parametrize(
    "odd", [b"", b"<html>", b'{"Items":[{"Performer":{"S":"Elb', b"{}", b"\xff"]
)
def test_what_is_no_page_is_an_error(odd):
    with pytest.raises((ValueError, LookupError)):
        texts(odd)
