"""The table layer on real engines: what is written is what the five questions find."""

from itertools import count

import engines
import pytest

from festival.errors import FestivalError
from festival.lineup.model import Performance
from festival.query.columns import COLUMNS, answer, read_columns
from festival.query.patterns import (
    by_performer,
    more_popular_than,
    on_date,
    on_stage_at,
    stage_at_exactly,
)
from festival.stack.stack import TEMPLATE
from festival.stack.template import parse_template
from festival.table.connection import ClientTransport, Connection
from festival.table.item import attributes, to_item
from festival.table.writer import BulkWriter

table_names = (f"lineup-{number}" for number in count(1))


def show(performer, stage, start, end, popularity=None, date="2024-06-28"):
    return Performance(performer, stage, date, start, end, popularity, 0)


ROLLING = show("Björk", "Pyramid", 21 * 60, 22 * 60 + 30, 97)
LINEUP = [
    ROLLING,
    show("Four Tet", "Woods", 23 * 60 + 30, 25 * 60 + 30, 88),
    show("Bonobo", "Woods", 25 * 60 + 30, 27 * 60, 81),
    show('Florence, "and" the Machine', "Pyramid", 22 * 60, 23 * 60, 80, date="2024-06-29"),
    show("雅楽 🎐", "Größe \\ Zelt", 0, 1440, 100, date="2024-06-30"),
    show("Brass Band", "Woods", 9 * 60, 10 * 60, date="2024-06-29"),
    show("Sigur Rós", "Woods", 12 * 60, 12 * 60, 1),
]


@pytest.fixture(scope="session", params=["moto", "dynalite"])
def endpoint(request):
    try:
        with getattr(engines, request.param)() as url:
            yield url
    except engines.EngineMissingError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def dynamodb(endpoint):
    client = engines.client(endpoint)
    yield client
    client.close()


@pytest.fixture
def table(dynamodb):
    name = next(table_names)
    dynamodb.create_table(**engines.create_table_request(name))
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    return name


@pytest.fixture(params=["the fast transport", "the client's methods"])
def connection(dynamodb, request):
    connection = Connection.from_client(dynamodb)
    if request.param == "the client's methods":
        connection._transport.close()
        connection._transport = ClientTransport(dynamodb)
    yield connection
    connection.close()


def write(connection, table, rows, **options):
    with BulkWriter(connection, table, **options) as writer:
        writer.put(rows)
        return writer.flush()


@pytest.fixture
def lineup(connection, table):
    assert write(connection, table, LINEUP).unwritten == ()
    return table


def performers(connection, table, pattern):
    return [
        performance.performer for performance in answer(connection, table, pattern).performances
    ]


def test_every_value_arrives_as_it_was(connection, dynamodb, table):
    outcome = write(connection, table, LINEUP, source="friday.csv")
    assert (outcome.rejections, outcome.unwritten, outcome.requests) == ((), (), 1)
    for row in LINEUP:
        key = {"Performer": {"S": row.performer}, "Performance": {"S": row.sort_key}}
        item = dynamodb.get_item(TableName=table, Key=key)["Item"]
        assert item == to_item(row, source="friday.csv")


def test_hundreds_of_rows_arrive_and_the_last_of_each_key_stands(connection, table):
    rows = [
        show(f"Artist {n % 90}", "Park", n % 60, n % 60 + 45, 1 + n % 100)._replace(line=n)
        for n in range(400)
    ]
    outcome = write(connection, table, rows)
    assert outcome.unwritten == ()
    last = {row.key: row._replace(line=0) for row in rows}
    found = answer(connection, table, on_date("2024-06-28")).performances
    assert sorted(found) == sorted(last.values())


def test_all_performances_of_a_performer(connection, lineup):
    assert answer(connection, lineup, by_performer("Björk")).performances == [ROLLING]
    assert answer(connection, lineup, by_performer("Nobody")).performances == []


def test_a_range_over_midnight_finds_both_spellings(connection, lineup):
    pattern = on_date("2024-06-28", "21:00", "01:30")
    assert performers(connection, lineup, pattern) == ["Björk", "Four Tet", "Bonobo"]


def test_a_stage_at_an_exact_time(connection, lineup):
    pattern = stage_at_exactly("Woods", "2024-06-28", "23:30")
    assert performers(connection, lineup, pattern) == ["Four Tet"]
    assert performers(connection, lineup, stage_at_exactly("Woods", "2024-06-28", "23:31")) == []


@pytest.mark.parametrize(
    ("date", "time", "expected"),
    [
        ("2024-06-29", "00:30", ["Four Tet"]),
        ("2024-06-29", "01:30", ["Bonobo"]),
        ("2024-06-28", "12:00", []),
        ("2024-06-29", "09:59", ["Brass Band"]),
    ],
)
def test_who_is_on_a_stage_at_a_moment(connection, lineup, date, time, expected):
    assert performers(connection, lineup, on_stage_at("Woods", date, time)) == expected


