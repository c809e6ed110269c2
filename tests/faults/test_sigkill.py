"""A process that is really killed, again and again, and then let finish."""

import os
import signal
import subprocess
import sys
from random import Random
from urllib.parse import urlsplit

import pytest

from festival.embedded.aws import EmbeddedAws
from festival.ingest.ledger.ledger import Ledger
from festival.lineup.model import Performance
from festival.table.item import from_item

from .moto_store import forward
from .wire import CUT_OFF, Proxy, Reply

KILLS = 6
LONGEST_SECONDS = 60
HEADER = "Performer,Stage,Date,Start,End,Popularity\n"


@pytest.fixture
def aws():
    with EmbeddedAws() as embedded:
        yield embedded


class Executioner:
    """Hands calls on to the embedded AWS, and kills the caller at one of them."""

    def __init__(self, url):
        where = urlsplit(url)
        self._host, self._port = where.hostname, where.port
        self.process = None
        self.operations = []
        self.kill_at = None
        self.kill_late = False

    def decide(self, request):
        self.operations.append(request.call[1])
        fatal = len(self.operations) == self.kill_at
        if fatal and not self.kill_late:
            self._kill()
            return CUT_OFF
        answer = forward(self._host, self._port, request)
        if fatal:
            self._kill()
            return CUT_OFF
        return Reply(answer)

    def _kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.wait(LONGEST_SECONDS)


def lineup_of_500():
    """500 rows, of which every 20th is refused and every 25th repeats the one before it."""
    rows, kept = [], {}
    for number in range(500):
        if number % 20 == 19:
            rows.append(f"Band {number},Park,2025-02-30,20:00,21:00,\n")
            continue
        name = number - 1 if number % 25 == 24 else number
        band = Performance(f"Band {name}", "Park", "2025-06-28", 1200, 1260, number % 100 + 1, 0)
        rows.append(f"Band {name},Park,2025-06-28,20:00,21:00,{band.popularity}\n")
        kept[band.key] = band
    return HEADER + "".join(rows), kept


def ingest(proxy, environment, file):
    return subprocess.Popen(
        [sys.executable, "-c", "from festival.cli.main import main; main()", "ingest", file],
        env={**environment, "AWS_ENDPOINT_URL": proxy.url},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
def test_an_ingest_that_is_killed_at_any_call_comes_to_the_truth(aws):
    outputs = aws.deploy()
    text, kept = lineup_of_500()
    put = (
        aws.session()
        .client("s3")
        .put_object(Bucket=outputs.upload_bucket, Key="day one.csv", Body=text.encode())
    )
    random = Random("killed")
    here = Executioner(aws.endpoint_url)
    proxy = Proxy(here.decide)
    killed = 0
    for number in range(KILLS + 1):
        here.operations = []
        here.kill_at = random.randint(3, 35) if number < KILLS else None
        here.kill_late = random.random() < 0.5
        process = here.process = ingest(
            proxy, aws.environment, f"s3://{outputs.upload_bucket}/day one.csv"
        )
        said, _ = process.communicate(timeout=LONGEST_SECONDS)
        killed += process.returncode == -signal.SIGKILL
    proxy.close()
    assert process.returncode == 0, said
    assert killed >= KILLS - 2  # the last ones may have found it finished

    dynamodb = aws.session().client("dynamodb")
    pages = dynamodb.get_paginator("scan").paginate(TableName=outputs.table)
    found = {each.key: each for page in pages for each in map(from_item, page["Items"])}
    assert found == kept
    (record,) = Ledger(dynamodb, outputs.ledger_table).history(
        f"{outputs.upload_bucket}/day one.csv"
    )
    assert (record.version, record.status) == (put["VersionId"], "notified")
    assert (record.counts.read, record.counts.rejected, record.counts.unwritten) == (500, 25, 0)
