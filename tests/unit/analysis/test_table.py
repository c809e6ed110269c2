"""The table as an analyst asks it: every answer a DataFrame, complete, typed, with its cost."""

import copy
import json
import warnings
from datetime import datetime

import pandas as pd
import pytest

from festival.analysis.frames import ANSWER_DTYPES, performances_frame, performances_of
from festival.analysis.table import RECORD, LineupTable, NothingFoundWarning, explain
from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.query.contents import contents_of
from festival.table.faults import Response
from festival.table.item import item_size, to_item

ELBOW = Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 0)
PULP = Performance("Pulp", "Pyramid", "2024-06-28", 1350, 1470, None, 0)
# A set at half past one, which the lineup counts as the night of the 28th.
BJORK = Performance("Björk", "Park", "2024-06-28", 1530, 1590, 98, 0)
ROWS = [ELBOW, PULP, BJORK]


class FakeConnection:
    """Gives a page for each row that the request's values name, as a Query with paging would."""

    def __init__(self, rows, faults=()):
        self.rows = rows
        self.faults = list(faults)
        self.asked = []

    def call(self, operation, body, *, timeout=None):
        if self.faults:
            raise self.faults.pop()
        request = json.loads(body)
        self.asked.append((operation, request))
        values = request.get("ExpressionAttributeValues", {})
        wanted = {value["S"] for name, value in values.items() if name in KEYS}
        items = [to_item(row) for row in self.rows]
        found = [
            item for item in items if wanted <= {item[key]["S"] for key in ("Performer", "Date")}
        ]
        if request.get("Segment"):
            found = []
        place = int(request.get("ExclusiveStartKey", {"Performer": {"S": "0"}})["Performer"]["S"])
        page = {
            "ConsumedCapacity": {"CapacityUnits": 0.5, "TableName": "lineup"},
            "Items": found[place : place + 1],
            "ScannedCount": len(found[place : place + 1]),
        }
        if place + 1 < len(found):
            page["LastEvaluatedKey"] = {"Performer": {"S": str(place + 1)}}
        return Response(200, json.dumps(page, ensure_ascii=False, separators=(",", ":")).encode())


KEYS = {":performer", ":date"}


class FakeClient:
    def describe_table(self, **_):
        return {"Table": {"ItemCount": 3, "TableSizeBytes": 8192}}


def no_record():
    raise FestivalError("not the stack's table")


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("festival.query.columns.time.sleep", lambda seconds: None)


def table(rows=ROWS, recorded=None, **more):
    made = LineupTable("lineup", FakeClient(), recorded or no_record)
    made.__dict__["_connection"] = FakeConnection(rows, **more)
    return made


def recorded():
    return contents_of([row.identity for row in ROWS])


class TestAnswers:
    def test_an_answer_has_the_documented_columns_and_types(self):
        answer = table().performer("Elbow")
        assert {name: str(dtype) for name, dtype in answer.dtypes.items()} == ANSWER_DTYPES

    def test_an_empty_answer_keeps_its_columns_and_types(self):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", NothingFoundWarning)
            answer = table().performer("Nobody")
        assert len(answer) == 0
        assert {name: str(dtype) for name, dtype in answer.dtypes.items()} == ANSWER_DTYPES

    def test_every_page_is_read_to_the_end(self):
        answer = table().lineup("2024-06-28")
        assert list(answer["Performer"]) == ["Elbow", "Pulp", "Björk"]
        assert explain(answer).loc[0, "pages"] == 3

    def test_a_lost_answer_is_asked_for_again(self):
        answer = table(faults=[RetryableError("lost"), RetryableError("lost")]).performer("Elbow")
        assert list(answer["Performer"]) == ["Elbow"]

    def test_a_festival_night_is_on_the_next_calendar_day_and_keeps_its_lineups_day(self):
        row = table().lineup("2024-06-28").iloc[2]
        assert row["Date"] == pd.Timestamp("2024-06-28")
        assert row["Start"] == pd.Timestamp("2024-06-29 01:30")
        assert row["End"] == pd.Timestamp("2024-06-29 02:30")
        assert row["Minutes"] == 60

    def test_a_missing_popularity_is_missing_and_the_others_are_whole_numbers(self):
        popularity = table().lineup("2024-06-28")["Popularity"]
        assert popularity.tolist() == [71, pd.NA, 98]

    def test_a_lineup_of_days_is_one_query_a_day(self):
        asked = table()
        asked.lineup("2024-06-27", "2024-06-29")
        requests = [request for _, request in asked._connection.asked]
        days = {request["ExpressionAttributeValues"][":date"]["S"] for request in requests}
        assert days == {"2024-06-27", "2024-06-28", "2024-06-29"}
        assert {request["IndexName"] for request in requests} == {"DateIndex"}

    @pytest.mark.parametrize(
        ("first", "last", "said"),
        [
            ("2024-06-28", "2024-06-27", "before the first"),
            ("2024-06-28", "2205-06-28", "at most 366"),
            ("28.6.2024", "2024-06-29", "YYYY-MM-DD"),
        ],
    )
    def test_days_that_are_none_are_said_in_one_line(self, first, last, said):
        with pytest.raises(FestivalError, match=said):
            table().lineup(first, last)

    def test_a_moment_may_be_text_with_a_t_or_a_datetime(self):
        asked = table(recorded=recorded)
        for moment in ("2024-06-28 20:15", "2024-06-28T20:15", datetime(2024, 6, 28, 20, 15)):
            asked.starting("Park", moment)
        starts = {
            request["ExpressionAttributeValues"][":start"]["S"]
            for _, request in asked._connection.asked
        }
        assert starts == {"2024-06-28#20:15"}

    def test_the_start_of_an_answer_as_text_is_a_moment(self):
        whole = table().playing("Park", str(pd.Timestamp("2024-06-28 20:15")))
        assert list(whole["Performer"]) == list(
            table().playing("Park", "2024-06-28 20:15")["Performer"]
        )

    @pytest.mark.parametrize(
        ("ask", "said"),
        [
            (lambda table: table.performer(None), "performer None: expected the name as text"),
            (lambda table: table.on(20240628), "day 20240628: expected YYYY-MM-DD"),
            (lambda table: table.playing("Park", 2015), "moment 2015: expected YYYY-MM-DD HH:MM"),
            (lambda table: table.popular(above="x"), "popularity above 'x': expected a number"),
        ],
    )
    def test_a_value_of_another_type_is_refused_in_one_line(self, ask, said):
        with pytest.raises(FestivalError, match=f"^{said}"):
            ask(table())

    def test_a_moment_without_a_time_is_refused_with_an_example(self):
        with pytest.raises(FestivalError, match="expected YYYY-MM-DD HH:MM"):
            table().playing("Park", "2024-06-28")


