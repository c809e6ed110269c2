"""The bulk load from files to table: exact where DynamoDB keeps no order, whatever it refuses."""

import csv
import io
import json
import time
from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import ClassVar

import boto3
import pytest
from bulk_stand_in import BulkStandIn
from moto import mock_aws

from festival.errors import FestivalError
from festival.ingest.events import FileEvent
from festival.ingest.kept import Reports
from festival.ingest.leases import LeaseHeldError
from festival.ingest.ledger import Ledger
from festival.ingest.means import Means
from festival.ingest.service import Ingestor
from festival.ops import bulk_engine, bulk_read
from festival.ops.bulk_engine import BulkEngine
from festival.ops.bulk_leases import LEASE_SECONDS
from festival.ops.bulk_load import UNFINISHED, Loads
from festival.ops.bulk_operation import require_bulk
from festival.ops.direct_engine import ingest_one
from festival.table.item import to_item
from festival.table.schema import INDEXES
from festival.table.writer import WriteOutcome

HEAD = "Performer,Stage,Date,Start,End,Popularity\n"
FRIDAY = (
    "fri.csv",
    HEAD + "Björk,Orange,2025-07-04,21:30,23:00,97\nDj Nobody,Tent,2025-07-04,20:00,21:00,\n",
)
SATURDAY = (
    "sat.csv",
    HEAD + "Sigur Rós,Orange,2025-07-05,21:30,23:00,95\n1914,Tent,2025-07-05,22:00,23:00,40\n",
)
AGAIN = ("zz-corrected.csv", HEAD + "Björk,Orange,2025-07-04,21:30,23:30,98\n")


class PlainWriter:
    """Writes at once, by a client that moto answers. What it wrote stands in `rows`."""

    deadline = float("inf")
    stopped = ""
    rows: ClassVar = []

    def __init__(self, client, source):
        self._client, self._source = client, source

    def put(self, performances):
        for performance in performances:
            PlainWriter.rows.append((self._source.rpartition("/")[2], performance.performer))
            item = to_item(performance, source=self._source)
            self._client.put_item(TableName="table", Item=item)

    def flush(self):
        return WriteOutcome((), (), "", 0, 0, 0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass


class Festival:
    """Buckets, table and ledger of moto, a bulk operation of the stand-in, and time of its own."""

    def __init__(self):
        self.s3 = client("s3")
        self.dynamodb = boto3.client("dynamodb")  # of its own: the stand-in answers for it
        self.now = time.time()
        for bucket in ("uploads", "reports"):
            self.s3.create_bucket(Bucket=bucket)
        self.s3.put_bucket_versioning(
            Bucket="uploads", VersioningConfiguration={"Status": "Enabled"}
        )
        create_table(self.dynamodb, "table", ("Performer", "Performance"), table_indexes())
        create_table(self.dynamodb, "ledger", ("File", "Entry"), LEDGER_INDEXES)
        self.ledger = Ledger(self.dynamodb, "ledger", lambda: self.now)
        self.stand_in = BulkStandIn(self.s3, client("dynamodb"))
        self.stand_in.attach(self.dynamodb)
        self.said = []
        PlainWriter.rows = []
        self.ingestor = Ingestor(
            Means(
                s3=self.s3,
                ledger=self.ledger,
                open_writer=lambda source, deadline: PlainWriter(self.dynamodb, source),
                reports=Reports(self.s3, "reports"),
            )
        )

    def upload(self, *files, run="summer"):
        """Put files of names and texts; the events that a backfill has for them, in order."""
        return [
            FileEvent(
                "uploads",
                name,
                self.s3.put_object(Bucket="uploads", Key=name, Body=text.encode())["VersionId"],
                run=run,
            )
            for name, text in files
        ]

    def engine(self, sleep=None):
        return BulkEngine(
            self.ingestor,
            self.dynamodb,
            "table",
            say=self.said.append,
            sleep=sleep or (lambda seconds: None),
        )

    def run(self, events, **more):
        outcomes = list(self.engine().run(events, **more))
        assert self.stand_in.faults == []
        assert len({one.file for one in outcomes}) == len(outcomes)
        return {one.file.removeprefix("uploads/"): one for one in outcomes}

    @property
    def table(self):
        """End and popularity of each performance, by performer."""
        items = self.dynamodb.scan(TableName="table", ConsistentRead=True)["Items"]
        return {item["Performer"]["S"]: item["EndTime"]["S"] for item in items}

    def record(self, event):
        return self.ledger.find(event.file, event.version)

    def is_free(self, event):
        try:
            self.ledger.leases.release(self.ledger.leases.acquire(event.file, "a passer-by", 1))
        except LeaseHeldError:
            return False
        return True

    @property
    def is_finished(self):
        return Loads(self.s3, "reports").unfinished() is None


@cache
def client(name):
    """Clients take longer to make than a test takes."""
    return boto3.client(name)


def create_table(dynamodb, name, key, indexes):
    names = {*key, *(name for index in indexes for name in index[1:])}
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": each, "AttributeType": "N" if each == "Popularity" else "S"}
            for each in sorted(names)
        ],
        KeySchema=schema(*key),
        GlobalSecondaryIndexes=[
            {
                "IndexName": index,
                "KeySchema": schema(partition, sort),
                "Projection": {"ProjectionType": "ALL"},
            }
            for index, partition, sort in indexes
        ],
    )


