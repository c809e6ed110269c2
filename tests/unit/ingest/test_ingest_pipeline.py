"""Blocks into a writer: what was stored, what was not, and when reading stops."""

from types import SimpleNamespace

from festival.ingest.pipeline import ListedWriter, Pass, ingest_blocks
from festival.ingest.tally import Tally
from festival.lineup.model import Block, Performance, Position
from festival.table.writer import WriteOutcome


def blocks(count):
    for number in range(count):
        row = Performance(f"Band {number}", "Park", "2025-06-28", 1200, 1260, None, number + 2)
        yield Block([row], [], [], 1, Position(100 * number, 0, number + 3, "csv"))


class Writer:
    """Stops after so many rows, and has stored every one that it was given."""

    deadline = 0.0

    def __init__(self, most):
        self.rows, self.most = [], most

    @property
    def stopped(self):
        return "the table is gone" if len(self.rows) >= self.most else ""

    def put(self, performances):
        self.rows += performances

    def flush(self):
        return WriteOutcome((), (), "", 1, 0, 0)


def test_a_writer_that_has_stopped_is_not_the_end_of_the_file_though_it_left_no_row_unwritten():
    """The rows that were never read are not in the table either."""
    tally, writer = Tally(), Writer(most=2)
    assert ingest_blocks(blocks(5), tally, writer) == Pass(unwritten_because="the table is gone")
    assert (len(writer.rows), tally.counts.read) == (2, 2)


def test_without_a_stop_every_block_is_read():
    tally, writer = Tally(), Writer(most=99)
    assert ingest_blocks(blocks(5), tally, writer) == Pass()
    assert (len(writer.rows), tally.counts.written) == (5, 5)


def test_a_pause_is_at_the_end_of_the_block_after_which_it_was_asked_for():
    tally, writer = Tally(), Writer(most=99)
    ended = ingest_blocks(blocks(5), tally, writer, lambda block: block.end.line == 5)
    assert ended == Pass(paused_at=Position(200, 0, 5, "csv"))
    assert len(writer.rows) == 3


def test_a_row_is_in_its_list_before_it_is_in_the_table():
    """Whatever becomes of the process in between, reconciling finds the row."""
    calls = []
    lists = SimpleNamespace(keep=lambda file, version, rows: calls.append(("list", len(rows))))
    writer = SimpleNamespace(put=lambda rows: calls.append(("table", len(rows))))
    (block,) = blocks(1)
    listed = ListedWriter(writer, lists, "upload/a.csv", "v1")
    listed.put(block.performances)
    listed.put([])  # a list has one row or more
    assert calls == [("list", 1), ("table", 1), ("table", 0)]
