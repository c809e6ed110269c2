"""How papermill runs these notebooks: it says which cell is running, and what that cell says."""

import sys
import time
from typing import Any, TextIO

from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines

from festival.progress import MARK

NAME = "festival"
# Cells that papermill adds: they are not in the notebook a reader would open.
ADDED = {"injected-parameters", "papermill-error-cell-tag"}
# Without a terminal, a long cell says this often how far it is.
SECONDS_BETWEEN_LINES = 30


class CellLine:
    """One line on a terminal: the running cell, its heading, and its own progress.

    Where the stream is a file, a line is written every half minute, and none is rewritten.
    """

    def __init__(self, notebook: str, cells: list[Any], stream: TextIO) -> None:
        self._notebook, self._cells, self._stream = notebook, cells, stream
        self._cell, self._width, self._written = "", 0, time.monotonic()

    def begin(self, index: int) -> None:
        """A cell begins to run."""
        self._cell = f"{self._notebook}: {place(self._cells, index)}"
        self._show(self._cell)

    def tell(self, said: str) -> None:
        """The running cell says how far it is."""
        self._show(f"{self._cell}: {said}")

    def end(self) -> None:
        if self._stream.isatty():
            print("\r" + " " * self._width, end="\r", file=self._stream, flush=True)

    def _show(self, line: str) -> None:
        if self._stream.isatty():
            print(f"\r{line:<{self._width}}", end="", file=self._stream, flush=True)
            self._width = len(line)
        elif time.monotonic() - self._written >= SECONDS_BETWEEN_LINES:
            self._written = time.monotonic()
            print(line, file=self._stream, flush=True)


class TellingClient(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells, and passes on what they say of their progress."""

    line: CellLine | None = None

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        if self.line is not None and cell.cell_type == "code":
            self.line.begin(cell_index)
        return super().execute_cell(cell, cell_index, **options)

    def process_message(self, message: Any, *place: Any, **options: Any) -> Any:
        content = message["content"]
        if self.line is not None and content.get("metadata") == MARK:
            self.line.tell(str(content["data"].get("text/plain", "")))
        return super().process_message(message, *place, **options)


class TellingEngine(Engine):  # type: ignore[misc]
    """papermill's own engine, with that client; `tells` is the notebook's name, '' to be silent."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, tells: str = "", **options: Any
    ) -> Any:
        kept = {name: options[name] for name in ("extra_arguments", "timeout") if name in options}
        client = TellingClient(nb_man, kernel_name=kernel_name, startup_timeout=60, **kept)
        if tells:
            client.line = CellLine(tells, nb_man.nb.cells, sys.stderr)
        try:
            return client.execute()
        finally:
            if client.line is not None:
                client.line.end()


def place(cells: list[Any], index: int) -> str:
    """A cell as a reader of the notebook finds it: its number, and the heading above it."""
    before = [cell for cell in cells[:index] if not ADDED & set(cell.metadata.get("tags", []))]
    titles = [
        line.lstrip("# ")
        for cell in before
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    return f"cell {len(before) + 1}" + (f" ({titles[-1]})" if titles else "")


papermill_engines.register(NAME, TellingEngine)
