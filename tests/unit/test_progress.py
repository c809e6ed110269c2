"""How far a long piece of work is, in one line."""

import io

import pytest

from festival import progress
from festival.progress import ProgressLine, clock_of


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still until it is told otherwise."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    return now


def work(stream, clock, seconds=10.0):
    with ProgressLine(4, also="row", stream=stream) as told:
        for _ in range(4):
            clock[0] += seconds
            told.update(1, 500)


def test_a_terminal_sees_one_line_that_says_what_is_done_and_what_is_left(clock):
    stream = Terminal()
    work(stream, clock)
    lines = stream.getvalue().split("\r")
    assert lines[1].startswith("0 of 4 files, 0 rows")
    assert lines[3].startswith("2 of 4 files, 1,000 rows, 0:00:20 left")
    assert lines[-1] == "4 of 4 files, 2,000 rows, in 0:00:40  \n"


def test_a_file_gets_the_last_line_only(clock):
    stream = io.StringIO()
    work(stream, clock)
    assert stream.getvalue() == "4 of 4 files, 2,000 rows, in 0:00:40\n"


def test_quick_work_does_not_rewrite_the_line_for_every_file(clock):
    stream = Terminal()
    work(stream, clock, seconds=0.2)
    assert stream.getvalue().count("\r") == 3


def test_a_total_that_was_estimated_too_low_is_left_out():
    told = ProgressLine(4, "item", stream=io.StringIO())
    told.update(9)
    assert told.line(10) == "9 items"


def test_work_that_breaks_off_says_how_far_it_came(clock):
    stream = io.StringIO()
    with pytest.raises(KeyError), ProgressLine(4, stream=stream) as told:
        told.update()
        raise KeyError
    assert stream.getvalue() == "1 of 4 files, in 0:00:00\n"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0:00:00"), (61, "0:01:01"), (7_265, "2:01:05")]
)
def test_seconds_are_written_as_a_clock_does(seconds, text):
    assert clock_of(seconds) == text
