"""Runs a backfill: picks the engine, ingests the files, sums up the outcomes, sends one e-mail."""

import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from shlex import quote
from typing import Any

from festival.backfill.engines import DirectEngine, Engine, FileOutcome
from festival.backfill.plan import FILES_AT_ONCE, BackfillPlan, Effort, FileState
from festival.backfill.queue import QueueEngine, Queues
from festival.errors import FestivalError
from festival.ingest.attempt import Ingestor
from festival.ingest.events import FileEvent
from festival.ingest.mail import Mailer
from festival.ingest.report import Counts, Outcome
from festival.progress import ProgressLine
from festival.stack.stack import StackOutputs, find_stack
from festival.text import counted, one_line

DIRECT, QUEUE, AUTO = "direct", "queue", "auto"

DIRECT_SECONDS = 600
# The template's default, for a stack whose parameters do not set it.
WORKERS = 10

CONTINUE, STOP = "continue", "stop"
NOT_STARTED = "not started"
LISTED_IN_EMAIL = 20
SHOWN_FILES = 200


def new_run_id() -> str:
    """A name for one run; names sort by time, and the ledger has it with each file."""
    return f"backfill-{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{uuid.uuid4().hex[:6]}"


def choose_engine(
    effort: Effort, *, workers: int, files_at_once: int = FILES_AT_ONCE
) -> tuple[str, str]:
    """The engine that suits a plan's effort, and why, in one sentence. Pure.

    `workers` is how many invocations the stack allows; 0 if its function does not read this bucket
    or does not write this table.
    """
    seconds = effort.seconds(files_at_once)
    size = f"{counted(effort.files, 'file')} with about {counted(effort.rows, 'row')}"
    if seconds <= DIRECT_SECONDS:
        return DIRECT, f"{size} take this process about {seconds / 60:,.1f} minutes"
    slow = f"{size} would take this process about {seconds / 60:,.1f} minutes"
    if workers:
        by_queue = effort.fleet_seconds(workers)
        return QUEUE, f"{slow}; {workers:,} workers of the function take about {by_queue / 60:,.1f}"
    return DIRECT, f"{slow}, and no function reads this bucket into this table"


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
    """The engine that `wanted` names or, for `auto`, the one that suits; and why, in a sentence.

    `clients` is an `ingest.clients.Clients`. Raises FestivalError for any other name, or for an
    engine that cannot do the work.
    """
    table = table or outputs.table
    has_fleet = (plan.bucket, table) == (outputs.upload_bucket, outputs.table)
    why = "as asked for"
    if wanted == AUTO and stop_at_failure:
        wanted, why = DIRECT, "only this process can stop at the first failure"
    elif wanted == AUTO:
        wanted, why = choose_engine(
            plan.effort,
            workers=workers_of(clients, outputs) if has_fleet else 0,
            files_at_once=files_at_once,
        )
    if wanted == QUEUE and not has_fleet:
        raise FestivalError(
            f"engine queue: the function reads {outputs.upload_bucket} into {outputs.table}, "
            f"not {plan.bucket} into {table}; use the engine direct"
        )
    if wanted == QUEUE:
        queues = Queues(clients.sqs, outputs.queue_url, outputs.dead_letter_queue_url)
        return QueueEngine(queues, ingestor.resources, workers_of(clients, outputs)), why
    if wanted == DIRECT:
        return DirectEngine(ingestor, files_at_once), why
    raise FestivalError(f"engine is {wanted!r}: expected {AUTO}, {DIRECT} or {QUEUE}")


def workers_of(clients: Any, outputs: StackOutputs) -> int:
    """How many invocations the stack's queue may run at once: MaximumConcurrency."""
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
    """Ingest the plan's files, oldest first, showing progress; returns the outcome of each.

    Without an `engine`, this process does the work, `files_at_once` files at a time. `on_error` is
    `continue`, or `stop`: no further file is started after one has failed. The run may be
    interrupted at any time: a later run skips finished files and continues a large one from its
    last saved position. Raises FestivalError for any other `on_error`.
    """
    if on_error not in (CONTINUE, STOP):
        raise FestivalError(f"on_error is {on_error!r}: expected {CONTINUE!r} or {STOP!r}")
    events = [
        FileEvent(plan.bucket, file.listed.key, file.listed.version, run=run)
        for file in plan.to_ingest
    ]
    engine = engine or DirectEngine(ingestor, files_at_once)
    ingesting = engine.run(events, again=again, stop_at_failure=on_error == STOP)
    outcomes: dict[str, FileOutcome] = {}
    with ProgressLine(len(events), "file", also="row") as progress, closing(ingesting):
        for outcome in ingesting:
            outcomes[outcome.file] = outcome
            progress.update(1, outcome.counts.read)
    return [
        outcomes.get(event.file) or FileOutcome(event.file, NOT_STARTED, Counts())
        for event in events
    ]


def outcome_rows(outcomes: Iterable[FileOutcome], most: int = SHOWN_FILES) -> list[dict[str, Any]]:
    """A table with one row per file, failed ones first, then those with rejected rows.

    It has status, the five counts, seconds and the reason, for at most `most` files.
    """
    return [
        {
            "file": one.file,
            "status": one.status,
            **one.counts.to_dict(),
            "seconds": round(one.seconds, 2),
            "reason": one.error or one.first_rejection,
        }
        for one in sorted(outcomes, key=_urgency)[:most]
    ]


