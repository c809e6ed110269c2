"""What people do in a schedule: upload, delete, ingest by hand, redrive what is dead."""

import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from random import Random
from urllib.parse import quote_plus

from festival.errors import FestivalError
from festival.ingest.attempt import Ingestor
from festival.ingest.events import FileEvent
from festival.kit import ingest_object
from festival.lineup.mapping import LineupMapping
from festival.stack.dead_letters import dead_letters, redrive

from .invocation import Invocation
from .lineups import Lineup, make_lineup

UPLOADS = "upload-bucket"
QUEUE, DEAD_QUEUE = "http://sqs/ingest", "http://sqs/dead"
UPLOAD, DELETE, INGEST = "upload", "delete", "ingest"
MAPPING = b'{"date_order": "day_first"}'  # which says nothing of dates that have no doubt
MARK = "+" + LineupMapping.from_json(MAPPING).fingerprint()


@dataclass(frozen=True, slots=True)
class Act:
    """What somebody does with a file, and when.

    `runs` are backfills that ask for it, too. A file that `is_mapped` has a mapping beside it.
    """

    when: float
    what: str
    key: str
    lineup: Lineup | None = None
    runs: tuple[str, ...] = ()
    is_mapped: bool = False


def make_agenda(random: Random, now: float, *, crowded: bool) -> list[Act]:
    """One to three files, each with one to three versions, within seconds or within minutes."""
    acts = []
    spread = 0.4 if crowded else random.choice((2, 60, 600))
    for number in range(1 if crowded else random.choice((1, 2, 2, 3))):
        key, when, lineup = f"lineups/day {number} é.csv", now, None
        is_mapped = random.random() < 0.15
        for _ in range(random.choice((1, 1, 2, 3))):
            when += random.uniform(0, spread)
            lineup = make_lineup(random, f"no. {number}", lineup)
            runs = ("nightly",) if random.random() < 0.08 else ()
            acts.append(Act(when, UPLOAD, key, lineup, runs, is_mapped))
            if random.random() < 0.1:
                acts.append(Act(when + random.uniform(0, spread), INGEST, key))
        if random.random() < 0.1:
            acts.append(Act(when + random.uniform(0, spread), DELETE, key))
    return sorted(acts, key=lambda act: act.when)


def event_body(named: Iterable[tuple[str, str]], sequencer: int, run: str) -> str:
    """A message as S3 sends it (docs: "Event message structure"), or as a backfill does."""
    records = [
        {
            "eventVersion": "2.1",
            "eventSource": "aws:s3",
            "eventName": "ObjectCreated:Put",
            "s3": {
                "bucket": {"name": UPLOADS},
                "object": {
                    "key": quote_plus(key, safe="/"),
                    "sequencer": f"{sequencer:016X}",
                    **({"versionId": version} if version else {}),
                },
            },
        }
        for key, version in named
    ]
    return json.dumps({"Records": records} | ({"festivalRun": run} if run else {}))


def ingest_by_hand(key: str, invocation: Invocation) -> None:
    """`festival ingest s3://…`: no queue to go on by, no e-mail, a lease that is renewed."""
    resources = replace(invocation.resources(), send_continuation=None, mailer=None)
    with suppress(FestivalError):
        ingest_object(Ingestor(resources), FileEvent(UPLOADS, key), sleep=invocation.sleep)


def redrive_dead_letters(invocation: Invocation) -> None:
    """`festival dlq --redrive`."""
    clients, ledger = invocation.port.clients, invocation.resources().ledger
    letters = dead_letters(clients.sqs, DEAD_QUEUE, ledger)
    list(redrive(clients.sqs, DEAD_QUEUE, QUEUE, ledger, letters))
