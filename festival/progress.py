"""A line that shows the progress of a long task.

In a notebook the line is a display that is updated in place, so an executed copy keeps its last
state. On a terminal the line is rewritten. Anywhere else only the last state is printed.
"""

import sys
import time
from types import TracebackType
from typing import Any, TextIO

from festival.text import counted

# Metadata of the display, by which `festival run` finds the line and shows it on its terminal.
MARK = {"festival": "progress"}
SECONDS_BETWEEN_LINES = 0.5


class ProgressLine:
    """How many of `total` units are done, and how long the rest will take at the same pace.

    `noun` names a unit. `also` names a second count to show, such as rows. Use it in a `with`
    block, and call `update`.
    """

    def __init__(
        self, total: int, noun: str = "file", also: str = "", stream: TextIO | None = None
    ) -> None:
        self.total, self.noun, self.also = total, noun, also
        self.done = self.count = 0
        self._screen = _Notebook() if _in_a_notebook() else _Terminal(stream or sys.stderr)
        self._began = self._written = time.monotonic()

    def __enter__(self) -> "ProgressLine":
        self._screen.write(self.line(0.0))
        return self

    def update(self, done: int = 1, count: int = 0) -> None:
        """Add `done` units, and `count` to the second count."""
        self.done += done
        self.count += count
        now = time.monotonic()
        if now - self._written >= SECONDS_BETWEEN_LINES:
            self._written = now
            self._screen.write(self.line(now - self._began))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        self._screen.finish(self.line(time.monotonic() - self._began, ended=True))

    def line(self, seconds: float, *, ended: bool = False) -> str:
        """The text of the line after so many seconds.

        >>> progress = ProgressLine(40, also="row")
        >>> progress.update(10, 5_000)
        >>> progress.line(30)
        '10 of 40 files, 5,000 rows, 0:01:30 left'
        >>> progress.line(30, ended=True)
        '10 of 40 files, 5,000 rows, in 0:00:30'
        """
        # A total may be an estimate that was too low.
        if within := self.done <= self.total:
            parts = [f"{self.done:,} of {counted(self.total, self.noun)}"]
        else:
            parts = [counted(self.done, self.noun)]
        if self.also:
            parts.append(counted(self.count, self.also))
        if ended:
            parts.append(f"in {clock_of(seconds)}")
        elif self.done and within:
            parts.append(f"{clock_of(seconds / self.done * (self.total - self.done))} left")
        return ", ".join(parts)


def say(message: str) -> None:
    """Print a message of one line: below a notebook's cell, else on standard error."""
    print(message, file=sys.stdout if _in_a_notebook() else sys.stderr, flush=True)


def clock_of(seconds: float) -> str:
    """Seconds as `h:mm:ss`."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


class _Notebook:
    """A display of one line that is updated in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def write(self, line: str) -> None:
        data = {"text/plain": line}
        if self._handle is None:
            display: Any = sys.modules["IPython"].display
            self._handle = display.DisplayHandle()
            self._handle.display(data, raw=True, metadata=MARK)
        else:
            self._handle.update(data, raw=True, metadata=MARK)

    finish = write


class _Terminal:
    """A line that is rewritten in place if the stream is a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._width = 0

    def write(self, line: str) -> None:
        if self._stream.isatty():
            print(f"\r{line:<{self._width}}", end="", file=self._stream, flush=True)
            self._width = len(line)

    def finish(self, line: str) -> None:
        self.write(line)
        print("" if self._stream.isatty() else line, file=self._stream, flush=True)


def _in_a_notebook() -> bool:
    """Whether this process is a notebook's kernel. IPython is loaded if it is."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