class TestNames:
    def test_a_name_that_the_table_spells_otherwise_is_offered(self):
        with pytest.warns(NothingFoundWarning, match="no performer 'bjork'.*did you mean 'Björk'"):
            table(recorded=recorded).performer("bjork")

    def test_an_unknown_stage_is_said_even_if_nothing_is_near(self):
        with pytest.warns(NothingFoundWarning, match="^no stage 'Red' in the table$"):
            table([], recorded=recorded).playing("Red", "2024-06-28 20:15")

    def test_a_known_stage_with_nobody_on_it_is_an_empty_answer_without_a_warning(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert len(table([], recorded=recorded).starting("Park", "2024-06-28 05:00")) == 0

    def test_the_warning_points_at_the_line_that_asked(self):
        with pytest.warns(NothingFoundWarning) as said:
            table(recorded=recorded).performer("bjork")
        assert said[0].filename == __file__


class TestContents:
    def test_dates_and_stages_have_their_counts(self):
        asked = table(recorded=recorded)
        assert asked.dates().to_dict("records") == [
            {"Date": pd.Timestamp("2024-06-28"), "Performances": 3, "Performers": 3, "Stages": 2}
        ]
        assert asked.stages()[["Stage", "Performances"]].values.tolist() == [
            ["Park", 2],
            ["Pyramid", 1],
        ]

    def test_performers_are_found_by_a_part_of_the_name_without_its_accents(self):
        assert list(table(recorded=recorded).performers("BJO")["Performer"]) == ["Björk"]

    def test_a_part_that_no_name_contains_is_answered_with_the_nearest_names(self):
        with pytest.warns(NothingFoundWarning, match="no performer contains 'elbov'.*'Elbow'"):
            assert table(recorded=recorded).performers("elbov").empty

    def test_a_table_without_contents_keeps_the_columns(self):
        asked = table(recorded=lambda: contents_of([]))
        assert str(asked.dates()["Date"].dtype) == "datetime64[s]"
        assert list(asked.performers().columns) == [
            *("Performer", "Performances", "Stages", "First", "Last")
        ]

    def test_a_scan_finds_what_no_ingest_recorded(self):
        assert list(table().performers(scan=True)["Performer"]) == ["Björk", "Elbow", "Pulp"]


class TestEverything:
    def test_it_says_what_it_costs_before_and_after(self, capsys):
        answer = table().everything()
        said = capsys.readouterr().err.splitlines()
        assert "about 3 items, 8,192 bytes, 1 RRU" in said[0]
        assert said[1].startswith("3 of 3 items, in ")
        assert said[-1] == "3 performances, 3 RRU charged"
        assert list(answer["Performer"]) == ["Elbow", "Pulp", "Björk"]

    def test_it_is_silent_without_progress(self, capsys):
        table().everything(progress=False)
        assert capsys.readouterr().err == ""


class TestExplain:
    def test_it_gives_the_key_condition_and_the_units_charged_and_by_the_rules(self):
        explained = explain(table().performer("Elbow"))
        assert explained.loc[0, "key condition"] == "table: Performer = 'Elbow'"
        assert explained.loc[0, ["items", "pages"]].tolist() == [1, 1]
        assert explained.loc[0, ["RRU charged", "RRU by the rules"]].tolist() == [0.5, 0.5]

    def test_the_bytes_of_a_page_are_those_of_its_items(self):
        answer = table().performer("Björk")
        assert answer.attrs[RECORD].pages[0].bytes == item_size(to_item(BJORK))

    def test_it_survives_what_an_analyst_does_with_the_frame(self):
        answer = table().lineup("2024-06-28")
        assert len(explain(answer[answer["Minutes"] > 60].head(1))) == 1
        assert copy.deepcopy(answer.attrs)[RECORD] is answer.attrs[RECORD]

    def test_a_frame_of_something_else_is_refused(self):
        with pytest.raises(FestivalError, match=r"table\.performer"):
            explain(pd.DataFrame())


class TestFrames:
    def test_performances_go_into_a_frame_and_back(self):
        assert performances_of(performances_frame(ROWS)) == [
            row._replace(line=place) for place, row in enumerate(ROWS)
        ]

    def test_a_frame_without_a_column_is_refused_by_its_name(self):
        with pytest.raises(FestivalError, match="no column Stage"):
            performances_of(performances_frame(ROWS).drop(columns="Stage"))

    @pytest.mark.parametrize("date", ["0001-01-02", "1066-10-14", "9999-12-30"])
    def test_any_day_of_the_calendar_has_a_place(self, date):
        row = ELBOW._replace(date=date)
        assert performances_of(performances_frame([row]))[0].date == date
