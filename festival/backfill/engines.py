"""The engines of a backfill: what each is given, and which of them suits a run."""

from collections.abc import Generator, Sequence
from typing import Any, Protocol

from festival.backfill.direct import FILES_AT_ONCE, DirectEngine
from festival.backfill.outcome import FileOutcome
from festival.backfill.plan import BackfillPlan
from festival.backfill.queue import QueueEngine, Queues
from festival.errors import FestivalError
from festival.ingest.events import FileEvent
from festival.ingest.service import Ingestor
from festival.stack.stack import StackOutputs, find_stack
from festival.table.schema import NEW_TABLE_LIMIT

DIRECT, QUEUE, AUTO = "direct", "queue", "auto"

# A file costs this process some ten calls to S3 and the ledger, one after the other.
SECONDS_A_FILE = 0.3
DIRECT_SECONDS = 600
# The template's default, for a stack whose parameters do not say.
WORKERS = 10


class Engine(Protocol):
    """Takes files into the table, each through the ledger."""

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[FileOutcome, None, None]:
        """The outcome of each file, as it is known; files that never began have none.

        `again` takes files up once more that the ledger shows as done. With `stop_at_failure` no
        further file begins after one that failed. Closing the generator stops the work.
        """
        ...


def choose_engine(
    files: int, rows: int, *, workers: int, files_at_once: int = FILES_AT_ONCE
) -> tuple[str, str]:
    """The engine for so many files and rows, and why, in one sentence. Pure.

    `workers` is the fleet's size; 0: the function does not read this bucket or write this table.
    """
    seconds = files * SECONDS_A_FILE / files_at_once + rows / NEW_TABLE_LIMIT
    size = f"{files:,} files with about {rows:,} rows"
    if seconds <= DIRECT_SECONDS:
        return DIRECT, f"{size} take this process about {seconds / 60:,.1f} minutes"
    fleet = f"{size} would take this process about {seconds / 60:,.0f} minutes"
    if workers:
        return QUEUE, f"{fleet}; {workers:,} workers of the function share them"
    return DIRECT, f"{fleet}, and no function reads this bucket into this table"


def pick_engine(
    wanted: str,
    plan: BackfillPlan,
    ingestor: Ingestor,
    clients: Any,
    outputs: StackOutputs,
    *,
    table: str | None = None,
    files_at_once: int = FILES_AT_ONCE,
    stop_at_failure: bool = False,
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
            sum(file.rows for file in plan.to_ingest),
            workers=workers_of(clients, outputs) if fleet else 0,
            files_at_once=files_at_once,
        )
    if wanted == QUEUE and not fleet:
        raise FestivalError(
            f"engine queue: the function reads {outputs.upload_bucket} into {outputs.table}, and "
            f"not {plan.bucket} into {table}; take the engine direct"
        )
    if wanted == QUEUE:
        queues = Queues(clients.sqs, outputs.queue_url, outputs.dead_letter_queue_url)
        return QueueEngine(queues, ingestor.resources, workers_of(clients, outputs)), why
    if wanted == DIRECT:
        return DirectEngine(ingestor, files_at_once), why
    raise FestivalError(f"engine is {wanted!r}: expected {AUTO}, {DIRECT} or {QUEUE}")


def workers_of(clients: Any, outputs: StackOutputs) -> int:
    """How many invocations the stack lets its queue run at once: MaximumConcurrency."""
    stack = find_stack(clients.session.create_client("cloudformation"), outputs.stack)
    return int(stack.parameters.get("MaximumConcurrency", WORKERS)) if stack else WORKERS
