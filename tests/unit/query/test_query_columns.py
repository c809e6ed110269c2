"""Pages of items straight into columns."""

import json
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from festival.errors import FestivalError, RetryableError
from festival.lineup.model import Performance
from festival.query.columns import COLUMNS, read_columns, scan_columns
from festival.query.patterns import by_performer, on_date, on_days, on_stage_at
from festival.table.faults import Response
from festival.table.item import attributes, to_item

ELBOW = Performance("Elbow", "Park", "2024-06-28", 1200, 1290, 71, 0)
PULP = Performance("Pulp", "Pyramid", "2024-06-28", 1350, 1470, None, 0)


class FakePages:
    """Answers each Query from a list of pages, each page a list of items."""

    def __init__(self, *chains, faults=()):
        self.chains = chains
        self.faults = list(faults)
        self.asked = []
        self._lock = threading.Lock()

    def call(self, operation, body, *, timeout=None):
        request = json.loads(body)
        with self._lock:
            self.asked.append((operation, request))
            fault = self.faults.pop(0) if self.faults else None
        if isinstance(fault, Exception):
            raise fault
        if fault:
            return fault
        values = request.get("ExpressionAttributeValues", {})
        day = values.get(":partition", values.get(":date"))
        next_day = day == {"S": "2024-06-29"}
        chain = self.chains[request.get("Segment", int(next_day))]
        number = int(request.get("ExclusiveStartKey", {"Performer": {"S": "0"}})["Performer"]["S"])
        page = {"Items": chain[number], "Count": len(chain[number])}
        if number + 1 < len(chain):
            page["LastEvaluatedKey"] = {"Performer": {"S": str(number + 1)}}
        return Response(200, json.dumps(page).encode())


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr("festival.query.columns.time.sleep", lambda seconds: None)


def items(*performances, **options):
    return [to_item(performance, **options) for performance in performances]


def test_every_attribute_of_the_table_is_a_column_and_what_is_missing_is_none():
    pages = FakePages([items(ELBOW, source="friday.csv"), items(PULP)])
    columns = read_columns(pages, "lineup", by_performer("Elbow"))
    assert tuple(columns) == COLUMNS
    wanted = [attributes(ELBOW, source="friday.csv"), attributes(PULP)]
    assert columns == {name: [row.get(name) for row in wanted] for name in COLUMNS}


def test_pages_follow_one_another_to_the_end():
    days = [[ELBOW._replace(date=f"2024-06-{day:02}")] for day in range(1, 8)]
    pages = FakePages([items(*page) for page in days])
    columns = read_columns(pages, "lineup", by_performer("Elbow"))
    assert columns["Date"] == [f"2024-06-{day:02}" for day in range(1, 8)]
    assert len(pages.asked) == 7


def test_the_rows_of_several_queries_are_in_the_patterns_order():
    night = [items(ELBOW._replace(start=minute)) for minute in range(1440, 1560, 20)]
    morning = [
        items(ELBOW._replace(date="2024-06-29", start=minute)) for minute in range(10, 120, 20)
    ]
    pattern = on_date("2024-06-28", "22:00", "02:00")
    columns = read_columns(FakePages(night, morning), "lineup", pattern)
    assert [minute % 1440 for minute in columns["StartMinutes"]] == list(range(0, 120, 10))


def test_what_the_key_condition_cannot_say_is_left_out():
    pages = FakePages([items(ELBOW, ELBOW._replace(performer="Early", start=60, end=120))])
    columns = read_columns(pages, "lineup", on_stage_at("Park", "2024-06-28", "20:10"))
    assert columns["Performer"] == ["Elbow"]


def test_an_empty_answer_has_every_column():
    assert read_columns(FakePages([[]]), "lineup", by_performer("Nobody")) == {
        name: [] for name in COLUMNS
    }


@given(st.text(max_size=8), st.lists(st.sampled_from('"\\LastEvaluatedKey: {}'), max_size=9))
def test_no_text_in_an_item_is_taken_for_the_next_page(head, tail):
    odd = ELBOW._replace(stage=f'{head}"LastEvaluatedKey":{{"{"".join(tail)}')
    columns = read_columns(FakePages([items(odd), items(PULP)]), "lineup", by_performer("Elbow"))
    assert columns["Stage"] == [odd.stage, "Pyramid"]


def test_a_stage_named_like_the_next_page_is_no_next_page():
    odd = ELBOW._replace(stage="LastEvaluatedKey")
    assert read_columns(FakePages([items(odd)]), "lineup", by_performer("Elbow"))["Stage"]


def test_a_scan_reads_every_segment_to_its_end():
    chains = [
        [items(ELBOW._replace(performer=f"{segment} {page}")) for page in range(3)]
        for segment in range(4)
    ]
    pages = FakePages(*chains)
    found = [name for page in scan_columns(pages, "lineup") for name in page["Performer"]]
    assert sorted(found) == sorted(f"{segment} {page}" for segment in range(4) for page in range(3))
    assert {operation for operation, _ in pages.asked} == {"Scan"}


def test_a_scan_that_is_left_early_leaves_no_thread():
    before = threading.active_count()
    pages = FakePages(*([items(ELBOW)] * 50 for _ in range(4)))
    next(scan := scan_columns(pages, "lineup"))
    scan.close()
    assert threading.active_count() == before
    assert len(pages.asked) < 20


def test_the_days_of_a_lineup_come_in_their_order_whichever_answer_came_first():
    first, second = items(ELBOW), items(PULP._replace(date="2024-06-29"))
    for _ in range(20):
        pages = FakePages([first, first], [second])
        columns = read_columns(pages, "lineup", on_days("2024-06-28", "2024-06-29"))
        assert columns["Performer"] == ["Elbow", "Elbow", "Pulp"]


def test_throttles_and_lost_answers_are_waited_out():
    throttle = Response(400, b'{"__type":"x#ThrottlingException","message":"slow"}')
    pages = FakePages([items(ELBOW)], faults=[throttle, RetryableError("lost"), Response(503, b"")])
    assert read_columns(pages, "lineup", by_performer("Elbow"))["Performer"] == ["Elbow"]
    assert len(pages.asked) == 4


def test_a_service_that_stays_away_is_given_up():
    pages = FakePages([items(ELBOW)], faults=[RetryableError("lost")] * 100)
    with pytest.raises(RetryableError, match="lost"):
        read_columns(pages, "lineup", by_performer("Elbow"))
    assert len(pages.asked) == 10


def test_a_table_that_is_not_there_is_one_line():
    missing = Response(400, b'{"__type":"x#ResourceNotFoundException","message":"not found"}')
    with pytest.raises(FestivalError) as caught:
        read_columns(FakePages([], faults=[missing]), "lineup", by_performer("Elbow"))
    assert str(caught.value) == "table lineup: ResourceNotFoundException: not found"
    assert not isinstance(caught.value, RetryableError)


@pytest.mark.parametrize("lacking", ["Stage", "StartMinutes", "StartTime"])
def test_an_item_of_another_program_is_one_line(lacking):
    item = to_item(ELBOW)
    del item[lacking]
    with pytest.raises(FestivalError, match=rf"no usable '{lacking}'"):
        read_columns(FakePages([[item]]), "lineup", by_performer("Elbow"))
