"""`festival check` and `festival normalize`: read a file; write nothing to the table."""

import math
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Set
from functools import partial
from typing import IO

import click

from festival.cli.mapping import mapped
from festival.cli.printing import end_with, report_lines, show_report
from festival.cli.rows import COLUMNS, csv_lines, json_lines
from festival.cli.source import blocks_of, refuse_same_file, written_whole
from festival.errors import FestivalError
from festival.ingest.pipeline import check_blocks, ingest_blocks
from festival.ingest.tally import Tally
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Performance
from festival.table.writer import WriteOutcome

COULD_NOT = 2


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--strict", is_flag=True, help="Exit 1 if rows were rejected.")
@mapped
def check(
    files: tuple[str, ...],
    mapping: Callable[[str], LineupMapping],
    sheet: str | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Show what of a lineup would be accepted; nothing is written.

    FILE is CSV, JSON, JSON Lines or an Excel workbook, s3://BUCKET/KEY, or - for standard input. If
    it uses other columns or values than the kit's, festival inspect FILE says which options to set.
    Several files are checked one by one, and --json prints an array.
    """

    def check_one(file: str) -> None:
        report = check_blocks(blocks_of(file, mapping(file), sheet), file)
        show_report(report, as_json=as_json, strict=strict, done="would be written")

    if len(files) == 1:
        check_one(files[0])
        return
    status = 0
    for number, file in enumerate(files):
        if as_json:
            click.echo("," if number else "[", nl=False)
        status = max(status, _status_of(partial(check_one, file)))
    if as_json:
        click.echo("]")
    raise click.exceptions.Exit(status)


def _status_of(act: Callable[[], None]) -> int:
    """The exit status that one of several files would have by itself."""
    try:
        act()
    except click.exceptions.Exit as ended:
        return ended.exit_code
    except FestivalError as error:
        click.echo(f"festival: {error}", err=True)
        return COULD_NOT
    return 0


@click.command()
@click.argument("file")
@click.option(
    "--to", "form", type=click.Choice(["jsonl", "csv"]), help="Default: by OUT's name, else jsonl."
)
@click.option("-o", "--out", metavar="OUT", help="The file to write, whole or not at all.")
@click.option("--strict", is_flag=True, help="Exit 1 if rows were rejected.")
@mapped
def normalize(
    file: str,
    mapping: LineupMapping,
    sheet: str | None,
    form: str | None,
    out: str | None,
    strict: bool,
) -> None:
    """Write the accepted performances with the table's attributes.

    FILE and its options are as for festival check. Refused rows are reported on standard error. CSV
    and JSON both have the table's own values, for a program to read: no CSV cell is escaped against
    spreadsheets that run =… as a formula, because an escaped name would be a different name.
    """
    refuse_same_file(file, out)
    as_csv = form == "csv" or (form is None and (out or "").endswith(".csv"))
    encode = csv_lines if as_csv else json_lines
    header = (",".join(COLUMNS) + "\n").encode() if as_csv else b""
    with written_whole(out) as place:
        place.write(header)
        kept, tally = KeptLines(encode, place), Tally()
        result = ingest_blocks(blocks_of(file, mapping, sheet), tally, kept)
        report = tally.report(file, error=result.error)
        if out is not None:
            end_with(report, strict=False)
        if len(report.duplicate_rows):
            # A row replaced by a later row with the same key never gets into the table.
            kept.drop(len(header), {row["line"] for row in report.duplicate_rows})
    if len(report.rejections) or len(report.warnings) or len(report.duplicate_rows):
        click.echo("\n".join(report_lines(report, "accepted")), err=True)
    end_with(report, strict=strict)


class KeptLines:
    """Takes accepted performances as the table's writer would, and keeps them as lines."""

    def __init__(self, encode: Callable[[Iterable[Performance]], str], place: IO[bytes]) -> None:
        self._encode = encode
        self.place = place
        self.line_numbers = array("I")
        self.deadline = math.inf
        self.stopped = ""

    def put(self, performances: list[Performance]) -> None:
        self.place.write(self._encode(performances).encode("utf-8", "backslashreplace"))
        self.line_numbers.extend([performance.line for performance in performances])

    def flush(self) -> WriteOutcome:
        return WriteOutcome((), (), "", 0, 0, 0)

    def drop(self, begin: int, numbers: Set[int]) -> None:
        """From byte `begin` on, remove the lines made from these line numbers of the file."""
        with tempfile.TemporaryFile() as others:
            self.place.seek(begin)
            for number, line in zip(self.line_numbers, self.place, strict=True):
                if number not in numbers:
                    others.write(line)
            others.seek(0)
            self.place.seek(begin)
            self.place.truncate()
            shutil.copyfileobj(others, self.place)