def schema(partition, sort):
    return [
        {"AttributeName": partition, "KeyType": "HASH"},
        {"AttributeName": sort, "KeyType": "RANGE"},
    ]


LEDGER_INDEXES = [("RecentIndex", "Day", "StartedAt")]


def table_indexes():
    return [(index.name, index.partition_key, index.sort_key) for index in INDEXES]


@pytest.fixture
def festival():
    with mock_aws():
        yield Festival()


@pytest.fixture
def four_parts(monkeypatch):
    """However small, a load has four objects."""
    monkeypatch.setattr(bulk_read, "part_count", lambda size: 4)


def json_row(performer):
    values = (performer, "Tent", "2025-07-05", "1pm", "2pm")
    return json.dumps(
        dict(zip(("Performer", "Stage", "Date", "Start", "End"), values, strict=True))
    )


def named(name):
    return lambda item: "too sweet" if item["Performer"]["S"] == name else ""


def test_every_row_is_in_the_table_and_every_file_in_the_ledger(festival):
    events = festival.upload(FRIDAY, SATURDAY)
    outcomes = festival.run(events)
    assert {name: one.status for name, one in outcomes.items()} == {
        "fri.csv": "success",
        "sat.csv": "success",
    }
    assert festival.table == {
        "Björk": "23:00",
        "Dj Nobody": "21:00",
        "Sigur Rós": "23:00",
        "1914": "23:00",
    }
    for event in events:
        record = festival.record(event)
        assert (record.status, record.notified_by) == ("notified", "run summer")
        assert record.counts.written == 2
        assert festival.is_free(event)
    assert PlainWriter.rows == []
    assert festival.is_finished


def test_the_request_is_one_that_botocore_and_the_documentation_allow(festival):
    festival.run(festival.upload(FRIDAY))
    (operation,) = festival.stand_in.operations.values()
    asked = operation.request
    assert asked["TableName"] == "table"
    assert asked["MaxWriteRequestUnits"] >= 1024
    assert asked["OutputS3Configuration"]["OutputType"] == ["ERROR"]
    prefix = asked["InputS3Configuration"]["S3KeyPrefix"]
    assert prefix.startswith("bulk/summer/")
    assert not asked["OutputS3Configuration"]["S3KeyPrefix"].startswith(prefix)


@pytest.mark.usefixtures("four_parts")
def test_of_two_files_with_a_key_the_later_one_wins_in_whatever_order_objects_are_read(festival):
    festival.run(festival.upload(FRIDAY, SATURDAY, AGAIN))
    assert festival.table["Björk"] == "23:30"
    assert len(festival.table) == 4


