"""The same work in different ways. Each runs in a process of its own and prints what it took.

    python -m tests.benchmarks.contenders write_festival http://127.0.0.1:8000 lineup.csv

prints `{"rows": …, "cpu": …, "wall": …, "rss": …}`: seconds of processor time of the whole process,
seconds of the work, and bytes at the peak.
"""

import csv
import json
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout, suppress
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

CHUNK = 1 << 16
WORKS = {"write", "read", "parse", "check", "ingest", "handle", "notebook"}
TABLE = "lineup"
REGION = "us-east-1"


def chunks(path: str) -> Iterator[bytes]:
    with Path(path).open("rb") as file:
        while chunk := file.read(CHUNK):
            yield chunk


def performances(path: str) -> Iterator[list[Any]]:
    """Every contender reads and normalises the file the same way: the benchmark is the writing."""
    from festival.lineup.read import read_lineup

    return (block.performances for block in read_lineup(chunks(path)))


def resource_table(endpoint: str) -> Any:
    import boto3

    return boto3.resource("dynamodb", endpoint_url=endpoint, region_name=REGION).Table(TABLE)


def connection(endpoint: str) -> Any:
    from botocore.session import get_session

    from festival.table.connection import Connection

    client = get_session().create_client("dynamodb", REGION, endpoint_url=endpoint)
    return Connection.from_client(client)


def write_batch_writer(endpoint: str, path: str) -> int:
    """boto3's way: Table.batch_writer."""
    from festival.table.item import attributes

    rows = 0
    table = resource_table(endpoint)
    with table.batch_writer(overwrite_by_pkeys=["Performer", "Performance"]) as batch:
        for block in performances(path):
            for performance in block:
                batch.put_item(Item=attributes(performance))
            rows += len(block)
    return rows


def write_awswrangler(endpoint: str, path: str) -> int:
    """awswrangler's way: a DataFrame and put_df."""
    import awswrangler
    import boto3
    import pandas as pd

    from festival.table.item import attributes

    awswrangler.config.dynamodb_endpoint_url = endpoint
    session = boto3.Session(region_name=REGION)
    frame = pd.DataFrame([attributes(row) for block in performances(path) for row in block])
    popularity = frame["Popularity"].astype("Int64").astype(object)
    frame = frame.assign(Popularity=popularity).where(frame.notna(), None)
    awswrangler.dynamodb.put_df(df=frame, table_name=TABLE, boto3_session=session)
    return len(frame)


def write_festival(endpoint: str, path: str) -> int:
    """This project's way: the bulk writer, on one core as the command and the function have it."""
    from festival.table.one_core import one_core
    from festival.table.writer import BulkWriter

    rows = 0
    with one_core(), BulkWriter(connection(endpoint), TABLE) as writer:
        for block in performances(path):
            writer.put(block)
            rows += len(block)
        outcome = writer.flush()
    return rows - len(outcome.rejections) - len(outcome.unwritten)


def read_query(endpoint: str, _: str) -> int:
    """boto3's way: Table.query, page by page, into a DataFrame."""
    import pandas as pd
    from boto3.dynamodb.conditions import Key

    table, items, position = resource_table(endpoint), [], {}
    while True:
        page = table.query(
            IndexName="PopularityIndex",
            KeyConditionExpression=Key("PopularityBucket").eq("POPULARITY"),
            **position,
        )
        items += page["Items"]
        if "LastEvaluatedKey" not in page:
            return len(pd.DataFrame(items))
        position = {"ExclusiveStartKey": page["LastEvaluatedKey"]}


def read_awswrangler(endpoint: str, _: str) -> int:
    """awswrangler's way: read_items."""
    import awswrangler
    import boto3
    from boto3.dynamodb.conditions import Key

    awswrangler.config.dynamodb_endpoint_url = endpoint
    frame = awswrangler.dynamodb.read_items(
        table_name=TABLE,
        index_name="PopularityIndex",
        key_condition_expression=Key("PopularityBucket").eq("POPULARITY"),
        boto3_session=boto3.Session(region_name=REGION),
    )
    return len(frame)


