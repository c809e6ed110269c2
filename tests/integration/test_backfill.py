"""A backfill of forty files, two of them bad, killed half-way and run again."""

import os
import signal
import subprocess
import sys
import time

import pytest

from festival.backfill.plan import Selection, list_files, look_up, make_plan
from festival.backfill.run import run_backfill
from festival.embedded.aws import EmbeddedAws
from festival.ingest.clients import Clients
from festival.kit import Kit

FILES = 40
BAD = {7: b"", 23: b"Performer,Stage\nno,time\n"}
FILES_AT_ONCE = 4
HEAD = "Performer,Stage,Date,Start,End,Popularity\n"
KILLED = """
import sys
from festival.ingest.clients import Clients
from festival.kit import Kit
from festival.backfill.run import run_backfill
from festival.backfill.plan import (Selection, list_files, look_up, make_plan)
from festival.stack.stack import read_outputs
import boto3

clients, outputs = Clients.of_environment(), read_outputs(boto3.Session())
ingestor = Kit.from_environment().ingestor()
files = list_files(clients.s3, Selection(outputs.upload_bucket))
known = look_up(ingestor.resources.ledger, outputs.upload_bucket, files)
run_backfill(make_plan(outputs.upload_bucket, known), ingestor, "first", files_at_once=4)
"""


def lineup(number):
    rows = "".join(
        f"Band {number}.{row},Tent,2025-07-{11 + number % 3},{10 + row}:00,{10 + row}:50,80\n"
        for row in range(5)
    )
    return (HEAD + rows).encode()


@pytest.fixture(scope="module")
def stack():
    with EmbeddedAws() as aws:
        outputs = aws.deploy()
        s3 = aws.session().client("s3")
        for number in range(FILES):
            body = BAD.get(number, lineup(number))
            s3.put_object(Bucket=outputs.upload_bucket, Key=f"{number:02d}.csv", Body=body)
        yield aws, outputs


def plan_now(clients, outputs, ingestor):
    files = list_files(clients.s3, Selection(outputs.upload_bucket))
    return make_plan(
        outputs.upload_bucket, look_up(ingestor.resources.ledger, outputs.upload_bucket, files)
    )


def test_a_backfill_killed_half_way_and_run_again_loses_nothing(stack):
    aws, outputs = stack
    clients = Clients.of_environment()
    ingestor = Kit.from_environment().ingestor()
    first = subprocess.Popen(
        [sys.executable, "-c", KILLED], env=dict(os.environ), stdout=subprocess.DEVNULL
    )
    while len(list(ingestor.resources.ledger.recent())) < FILES // 3:
        assert first.poll() is None, "the first run ended before it could be killed"
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()

    begun = list(ingestor.resources.ledger.recent())
    plan = plan_now(clients, outputs, ingestor)
    done_before = len(plan.files) - len(plan.to_ingest)
    outcomes = run_backfill(plan, ingestor, "second", files_at_once=FILES_AT_ONCE)

    assert 0 < done_before < FILES
    assert len(outcomes) == FILES - done_before
    assert len(begun) <= done_before + FILES_AT_ONCE
    assert plan_now(clients, outputs, ingestor).to_ingest == ()
    dynamodb = aws.session().client("dynamodb")
    items = dynamodb.scan(TableName=outputs.table, ProjectionExpression="Performer")["Items"]
    expected = {
        f"Band {number}.{row}" for number in range(FILES) if number not in BAD for row in range(5)
    }
    assert sorted(item["Performer"]["S"] for item in items) == sorted(expected)


def test_the_bad_files_are_told_and_the_others_are_in(stack):
    records = Kit.from_environment().ledger.recent()
    failed = {record.file.rpartition("/")[2]: record.error for record in records if record.error}
    assert set(failed) == {"07.csv", "23.csv"}
    assert "empty" in failed["07.csv"]
    assert "Date" in failed["23.csv"]
