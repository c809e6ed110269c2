"""`festival list`: what is in the table, without reading it."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import click

from festival.cli.text import table
from festival.kit import Kit
from festival.query.contents import Contents, Group, scanned_contents
from festival.query.names import matching, suggestion
from festival.table.connection import Connection
from festival.text import counted

Groups = Mapping[str, Group]


def listing(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that every list has."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="Print a JSON array."),
        click.option("--scan", is_flag=True, help="Read the whole table, by a Scan."),
        click.option(
            "--table", metavar="NAME", help="Default: FESTIVAL_TABLE, else the stack's table."
        ),
    ):
        command = option(command)
    return command


@click.group("list", no_args_is_help=False)
def group() -> None:
    """Show what is in the table: dates, stages, performers.

    From what ingests recorded. A file that was ingested from a machine, without the ledger, is only
    found with --scan.
    """


@group.command()
@listing
def dates(table: str | None, scan: bool, as_json: bool) -> None:
    """The days, with their performances, performers and stages."""
    found = contents(table, scan=scan)
    rows = {
        day: {
            "performances": group.performances,
            "performers": len(group.performers),
            "stages": len(group.stages),
        }
        for day, group in found.dates.items()
    }
    show("date", rows, as_json)


@group.command()
@listing
def stages(table: str | None, scan: bool, as_json: bool) -> None:
    """The stages, with their performances, first and last day."""
    show("stage", _spans(contents(table, scan=scan).stages), as_json)


@group.command()
@click.argument("text", default="")
@listing
def performers(text: str, table: str | None, scan: bool, as_json: bool) -> None:
    """The performers whose name contains TEXT, in any case and with or without accents."""
    groups = contents(table, scan=scan).performers
    found = matching(text, groups)
    if groups and not found:
        hint = suggestion(text, groups)
        click.echo(f"no performer contains '{text}'; {hint}".rstrip("; "), err=True)
    show("performer", _spans({name: groups[name] for name in found}), as_json)


def contents(named: str | None, *, scan: bool) -> Contents:
    kit = Kit.from_environment()
    name = kit.table_name(named)
    if scan:
        return scanned_contents(Connection.from_client(kit.clients.dynamodb), name)
    return kit.recorded_contents(name)()


def show(what: str, rows: Mapping[str, Mapping[str, int | str]], as_json: bool) -> None:
    if as_json:
        entries = [{what: name, **row} for name, row in rows.items()]
        click.echo(json.dumps(entries, ensure_ascii=False, indent=1))
        return
    if rows:
        heads = [what, *next(iter(rows.values()))]
        cells: Sequence[Sequence[object]] = [(name, *row.values()) for name, row in rows.items()]
        click.echo("\n".join(table([head.capitalize() for head in heads], cells)))
    click.echo(counted(len(rows), what))


def _spans(groups: Groups) -> dict[str, dict[str, int | str]]:
    return {
        name: {"performances": group.performances, "first": group.first, "last": group.last}
        for name, group in groups.items()
    }
