"""One line that says how far a long piece of work is, where the reader sees it.

In a notebook the line is a display that is updated in place, so that an executed copy keeps the
last one; on a terminal it is rewritten; anywhere else only the last one is printed.
"""

import sys
import time
from types import TracebackType
from typing import Any, TextIO

from festival.text import counted

# Marks the display, for whoever runs the notebook and shows the line elsewhere.
MARK = {"festival": "progress"}
SECONDS_BETWEEN_LINES = 0.5


class ProgressLine:
    """How many of `total` things are done, and how long the rest will take at the same pace.

    `also` names what else is counted, say rows. Use it in a `with` block, and call `update`.
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
        """So many more are done; `count` is of what `also` names."""
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
        """The line after so many seconds.

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
    """A line of its own: below a notebook's cell, else on standard error."""
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
    """A line that is rewritten, if somebody sits in front of it."""

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
    """Whether this process is a notebook's kernel: it has loaded what makes it one."""
    ipython: Any = sys.modules.get("IPython")
    shell = ipython and ipython.get_ipython()
    return getattr(shell, "kernel", None) is not None
