"""The five questions: which Queries they are, and what of their items is the answer."""

from datetime import date, timedelta
from json import dumps, loads

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.query.columns import answer
from festival.query.patterns import (
    by_performer,
    more_popular_than,
    on_date,
    on_stage_at,
    stage_at_exactly,
)
from festival.table.faults import Response
from festival.table.item import attributes, to_item

BJORK = Performance("Björk", "Pyramid", "2024-06-28", 21 * 60, 22 * 60 + 30, 97, 2)
NIGHT_DJ = Performance("Four Tet", "Woods", "2024-06-28", 23 * 60 + 30, 25 * 60 + 30, 88, 3)
BREAKFAST = Performance("Brass Band", "Woods", "2024-06-29", 9 * 60, 10 * 60, None, 4)
AFTER_HOURS = Performance("Bonobo", "Woods", "2024-06-28", 25 * 60 + 30, 27 * 60, 70, 5)


class FakeTable:
    """Answers Queries from a list of performances, as the indexes would, two items a page."""

    def __init__(self, *performances):
        self.rows = [(attributes(row), to_item(row)) for row in performances]
        self.asked = []

    def call(self, operation, body, *, timeout=None):
        assert operation == "Query"
        return Response(200, dumps(self.query(loads(body)), separators=(",", ":")).encode())

    def query(self, request):
        self.asked.append(request)
        names, values = request["ExpressionAttributeNames"], request["ExpressionAttributeValues"]
        found = [pair for pair in self.rows if self._matches(request, names, values, pair[0])]
        sort_key = list(names.values())[-1]
        found.sort(key=lambda pair: pair[0][sort_key], reverse=not request["ScanIndexForward"])
        first = request.get("ExclusiveStartKey", {"at": 0})["at"]
        page = {
            "Items": [item for _, item in found[first : first + 2]],
            "ScannedCount": len(found[first : first + 2]),
            "ConsumedCapacity": {"CapacityUnits": 0.5},
        }
        return page if first + 2 >= len(found) else page | {"LastEvaluatedKey": {"at": first + 2}}

    def _matches(self, request, names, values, row):
        plain = {name: int(v["N"]) if "N" in v else v["S"] for name, v in values.items()}
        for part in (
            request["KeyConditionExpression"].replace(":first AND", ":first TO").split(" AND ")
        ):
            name, operator, value = part.split(" ", 2)
            if names[name] not in row:
                return False
            have = row[names[name]]
            if operator == "BETWEEN":
                first, last = value.split(" TO ")
                matches = plain[first] <= have <= plain[last]
            else:
                matches = have == plain[value] if operator == "=" else have > plain[value]
            if not matches:
                return False
        return True


def performers(*performances, pattern):
    found = answer(FakeTable(*performances), "lineup", pattern).performances
    return [performance.performer for performance in found]


def keys(pattern):
    return [
        (query.index, *(next(iter(value.values())) for value in query.values.values()))
        for query in pattern.queries
    ]


def test_a_performers_performances_come_from_the_table_in_order_of_time():
    later = BJORK._replace(date="2024-06-30")
    assert keys(by_performer("Björk")) == [(None, "Björk")]
    table = FakeTable(later, NIGHT_DJ, BJORK)
    assert [p.date for p in answer(table, "lineup", by_performer("Björk")).performances] == [
        "2024-06-28",
        "2024-06-30",
    ]


def test_an_afternoon_is_one_query():
    assert keys(on_date("2024-06-28", "14:00", "18:00")) == [
        ("DateIndex", "2024-06-28", "14:00", "18:00")
    ]


def test_a_range_over_midnight_goes_on_into_the_next_day():
    assert keys(on_date("2024-06-28", "22:00", "02:00")) == [
        ("DateIndex", "2024-06-28", "22:00", "26:00"),
        ("DateIndex", "2024-06-29", "00:00", "02:00"),
    ]


def test_a_morning_is_also_looked_up_as_the_night_of_the_day_before():
    assert keys(on_date("2024-06-29", "01:00", "03:00")) == [
        ("DateIndex", "2024-06-29", "01:00", "03:00"),
        ("DateIndex", "2024-06-28", "25:00", "27:00"),
    ]


