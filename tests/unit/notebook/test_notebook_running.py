"""What `festival run` shows while a notebook runs, and what its executed copy keeps."""

import io

import nbformat
import pytest

from festival.notebook import run
from festival.notebook.run import CellLine, cell_name, run_notebook

LONG_CELL = """from festival.progress import ProgressLine
import festival.progress
festival.progress.SECONDS_BETWEEN_LINES = 0
with ProgressLine(3, also="row") as progress:
    for _ in range(3):
        progress.update(1, 100)"""


class Terminal(io.StringIO):
    def isatty(self):
        return True


def cells(*sources):
    new = nbformat.v4
    return [
        new.new_markdown_cell(source) if source.startswith("#") else new.new_code_cell(source)
        for source in sources
    ]


def test_a_cell_is_named_as_its_reader_finds_it_without_what_papermill_adds():
    notebook = cells("# Ask", "x = 1", "x = 2", "## The run", "go()")
    notebook[2].metadata["tags"] = ["injected-parameters"]
    assert cell_name(notebook, 4) == "cell 4 (The run)"
    assert cell_name(cells("go()"), 0) == "cell 1"


def test_a_terminal_sees_the_running_cell_and_what_it_says(monkeypatch):
    terminal = Terminal()
    line = CellLine("backfill", cells("# The run", "go()"), terminal)
    line.begin(1)
    line.update("2 of 3 files")
    line.end()
    shown = terminal.getvalue().split("\r")
    assert shown[1] == "backfill: cell 2 (The run)"
    assert shown[2] == "backfill: cell 2 (The run): 2 of 3 files"
    assert shown[3].strip() == ""


def test_a_log_gets_a_line_every_half_minute_and_not_every_update(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(run.time, "monotonic", lambda: now[0])
    log = io.StringIO()
    line = CellLine("backfill", cells("go()"), log)
    for now[0] in range(70):
        line.update(f"{now[0]} of 70 files")
    assert log.getvalue().splitlines() == [": 30 of 70 files", ": 60 of 70 files"]


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "long.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells("# Long work", LONG_CELL)), path)
    return path


def test_a_long_cell_is_followed_while_it_runs_and_keeps_its_last_line_only(notebook, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(run.sys, "stderr", terminal)
    done = run_notebook(notebook, out=str(notebook.parent / "out.ipynb"))
    assert "long: cell 2 (Long work): 2 of 3 files, 200 rows, 0:00:00 left" in terminal.getvalue()
    (output,) = nbformat.read(done.executed, as_version=4).cells[1].outputs
    assert output.data["text/plain"] == "3 of 3 files, 300 rows, in 0:00:00"
