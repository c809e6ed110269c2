"""`festival check` and `festival normalize`: a file, read; nothing is written to the table."""

import math
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Set
from typing import IO

import click

from festival.cli import report as printed
from festival.cli import rows
from festival.cli.mapping import mapped
from festival.cli.source import blocks_of, refuse_same_file, written_whole
from festival.ingest.pipeline import check_blocks, ingest_blocks
from festival.ingest.tally import Tally
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Performance
from festival.table.writer import WriteOutcome


@click.command()
@click.argument("file")
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--strict", is_flag=True, help="Exit 1 where rows were rejected.")
@mapped
def check(
    file: str, mapping: LineupMapping, sheet: str | None, as_json: bool, strict: bool
) -> None:
    """Show what of a lineup would be accepted; nothing is written.

    FILE is CSV, JSON, JSON Lines or an Excel workbook, or - for standard input. Where its columns
    or values are not the kit's own, festival inspect FILE says which options decide.
    """
    report = check_blocks(blocks_of(file, mapping, sheet), file)
    printed.show(report, as_json=as_json, strict=strict, done="would be written")


@click.command()
@click.argument("file")
@click.option(
    "--to", "form", type=click.Choice(["jsonl", "csv"]), help="Default: by OUT's name, else jsonl."
)
@click.option("-o", "--out", metavar="OUT", help="The file to write, whole or not at all.")
@click.option("--strict", is_flag=True, help="Exit 1 where rows were rejected.")
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

    FILE and its options are as for festival check. What was refused is told on standard error.
    """
    refuse_same_file(file, out)
    as_csv = form == "csv" or (form is None and (out or "").endswith(".csv"))
    encode = rows.csv_lines if as_csv else rows.json_lines
    header = (",".join(rows.COLUMNS) + "\n").encode() if as_csv else b""
    with written_whole(out) as place:
        place.write(header)
        kept, tally = KeptLines(encode, place), Tally()
        result = ingest_blocks(blocks_of(file, mapping, sheet), tally, kept)
        report = tally.report(file, error=result.error)
        if out is not None:
            printed.end(report, strict=False)
        if len(report.duplicate_rows):
            # A row that a later row of the same key replaced never gets into the table.
            kept.drop(len(header), {row["line"] for row in report.duplicate_rows})
    if len(report.rejections) or len(report.warnings) or len(report.duplicate_rows):
        click.echo("\n".join(printed.lines(report, "accepted")), err=True)
    printed.end(report, strict=strict)


class KeptLines:
    """Takes the accepted performances as the table's writer would, and keeps them as lines."""

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
        """Take out the lines, from byte `begin` on, of these line numbers of the file."""
        with tempfile.TemporaryFile() as others:
            self.place.seek(begin)
            for number, line in zip(self.line_numbers, self.place, strict=True):
                if number not in numbers:
                    others.write(line)
            others.seek(0)
            self.place.seek(begin)
            self.place.truncate()
            shutil.copyfileobj(others, self.place)
