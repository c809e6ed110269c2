"""`festival query`: the access patterns of the table, asked from a shell."""

import json
from collections.abc import Callable
from typing import Any, TypeVar

import click

from festival.cli import answers
from festival.kit import Kit
from festival.query import patterns
from festival.query.columns import answer
from festival.query.contents import unknown_name
from festival.table.connection import Connection
from festival.table.item import attributes

Command = TypeVar("Command", bound=Callable[..., Any])


def question(command: Command) -> Command:
    """The options that every question has."""
    name = click.option(
        "--table", metavar="NAME", help="Default: FESTIVAL_TABLE, else the stack's table."
    )
    as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON array of items.")
    return name(as_json(command))


@click.group(no_args_is_help=False)
def query() -> None:
    """Ask the table."""


@query.command()
@click.argument("name")
@question
def performer(name: str, table: str | None, as_json: bool) -> None:
    """All performances of a performer."""
    show(patterns.by_performer(name), table, as_json, "performer", name)


@query.command()
@click.argument("date")
@click.option("--from", "time_from", metavar="HH:MM", default="00:00", show_default=True)
@click.option("--to", "time_to", metavar="HH:MM", default="23:59", show_default=True)
@question
def date(date: str, time_from: str, time_to: str, table: str | None, as_json: bool) -> None:
    """The performances that start on DATE (YYYY-MM-DD), in a time range.

    A range over midnight (--from 22:00 --to 02:00) goes on into the next day.
    """
    show(patterns.on_date(date, time_from, time_to), table, as_json)


@query.command()
@click.argument("stage")
@click.argument("date")
@click.argument("time")
@click.option("--exact", is_flag=True, help="Only what starts at exactly this time.")
@question
def stage(stage: str, date: str, time: str, exact: bool, table: str | None, as_json: bool) -> None:
    """Who is on STAGE at a moment: DATE (YYYY-MM-DD) and TIME (HH:MM)."""
    pattern = patterns.stage_at_exactly if exact else patterns.on_stage_at
    show(pattern(stage, date, time), table, as_json, "stage", stage)


@query.command()
@click.option("--above", type=click.INT, default=80, show_default=True, metavar="N")
@question
def popular(above: int, table: str | None, as_json: bool) -> None:
    """The performances with a popularity above N, most popular first."""
    show(patterns.more_popular_than(above), table, as_json)


def show(
    pattern: patterns.AccessPattern,
    table: str | None,
    as_json: bool,
    what: str = "",
    asked: str = "",
) -> None:
    """Print the answer. If it is empty and asks for a name, say which names are near."""
    kit = Kit.from_environment()
    name = kit.table_name(table)
    found, pages = answer(Connection.from_client(kit.clients.dynamodb), name, pattern)
    if what and not found and (note := unknown_name(what, asked, kit.recorded_contents(name))):
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps([attributes(one) for one in found], ensure_ascii=False, indent=1))
        return
    if found:
        click.echo("\n".join(answers.lines(found)))
    click.echo(answers.footer(pattern, found, pages))
