"""`festival check` and `festival normalize`: what would be accepted, as a report or as lines.

Neither writes to the table.
"""

import csv
import io
import math
import shutil
import tempfile
from array import array
from collections.abc import Callable, Iterable, Set
from functools import lru_cache, partial
from json.encoder import encode_basestring
from typing import IO

import click

from festival.cli.mapping import mapping_options
from festival.cli.printing import end_with, report_lines, show_report
from festival.cli.streams import blocks_of, refuse_same_file, written_whole
from festival.errors import FestivalError
from festival.ingest.pipeline import check_blocks, ingest_blocks
from festival.ingest.tally import Tally
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import MINUTES_PER_DAY, Performance, clock, wall_clock
from festival.table.item import renderer
from festival.table.schema import ATTRIBUTES, POPULARITY_BUCKET, Attribute
from festival.table.writer import WriteOutcome

COULD_NOT = 2


@click.command()
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Print the report as one JSON document.")
@click.option("--strict", is_flag=True, help="Exit 1 if rows were rejected.")
@mapping_options
def check(
    files: tuple[str, ...],
    mapping: Callable[[str], LineupMapping],
    sheet: str | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Show which rows of a lineup would be accepted; nothing is written.

    FILE is CSV, JSON, JSON Lines or an Excel workbook, s3://BUCKET/KEY, or - for standard input. If
    it uses other columns or values than the kit's, festival inspect FILE says which options to set.
    Several files are checked one by one, and --json prints an array.
    """

    def check_one(file: str) -> None:
        report = check_blocks(blocks_of(file, mapping(file), sheet), file)
        show_report(report, as_json=as_json, strict=strict, verb="would be written")

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


def _status_of(check_one: Callable[[], None]) -> int:
    """The exit status of checking one of several files."""
    try:
        check_one()
    except click.exceptions.Exit as done:
        return done.exit_code
    except FestivalError as error:
        click.echo(f"festival: {error}", err=True)
        return COULD_NOT
    return 0


@click.command()
@click.argument("file")
@click.option(
    "--to",
    "form",
    type=click.Choice(["jsonl", "csv"]),
    help="The format. Default: by OUT's name, else jsonl.",
)
@click.option("-o", "--out", metavar="OUT", help="The file to write, whole or not at all.")
@click.option("--strict", is_flag=True, help="Exit 1 if rows were rejected.")
@mapping_options
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
    with written_whole(out) as output:
        output.write(header)
        writer, tally = LineWriter(encode, output), Tally()
        result = ingest_blocks(blocks_of(file, mapping, sheet), tally, writer)
        report = tally.report(file, error=result.error)
        if out is not None:
            end_with(report, strict=False)
        if len(report.duplicate_rows):
            # A row replaced by a later row with the same key never gets into the table.
            writer.drop(len(header), {row["line"] for row in report.duplicate_rows})
    if len(report.rejections) or len(report.warnings) or len(report.duplicate_rows):
        click.echo("\n".join(report_lines(report, "accepted")), err=True)
    end_with(report, strict=strict)


class LineWriter:
    """Stands in for the table's writer: writes accepted performances to a file, one per line."""

    def __init__(self, encode: Callable[[Iterable[Performance]], str], output: IO[bytes]) -> None:
        self._encode = encode
        self.output = output
        self.line_numbers = array("I")
        self.deadline = math.inf
        self.stopped = ""

    def put(self, performances: list[Performance]) -> None:
        self.output.write(self._encode(performances).encode("utf-8", "backslashreplace"))
        self.line_numbers.extend([performance.line for performance in performances])

    def flush(self) -> WriteOutcome:
        return WriteOutcome((), (), "", 0, 0, 0)

    def drop(self, begin: int, numbers: Set[int]) -> None:
        """Remove the lines made from these input lines; the first line begins at byte `begin`."""
        with tempfile.TemporaryFile() as others:
            self.output.seek(begin)
            for number, line in zip(self.line_numbers, self.output, strict=True):
                if number not in numbers:
                    others.write(line)
            others.seek(0)
            self.output.seek(begin)
            self.output.truncate()
            shutil.copyfileobj(others, self.output)


# ── performances as lines ────────────────────────────────────────────────────────────────────────
# The lines hold exactly what `festival.table.item.attributes` gives. They are rendered from the
# same table of attributes: a dict and `json.dumps` per row would take five times as long.

COLUMNS = tuple(each.name for each in ATTRIBUTES if each.needs != "source")

# Every minute at which a 24-hour performance that begins in a festival day's night can end.
_MINUTES = range(4 * MINUTES_PER_DAY)
_CLOCKS = tuple(map(clock, _MINUTES))
_WALL_CLOCKS = tuple(map(wall_clock, _MINUTES))


def _member(attribute: Attribute) -> str:
    quote = "" if attribute.type == "N" else '"'
    return f'"{attribute.name}": {quote}{attribute.value}{quote}'


_LINE = renderer("{{", _member, "}}\n", "source", between=", ")
_LINE_UNRANKED = renderer("{{", _member, "}}\n", "source", "popularity", between=", ")


# A lineup has few stages and many rows. Bounded, in case a file has many stages.
@lru_cache(maxsize=1024)
def _escaped(text: str) -> str:
    return encode_basestring(text)[1:-1]


def json_lines(performances: Iterable[Performance]) -> str:
    """One JSON object per line."""
    lines = []
    for performer, stage, date, start, end, popularity, _ in performances:
        render = _LINE_UNRANKED if popularity is None else _LINE
        lines.append(
            render(
                encode_basestring(performer)[1:-1],
                _escaped(stage),
                date,
                _CLOCKS[start],
                _WALL_CLOCKS[start],
                _WALL_CLOCKS[end],
                start,
                end,
                popularity,
            )
        )
    return "".join(lines)


def csv_lines(performances: Iterable[Performance]) -> str:
    """One CSV row per line, in the order of COLUMNS, without a header."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(map(_cells, performances))
    return text.getvalue()


def _cells(performance: Performance) -> tuple[str | int | None, ...]:
    performer, stage, date, start, end, popularity, _ = performance
    begins = _CLOCKS[start]
    at = f"{date}#{begins}"
    bucket = None if popularity is None else POPULARITY_BUCKET
    return (
        *(performer, f"{at}#{stage}", stage, date, _WALL_CLOCKS[start], _WALL_CLOCKS[end]),
        *(start, end, at, begins, popularity, bucket),
    )
