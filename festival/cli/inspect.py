"""`festival inspect`: how a file is understood, before anything depends on it."""

import json

import click

from festival.cli.mapping import mapped
from festival.cli.source import opened, refuse_same_file, written_whole
from festival.errors import LineupError
from festival.inspection.inspect import inspect_lineup
from festival.inspection.workbook import inspect_rows
from festival.lineup.mapping import LineupMapping
from festival.text import printable


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
@click.option("-o", "--out", metavar="OUT", help="Save the proposed mapping there.")
@mapped
def inspect(
    file: str, mapping: LineupMapping, sheet: str | None, as_json: bool, out: str | None
) -> None:
    """Show how a file is read, and what only you can decide.

    Encoding, delimiter, columns and what each was taken for, the forms of times and dates, what is
    ambiguous and which option decides it, and a mapping to save as FILE.mapping.json. What has been
    decided is given as options, as for festival check.
    """
    refuse_same_file(file, out)
    try:
        chunks, rows = opened(file, sheet)
    except LineupError as error:
        raise LineupError(f"{printable(file)}: {error}") from None
    if rows is None:
        found = inspect_lineup(chunks, mapping=mapping)
    else:
        found = inspect_rows(rows, mapping=mapping)
    proposal = json.dumps(found.proposal.to_dict(), ensure_ascii=False, indent=2) + "\n"
    if as_json:
        click.echo(json.dumps({"file": file} | found.to_dict(), ensure_ascii=False, indent=1))
    else:
        click.echo("\n".join(printable(line) for line in found.lines()))
    if found.problem:
        raise LineupError(f"{printable(file)}: {found.problem}")
    if out is not None:
        with written_whole(out) as target:
            target.write(proposal.encode())