def read_festival(endpoint: str, _: str) -> int:
    """An analyst's way: a question to the table."""
    import festival

    os.environ["AWS_ENDPOINT_URL"] = endpoint
    return len(festival.connect(TABLE).popular(above=0))


def parse_dict_reader(_: str, path: str) -> int:
    """The standard library alone: every row of a CSV as a dict, nothing checked."""
    with Path(path).open(encoding="utf-8", newline="") as file:
        return sum(1 for _ in csv.DictReader(file))


def parse_normalize(_: str, path: str) -> int:
    """The whole command `festival normalize FILE --to jsonl -o OUT`."""
    out = Path(path).with_suffix(".normalized")
    run_command("normalize", path, "--to", "jsonl", "-o", str(out))
    with out.open("rb") as file:
        rows = sum(1 for _ in file)
    out.unlink()
    return rows


def check_festival(_: str, path: str) -> int:
    """The whole command `festival check FILE --json`."""
    return report_of("check", path, "--json")


def ingest_festival(endpoint: str, path: str) -> int:
    """The whole command `festival ingest FILE --table lineup --json`."""
    os.environ["AWS_ENDPOINT_URL"] = endpoint
    return report_of("ingest", path, "--table", TABLE, "--json")


def report_of(*arguments: str) -> int:
    """The rows that a command reports as written."""
    with redirect_stdout(TextIOWrapper(BytesIO(), encoding="utf-8")) as out:
        run_command(*arguments)
        out.flush()
    written: int = json.loads(out.buffer.getvalue())["written"]
    return written


def run_command(*arguments: str) -> None:
    from festival.cli.main import main

    with suppress(SystemExit):
        main(list(arguments))


def handle_festival(endpoint: str, key: str) -> int:
    """The function's handler, on an S3 event; the object is there and the environment is set."""
    from festival.ingest.handler import lambda_handler

    os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
    bucket = os.environ["BENCH_BUCKET"]
    version = os.environ["BENCH_VERSION"]
    event = {"s3": {"bucket": {"name": bucket}, "object": {"key": key, "versionId": version}}}
    event |= {"eventSource": "aws:s3", "eventName": "ObjectCreated:Put"}
    record = {
        "messageId": "bench",
        "receiptHandle": "bench",
        "body": json.dumps({"Records": [event]}),
        "attributes": {"ApproximateReceiveCount": "1"},
    }
    context = SimpleNamespace(
        aws_request_id="bench", get_remaining_time_in_millis=lambda: 3_600_000
    )
    with redirect_stdout(StringIO()) as log:
        answer = lambda_handler({"Records": [record]}, context)
    if answer["batchItemFailures"]:
        raise RuntimeError(log.getvalue())
    return 0


def notebook_papermill(_: str, notebook: str) -> int:
    """A notebook as `festival run` runs it: a kernel, an executed copy, an HTML report."""
    from festival.notebook.run import run_notebook

    with TemporaryDirectory() as folder:
        run_notebook(Path(notebook), out=f"{folder}/", progress=False)
    return 0


def notebook_script(_: str, notebook: str) -> int:
    """The same cells one after another in this process, and nothing shown."""
    os.environ["MPLBACKEND"] = "Agg"
    cells = json.loads(Path(notebook).read_text(encoding="utf-8"))["cells"]
    namespace = {"display": lambda *_: None, "__name__": "__main__"}
    with redirect_stdout(StringIO()):
        for cell in cells:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), namespace)
    return 0


CONTENDERS: dict[str, Callable[[str, str], int]] = {
    name: value
    for name, value in list(globals().items())
    if name.partition("_")[0] in WORKS and callable(value)
}


def peak_memory() -> int:
    """The most bytes this process had in memory. `ru_maxrss` would count its parent's, too."""
    status = Path("/proc/self/status")
    if status.exists():
        return 1024 * int(status.read_text().partition("VmHWM:")[2].split()[0])
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def main() -> None:
    name, endpoint, path = sys.argv[1:]
    began = time.perf_counter()
    rows = CONTENDERS[name](endpoint, path)
    wall = time.perf_counter() - began
    figures = {"rows": rows, "cpu": time.process_time(), "wall": wall, "rss": peak_memory()}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
