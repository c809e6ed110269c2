"""`festival ingest`: puts a local file, or an S3 object through the ledger, into the table."""

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import click

from festival.cli.mapping import mapping_options
from festival.cli.printing import show_report
from festival.cli.streams import blocks_of
from festival.errors import FestivalError
from festival.ingest.attempt import Action, TryFailedError
from festival.ingest.mail import Mailer
from festival.ingest.report import IngestReport
from festival.ingest.sidecar import SIDECAR
from festival.kit import S3, Kit, event_of, ingest_blocks_directly, ingest_object
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block
from festival.table.one_core import one_core


@click.command()
@click.argument("file")
@click.option("--table", metavar="NAME", help="Default: FESTIVAL_TABLE, else the stack's table.")
@click.option(
    "--again", is_flag=True, help="Ingest an S3 object even if it is in the table already."
)
@click.option(
    "--notify", is_flag=True, help="Send the e-mail about the file, as the function does."
)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--strict", is_flag=True, help="Exit 1 if rows were rejected.")
@mapping_options
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

    FILE is a file, - for standard input, or s3://BUCKET/KEY. An object in S3 goes through the
    ledger: each version is ingested once, with the mapping beside it. A file on this machine goes
    straight to the table.
    """
    kit = Kit.from_environment()
    mailer = kit.mailer if notify else None
    if file.startswith(S3):
        if mapping != DEFAULT_MAPPING or sheet:
            raise click.UsageError(f"the mapping of an object is beside it, as {file}{SIDECAR}")
        with one_core():
            report = from_s3(kit, file, table, mailer, again=again)
    elif again:
        raise click.UsageError(
            "--again is for s3://BUCKET/KEY: a file on this machine is not in the ledger"
        )
    else:
        with one_core():
            report = from_here(kit, file, table, blocks_of(file, mapping, sheet))
        if mailer is not None:
            mailer.send(report)
    show_report(report, as_json=as_json, strict=strict)


def from_here(kit: Kit, file: str, table: str | None, blocks: Iterable[Block]) -> IngestReport:
    """Ingests a file on this machine, or standard input."""
    with kit.open_writer(table)(Path(file).name, math.inf) as writer:
        return ingest_blocks_directly(blocks, file, writer)


def from_s3(
    kit: Kit, file: str, table: str | None, mailer: Mailer | None, *, again: bool
) -> IngestReport:
    """Ingests an object's current version, under its lease."""
    event = event_of(file)
    try:
        result = ingest_object(kit.ingestor(table, mailer=mailer), event, again=again, say=say)
    except TryFailedError as failed:
        return replace(failed.report, error=str(failed))
    if result.action == Action.DONE:
        say(f"{file} is in the table already; --again ingests it once more")
    if result.report is None:
        raise FestivalError(f"{file} changed while it was read: ingest it again")
    return result.report


def say(message: str) -> None:
    click.echo(message, err=True)