def test_within_a_file_the_last_row_wins_and_the_others_are_duplicates(festival):
    rows = "".join(f"Björk,Orange,2025-07-04,21:30,23:{minute},\n" for minute in (10, 20, 30))
    outcomes = festival.run(festival.upload(("fri.csv", HEAD + rows)))
    assert festival.table == {"Björk": "23:30"}
    assert outcomes["fri.csv"].counts.to_dict() == {
        "read": 3,
        "written": 1,
        "rejected": 0,
        "duplicates": 2,
        "unwritten": 0,
    }


def test_key_lists_and_rejected_rows_are_kept_as_for_every_ingest(festival):
    bad = ("fri.csv", FRIDAY[1] + "Nobody,Tent,2025-02-30,20:00,21:00,\n")
    (event,) = festival.upload(bad)
    outcomes = festival.run([event])
    assert outcomes["fri.csv"].status == "partial"
    reports = festival.ingestor.means.reports
    parts = reports.key_lists.versions(event.file)[event.version]
    assert {row.performer for row in reports.key_lists.rows(parts)} == {"Björk", "Dj Nobody"}
    (kept,) = rejected_rows(festival)
    assert (kept["Performer"], kept["line"]) == ("Nobody", "4")
    record = festival.record(event)
    assert record.rejected_rows_at.startswith("s3://reports/rejected/")
    assert record.shown["rejections"][0]["line"] == 4


def rejected_rows(festival):
    listed = festival.s3.list_objects_v2(Bucket="reports", Prefix="rejected/")
    bodies = [
        festival.s3.get_object(Bucket="reports", Key=entry["Key"])["Body"].read()
        for entry in listed.get("Contents", [])
    ]
    return [row for body in bodies for row in csv.DictReader(io.StringIO(body.decode("utf-8-sig")))]


@pytest.mark.usefixtures("four_parts")
def test_a_row_that_dynamodb_refuses_is_a_rejection_by_file_and_line(festival):
    festival.stand_in.refuse = named("1914")
    events = festival.upload(FRIDAY, SATURDAY)
    outcomes = festival.run(events)
    assert outcomes["fri.csv"].status == "success"
    assert outcomes["sat.csv"].status == "partial"
    assert outcomes["sat.csv"].counts.to_dict() == {
        "read": 2,
        "written": 1,
        "rejected": 1,
        "duplicates": 0,
        "unwritten": 0,
    }
    (row,) = festival.record(events[1]).shown["rejections"]
    assert (row["line"], row["value"]) == (3, "1914 2025-07-05#22:00#Tent")
    assert "too sweet" in row["reason"]
    (kept,) = rejected_rows(festival)
    assert (kept["Performer"], kept["Start"], kept["line"]) == ("1914", "22:00", "3")
    assert PlainWriter.rows == []
    assert "1914" not in festival.table


def test_rows_refused_by_the_reader_and_by_dynamodb_are_both_kept(festival):
    festival.stand_in.refuse = named("1914")
    rows = "".join(json_row(name) + "\n" for name in ("", "1914", "Air"))
    outcomes = festival.run(festival.upload(("sat.jsonl", rows)))
    assert outcomes["sat.jsonl"].counts.rejected == 2
    assert sorted(row["line"] for row in rejected_rows(festival)) == ["1", "2"]


def test_a_report_that_names_nothing_means_that_every_file_is_ingested_again(festival):
    festival.stand_in.refuse = named("1914")
    festival.stand_in.layout = lambda refusals: {"errors.txt": b"something went wrong, sorry"}
    outcomes = festival.run(festival.upload(FRIDAY, SATURDAY))
    assert {one.status for one in outcomes.values()} == {"success"}
    assert len(PlainWriter.rows) == 4
    assert "refused 1, of which its report names 0" in festival.said[-1]


