"""Forty files by each of the two engines: the same table, the same ledger, one summary."""

import gzip
import json

import pytest

from festival.backfill.plan import Selection, list_files, look_up, make_plan
from festival.backfill.queue import QueueEngine
from festival.backfill.run import notify, pick_engine, run_backfill
from festival.embedded.aws import EmbeddedAws
from festival.ingest.clients import Clients
from festival.ingest.mail import Mailer
from festival.kit import Kit

FILES = 40
HEAD = "Performer,Stage,Date,Start,End,Popularity\n"
DAYS = ("2025-07-11", "2025-07-12", "2025-07-13")
# Björk is moved by every file, so that only the last one may be seen in the table.
MOVED = "Björk,Orange,2025-07-11,22:00,23:{number:02d},{number}\n"
BAD = {
    5: b"",
    11: b"Performer,Stage\nno,time\n",
    17: f"{HEAD}Sigur Rós,Tent,2025-02-30,20:00,21:00,\n".encode(),
    23: b'[{"Performer": "Air", "Stage": "T", "Date": "2025-07-12", "Start": 100, "End": 200}, {',
}


def lineup(number):
    if number in BAD:
        return BAD[number]
    rows = [
        f"Band {number}.{row},Stage {row},{DAYS[number % 3]},2{row}:00,2{row}:50,{row or ''}"
        for row in range(3)
    ]
    rows.append(rows[0].replace(":50", ":55"))  # the same key again: the last row wins
    rows.append(f"Nobody {number},Tent,{DAYS[0]},25 o'clock,21:00,")
    text = HEAD + "\n".join(rows) + "\n" + MOVED.format(number=number)
    return gzip.compress(text.encode()) if number % 7 == 0 else text.encode()


class Festival:
    """A deployed stack with forty files in its bucket."""

    def __init__(self, aws):
        self.aws = aws
        self.outputs = aws.deploy()
        self.clients = Clients.of_environment()
        self.ingestor = Kit.from_environment().ingestor()
        for number in range(FILES):
            self.clients.s3.put_object(
                Bucket=self.outputs.upload_bucket, Key=f"{number:02d}", Body=lineup(number)
            )
        # What the uploads themselves ask of the function is not this test's.
        self.clients.sqs.purge_queue(QueueUrl=self.outputs.queue_url)

    def engine(self, name, plan):
        engine, _ = pick_engine(
            name, plan, self.ingestor, self.clients, self.outputs, files_at_once=1
        )
        if isinstance(engine, QueueEngine):
            return QueueEngine(
                engine.queues, engine.resources, engine.workers, lambda _: self.aws.drain(0.0)
            )
        return engine

    def backfill(self, name):
        """Empty the table, bring every file in again by an engine; the outcomes by file."""
        bucket, ledger = self.outputs.upload_bucket, self.ingestor.resources.ledger
        self.empty_table()
        known = look_up(ledger, bucket, list_files(self.clients.s3, Selection(bucket)))
        plan = make_plan(bucket, known, again=True)
        run = f"by {name}"
        outcomes = run_backfill(
            plan, self.ingestor, run, engine=self.engine(name, plan), again=True
        )
        notify(Mailer(self.clients.sns, self.outputs.topic_arn), plan, outcomes, run)
        return {one.file.rpartition("/")[2]: one for one in outcomes}

    def empty_table(self):
        keys = [
            {part: item[part] for part in ("Performer", "Performance")} for item in self.items()
        ]
        for first in range(0, len(keys), 25):
            requests = [{"DeleteRequest": {"Key": key}} for key in keys[first : first + 25]]
            self.clients.dynamodb.batch_write_item(RequestItems={self.outputs.table: requests})

    def items(self):
        pages = self.clients.dynamodb.get_paginator("scan").paginate(TableName=self.outputs.table)
        return sorted((item for page in pages for item in page["Items"]), key=json.dumps)


@pytest.fixture(scope="module")
def festival():
    with EmbeddedAws() as aws:
        yield Festival(aws)


@pytest.fixture(scope="module")
def by_engine(festival):
    """Outcomes, items, e-mails and ledger records of the same forty files by each engine."""
    found = {}
    for name in ("direct", "queue"):
        before = len(festival.aws.emails())
        outcomes = festival.backfill(name)
        records = list(festival.ingestor.resources.ledger.recent())
        found[name] = outcomes, festival.items(), festival.aws.emails()[before:], records
    return found


def test_the_table_is_the_same_to_the_last_attribute(by_engine):
    items = by_engine["queue"][1]
    assert items == by_engine["direct"][1]
    (bjork,) = [item for item in items if item["Performer"]["S"] == "Björk"]
    assert bjork["EndTime"]["S"] == f"23:{FILES - 1:02d}"
    assert bjork["Source"]["S"].endswith(f"/{FILES - 1}")
    assert len(items) == 3 * (FILES - len(BAD)) + 2  # and Björk, and Air of the file that breaks


def test_every_file_has_the_same_outcome_and_counts(by_engine):
    expected = {
        file: (one.status, one.counts, one.error) for file, one in by_engine["direct"][0].items()
    }
    outcomes = by_engine["queue"][0]
    assert {file: (o.status, o.counts, o.error) for file, o in outcomes.items()} == expected
    assert {file for file, one in outcomes.items() if one.failed} == {f"{n:02d}" for n in BAD}


@pytest.mark.parametrize("name", ["direct", "queue"])
def test_one_e_mail_tells_of_the_run_and_no_other_is_sent(by_engine, name):
    (email,) = by_engine[name][2]
    rows = 36 * 4 + 1
    assert email.subject == f"FAILURE: backfill of 40 files - {rows} rows written, 4 files failed"
    assert f"Run: by {name}" in email.body


@pytest.mark.parametrize("name", ["direct", "queue"])
def test_the_ledger_has_every_file_as_told_by_the_run(by_engine, name):
    records = by_engine[name][3]
    assert len(records) == FILES
    assert {record.notified_by for record in records} == {f"run by {name}"}
    assert all(record.is_done for record in records)


@pytest.mark.parametrize("name", ["direct", "queue"])
def test_each_engine_keeps_the_rejected_rows(festival, by_engine, name):
    kept = [record.rejected_rows_at for record in by_engine[name][3] if record.counts.rejected]
    assert len(kept) == FILES - len(BAD) + 1
    assert all(place.startswith(f"s3://{festival.outputs.reports_bucket}/") for place in kept)