def test_a_whole_day_has_what_the_festival_day_before_calls_half_past_twenty_five():
    lineup = (BJORK, NIGHT_DJ, AFTER_HOURS, BREAKFAST)
    assert performers(*lineup, pattern=on_date("2024-06-29")) == ["Bonobo", "Brass Band"]
    assert performers(*lineup, pattern=on_date("2024-06-28")) == ["Björk", "Four Tet"]


@pytest.mark.parametrize(
    "pattern",
    [
        on_date("2024-06-29", "05:30", "06:30"),
        on_date("2024-06-29"),
        stage_at_exactly("Woods", "2024-06-29", "06:00"),
        on_stage_at("Woods", "2024-06-29", "06:10"),
    ],
    ids=lambda pattern: pattern.question,
)
def test_a_night_set_that_is_spelled_30_00_is_found_the_next_morning(pattern):
    dawn = Performance("Dawn Chorus", "Woods", "2024-06-28", 30 * 60, 30 * 60 + 30, None, 2)
    assert performers(BJORK, dawn, pattern=pattern) == ["Dawn Chorus"]


def test_a_set_of_yesterday_morning_that_is_spelled_35_00_may_be_on_until_this_morning():
    """No set is longer than 24 hours; this one began at 11:00 of the 28th."""
    marathon = Performance("Marathon", "Woods", "2024-06-27", 35 * 60, 58 * 60 + 45, None, 2)
    for time, found in (("10:30", ["Marathon"]), ("10:45", [])):
        pattern = on_stage_at("Woods", "2024-06-29", time)
        assert performers(BJORK, marathon, pattern=pattern) == found


def test_a_stage_at_an_exact_time_is_asked_in_both_spellings():
    assert keys(stage_at_exactly("Woods", "2024-06-29", "01:30")) == [
        ("StageIndex", "Woods", "2024-06-29#01:30"),
        ("StageIndex", "Woods", "2024-06-28#25:30"),
    ]
    assert performers(AFTER_HOURS, pattern=stage_at_exactly("Woods", "2024-06-29", "01:30")) == [
        "Bonobo"
    ]


def test_a_time_past_24_is_the_next_calendar_day():
    assert keys(stage_at_exactly("Woods", "2024-06-28", "25:30")) == keys(
        stage_at_exactly("Woods", "2024-06-29", "01:30")
    )


def test_who_is_on_a_stage_asks_for_the_starts_of_the_last_24_hours():
    assert keys(on_stage_at("Woods", "2024-06-28", "22:00")) == [
        ("StageIndex", "Woods", "2024-06-27#22:00", "2024-06-28#22:00")
    ]


@pytest.mark.parametrize(
    ("time", "expected"),
    [("23:29", []), ("23:30", ["Four Tet"]), ("00:45", ["Four Tet"]), ("01:30", [])],
)
def test_a_performance_is_on_from_its_start_until_just_before_its_end(time, expected):
    day = "2024-06-28" if time > "12:00" else "2024-06-29"
    assert performers(NIGHT_DJ, pattern=on_stage_at("Woods", day, time)) == expected


def test_a_double_booked_stage_gives_both():
    guest = NIGHT_DJ._replace(performer="Caribou", start=NIGHT_DJ.start + 15)
    assert performers(guest, NIGHT_DJ, pattern=on_stage_at("Woods", "2024-06-29", "00:15")) == [
        "Four Tet",
        "Caribou",
    ]


def test_popularity_is_above_the_minimum_and_most_popular_first():
    lineup = (NIGHT_DJ, BJORK, BREAKFAST, AFTER_HOURS)
    assert performers(*lineup, pattern=more_popular_than(70)) == ["Björk", "Four Tet"]


def test_popularity_is_one_query():
    assert keys(more_popular_than(80)) == [("PopularityIndex", "POPULARITY", "80")]


def test_a_name_is_asked_for_as_the_lineup_stores_it():
    decomposed = "  Bjo\u0308rk\u200b "
    assert keys(by_performer(decomposed)) == [(None, "Björk")]
    assert keys(on_stage_at("West\u00a0 Holts", "2024-06-28", "22:00"))[0][1] == "West Holts"


starts = st.integers(0, 2159)