@pytest.mark.parametrize("status", ["FAILED", "CANCELLED"])
def test_where_the_operation_does_not_complete_this_process_ingests_every_file(festival, status):
    festival.stand_in.status = status
    events = festival.upload(FRIDAY, AGAIN)
    outcomes = festival.run(events)
    assert {one.status for one in outcomes.values()} == {"success"}
    assert [file for file, _ in PlainWriter.rows] == ["fri.csv", "fri.csv", "zz-corrected.csv"]
    assert festival.table["Björk"] == "23:30"
    assert "the weather at the festival" in festival.said[-1]
    assert festival.is_finished
    assert all(festival.is_free(event) for event in events)


@pytest.mark.usefixtures("four_parts")
def test_only_the_files_in_an_object_that_was_not_read_are_ingested_again(festival):
    files = [
        (f"{number}.csv", HEAD + f"Band {number},Tent,2025-07-04,20:00,21:00,\n")
        for number in range(8)
    ]
    festival.stand_in.stop_at = "part-00002.json.gz"
    outcomes = festival.run(festival.upload(*files))
    again = {file for file, _ in PlainWriter.rows}
    assert 0 < len(again) < 8
    assert {one.status for one in outcomes.values()} == {"success"}
    assert len(festival.table) == 8


def test_where_the_row_that_won_is_refused_the_one_it_won_over_is_put_back(festival):
    festival.stand_in.refuse = lambda item: "too sweet" if item["EndTime"]["S"] == "23:30" else ""
    festival.run(festival.upload(FRIDAY, SATURDAY, AGAIN))
    assert [file for file, _ in PlainWriter.rows] == ["fri.csv", "fri.csv", "zz-corrected.csv"]


def test_files_without_a_row_for_the_table_need_no_operation(festival):
    events = festival.upload(("empty.csv", ""), ("bad.csv", HEAD + "Nobody,,2025-07-04,1pm,2pm,\n"))
    outcomes = festival.run(events)
    assert {one.status for one in outcomes.values()} == {"failure"}
    assert "the file is empty" in outcomes["empty.csv"].error
    assert festival.record(events[0]).status == "failed"
    assert festival.stand_in.starts == 0
    assert festival.is_finished


def test_a_file_that_breaks_midway_keeps_its_rows_and_is_a_failure(festival):
    text = f"[{json_row('Air')}, {{"
    (event,) = festival.upload(("sat.json", text))
    outcomes = festival.run([event])
    assert outcomes["sat.json"].status == "failure"
    assert festival.record(event).status == "failed"
    assert festival.table == {"Air": "14:00"}


def test_finished_replaced_and_vanished_files_are_left_aside(festival):
    done, old, gone = festival.upload(FRIDAY, SATURDAY, AGAIN)
    festival.run([done])
    festival.upload(("sat.csv", HEAD))
    festival.s3.delete_object(Bucket="uploads", Key="zz-corrected.csv")
    outcomes = festival.run([done, old, gone])
    assert outcomes["fri.csv"].status == "done"
    assert outcomes["sat.csv"].status == "superseded"
    assert "is gone" in outcomes["zz-corrected.csv"].error
    assert festival.stand_in.starts == 1


def test_a_file_is_read_with_the_mapping_beside_it_and_recorded_under_its_mark(festival):
    text = "Act,Where,Date,Start,End\nAir,Tent,2025-07-05,13:00,14:00\n"
    mapping = ("sat.csv.mapping.json", '{"columns": {"Performer": "Act", "Stage": "Where"}}')
    event, _ = festival.upload(("sat.csv", text), mapping)
    assert festival.run([event])["sat.csv"].status == "success"
    assert festival.table == {"Air": "14:00"}
    (record,) = festival.ledger.history(event.file)
    assert record.version.startswith(f"{event.version}+")
    assert festival.run([event])["sat.csv"].status == "done"
    lists = festival.ingestor.means.reports.key_lists
    assert list(lists.versions(event.file)) == [record.version]


def test_a_mapping_that_is_none_is_told_as_it_always_is(festival):
    event, _ = festival.upload(SATURDAY, ("sat.csv.mapping.json", "{"))
    outcome = festival.run([event])["sat.csv"]
    assert outcome.failed
    assert "sat.csv.mapping.json" in outcome.error
    assert festival.stand_in.starts == 0


