"""Running a backfill: several files at once through the ledger, a table of reports, one e-mail."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from festival.backfill.engines import FILES_AT_ONCE, DirectEngine, Engine, FileOutcome
from festival.backfill.plan import BackfillPlan
from festival.backfill.queue import QueueEngine, Queues
from festival.errors import FestivalError
from festival.ingest.events import FileEvent
from festival.ingest.mail import Mailer
from festival.ingest.report import Counts, Outcome
from festival.ingest.service import Ingestor
from festival.progress import ProgressLine
from festival.stack.stack import StackOutputs, find_stack
from festival.table.schema import NEW_TABLE_LIMIT
from festival.text import one_line

DIRECT, QUEUE, AUTO = "direct", "queue", "auto"

# A file costs this process some ten calls to S3 and the ledger, one after the other.
SECONDS_A_FILE = 0.3
DIRECT_SECONDS = 600
# The template's default, for a stack whose parameters do not say.
WORKERS = 10

CONTINUE, STOP = "continue", "stop"
NOT_STARTED = "not started"
LISTED_IN_EMAIL = 20


def new_run_id() -> str:
    """A name for one run, in the order of time: it stands in the ledger beside each file."""
    return f"backfill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


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


def run_backfill(
    plan: BackfillPlan,
    ingestor: Ingestor,
    run: str,
    *,
    engine: Engine | None = None,
    again: bool = False,
    on_error: str = CONTINUE,
    files_at_once: int = FILES_AT_ONCE,
) -> list[FileOutcome]:
    """Ingest what the plan says, oldest file first, and show how far it is; the outcome of each.

    `engine` does the work; without one this process does, `files_at_once` files at a time. A file
    that fails does not stop the others, unless `on_error` is `stop`: then no further file begins.
    Interrupted at any moment, a later run goes on: finished files are skipped, and a large one
    continues from its last saved place. Raises FestivalError for another `on_error`.
    """
    if on_error not in (CONTINUE, STOP):
        raise FestivalError(f"on_error is {on_error!r}: expected {CONTINUE!r} or {STOP!r}")
    events = [
        FileEvent(plan.bucket, file.listed.key, file.listed.version, run=run)
        for file in plan.to_ingest
    ]
    engine = engine or DirectEngine(ingestor, files_at_once)
    working = engine.run(events, again=again, stop_at_failure=on_error == STOP)
    outcomes: dict[str, FileOutcome] = {}
    with ProgressLine(len(events), "file", also="row") as progress, closing(working):
        for outcome in working:
            outcomes[outcome.file] = outcome
            progress.update(1, outcome.counts.read)
    return [
        outcomes.get(event.file) or FileOutcome(event.file, NOT_STARTED, Counts())
        for event in events
    ]


def outcome_rows(outcomes: Iterable[FileOutcome]) -> list[dict[str, Any]]:
    """One row of a table for each file: status, the five counts, seconds, and why it failed."""
    return [
        {
            "file": one.file,
            "status": one.status,
            **one.counts.to_dict(),
            "seconds": round(one.seconds, 2),
            "error": one.error,
        }
        for one in outcomes
    ]


def summary(plan: BackfillPlan, outcomes: Sequence[FileOutcome], run: str) -> tuple[str, str]:
    """Subject and body of the one e-mail about a run."""
    by_status = Counter(one.status for one in outcomes)
    counts = sum((one.counts for one in outcomes), Counts())
    worst = "FAILURE" if by_status[Outcome.FAILURE] else "PARTIAL" if counts.rejected else "SUCCESS"
    subject = f"{worst}: backfill of {len(outcomes)} files - {counts.written} rows written"
    if by_status[Outcome.FAILURE]:
        subject += f", {by_status[Outcome.FAILURE]} failed"
    lines = [f"Run: {run}", f"Bucket: {plan.bucket}", ""]
    lines += [f"{status:>12}: {count:>8,} files" for status, count in by_status.most_common()]
    skipped = len(plan.files) - len(plan.to_ingest)
    lines += [f"{'skipped':>12}: {skipped:>8,} files, done before", ""]
    lines += [f"{name:>12}: {count:>8,} rows" for name, count in counts.to_dict().items()]
    lines += _listed("Not kept", [one for one in outcomes if one.failed])
    lines += _listed("With rejected rows", [one for one in outcomes if one.counts.rejected])
    lines += _failed_before(plan)
    return subject, "\n".join(lines) + "\n"


def tell(mailer: Mailer, plan: BackfillPlan, outcomes: Sequence[FileOutcome], run: str) -> str:
    """Send the summary; what was done, as a sentence. A run that did nothing sends nothing."""
    if not outcomes:
        return "Nothing was ingested, so no e-mail was sent."
    subject, body = summary(plan, outcomes, run)
    mailer.publish(subject, body)
    return f"One e-mail was sent: {subject}"


def require_no_stop(outcomes: Sequence[FileOutcome]) -> None:
    """Raises FestivalError where files were not started because one failed."""
    left = sum(one.status == NOT_STARTED for one in outcomes)
    failed = [one for one in outcomes if one.failed]
    if left:
        raise FestivalError(
            f"stopped at {failed[0].file}: {failed[0].error}; {left} files were not started, "
            "run again to go on"
        )


def _listed(title: str, outcomes: Sequence[FileOutcome]) -> Iterator[str]:
    if not outcomes:
        return
    yield from ("", f"{title}:")
    for one in outcomes[:LISTED_IN_EMAIL]:
        why = one_line(one.error, 200) if one.error else f"{one.counts.rejected:,} rows rejected"
        yield f"  {one_line(one.file, 200)}: {why}"
    if len(outcomes) > LISTED_IN_EMAIL:
        yield f"  ... and {len(outcomes) - LISTED_IN_EMAIL:,} more"


def _failed_before(plan: BackfillPlan) -> Iterator[str]:
    if not plan.failed_before:
        return
    yield from ("", "Failed in an earlier run, and skipped (upload them again, or with `again`):")
    for file in plan.failed_before[:LISTED_IN_EMAIL]:
        yield f"  {one_line(file.listed.key, 200)}"
    if len(plan.failed_before) > LISTED_IN_EMAIL:
        yield f"  ... and {len(plan.failed_before) - LISTED_IN_EMAIL:,} more"
