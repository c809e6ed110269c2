"""`festival ingest`: a file on this machine, or one in S3 by way of the ledger, into the table."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from festival.cli import report as printed
from festival.cli.mapping import mapped
from festival.cli.source import blocks_of
from festival.errors import FestivalError
from festival.ingest.events import FileEvent
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.mail import Mailer
from festival.ingest.report import IngestReport
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import DONE, Resources, TryFailedError, writer_opener
from festival.ingest.service import Ingestor
from festival.ingest.sidecar import SIDECAR, mapping_of
from festival.kit import Kit, ingest_blocks_directly, ingest_object
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block
from festival.stack.stack import find_stack

S3 = "s3://"


@click.command()
@click.argument("file")
@click.option("--table", metavar="NAME", help="Default: FESTIVAL_TABLE, else the stack's table.")
@click.option("--again", is_flag=True, help="Ingest a finished version of an S3 object once more.")
@click.option(
    "--notify", is_flag=True, help="Send the e-mail about the file, as the function does."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--strict", is_flag=True, help="Exit 1 where rows were rejected.")
@mapped
def ingest(
    file: str,
    mapping: LineupMapping,
    sheet: str | None,
    table: str | None,
    again: bool,
    notify: bool,
    as_json: bool,
    strict: bool,
) -> None:
    """Put a lineup into the table.

    FILE is a file, - for standard input, or s3://BUCKET/KEY. An object in S3 goes by way of the
    ledger, once a version, with the mapping beside it; a file on this machine goes straight to the
    table.
    """
    settings = Kit.from_environment()
    mailer = Mailer(settings.clients.sns, settings.outputs.topic_arn) if notify else None
    if file.startswith(S3):
        if mapping != DEFAULT_MAPPING or sheet:
            raise click.UsageError(f"the mapping of an object is beside it, as {file}{SIDECAR}")
        report = from_s3(settings, file, table, mailer, again=again)
    elif again:
        raise click.UsageError(
            "--again is for s3://BUCKET/KEY: a file on this machine has no ledger"
        )
    else:
        report = from_here(settings, file, table, blocks_of(file, mapping, sheet))
        if mailer is not None:
            mailer.send(report)
    printed.show(report, as_json=as_json, strict=strict)


def from_here(settings: Kit, file: str, table: str | None, blocks: Iterable[Block]) -> IngestReport:
    """A file of this machine, or standard input, into the table."""
    open_writer = writer_opener(settings.clients.dynamodb, settings.table_name(table))
    with open_writer(Path(file).name, math.inf) as writer:
        return ingest_blocks_directly(blocks, file, writer)


def from_s3(
    settings: Kit, file: str, table: str | None, mailer: Mailer | None, *, again: bool
) -> IngestReport:
    """The current version of an object into the table, under its lease."""
    event = event_of(file)
    clients, outputs = settings.clients, settings.outputs
    resources = Resources(
        s3=clients.s3,
        ledger=Ledger(clients.dynamodb, outputs.ledger_table),
        open_writer=writer_opener(clients.dynamodb, settings.table_name(table)),
        reports=Reports(clients.s3, outputs.reports_bucket),
        mailer=mailer,
        mapping=mapping_of(default_mapping(settings)),
    )
    try:
        result = ingest_object(Ingestor(resources), event, again=again, say=say)
    except TryFailedError as failed:
        return replace(failed.report, error=str(failed))
    if result.action == DONE:
        say(f"{file} is in the table already; --again ingests it once more")
    if result.report is None:
        raise FestivalError(f"{file} changed while it was read: ingest it again")
    return result.report


def default_mapping(settings: Kit) -> str:
    """What the stack says of files that have no mapping beside them."""
    stack = find_stack(settings.session.client("cloudformation"), settings.stack)
    return stack.parameters.get("DefaultMapping", "") if stack else ""


def say(message: str) -> None:
    click.echo(message, err=True)


def event_of(file: str) -> FileEvent:
    """The object that `s3://BUCKET/KEY` names, in its current version."""
    bucket, _, key = file.removeprefix(S3).partition("/")
    if not bucket or not key or key.endswith("/"):
        raise FestivalError(f"{file}: expected s3://BUCKET/KEY, the name of one object")
    return FileEvent(bucket, key)