def test_with_again_a_finished_file_is_loaded_once_more(festival):
    (event,) = festival.upload(FRIDAY)
    festival.run([event])
    festival.dynamodb.delete_item(
        TableName="table",
        Key={"Performer": {"S": "Björk"}, "Performance": {"S": "2025-07-04#21:30#Orange"}},
    )
    assert festival.run([event], again=True)["fri.csv"].status == "success"
    assert "Björk" in festival.table
    assert festival.stand_in.starts == 2


def test_a_file_that_somebody_else_works_on_is_ingested_when_that_is_done(festival):
    events = festival.upload(FRIDAY, SATURDAY)
    lease = festival.ledger.leases.acquire(events[0].file, "the function", 60)
    festival.stand_in.on_start = lambda: festival.ledger.leases.release(lease)
    outcomes = festival.run(events)
    assert {one.status for one in outcomes.values()} == {"success"}
    assert {file for file, _ in PlainWriter.rows} == {"fri.csv"}


def test_leases_live_as_long_as_the_operation_takes(festival):
    events = festival.upload(FRIDAY, SATURDAY)
    festival.stand_in.looks = 12
    free = []

    def pass_time():
        festival.now += LEASE_SECONDS / 2
        free.extend(festival.is_free(event) for event in events)

    festival.stand_in.on_look = pass_time
    outcomes = festival.run(events)
    assert not any(free)
    assert {one.status for one in outcomes.values()} == {"success"}
    assert PlainWriter.rows == []


class PulledPlugError(BaseException):
    """Nothing catches it: the process is gone."""


def pull_the_plug(*_):
    raise PulledPlugError


def test_interrupted_while_it_waits_the_next_run_finds_the_operation_and_finishes_it(festival):
    events = festival.upload(FRIDAY, SATURDAY)
    with pytest.raises(PulledPlugError):
        list(festival.engine(sleep=pull_the_plug).run(events))
    assert not any(festival.is_free(event) for event in events)
    assert festival.record(events[0]).status == "running"
    outcomes = festival.run(events)
    assert {one.status for one in outcomes.values()} == {"success"}
    assert len(festival.stand_in.operations) == festival.stand_in.starts == 1
    assert len(festival.table) == 4
    assert PlainWriter.rows == []
    assert "run summer, which was not finished" in festival.said[-2]


def test_dead_before_it_knew_the_operation_the_next_run_finds_it_by_its_token(festival):
    events = festival.upload(FRIDAY, SATURDAY)
    festival.stand_in.on_start = pull_the_plug
    with pytest.raises(PulledPlugError):
        list(festival.engine().run(events))
    festival.stand_in.on_start = lambda: None
    festival.run(events)
    assert festival.stand_in.starts == 2
    assert len(festival.stand_in.operations) == 1
    assert len(festival.table) == 4


def test_dead_while_it_recorded_the_files_the_next_run_records_the_rest(festival, monkeypatch):
    events = festival.upload(FRIDAY, SATURDAY, AGAIN)
    monkeypatch.setattr(bulk_engine, "SETTLED_AT_ONCE", 1)
    working = festival.engine().run(events)
    assert next(working).file == "uploads/fri.csv"
    working.close()
    outcomes = festival.run(events)
    assert len(outcomes) == 3
    assert {one.status for one in outcomes.values()} == {"success"}
    assert festival.stand_in.starts == 1
    assert festival.is_finished
    assert all(festival.is_free(event) for event in events)


def test_another_process_takes_over_when_the_leases_of_a_dead_one_have_lapsed(
    festival, monkeypatch
):
    events = festival.upload(FRIDAY)
    with pytest.raises(PulledPlugError):
        list(festival.engine(sleep=pull_the_plug).run(events))
    monkeypatch.setattr(bulk_engine, "owner_of_this_process", lambda: "another machine pid 1 x")
    waited = []

    def pass_time(seconds):
        waited.append(seconds)
        festival.now += 300

    outcomes = list(festival.engine(sleep=pass_time).run(events))
    assert [one.status for one in outcomes] == ["success"]
    assert len(waited) >= LEASE_SECONDS / 300
    assert festival.stand_in.starts == 1