def _urgency(one: FileOutcome) -> int:
    """A sort key: files that a person has to look at come first."""
    if one.failed:
        return 0
    return 1 if one.status == NOT_STARTED else 2 if one.counts.rejected else 3


def outcome_sentence(outcomes: Sequence[FileOutcome], most: int = SHOWN_FILES) -> str:
    """How many files have which status and, if the table is cut, how many it shows.

    >>> outcome_sentence([])
    'No file was ingested.'
    """
    if not outcomes:
        return "No file was ingested."
    by_status = Counter(one.status for one in outcomes).most_common()
    totals = ", ".join(f"{count:,} {status}" for status, count in by_status)
    cut = f" The table shows the first {most:,}." if len(outcomes) > most else ""
    return f"{counted(len(outcomes), 'file')}: {totals}.{cut}"


def written_effort(plan: BackfillPlan, outcomes: Iterable[FileOutcome]) -> Effort:
    """What a run took, by the plan's model and the rows actually written."""
    rewritten = {
        f"{plan.bucket}/{file.listed.key}" for file in plan.files if file.state == FileState.DONE
    }
    ingested = [one for one in outcomes if one.counts.read]
    same = sum(one.counts.written for one in ingested if one.file in rewritten)
    return Effort(len(ingested), sum(one.counts.written for one in ingested) - same, same)


def summary(plan: BackfillPlan, outcomes: Sequence[FileOutcome], run: str) -> tuple[str, str]:
    """Subject and body of the one e-mail about a run."""
    by_status = Counter(one.status for one in outcomes)
    counts = sum((one.counts for one in outcomes), Counts())
    failed = by_status[Outcome.FAILURE]
    worst = "FAILURE" if failed else "PARTIAL" if counts.rejected else "SUCCESS"
    subject = f"{worst}: backfill of {counted(len(outcomes), 'file')}"
    subject += f" - {counted(counts.written, 'row')} written" + (
        f", {counted(failed, 'file')} failed" if failed else ""
    )
    lines = [f"Run: {run}", f"Bucket: {plan.bucket}", ""]
    lines += [_amount(status, count, "file") for status, count in by_status.most_common()]
    skipped = len(plan.files) - len(plan.to_ingest)
    lines += [f"{_amount('skipped', skipped, 'file')}, done before", ""]
    lines += [_amount(name, count, "row") for name, count in counts.to_dict().items()]
    lines += ["", _cost(plan, written_effort(plan, outcomes))]
    lines += _listed("Not kept", [one for one in outcomes if one.failed])
    partial = [one for one in outcomes if one.counts.rejected and not one.failed]
    lines += _listed("With rejected rows", partial)
    lines += _failed_before(plan)
    return subject, "\n".join(lines) + "\n"


def _amount(name: str, count: int, noun: str) -> str:
    return f"{name:>12}: {count:>8,} {noun if count == 1 else noun + 's'}"


def _cost(plan: BackfillPlan, effort: Effort) -> str:
    dollars = effort.dollars(plan.price)
    price = "" if dollars is None else f", ${dollars:,.4f}"
    return f"Writes: about {counted(effort.write_units, 'write unit')}{price}"


def notify(mailer: Mailer, plan: BackfillPlan, outcomes: Sequence[FileOutcome], run: str) -> str:
    """Send the summary, and say so in a sentence. A run that did nothing sends nothing."""
    if not outcomes:
        return "Nothing was ingested, so no e-mail was sent."
    subject, body = summary(plan, outcomes, run)
    mailer.publish(subject, body)
    return f"One e-mail was sent: {subject}"


def require_no_stop(outcomes: Sequence[FileOutcome]) -> None:
    """Raises FestivalError if files were not started because one failed."""
    unstarted = sum(one.status == NOT_STARTED for one in outcomes)
    failed = [one for one in outcomes if one.failed]
    if unstarted:
        raise FestivalError(
            f"stopped at {failed[0].file}: {failed[0].error}; {unstarted} files were not started, "
            "run again to continue"
        )


def _listed(title: str, outcomes: Sequence[FileOutcome]) -> Iterator[str]:
    """A paragraph on these files: why each failed, its commonest reasons, where its rows are."""
    if not outcomes:
        return
    yield from ("", f"{title}:")
    for one in outcomes[:LISTED_IN_EMAIL]:
        problems = [one_line(one.error, 300)] if one.error else []
        if one.counts.rejected:
            problems.append(f"{counted(one.counts.rejected, 'row')} rejected")
        yield f"  {one_line(one.file, 200)}: {'; '.join(problems)}"
        if one.first_rejection:
            yield f"    first: {one.first_rejection}"
        if len(one.reasons) > 1:
            frequent = "; ".join(f"{count} × {reason}" for reason, count in one.reasons)
            yield f"    reasons: {frequent}"
        if one.rejected_rows_at:
            yield f"    all of them: {one.rejected_rows_at}"
        if one.needs_mapping:
            yield "    to save the mapping that settles it:"
            yield f"    festival inspect {quote(f's3://{one.file}')} --ask"
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
