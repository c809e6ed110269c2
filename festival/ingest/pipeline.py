"""Blocks of rows into the table: counting, writing, and stopping when the caller says so."""

from collections.abc import Callable, Iterable
from typing import NamedTuple, Protocol

from festival.errors import LineupError, Remedy
from festival.ingest.report import IngestReport
from festival.ingest.reports_bucket import KeyLists
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Performance, Position
from festival.table.writer import WriteOutcome


class Writer(Protocol):
    """What an ingest needs from the bulk writer.

    `stopped` says why nothing more will be stored; it is '' while writing goes on.
    """

    deadline: float

    @property
    def stopped(self) -> str: ...

    def put(self, performances: list[Performance]) -> None: ...

    def flush(self) -> WriteOutcome: ...


class Pass(NamedTuple):
    """How one pass over a file ended.

    `paused_at` is where the next pass goes on; None if the file was read to its end or to where it
    breaks. `error` says why it breaks and `remedy` what would help; `unwritten_because` says why
    rows could not be stored.
    """

    paused_at: Position | None = None
    error: str = ""
    remedy: Remedy = Remedy.FILE
    unwritten_because: str = ""


def never(block: Block) -> bool:
    """Do not pause."""
    return False


def ingest_blocks(
    blocks: Iterable[Block],
    tally: Tally,
    writer: Writer | None = None,
    pause: Callable[[Block], bool] = never,
) -> Pass:
    """Count every block and hand its performances to the writer (None: nothing is written).

    `pause` is asked after each block; if it says yes, reading stops after that block. Before
    returning, everything handed over is stored, refused, or counted as unwritten.
    """
    error, remedy = "", Remedy.FILE
    paused_at = None
    try:
        for block in blocks:
            performances = tally.take(block)
            if writer is not None:
                writer.put(performances)
                if writer.stopped:
                    break
            if block.end is not None and pause(block):
                paused_at = block.end
                break
    except LineupError as broken:
        error, remedy = str(broken), broken.remedy
    unwritten_because = settle(tally, writer) or (writer.stopped if writer is not None else "")
    return Pass(paused_at, error, remedy, unwritten_because)


def settle(tally: Tally, writer: Writer | None) -> str:
    """Wait until every row is stored or given up; return why rows are unwritten, or ''."""
    if writer is None:
        return ""
    outcome = writer.flush()
    tally.reject(outcome.rejections)
    tally.leave_unwritten(len(outcome.unwritten))
    tally.count_effort(outcome.retries, outcome.throttles)
    return outcome.reason if outcome.unwritten else ""


def check_blocks(blocks: Iterable[Block], file: str) -> IngestReport:
    """What would be accepted, rejected and reported as duplicate; nothing is written."""
    tally = Tally(source=file)
    result = ingest_blocks(blocks, tally)
    return tally.report(file, error=result.error)


class ListedWriter:
    """A writer that lists rows before passing them on."""

    def __init__(self, writer: Writer, lists: KeyLists, file: str, version: str) -> None:
        self._writer = writer
        self._lists = lists
        self._file = file
        self._version = version

    @property
    def deadline(self) -> float:
        return self._writer.deadline

    @deadline.setter
    def deadline(self, moment: float) -> None:
        self._writer.deadline = moment

    @property
    def stopped(self) -> str:
        return self._writer.stopped

    def put(self, performances: list[Performance]) -> None:
        if performances:
            self._lists.keep(self._file, self._version, performances)
        self._writer.put(performances)

    def flush(self) -> WriteOutcome:
        return self._writer.flush()