def test_a_load_into_another_table_has_to_be_finished_first(festival):
    events = festival.upload(FRIDAY)
    with pytest.raises(PulledPlugError):
        list(festival.engine(sleep=pull_the_plug).run(events))
    other = replace(festival.engine(), table="another")
    with pytest.raises(
        FestivalError, match="into table table is not finished; expected one into an"
    ):
        list(other.run(events))
    assert not festival.is_finished


def test_what_was_ingested_behind_the_back_of_a_dead_load_is_brought_back(festival):
    old = festival.upload(FRIDAY)
    with pytest.raises(PulledPlugError):
        list(festival.engine(sleep=pull_the_plug).run(old))
    festival.now += LEASE_SECONDS + 1
    corrected = FRIDAY[1].replace("23:00", "23:45")
    (new,) = festival.upload(("fri.csv", corrected), run="")
    ingest_one(festival.ingestor, new)
    assert festival.table["Björk"] == "23:45"
    festival.run(festival.upload(SATURDAY))
    assert festival.table["Björk"] == "23:45"
    assert festival.record(new).is_done
    assert len(festival.table) == 4


def test_a_file_whose_lease_was_lost_on_the_way_is_ingested_once_more(festival):
    events = festival.upload(FRIDAY, SATURDAY)

    def lose():
        festival.now += LEASE_SECONDS + 1
        leases = festival.ledger.leases
        leases.release(leases.acquire(events[0].file, "the function", 5))

    festival.stand_in.on_look = lose
    outcomes = festival.run(events)
    assert {one.status for one in outcomes.values()} == {"success"}
    assert {file for file, _ in PlainWriter.rows} == {"fri.csv"}


def test_an_operation_that_dynamodb_does_not_begin_is_told_in_one_line_and_leaves_no_trace(
    festival,
):
    events = festival.upload(FRIDAY)
    festival.stand_in.refuse_to_start = "LimitExceededException"
    with pytest.raises(
        FestivalError, match="table table: DynamoDB did not begin the bulk load"
    ) as t:
        festival.run(events)
    assert "\n" not in str(t.value)
    assert festival.is_finished
    assert festival.is_free(events[0])
    festival.stand_in.refuse_to_start = ""
    assert festival.run(events)["fri.csv"].status == "success"


def test_two_loads_do_not_begin_at_once(festival, monkeypatch):
    (event,) = festival.upload(FRIDAY)
    festival.s3.put_object(Bucket="reports", Key=UNFINISHED, Body=b"another's")
    monkeypatch.setattr(Loads, "unfinished", lambda self: None)
    with pytest.raises(FestivalError, match="another bulk load began at the same time"):
        festival.run([event])
    assert festival.is_free(event)
    assert festival.stand_in.starts == 0


def test_an_old_botocore_is_told_before_anything_is_touched():
    old = SimpleNamespace(
        meta=SimpleNamespace(service_model=SimpleNamespace(operation_names=["PutItem"]))
    )
    with pytest.raises(FestivalError, match=r"expected 1\.44\.5 or later: pip install -U boto3"):
        require_bulk(old)


def test_a_load_is_remembered_whole(festival):
    events = festival.upload(FRIDAY, AGAIN)
    with pytest.raises(PulledPlugError):
        list(festival.engine(sleep=pull_the_plug).run(events))
    load = Loads(festival.s3, "reports").unfinished()
    assert load.total == 2
    assert load.overtakes == {(0, 1)}
    assert [file.key for file in load.files] == ["fri.csv", "zz-corrected.csv"]
    assert load.operation.startswith("arn:aws:dynamodb:")
    assert type(load).from_json(load.to_json()) == load
    assert json.loads(load.to_json())["run"] == "summer"
