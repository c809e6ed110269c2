"""What a performance looks like in the table, and how large it is there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.table.item import (
    attributes,
    from_item,
    item_size,
    put_request_encoder,
    to_item,
    too_large,
)

NIGHT_SET = Performance("Björk", "Pyramid Stage", "2024-06-28", 1410, 1530, 97, 12)

names = st.text(min_size=1, max_size=40)
dates = st.dates().map(lambda day: day.isoformat())
performances = st.builds(
    Performance,
    performer=names,
    stage=names,
    date=dates,
    start=st.integers(0, 2159),
    end=st.integers(0, 3599),
    popularity=st.none() | st.integers(1, 100),
    line=st.just(0),
)
sources = st.none() | names


def test_a_set_that_ends_after_midnight_keeps_its_date_and_shows_a_wall_clock():
    assert attributes(NIGHT_SET, source="friday.csv") == {
        "Performer": "Björk",
        "Performance": "2024-06-28#23:30#Pyramid Stage",
        "Stage": "Pyramid Stage",
        "Date": "2024-06-28",
        "StartTime": "23:30",
        "EndTime": "01:30",
        "StartMinutes": 1410,
        "EndMinutes": 1530,
        "DateStart": "2024-06-28#23:30",
        "StartSort": "23:30",
        "Popularity": 97,
        "PopularityBucket": "POPULARITY",
        "Source": "friday.csv",
    }


def test_the_attributes_stand_in_the_tables_order():
    assert list(attributes(NIGHT_SET, source="friday.csv")) == [
        *("Performer", "Performance", "Stage", "Date", "StartTime", "EndTime"),
        *("StartMinutes", "EndMinutes", "DateStart", "StartSort"),
        *("Popularity", "PopularityBucket", "Source"),
    ]


def test_a_festival_days_late_set_sorts_past_midnight_and_starts_at_half_past_one():
    late = attributes(NIGHT_SET._replace(start=1530, end=1590))
    assert (late["Performance"], late["DateStart"], late["StartSort"]) == (
        "2024-06-28#25:30#Pyramid Stage",
        "2024-06-28#25:30",
        "25:30",
    )
    assert (late["StartTime"], late["EndTime"], late["StartMinutes"]) == ("01:30", "02:30", 1530)


def test_without_a_popularity_the_item_stays_out_of_the_popularity_index():
    assert not {"Popularity", "PopularityBucket"} & set(
        to_item(NIGHT_SET._replace(popularity=None))
    )


def test_numbers_are_typed_as_numbers_and_text_as_text():
    item = to_item(NIGHT_SET)
    assert item["StartMinutes"] == {"N": "1410"}
    assert item["StartTime"] == {"S": "23:30"}


@given(performances, sources)
def test_what_is_stored_comes_back_as_it_was(performance, source):
    assert from_item(to_item(performance, source=source)) == performance


def test_an_item_that_an_earlier_version_wrote_into_a_shard_is_the_same_performance():
    item = to_item(NIGHT_SET) | {"PopularityBucket": {"S": "POPULARITY#3"}}
    assert from_item(item) == NIGHT_SET._replace(line=0)


@given(performances, sources)
def test_the_fast_encoder_says_what_the_item_says(performance, source):
    text = put_request_encoder(source=source)(performance)
    item = to_item(performance, source=source)
    assert text.isascii()
    assert json.loads(text) == {"PutRequest": {"Item": item}}


def test_an_item_of_another_program_is_named_in_one_line():
    with pytest.raises(FestivalError, match=r"'Elbow'.*no usable 'Stage'"):
        from_item({"Performer": {"S": "Elbow"}, "Performance": {"S": "2024-06-28#21:00#Park"}})


@pytest.mark.parametrize(
    ("number", "size"),
    [
        *(("0", 1), ("7", 2), ("10", 2), ("97", 2), ("100", 2), ("123", 3), ("620", 3)),
        *(("1000", 2), ("1440", 3), ("-5", 3)),
    ],
)
def test_a_number_counts_a_byte_for_two_significant_digits_and_one_more(number, size):
    assert item_size({"N": {"N": number}}) == len("N") + size


def test_text_counts_its_bytes_as_utf8_and_so_does_its_name():
    assert item_size({"Größe": {"S": "Sigur Rós"}}) == 7 + 10


def test_ordinary_rows_are_not_too_large():
    assert too_large(NIGHT_SET, source="uploads/friday.csv") is None


@pytest.mark.parametrize("letter", ["a", "é", "雅", "🎸"])
def test_a_performer_of_exactly_2048_bytes_fits_and_one_letter_more_does_not(letter):
    fits = NIGHT_SET._replace(performer=letter * (2048 // len(letter.encode())))
    refused = too_large(fits._replace(performer=fits.performer + letter))
    assert too_large(fits) is None
    assert refused is not None
    assert (refused.line, refused.field) == (12, "Performer")
    assert "limit for the partition key is 2,048" in refused.reason


@pytest.mark.parametrize("letter", ["s", "ß", "館", "🎪"])
def test_a_stage_that_makes_the_sort_key_pass_1024_bytes_is_refused(letter):
    room = 1024 - len("2024-06-28#23:30#")
    fits = NIGHT_SET._replace(stage=letter * (room // len(letter.encode())))
    refused = too_large(fits._replace(stage=fits.stage + letter))
    assert too_large(fits) is None
    assert refused is not None
    assert refused.field == "Stage"
    assert "sort key (date#start#stage) is 1,024" in refused.reason


def test_an_item_over_400_kb_is_refused():
    refused = too_large(NIGHT_SET, source="s" * 400 * 1024)
    assert refused is not None
    assert refused.field == "Source"
    assert "item is 409,600" in refused.reason


def test_a_refused_row_shows_the_head_of_its_value_and_keeps_the_whole_row():
    refused = too_large(NIGHT_SET._replace(performer="Z" * 3000))
    assert refused is not None
    assert refused.value == "Z" * 100 + "…"
    assert refused.original == {
        "Performer": "Z" * 3000,
        "Stage": "Pyramid Stage",
        "Date": "2024-06-28",
        "Start": "23:30",
        "End": "25:30",
        "Popularity": 97,
    }


@given(
    st.text(min_size=1, max_size=2500).filter(lambda text: max(text) < "\ud800"),
    st.text("abé雅🎸", min_size=1, max_size=1100),
)
def test_no_row_that_passes_the_check_breaks_a_limit_of_a_key(performer, stage):
    performance = NIGHT_SET._replace(performer=performer, stage=stage)
    item = to_item(performance)
    sizes = {name: len(value["S"].encode()) for name, value in item.items() if "S" in value}
    fits = (
        sizes["Performer"] <= 2048
        and sizes["Performance"] <= 1024
        and sizes["Stage"] <= 2048
        and sizes["DateStart"] <= 1024
    )
    assert (too_large(performance) is None) == fits