@given(
    moment=st.integers(0, 3 * 1440 - 1),
    sets=st.lists(
        st.builds(
            lambda day, start, length: BJORK._replace(
                date=(date(2024, 6, 26) + timedelta(day)).isoformat(),
                start=start,
                end=start + length,
                performer=f"{day} {start}",
            ),
            st.integers(0, 4),
            starts,
            st.integers(0, 1440),
        ),
        max_size=6,
        unique_by=lambda row: row.identity,
    ),
)
def test_who_is_on_stage_agrees_with_a_look_at_every_row(moment, sets):
    day = (date(2024, 6, 27) + timedelta(moment // 1440)).isoformat()
    time = f"{moment % 1440 // 60:02}:{moment % 60:02}"
    now = moment + 1440
    expected = {
        row
        for row in sets
        for begins in [(date.fromisoformat(row.date) - date(2024, 6, 26)).days * 1440 + row.start]
        if begins <= now < begins + row.end - row.start
    }
    found = answer(FakeTable(*sets), "lineup", on_stage_at("Pyramid", day, time)).performances
    assert {row._replace(line=2) for row in found} == expected


@given(begin=st.integers(0, 1439), end=st.integers(0, 1439), start=starts, day=st.integers(-2, 2))
def test_a_range_on_a_date_agrees_with_absolute_minutes(begin, end, start, day):
    row = BJORK._replace(date=(date(2024, 6, 28) + timedelta(day)).isoformat(), start=start)
    pattern = on_date(
        "2024-06-28", f"{begin // 60:02}:{begin % 60:02}", f"{end // 60:02}:{end % 60:02}"
    )
    last = end if end >= begin else end + 1440
    found = answer(FakeTable(row), "lineup", pattern).performances
    assert bool(found) == (begin <= day * 1440 + start <= last)
    assert len(found) <= 1


def test_a_query_is_paged_to_the_end_and_each_page_says_what_it_cost():
    table = FakeTable(*(BJORK._replace(date=f"2024-06-{day}") for day in range(10, 15)))
    found, pages = answer(table, "lineup", by_performer("Björk"))
    assert [row.date for row in found] == [f"2024-06-{day}" for day in range(10, 15)]
    assert [page.read_units for page in pages] == [0.5, 0.5, 0.5]
    assert [page.items for page in pages] == [2, 2, 1]
    assert table.asked[0]["ReturnConsumedCapacity"] == "TOTAL"


def test_a_pattern_describes_itself_with_its_key_conditions():
    assert on_date("2024-06-28", "22:00", "02:00").describe() == (
        "performances on 2024-06-28 that start from 22:00 to 02:00\n"
        "  DateIndex: Date = '2024-06-28' AND StartSort BETWEEN '22:00' AND '26:00'\n"
        "  DateIndex: Date = '2024-06-29' AND StartSort BETWEEN '00:00' AND '02:00'"
    )
    assert (
        more_popular_than(80)
        .describe()
        .endswith("PopularityIndex: PopularityBucket = 'POPULARITY' AND Popularity > 80")
    )


@pytest.mark.parametrize(
    "wrong", ["28.06.2024", "2024-6-28", "2024-02-30", "2024-W26-5", "today", ""]
)
def test_what_is_no_date_is_said_in_one_line(wrong):
    with pytest.raises(FestivalError, match=r"^date '.*': expected .*YYYY-MM-DD$"):
        on_date(wrong)


@pytest.mark.parametrize("wrong", ["8pm", "2130", "21:60", "36:00", "-1:00", "٢١:٣٠", ""])
def test_what_is_no_time_is_said_in_one_line(wrong):
    with pytest.raises(FestivalError, match=r"^time '.*': expected HH:MM"):
        on_stage_at("Woods", "2024-06-28", wrong)


@pytest.mark.parametrize("edge", ["0001-01-01", "9999-12-31"])
def test_the_first_and_the_last_day_of_the_calendar_end_in_one_line(edge):
    with pytest.raises(FestivalError, match="neighbours"):
        on_stage_at("Woods", edge, "01:00")


@pytest.mark.parametrize(
    "pattern", [by_performer, lambda name: on_stage_at(name, "2024-06-28", "21:00")]
)
def test_an_empty_name_is_said_in_one_line(pattern):
    with pytest.raises(FestivalError, match="is empty"):
        pattern("")
