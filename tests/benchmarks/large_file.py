"""A large file through a function that is given only so many seconds at a time.

    python -m tests.benchmarks.large_file --rows 2000000 --seconds 30

S3, SQS, SNS and the ledger are the embedded AWS's; the table's writes go to the stand-in endpoint,
which accepts at once. Each line is one invocation; at the end come the e-mail and the ledger.
"""

import argparse
import json
import os
import tempfile
import time
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from festival.embedded.aws import EmbeddedAws
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.records import Progress
from tests.benchmarks.lineups import lineup_file
from tests.benchmarks.run import stand_in


def invoke(message: dict[str, Any], seconds: float) -> bool:
    """One invocation with one message; whether the message is done with."""
    from festival.ingest.handler import lambda_handler

    end = time.monotonic() + seconds
    context = SimpleNamespace(
        aws_request_id="large-file",
        get_remaining_time_in_millis=lambda: int(1000 * (end - time.monotonic())),
    )
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
    }
    with redirect_stdout(StringIO()):
        answer = lambda_handler({"Records": [record]}, context)
    return not answer["batchItemFailures"]


def work_off(sqs: Any, queue: str, ledger: Ledger, file: str, seconds: float) -> None:
    """Invoke the function with message after message, until the queue stays empty."""
    while True:
        answer = sqs.receive_message(
            QueueUrl=queue, WaitTimeSeconds=5, AttributeNames=["ApproximateReceiveCount"]
        )
        if "Messages" not in answer:
            return
        (message,) = answer["Messages"]
        began = time.monotonic()
        done = invoke(message, seconds)
        if done:
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
        told = " ".join(
            f"{record.status}, {rows_so_far(record.progress):,} rows saved"
            for record in ledger.history(file)
        )
        print(f"  {time.monotonic() - began:5.1f} s, done with: {done}; {told}", flush=True)


def rows_so_far(progress: str) -> int:
    return Progress.from_json(progress).counts.read if progress else 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--shape", choices=["csv", "json", "jsonl"], default="csv")
    asked = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        EmbeddedAws() as aws,
        stand_in("--upstream", aws.endpoint_url) as endpoint,
    ):
        outputs = aws.deploy()
        session = aws.session()
        function = session.client("lambda").get_function(FunctionName=outputs.function)
        variables = function["Configuration"]["Environment"]["Variables"]
        os.environ.update({name: str(value) for name, value in variables.items()})
        os.environ["AWS_ENDPOINT_URL_DYNAMODB"] = endpoint
        path = lineup_file(Path(folder), asked.shape, asked.rows)
        session.client("s3").upload_file(str(path), outputs.upload_bucket, path.name)
        print(f"{path.name}: {asked.rows:,} rows, {path.stat().st_size / 1e6:,.0f} MB")
        ledger = Ledger(session.client("dynamodb"), outputs.ledger_table)
        file = f"{outputs.upload_bucket}/{path.name}"
        work_off(session.client("sqs"), outputs.queue_url, ledger, file, asked.seconds)
        for mail in aws.emails():
            print(f"e-mail: {mail.subject}")
        for record in ledger.history(file):
            print(json.dumps(record.report.summary(), indent=2))


if __name__ == "__main__":
    main()
