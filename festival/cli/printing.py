"""What commands print: aligned tables, answers, reports, steps, e-mails."""

import itertools
import sys
import time
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from festival.errors import FestivalError
from festival.ingest.report import IngestReport, Outcome, RowList
from festival.lineup.model import MINUTES_PER_DAY, Performance, wall_clock
from festival.text import counted, printable

if TYPE_CHECKING:
    from festival.embedded.aws import Email
    from festival.query.columns import PageCost
    from festival.query.patterns import AccessPattern

GAP = "  "


def table(heads: Sequence[str], rows: Iterable[Sequence[object]]) -> Iterator[str]:
    """The lines of a table: columns as wide as their widest cell, numbers aligned to the right.

    Control characters are shown as escapes, so that a file's content cannot steer a terminal.
    """
    cells = [[_cell(value) for value in row] for row in rows]
    to_right = [all(_is_number(row[n]) for row in cells) and bool(cells) for n in range(len(heads))]
    widths = [max(width(row[n]) for row in [heads, *cells]) for n in range(len(heads))]
    for row in [heads, ["─" * size for size in widths], *cells]:
        yield GAP.join(map(_pad, row, widths, to_right)).rstrip()


def _cell(value: object) -> str:
    return "" if value is None else printable(str(value))


def _is_number(cell: str) -> bool:
    return not cell or cell.lstrip("-").replace(",", "").replace(".", "").isdigit()


def _pad(cell: str, size: int, to_right: bool) -> str:
    blank = " " * (size - width(cell))
    return blank + cell if to_right else cell + blank


def width(text: str) -> int:
    """The terminal columns a text takes: two for a wide character, none for a combining one."""
    return len(text) if text.isascii() else sum(map(_character_width, text))


def _character_width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


# ── answers ──────────────────────────────────────────────────────────────────────────────────────

HEADS = ("Date", "Start", "End", "Stage", "Performer", "Popularity")


def performance_lines(performances: Sequence[Performance]) -> Iterator[str]:
    """A table of performances. `01:15+1` means 01:15 on the day after Date."""
    rows = [
        (
            performance.date,
            time_of(performance.start),
            time_of(performance.end),
            performance.stage,
            performance.performer,
            performance.popularity,
        )
        for performance in performances
    ]
    yield from table(HEADS, rows)


def time_of(minutes: int) -> str:
    days = minutes // MINUTES_PER_DAY
    return wall_clock(minutes) + (f"+{days}" if days else "")


def answer_footer(
    pattern: "AccessPattern", performances: Sequence[Performance], pages: "Sequence[PageCost]"
) -> str:
    """What the answer cost: the number of Queries, read units, milliseconds."""
    units = sum(page.read_units for page in pages)
    milliseconds = sum(page.milliseconds for page in pages)
    rows = counted(len(performances), "performance")
    return f"{rows} · {queries(pattern)}, {units:g} RRU, {milliseconds:,.0f} ms"


def queries(pattern: "AccessPattern") -> str:
    return "1 Query" if len(pattern.queries) == 1 else f"{len(pattern.queries)} Queries"


# ── reports ──────────────────────────────────────────────────────────────────────────────────────

SHOWN_ROWS = 20
VALUE_CHARACTERS, TEXT_CHARACTERS = 40, 100


def show_report(
    report: IngestReport, *, as_json: bool, strict: bool, verb: str = "written"
) -> None:
    """Print the report on standard output and end the command with its status.

    `verb` says what was done with the accepted rows, or `would be written`.
    """
    if as_json:
        report.write_json(sys.stdout)
    elif report.counts.read:
        click.echo("\n".join(report_lines(report, verb)))
    end_with(report, strict=strict)


def end_with(report: IngestReport, *, strict: bool) -> None:
    """Raises FestivalError if the file failed; with --strict, exits 1 if rows were rejected."""
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


def report_lines(report: IngestReport, verb: str) -> Iterator[str]:
    """The whole report for a person: the counts, then the counted rows."""
    yield report_summary(report, verb)
    yield from _row_lines("Rejected", ("line", "field", "value", "reason"), report.rejections)
    yield from _row_lines("Warnings", ("line", "field", "value", "reason"), report.warnings)
    yield from _row_lines("Duplicates", ("line", "kept_line", "key"), report.duplicate_rows)


def report_summary(report: IngestReport, verb: str) -> str:
    counts = report.counts
    parts = [f"{counts.written:,} {verb}"]
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


def _row_lines(title: str, names: tuple[str, ...], rows: RowList) -> Iterator[str]:
    if not len(rows):
        return
    # Warnings about the whole file (line 0) are stored last, but shown first.
    whole_file_first = itertools.chain(
        (row for row in rows if not row["line"]), (row for row in rows if row["line"])
    )
    cells = [
        [row[name] if isinstance(row[name], int) else _cut(str(row[name]), name) for name in names]
        for row in itertools.islice(whole_file_first, SHOWN_ROWS)
    ]
    yield ""
    yield title
    heads = [name.replace("_", " ") for name in names]
    yield from (f"  {line}" for line in table(heads, cells))
    if len(rows) > SHOWN_ROWS:
        yield f"  and {len(rows) - SHOWN_ROWS:,} more (festival check --json lists all)"


def _cut(text: str, name: str) -> str:
    longest = VALUE_CHARACTERS if name == "value" else TEXT_CHARACTERS
    return text if len(text) <= longest else text[: longest - 1] + "…"


# ── steps ────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def step(what: str) -> Iterator[None]:
    """Show a step while it runs, and how long it took."""
    click.echo(f"▸ {what} … ", nl=False)
    began = time.perf_counter()
    try:
        yield
    except BaseException:
        click.echo()
        raise
    click.echo(f"{time.perf_counter() - began:.1f} s")


def email_lines(email: "Email", to: str) -> Iterator[str]:
    """An e-mail as it would arrive."""
    yield f"  ┌ To:      {to}"
    yield f"  │ Subject: {printable(email.subject)}"
    yield "  │"
    yield from (f"  │ {printable(line)}".rstrip() for line in email.body.rstrip().splitlines())
    yield "  └"
