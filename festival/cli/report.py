"""An IngestReport, printed; and the exit status that follows from it."""

import itertools
import sys
from collections.abc import Iterator

import click

from festival.cli.text import table
from festival.errors import FestivalError
from festival.ingest.report import IngestReport, Outcome, RowList
from festival.text import counted, printable

SHOWN_ROWS = 20
VALUE_CHARACTERS, TEXT_CHARACTERS = 40, 100


def show(report: IngestReport, *, as_json: bool, strict: bool, done: str = "written") -> None:
    """Print the report on standard output and end the command with its status.

    `done` is the word for what was accepted (`would be written` if nothing was).
    """
    if as_json:
        report.write_json(sys.stdout)
    elif report.counts.read:
        click.echo("\n".join(lines(report, done)))
    end(report, strict=strict)


def end(report: IngestReport, *, strict: bool) -> None:
    """Raises FestivalError if it could not be done, and exits 1 for rejections with --strict."""
    if report.status == Outcome.FAILURE:
        raise FestivalError(f"{printable(report.file)}: {reason_of_failure(report)}")
    if strict and report.counts.rejected:
        raise click.exceptions.Exit(1)


def reason_of_failure(report: IngestReport) -> str:
    if report.error:
        return report.error.removeprefix(f"{report.file}: ")
    counts = report.counts
    if counts.unwritten:
        return f"{counted(counts.unwritten, 'row')} could not be written"
    first = next(iter(report.rejections))
    return (
        f"none of {counted(counts.read, 'row')} could be kept; the first is line {first['line']}: "
        f"{first['reason']}"
    )


def lines(report: IngestReport, done: str) -> Iterator[str]:
    """The whole report for a person: the counts, then the rows they count."""
    yield summary(report, done)
    yield from _listed("Rejected", ("line", "field", "value", "reason"), report.rejections)
    yield from _listed("Warnings", ("line", "field", "value", "reason"), report.warnings)
    yield from _listed("Duplicates", ("line", "kept_line", "key"), report.duplicate_rows)


def summary(report: IngestReport, done: str) -> str:
    counts = report.counts
    parts = [f"{counts.written:,} {done}"]
    parts += [
        f"{number:,} {what}"
        for number, what in (
            (counts.rejected, "rejected"),
            (counts.duplicates, "duplicate" if counts.duplicates == 1 else "duplicates"),
            (counts.unwritten, "unwritten"),
        )
        if number
    ]
    read = counted(counts.read, "row")
    return f"{printable(report.file)}: {report.status}. {read} read: {', '.join(parts)}"


def _listed(title: str, names: tuple[str, ...], rows: RowList) -> Iterator[str]:
    if not len(rows):
        return
    # What is said of the whole file, line 0, is only known at its end, and goes first.
    whole_file_first = itertools.chain(
        (row for row in rows if not row["line"]), (row for row in rows if row["line"])
    )
    shown = [
        [row[name] if isinstance(row[name], int) else _cut(str(row[name]), name) for name in names]
        for row in itertools.islice(whole_file_first, SHOWN_ROWS)
    ]
    yield ""
    yield title
    heads = [name.replace("_", " ") for name in names]
    yield from (f"  {line}" for line in table(heads, shown))
    if len(rows) > SHOWN_ROWS:
        yield f"  and {len(rows) - SHOWN_ROWS:,} more (festival check --json lists all)"


def _cut(text: str, name: str) -> str:
    longest = VALUE_CHARACTERS if name == "value" else TEXT_CHARACTERS
    return text if len(text) <= longest else text[: longest - 1] + "…"