def test_popularity_is_strictly_above_and_most_popular_first(connection, lineup):
    found = performers(connection, lineup, more_popular_than(80))
    assert found == ["雅楽 🎐", "Björk", "Four Tet", "Bonobo"]


def test_an_item_of_an_earlier_versions_shard_is_read_and_then_written_over(
    connection, dynamodb, table
):
    sharded = to_item(ROLLING) | {"PopularityBucket": {"S": "POPULARITY#3"}}
    dynamodb.put_item(TableName=table, Item=sharded)
    patterns = [
        by_performer(ROLLING.performer),
        on_date(ROLLING.date),
        on_stage_at(ROLLING.stage, ROLLING.date, "21:00"),
    ]
    assert [answer(connection, table, pattern).performances for pattern in patterns] == [
        [ROLLING]
    ] * 3
    assert answer(connection, table, more_popular_than(80)).performances == []
    write(connection, table, [ROLLING])
    key = {"Performer": sharded["Performer"], "Performance": sharded["Performance"]}
    assert dynamodb.get_item(TableName=table, Key=key)["Item"] == to_item(ROLLING)
    assert answer(connection, table, more_popular_than(80)).performances == [ROLLING]


def test_every_page_says_what_it_read(connection, lineup):
    [row], [page] = answer(connection, lineup, by_performer("Björk"))
    assert (page.items, row) == (1, ROLLING)
    assert page.read_units > 0
    assert page.milliseconds > 0


def test_columns_have_the_same_answers_in_the_same_order(connection, lineup):
    for pattern in (
        by_performer("Björk"),
        on_date("2024-06-28", "21:00", "01:30"),
        on_stage_at("Woods", "2024-06-29", "00:30"),
        more_popular_than(1),
    ):
        rows = [attributes(row) for row in answer(connection, lineup, pattern).performances]
        expected = {name: [row.get(name) for row in rows] for name in COLUMNS}
        assert read_columns(connection, lineup, pattern) == expected


def test_an_answer_of_more_than_a_megabyte_is_paged_to_its_end(connection, table):
    rows = [show(f"Artist {n:03}", "Park", n, n + 60, 1 + n % 100) for n in range(300)]
    write(connection, table, rows, source="a/very/long/path/" * 240)
    pattern = more_popular_than(0)
    found, pages = answer(connection, table, pattern)
    assert len(pages) > 1
    assert sorted(found) == rows
    assert sorted(read_columns(connection, table, pattern)["Performer"]) == [
        row.performer for row in rows
    ]


def test_a_table_that_is_not_there_is_one_line_for_reader_and_writer(connection):
    outcome = write(connection, "nowhere", LINEUP)
    assert len(outcome.unwritten) == len(LINEUP)
    assert outcome.reason.startswith("table nowhere: ResourceNotFoundException")
    with pytest.raises(FestivalError, match="table nowhere: ResourceNotFoundException"):
        answer(connection, "nowhere", by_performer("Björk"))
    with pytest.raises(FestivalError, match="table nowhere: ResourceNotFoundException"):
        read_columns(connection, "nowhere", by_performer("Björk"))


def test_a_row_the_engine_itself_refuses_is_named_and_the_others_are_stored(
    connection, dynamodb, table
):
    nameless = show("", "Woods", 60, 120)._replace(line=7)
    outcome = write(connection, table, [*LINEUP, nameless])
    items = dynamodb.scan(TableName=table)["Items"]
    stored = {item["Performer"]["S"] for item in items}
    assert {row.performer for row in LINEUP} <= stored
    # moto refuses an empty key, as DynamoDB does; dynalite takes it.
    assert [rejected.line for rejected in outcome.rejections] == ([] if "" in stored else [7])


def test_the_tests_table_is_the_templates_table():
    tables = [
        resource["Properties"]
        for resource in parse_template(TEMPLATE.read_text(encoding="utf-8"))["Resources"].values()
        if resource["Type"] == "AWS::DynamoDB::Table"
    ]
    [ours] = [table for table in tables if table["KeySchema"][0]["AttributeName"] == "Performer"]
    expected = engines.create_table_request("lineup")
    for part in ("KeySchema", "GlobalSecondaryIndexes", "BillingMode"):
        assert ours[part] == expected[part]

    def by_name(definitions):
        return sorted(definitions, key=lambda definition: definition["AttributeName"])

    assert by_name(ours["AttributeDefinitions"]) == by_name(expected["AttributeDefinitions"])
