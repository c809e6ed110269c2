"""A backfill of many files, killed once and started again, on a stand-in that answers at once.

    python -m tests.benchmarks.backfill --files 10000 --engine direct

The backfill is the notebook as `festival run` runs it. S3, tables, queue and topic are those of
`tests.faults.store`, in this process; with `--engine queue` other processes play the function. At
the end every count is compared with what the files hold.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from threading import Lock
from types import SimpleNamespace
from typing import Any
from xml.sax.saxutils import escape

from tests.faults.sqs import Queue
from tests.faults.store import Store, json_answer
from tests.faults.wire import Answer, Proxy, Reply, Request

UPLOADS, REPORTS = "uploads", "reports"
OUTPUTS = {
    "UploadBucketNameOut": UPLOADS,
    "ReportsBucketNameOut": REPORTS,
    "TableNameOut": "performances",
    "LedgerTableNameOut": "ledger",
    "TopicArnOut": "arn:aws:sns:us-east-1:123456789012:ingest",
    "QueueUrlOut": "https://sqs.us-east-1.amazonaws.com/123456789012/ingest",
    "DeadLetterQueueUrlOut": "https://sqs.us-east-1.amazonaws.com/123456789012/dead",
    "FunctionNameOut": "processFestivalData",
}
HEADER = "Performer,Stage,Date,Start,End,Popularity\n"
ROWS_A_FILE = 5
KEYS_A_PAGE = 1_000
WORKERS = 2


class StandIn:
    """Everything of AWS that a backfill needs, one request at a time."""

    def __init__(self, files: int) -> None:
        self.store = Store("performances", "ledger")
        self.queues = {name: Queue(time.monotonic, visibility=60.0) for name in ("ingest", "dead")}
        self.calls = 0
        self.fleet_sleeps = False
        self.files = files
        self._lock = Lock()
        for number in range(files):
            self.store.put(UPLOADS, f"{number:05d}.csv", lineup(number))

    def decide(self, request: Request) -> Reply:
        with self._lock:
            self.calls += 1
            return Reply(self._answer(request))

    def _answer(self, request: Request) -> Answer:
        service, operation = request.call
        if service == "cloudformation":
            return described()
        if service == "sqs":
            return self._sqs(operation, request.json)
        if service == "s3" and "versions" in request.query:
            return self._versions(request.query.get("key-marker", ""))
        return self.store.answer(request)

    def _sqs(self, operation: str, request: dict[str, Any]) -> Answer:
        queue = self.queues[request["QueueUrl"].rpartition("/")[2]]
        if operation == "SendMessageBatch":
            self.fleet_sleeps = False
        if operation == "ReceiveMessage" and self.fleet_sleeps:
            return json_answer({})
        if operation == "GetQueueAttributes":
            now = time.monotonic()
            visible = sum(letter.visible_at <= now for letter in queue.letters.values())
            counts = {"": visible, "NotVisible": len(queue.letters) - visible, "Delayed": 0}
            names = {f"ApproximateNumberOfMessages{which}": str(n) for which, n in counts.items()}
            return json_answer({"Attributes": names})
        if operation == "SendMessageBatch":
            sent = [
                {"Id": each["Id"], "MessageId": queue.send(each["MessageBody"]).id}
                for each in request["Entries"]
            ]
            return json_answer({"Successful": sent})
        return queue.answer(operation, request)

    def _versions(self, after: str) -> Answer:
        keys = sorted(
            key for bucket, key in self.store.objects if bucket == UPLOADS and key > after
        )
        page = keys[:KEYS_A_PAGE]
        entries = []
        for key in page:
            version = self.store.objects[UPLOADS, key][-1]
            entries.append(
                f"<Version><Key>{escape(key)}</Key><VersionId>{version.id}</VersionId>"
                "<IsLatest>true</IsLatest>"
                f"<LastModified>{version.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
                f"<ETag>{escape(version.etag)}</ETag><Size>{len(version.body or b'')}</Size>"
                "</Version>"
            )
        more = len(keys) > len(page)
        marker = f"<NextKeyMarker>{page[-1]}</NextKeyMarker>" if more else ""
        body = (
            f"<ListVersionsResult><IsTruncated>{str(more).lower()}</IsTruncated>{marker}"
            f"{''.join(entries)}</ListVersionsResult>"
        )
        return Answer(200, body.encode(), {"Content-Type": "application/xml"})

    def finished(self) -> int:
        """How many files the ledger shows as done."""
        with self._lock:
            return sum(
                entry.get("Status", {}).get("S") in ("notified", "failed")
                for entry in self.store.entries.values()
            )


def lineup(number: int) -> bytes:
    """A small file; every 500th has a bad row, every 2,000th is not a lineup at all."""
    if number % 2_000 == 1_999:
        return b"The set times follow shortly.\n"
    rows = [
        f"Band {number} {place},Stage {number % 7},2025-07-{number % 28 + 1:02d},"
        f"{12 + place}:00,{13 + place}:00,{number % 100 + 1}\n"
        for place in range(ROWS_A_FILE)
    ]
    if number % 500 == 499:
        rows.append(f"Band {number},Stage 1,2025-02-30,20:00,21:00,\n")
    return (HEADER + "".join(rows)).encode()


def expected(files: int) -> dict[str, int]:
    broken = sum(number % 2_000 == 1_999 for number in range(files))
    partial = sum(number % 500 == 499 for number in range(files)) - broken
    return {
        "items": (files - broken) * ROWS_A_FILE,
        "files": files,
        "failed": broken,
        "rejected": partial,
        "e-mails": 1,
    }


def described() -> Answer:
    """DescribeStacks: one stack that is up."""
    outputs = "".join(
        f"<member><OutputKey>{name}</OutputKey><OutputValue>{value}</OutputValue></member>"
        for name, value in OUTPUTS.items()
    )
    body = (
        '<DescribeStacksResponse xmlns="http://cloudformation.amazonaws.com/doc/2010-05-15/">'
        "<DescribeStacksResult><Stacks><member><StackName>o240-festival</StackName><StackId>1"
        "</StackId><StackStatus>CREATE_COMPLETE</StackStatus><CreationTime>2025-07-01T00:00:00Z"
        f"</CreationTime><Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult>"
        "</DescribeStacksResponse>"
    )
    return Answer(200, body.encode(), {"Content-Type": "text/xml"})


def environment(url: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return kept | {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "TABLE_NAME": OUTPUTS["TableNameOut"],
        "LEDGER_TABLE_NAME": OUTPUTS["LedgerTableNameOut"],
        "TOPIC_ARN": OUTPUTS["TopicArnOut"],
        "REPORTS_BUCKET_NAME": REPORTS,
        "QUEUE_URL": OUTPUTS["QueueUrlOut"],
    }


def work() -> None:
    """Plays the function: message after message, until it is killed."""
    from festival.ingest.clients import Clients
    from festival.ingest.handler import lambda_handler

    sqs, queue = Clients.of_environment().sqs, os.environ["QUEUE_URL"]
    context = SimpleNamespace(
        aws_request_id=f"worker {os.getpid()}", get_remaining_time_in_millis=lambda: 300_000
    )
    while True:
        for message in sqs.receive_message(QueueUrl=queue).get("Messages", []):
            record = {
                "messageId": message["MessageId"],
                "receiptHandle": message["ReceiptHandle"],
                "body": message["Body"],
                "attributes": message["Attributes"],
            }
            with redirect_stdout(StringIO()):
                answer = lambda_handler({"Records": [record]}, context)
            if not answer["batchItemFailures"]:
                sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        time.sleep(0.001)


@contextmanager
def fleet(variables: Mapping[str, str], workers: int) -> Iterator[None]:
    command = [sys.executable, "-m", "tests.benchmarks.backfill", "--worker"]
    running = [subprocess.Popen(command, env=variables) for _ in range(workers)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def start(variables: Mapping[str, str], engine: str, out: Path) -> subprocess.Popen[str]:
    command = "from festival.cli.main import main; main()"
    options = ["run", "backfill", "-p", "dry_run", "false", "-p", "engine", engine, "-o", str(out)]
    return subprocess.Popen(
        [sys.executable, "-c", command, *options],
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_midway(process: subprocess.Popen[str], stand_in: StandIn) -> int:
    """Kill the notebook's kernel once half of the files are done; how many were.

    The fleet rests until files are sent again: else it might finish them all meanwhile, and leave
    nothing to go on with.
    """
    while stand_in.finished() < stand_in.files // 2 and process.poll() is None:
        time.sleep(0.2)
    stand_in.fleet_sleeps = True
    found = subprocess.run(
        ["pgrep", "-P", str(process.pid)], capture_output=True, text=True, check=False
    )
    for kernel in found.stdout.split():
        os.kill(int(kernel), signal.SIGKILL)
    process.kill()
    process.communicate()
    return stand_in.finished()


def measure(files: int, engine: str) -> dict[str, Any]:
    """Run it, kill it, run it again: what came of it, what was expected, and what it took."""
    stand_in = StandIn(files)
    proxy = Proxy(stand_in.decide)
    variables = environment(proxy.url)
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory() as folder,
        fleet(variables, WORKERS if engine == "queue" else 0),
    ):
        out = Path(folder) / "backfill.ipynb"
        at_the_kill = kill_midway(start(variables, engine, out), stand_in)
        process = start(variables, engine, out)
        said, _ = process.communicate()
        sizes = {path.suffix: path.stat().st_size for path in Path(folder).iterdir()}
    seconds = time.monotonic() - began
    proxy.close()
    records = [each for each in stand_in.store.entries.values() if "Status" in each]
    return {
        "found": {
            "items": len(stand_in.store.items),
            "files": sum(each["Status"]["S"] in ("notified", "failed") for each in records),
            "failed": sum(each["Status"]["S"] == "failed" for each in records),
            "rejected": sum(int(each["Counts"]["M"]["rejected"]["N"]) for each in records),
            "e-mails": stand_in.store.published,
        },
        "expected": expected(files),
        "exit": process.returncode,
        "done at the kill": at_the_kill,
        "seconds": round(seconds, 1),
        "calls": stand_in.calls,
        "peak MB of the notebook": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024,
        "bytes of the report": sizes,
        "last line": said.strip().splitlines()[-1:],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--engine", choices=["direct", "queue"], default="direct")
    parser.add_argument("--worker", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.worker:
        work()
    print(json.dumps(measure(asked.files, asked.engine), indent=2))


if __name__ == "__main__":
    main()
