"""The demo: sends sample files through the stack, and compares the table's answers with them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from festival.embedded.aws import Email, EmbeddedAws
from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.lineup.model import MINUTES_PER_DAY, Performance
from festival.lineup.read import read_lineup
from festival.query.columns import answer
from festival.query.patterns import (
    AccessPattern,
    by_performer,
    more_popular_than,
    on_date,
    on_stage_at,
    stage_at_exactly,
)
from festival.stack.stack import StackOutputs
from festival.table.connection import Connection

SAMPLES = Path(__file__).parents[2] / "sample"
FILES = ("sample.csv", "sample.json", "messy.csv")


@dataclass(frozen=True, slots=True)
class DemoQuestion:
    """An access pattern, and the same condition as a test of one performance of a file."""

    pattern: AccessPattern
    holds: Callable[[Performance], bool]


@dataclass(frozen=True, slots=True)
class DemoAnswer:
    """The table's answer to an access pattern, in order."""

    pattern: AccessPattern
    performances: list[Performance]


QUESTIONS = (
    DemoQuestion(
        by_performer("Megan Thee Stallion"), lambda one: one.performer == "Megan Thee Stallion"
    ),
    DemoQuestion(
        on_date("2025-07-12", "16:00", "21:00"),
        lambda one: one.date == "2025-07-12" and 16 * 60 <= one.start <= 21 * 60,
    ),
    DemoQuestion(
        stage_at_exactly("Main Stage", "2025-07-12", "20:00"),
        lambda one: (one.stage, one.date, one.start) == ("Main Stage", "2025-07-12", 20 * 60),
    ),
    DemoQuestion(
        on_stage_at("Le Chapiteau", "2025-07-13", "00:45"),
        lambda one: (
            (one.stage, one.date) == ("Le Chapiteau", "2025-07-12")
            and one.start <= MINUTES_PER_DAY + 45 < one.end
        ),
    ),
    DemoQuestion(more_popular_than(80), lambda one: (one.popularity or 0) > 80),
)


def drop(aws: EmbeddedAws, outputs: StackOutputs, file: Path) -> list[Email]:
    """Upload a file and wait until the queue is empty; returns the e-mails about it.

    Raises FestivalError if the file was not ingested.
    """
    before = len(aws.emails())
    aws.session().client("s3").upload_file(str(file), outputs.upload_bucket, file.name)
    drained = aws.drain()
    emails = aws.emails()[before:]
    if drained.left or not emails:
        errors = [done.error for done in drained.invocations if done.error]
        reasons = [*errors, *_reasons(aws, outputs), "no e-mail was sent"]
        raise FestivalError(f"{file.name} did not get through: {reasons[0]}")
    return emails


def _reasons(aws: EmbeddedAws, outputs: StackOutputs) -> Iterator[str]:
    """Why tries failed, according to the ledger."""
    ledger = Ledger(aws.session().client("dynamodb"), outputs.ledger_table)
    for record in ledger.recent(days=1):
        yield from record.reasons.values()


def item_count(aws: EmbeddedAws, outputs: StackOutputs) -> int:
    """How many items the table holds. Here the count is up to date; AWS counts every six hours."""
    table = aws.session().client("dynamodb").describe_table(TableName=outputs.table)
    return int(table["Table"]["ItemCount"])


def answers(connection: Connection, table: str, files: Iterable[Path]) -> Iterator[DemoAnswer]:
    """The table's answer to each question.

    Raises FestivalError if one differs from the answer in the files.
    """
    in_files = performances_of(files)
    for question in QUESTIONS:
        answered, _ = answer(connection, table, question.pattern)
        expected = {one.key for one in in_files if question.holds(one)}
        if len(answered) != len(expected) or {one.key for one in answered} != expected:
            raise FestivalError(
                f"{question.pattern.question}: the table answers with {len(answered)} "
                f"performances, the files have {len(expected)}"
            )
        yield DemoAnswer(question.pattern, answered)


def performances_of(files: Iterable[Path]) -> list[Performance]:
    """Every performance in the files."""
    return [
        performance
        for file in files
        for block in read_lineup([file.read_bytes()])
        for performance in block.performances
    ]
