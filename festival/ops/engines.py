"""The engines of a backfill: what each is given, and which of them suits a run."""

import shutil
import tempfile
from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

from festival.analysis.ingest_time import NEW_TABLE_LIMIT
from festival.errors import FestivalError
from festival.ingest.direct import silent
from festival.ingest.events import FileEvent
from festival.ingest.service import Ingestor
from festival.ops.backfill_plan import Plan
from festival.ops.bulk_engine import BulkEngine
from festival.ops.bulk_operation import can_load_in_bulk, require_bulk
from festival.ops.direct_engine import FILES_AT_ONCE, DirectEngine
from festival.ops.outcome import Outcome
from festival.ops.queue_engine import QueueEngine, Queues
from festival.ops.stack import StackOutputs, find_stack

DIRECT, QUEUE, BULK, AUTO = "direct", "queue", "bulk", "auto"

# A file costs this process some ten calls to S3 and the ledger, one after the other.
SECONDS_A_FILE = 0.3
DIRECT_SECONDS = 600
# More than an hour even at the full pace of a new table, whoever writes.
BULK_ROWS = 20_000_000
# A bulk load deals the rows out on this machine's disk: about twice what a CSV takes.
DISK_GROWTH = 2
# The template's default, for a stack whose parameters do not say.
WORKERS = 10


class Engine(Protocol):
    """Takes files into the table, each through the ledger."""

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[Outcome, None, None]:
        """The outcome of each file, as it is known; files that never began have none.

        `again` takes files up once more that the ledger shows as done. With `stop_at_failure` no
        further file begins after one that failed. Closing the generator stops the work.
        """
        ...


def choose_engine(
    files: int,
    bytes: int,  # noqa: A002 - what it is
    rows: int,
    *,
    workers: int,
    can_bulk: bool,
    free_disk: int,
    files_at_once: int = FILES_AT_ONCE,
) -> tuple[str, str]:
    """The engine for so many files, bytes and rows, and why, in one sentence. Pure.

    `workers` is the fleet's size (0: the function does not read this bucket or write this table),
    `can_bulk` whether botocore knows StartBulkPutItems, `free_disk` this machine's free bytes.
    """
    seconds = files * SECONDS_A_FILE / files_at_once + rows / NEW_TABLE_LIMIT
    size = f"{files:,} files with about {rows:,} rows"
    if seconds <= DIRECT_SECONDS:
        return DIRECT, f"{size} take this process about {seconds / 60:,.1f} minutes"
    if rows >= BULK_ROWS and can_bulk and bytes * DISK_GROWTH <= free_disk:
        return BULK, f"{size} are what DynamoDB's own bulk load is made for"
    fleet = f"{size} would take this process about {seconds / 60:,.0f} minutes"
    if workers:
        return QUEUE, f"{fleet}; {workers:,} workers of the function share them"
    return DIRECT, f"{fleet}, and no function reads this bucket into this table"


def pick_engine(
    wanted: str,
    plan: Plan,
    ingestor: Ingestor,
    clients: Any,
    outputs: StackOutputs,
    *,
    table: str | None = None,
    files_at_once: int = FILES_AT_ONCE,
    stop_at_failure: bool = False,
    say: Callable[[str], None] = silent,
) -> tuple[Engine, str]:
    """The engine that was asked for by name, or with `auto` the one that suits; and why.

    `clients` are `ingest.clients.Clients`. Raises FestivalError for another name, and for an engine
    that cannot do it.
    """
    table = table or outputs.table
    fleet = (plan.bucket, table) == (outputs.upload_bucket, outputs.table)
    why = "as asked for"
    if wanted == AUTO and stop_at_failure:
        wanted, why = DIRECT, "only this process can stop at the first failure"
    elif wanted == AUTO:
        wanted, why = choose_engine(
            len(plan.to_ingest),
            sum(file.listed.bytes for file in plan.to_ingest),
            sum(file.rows for file in plan.to_ingest),
            workers=workers_of(clients, outputs) if fleet else 0,
            can_bulk=can_load_in_bulk(clients.dynamodb),
            free_disk=shutil.disk_usage(tempfile.gettempdir()).free,
            files_at_once=files_at_once,
        )
    if wanted == QUEUE and not fleet:
        raise FestivalError(
            f"engine queue: the function reads {outputs.upload_bucket} into {outputs.table}, and "
            f"not {plan.bucket} into {table}; take the engine direct"
        )
    if wanted == QUEUE:
        queues = Queues(clients.sqs, outputs.queue_url, outputs.dead_letter_queue_url)
        return QueueEngine(queues, ingestor.means, workers_of(clients, outputs)), why
    if wanted == BULK:
        require_bulk(clients.dynamodb)
        return BulkEngine(ingestor, clients.dynamodb, table, say=say), why
    if wanted == DIRECT:
        return DirectEngine(ingestor, files_at_once), why
    raise FestivalError(f"engine is {wanted!r}: expected {AUTO}, {DIRECT}, {QUEUE} or {BULK}")


def workers_of(clients: Any, outputs: StackOutputs) -> int:
    """How many invocations the stack lets its queue run at once: MaximumConcurrency."""
    stack = find_stack(clients.session.create_client("cloudformation"), outputs.stack)
    return int(stack.parameters.get("MaximumConcurrency", WORKERS)) if stack else WORKERS
