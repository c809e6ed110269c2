"""`festival status`, `history` and `dlq`: the stack's state, past ingests, failed messages."""

from collections.abc import Iterable, Iterator, Sequence

import click

from festival.cli.printing import table
from festival.ingest.ledger.records import VersionRecord
from festival.kit import Kit
from festival.stack.dead_letters import DeadLetter, dead_letters, put_back_unread, redrive
from festival.stack.status import StackStatus, read_status
from festival.text import counted, printable

HEADS = (
    "Started (UTC)",
    "File",
    "Version",
    "Status",
    "Outcome",
    "Written",
    "Rejected",
    "Seconds",
)


@click.command()
@click.argument("file", required=False)
@click.option(
    "--days",
    type=click.IntRange(1, 120),
    default=7,
    show_default=True,
    help="How far back to look.",
)
def history(file: str | None, days: int) -> None:
    """Show the result of every ingest, from the ledger.

    With FILE, a key in the upload bucket or s3://BUCKET/KEY, shows every version of that file.
    Without it, shows the ingests of all files in the last days.
    """
    kit = Kit.from_environment()
    ledger = kit.ledger
    if file is None:
        records = list(ledger.recent(days))
    else:
        records = ledger.history(name_of(file, kit.outputs.upload_bucket))
    click.echo("\n".join(history_lines(records)) if records else "nothing was ingested")


def name_of(file: str, bucket: str) -> str:
    """The ledger's name for a file: `bucket/key`."""
    if file.startswith("s3://"):
        return file.removeprefix("s3://")
    return file if file.startswith(f"{bucket}/") else f"{bucket}/{file}"


def history_lines(records: Iterable[VersionRecord]) -> Iterator[str]:
    """A line for each ingest, then the reasons why tries failed."""
    records = list(records)
    yield from table(HEADS, [_cells(record) for record in records])
    for record in records:
        reasons = [record.error, *record.reasons.values(), record.advice]
        for reason in dict.fromkeys(filter(None, reasons)):
            yield f"{printable(record.file)} {record.version[:8]}: {printable(reason)}"


def _cells(record: VersionRecord) -> Sequence[object]:
    return (
        record.started_at[:19].replace("T", " "),
        record.file,
        record.version[:8],
        record.status,
        record.outcome,
        f"{record.counts.written:,}",
        f"{record.counts.rejected:,}",
        f"{record.milliseconds / 1000:.1f}",
    )


@click.command()
@click.option("--stack", metavar="NAME", help="Default: FESTIVAL_STACK, else o240-festival.")
def status(stack: str | None) -> None:
    """Show the stack, its queues, ingests, alarms and subscription."""
    kit = Kit.from_environment()
    state = read_status(kit.session, stack or kit.stack)
    click.echo("\n".join(status_lines(state)))


def status_lines(state: StackStatus) -> Iterator[str]:
    """A stack's state and, if something is wrong, what to do."""
    changed = f" since {state.stack.changed:%Y-%m-%d %H:%M} UTC" if state.stack.changed else ""
    remedy = f": {state.stack.remedy}" if state.stack.remedy else ""
    yield f"Stack         {state.stack.name}: {state.stack.status}{changed}{remedy}"
    queue, dead = state.queue, state.dead_letters
    yield f"Queue         {queue.visible:,} waiting, {queue.hidden:,} being ingested or hidden"
    yield f"Dead letters  {dead.total:,}" + (": festival dlq shows why" if dead.total else "")
    for subscription in state.subscriptions:
        remedy = f": {subscription.remedy}" if subscription.remedy else ""
        yield f"E-mail        {subscription.address} {subscription.state}{remedy}"
    quiet = [alarm for alarm in state.alarms if alarm.state == "OK"]
    yield f"Alarms        {len(quiet)} of {len(state.alarms)} OK"
    for alarm in state.alarms:
        if alarm.state != "OK":
            remedy = f": {printable(alarm.description)}" if alarm.state == "ALARM" else ""
            yield f"  {alarm.state} {alarm.name}{remedy}"
    yield ""
    yield from history_lines(state.recent) if state.recent else ["nothing was ingested lately"]


@click.command()
@click.option("--redrive", "put_back", is_flag=True, help="Put every message back into the queue.")
def dlq(put_back: bool) -> None:
    """Show the dead-letter queue, and put messages back.

    For each message, shows its files, how often it was received, and why each try failed.
    """
    kit = Kit.from_environment()
    outputs, sqs, ledger = kit.outputs, kit.clients.sqs, kit.ledger
    letters = dead_letters(sqs, outputs.dead_letter_queue_url, ledger)
    for line in dead_letter_lines(letters):
        click.echo(line)
    if not put_back:
        put_back_unread(sqs, outputs.dead_letter_queue_url, letters)
        return
    for letter in redrive(sqs, outputs.dead_letter_queue_url, outputs.queue_url, ledger, letters):
        click.echo(f"{letter.id} is back in the queue")


def dead_letter_lines(letters: Sequence[DeadLetter]) -> Iterator[str]:
    yield f"{counted(len(letters), 'message')} in the dead-letter queue"
    for letter in letters:
        yield ""
        yield f"message {letter.id}, received {counted(letter.receives, 'time')}"
        for event in letter.files:
            version = f" version {event.version}" if event.version else ""
            yield f"  file   s3://{printable(event.file)}{version}"
        if not letter.files:
            yield f"  body   {printable(letter.body[:200])}"
        yield from (f"  reason {printable(reason)}" for reason in letter.reasons)
