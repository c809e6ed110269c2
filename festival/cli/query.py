"""`festival query` and `festival list`: ask the table, and list what is in it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import click

from festival.cli.printing import answer_footer, performance_lines
from festival.cli.printing import table as table_lines
from festival.kit import Kit
from festival.query import patterns
from festival.query.columns import answer
from festival.query.contents import Contents, Group, scanned_contents, unknown_name
from festival.query.names import matching, none_contains
from festival.table.connection import Connection
from festival.table.item import attributes
from festival.text import counted

Command = TypeVar("Command", bound=Callable[..., Any])
Groups = Mapping[str, Group]


table_option = click.option(
    "--table", metavar="NAME", help="Default: FESTIVAL_TABLE, else the stack's table."
)


def query_options(command: Command) -> Command:
    """Add the options that every query has."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON array of items.")
    return table_option(as_json(command))


@click.group(no_args_is_help=False)
def query() -> None:
    """Ask the table."""


@query.command()
@click.argument("name")
@query_options
def performer(name: str, table: str | None, as_json: bool) -> None:
    """All performances of a performer."""
    show(patterns.by_performer(name), table, as_json, "performer", name)


@query.command()
@click.argument("date")
@click.option("--from", "time_from", metavar="HH:MM", default="00:00", show_default=True)
@click.option("--to", "time_to", metavar="HH:MM", default="23:59", show_default=True)
@query_options
def date(date: str, time_from: str, time_to: str, table: str | None, as_json: bool) -> None:
    """The performances that start on DATE in a time range.

    DATE is YYYY-MM-DD. A range past midnight (--from 22:00 --to 02:00) continues into the next day.
    """
    show(patterns.on_date(date, time_from, time_to), table, as_json)


@query.command()
@click.argument("stage")
@click.argument("date")
@click.argument("time")
@click.option("--exact", is_flag=True, help="Only what starts at exactly this time.")
@query_options
def stage(stage: str, date: str, time: str, exact: bool, table: str | None, as_json: bool) -> None:
    """Who is on STAGE on DATE at TIME.

    DATE is YYYY-MM-DD, TIME is HH:MM.
    """
    pattern = patterns.stage_at_exactly if exact else patterns.on_stage_at
    show(pattern(stage, date, time), table, as_json, "stage", stage)


@query.command()
@click.option("--above", type=click.INT, default=80, show_default=True, metavar="N")
@query_options
def popular(above: int, table: str | None, as_json: bool) -> None:
    """The performances with a popularity above N, most popular first."""
    show(patterns.more_popular_than(above), table, as_json)


def show(
    pattern: patterns.AccessPattern,
    table: str | None,
    as_json: bool,
    kind: str = "",
    name: str = "",
) -> None:
    """Print the answer. If there is none for a performer's or stage's `name`, suggest others."""
    kit = Kit.from_environment()
    table = kit.table_name(table)
    rows, pages = answer(Connection.from_client(kit.clients.dynamodb), table, pattern)
    if kind and not rows and (note := unknown_name(kind, name, kit.recorded_contents(table))):
        click.echo(note, err=True)
    if as_json:
        click.echo(json.dumps([attributes(row) for row in rows], ensure_ascii=False, indent=1))
        return
    if rows:
        click.echo("\n".join(performance_lines(rows)))
    click.echo(answer_footer(pattern, rows, pages))


def list_options(command: Command) -> Command:
    """Add the options that every list has."""
    as_json = click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
    scan = click.option("--scan", is_flag=True, help="Read the whole table, by a Scan.")
    return table_option(scan(as_json(command)))


@click.group("list", no_args_is_help=False)
def list_() -> None:
    """Show what is in the table: dates, stages, performers.

    Reads what ingests recorded. Files ingested from a local machine, without the ledger, appear
    only with --scan.
    """


@list_.command()
@list_options
def dates(table: str | None, scan: bool, as_json: bool) -> None:
    """The days, with their performances, performers and stages."""
    by_date = contents(table, scan=scan).dates
    rows = {
        day: {
            "performances": group.performances,
            "performers": len(group.performers),
            "stages": len(group.stages),
        }
        for day, group in by_date.items()
    }
    show_list("date", rows, as_json)


@list_.command()
@list_options
def stages(table: str | None, scan: bool, as_json: bool) -> None:
    """The stages, with their performances, first and last day."""
    show_list("stage", _spans(contents(table, scan=scan).stages), as_json)


@list_.command()
@click.argument("text", default="")
@list_options
def performers(text: str, table: str | None, scan: bool, as_json: bool) -> None:
    """The performers whose names contain TEXT.

    Case and accents do not matter.
    """
    groups = contents(table, scan=scan).performers
    names = matching(text, groups)
    if groups and not names:
        click.echo(none_contains(text, groups), err=True)
    show_list("performer", _spans({name: groups[name] for name in names}), as_json)


def contents(table: str | None, *, scan: bool) -> Contents:
    kit = Kit.from_environment()
    table = kit.table_name(table)
    if scan:
        return scanned_contents(Connection.from_client(kit.clients.dynamodb), table)
    return kit.recorded_contents(table)()


def show_list(noun: str, rows: Mapping[str, Mapping[str, int | str]], as_json: bool) -> None:
    if as_json:
        entries = [{noun: name, **row} for name, row in rows.items()]
        click.echo(json.dumps(entries, ensure_ascii=False, indent=1))
        return
    if rows:
        heads = [noun, *next(iter(rows.values()))]
        cells: Sequence[Sequence[object]] = [(name, *row.values()) for name, row in rows.items()]
        click.echo("\n".join(table_lines([head.capitalize() for head in heads], cells)))
    click.echo(counted(len(rows), noun))


def _spans(groups: Groups) -> dict[str, dict[str, int | str]]:
    return {
        name: {"performances": group.performances, "first": group.first, "last": group.last}
        for name, group in groups.items()
    }
