"""The bill against arithmetic on the items that an ingest really wrote."""

import pytest

from festival.analysis.cost.bill import bill
from festival.analysis.cost.prices import price_list
from festival.analysis.cost.workload import Workload, row_profile
from festival.embedded.aws import EmbeddedAws
from festival.embedded.demo import SAMPLES, drop
from festival.lineup.read import read_lineup

TIMES = 10_000  # as many such files a day, so that a cent is something
VIRGINIA = price_list("us-east-1")
KEYS = {
    "DateIndex": ("Date", "StartSort"),
    "StageIndex": ("Stage", "DateStart"),
    "PopularityIndex": ("PopularityBucket", "Popularity"),
}


@pytest.fixture(scope="module")
def written():
    """The sample as the table has it, its file's name, and the bytes of its key lists."""
    with EmbeddedAws() as aws:
        outputs = aws.deploy()
        drop(aws, outputs, SAMPLES / "sample.csv")
        dynamodb, s3 = aws.session().client("dynamodb"), aws.session().client("s3")
        items = dynamodb.scan(TableName=outputs.table)["Items"]
        lists = s3.list_objects_v2(Bucket=outputs.reports_bucket, Prefix="keys/")["Contents"]
        yield items, f"{outputs.upload_bucket}/sample.csv", lists


@pytest.fixture(scope="module")
def lines(written):
    items, source, _ = written
    blocks = list(read_lineup([(SAMPLES / "sample.csv").read_bytes()]))
    rows = [row for block in blocks for row in block.performances]
    assert len(rows) == len(items)
    workload = Workload(len(items) * TIMES, files_per_day=TIMES, reads_per_day=0)
    return {
        (line.component, line.item): line
        for line in bill(workload, row_profile(rows, source=source), VIRGINIA)
    }


def size(item):
    """By "DynamoDB item sizes and formats"; the numbers here have four digits at most."""
    total = 0
    for name, ((kind, text),) in ((name, value.items()) for name, value in item.items()):
        total += len(name.encode())
        if kind == "S":
            total += len(text.encode())
        else:
            significant = text if len(text) % 2 or not text.endswith("00") else text[:-2]
            total += 1 + -(-len(significant) // 2) if text != "0" else 1
    return total


def test_the_writes_are_those_of_the_items_to_the_cent(written, lines):
    items, _, _ = written
    assert sum(lines[key].dollars for key in lines if key[0] == "DynamoDB writes") == pytest.approx(
        30
        * TIMES
        * (
            9  # the ledger's
            + sum(
                -(-size(item) // 1024)
                * (1 + sum(first in item and second in item for first, second in KEYS.values()))
                for item in items
            )
        )
        * 0.625e-6,
        abs=0.005,
    )


def test_the_storage_is_that_of_the_items_to_the_cent(written, lines):
    items, _, _ = written
    stored = sum(
        (size(item) + 100) * (1 + sum(first in item for first, _ in KEYS.values()))
        for item in items
    )
    line = lines["DynamoDB storage", "table and indexes"]
    assert line.dollars == pytest.approx(15 * TIMES * stored / 2**30 * 0.25, abs=0.005)


def test_the_key_lists_are_as_many_and_nearly_as_large_as_in_the_bucket(written, lines):
    _, _, lists = written
    assert lines["S3", "key lists"].amount == 30 * TIMES * len(lists)
    stored = sum(one["Size"] for one in lists)
    in_the_bill = lines["S3", "key lists, storage"].amount * 2**30 / (15 * TIMES)
    assert in_the_bill == pytest.approx(stored, rel=0.03)
