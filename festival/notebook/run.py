"""Runs a notebook unattended: checks its parameters, writes an executed copy and an HTML report.

papermill runs the cells. Its own command only warns about an unknown parameter; this module refuses
it. While a notebook runs, standard error shows the current cell and that cell's own progress.
"""

import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any, TextIO

import nbformat
from botocore.exceptions import BotoCoreError, ClientError
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from papermill import PapermillExecutionError, execute_notebook
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.iorw import papermill_io

from festival.errors import FestivalError
from festival.notebook.parameters import Value, check_given, read_parameters
from festival.progress import MARK

NOTEBOOKS = "notebooks"
RUNS = "runs"
ENGINE = "festival"
# Cells that papermill adds are not in the notebook that a reader would open.
ADDED = {"injected-parameters", "papermill-error-cell-tag"}
# How often a log gets a line about a long cell.
SECONDS_BETWEEN_LINES = 30
# JupyterLab's look without its scripts (RequireJS, MathJax, Mermaid, widgets), which a browser
# would fetch from other servers; these notebooks need none of them. Code is folded away, except for
# the parameters that somebody gave.
REPORT = """
{%- extends 'lab/index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block input_group -%}
<details{% if 'injected-parameters' in cell.metadata.get('tags', []) %} open{% endif %}>
<summary style="cursor:pointer;color:#767676;font-size:12px;margin-left:70px">code</summary>
{{ super() }}</details>
{%- endblock -%}
"""


@dataclass(frozen=True, slots=True)
class NotebookRun:
    """Where the executed notebook and its HTML report are: paths, or `s3://` addresses."""

    executed: str
    report: str


def find_notebook(name: str) -> Path:
    """A notebook by its path, or by its bare name (`query`) in `notebooks/`.

    Raises FestivalError with a list of the notebooks in that folder.
    """
    for path in (Path(name), Path(NOTEBOOKS) / name, Path(NOTEBOOKS) / f"{name}.ipynb"):
        if path.is_file():
            return path
    names = sorted(path.stem for path in Path(NOTEBOOKS).glob("*.ipynb"))
    hint = f"{NOTEBOOKS}/ has {', '.join(names)}" if names else f"there is no {NOTEBOOKS}/ here"
    raise FestivalError(f"no notebook {name!r}: {hint}")


def run_notebook(
    notebook: Path,
    given: Iterable[tuple[str, str]] = (),
    out: str | None = None,
    *,
    progress: bool = True,
) -> NotebookRun:
    """Run a notebook with the parameters that a user gives, as pairs of name and text.

    `out` is the executed copy: a path, a folder (ending in `/`) or `s3://…`; by default
    `runs/<name>-<time>.ipynb`. Raises FestivalError for a wrong parameter before anything runs. If
    a cell fails, the executed notebook and the report are still written; then it raises a
    FestivalError that names the cell.
    """
    values = check_given(read_parameters(notebook), given, notebook.name)
    executed = _output(notebook, out)
    report = executed.removesuffix(".ipynb") + ".html"
    failure = _execute(notebook, executed, values, progress)
    finished = nbformat.reads(papermill_io.read(executed), as_version=4)  # type: ignore[no-untyped-call]
    papermill_io.write(html(finished, notebook.stem), report, extensions=[".html"])
    if failure:
        raise FestivalError(
            f"{notebook.name} failed in {_failed_cell(finished)}: {failure} (see {executed})"
        )
    return NotebookRun(executed, report)


def _execute(notebook: Path, executed: str, values: Mapping[str, Value], progress: bool) -> str:
    """Run it and write the executed copy; return the failing cell's message, or ''."""
    # Silences papermill's own warnings about parameters, which are already checked by better rules.
    getLogger("papermill").setLevel(ERROR)
    try:
        execute_notebook(
            str(notebook),
            executed,
            dict(values),
            kernel_name="python3",
            engine_name=ENGINE,
            progress_name=notebook.stem if progress else "",
            progress_bar=False,
            # Silences the kernel's warning about a loopback connection, which helps nobody.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        return _last_line(error.evalue) or str(error.ename)
    except DeadKernelError:
        raise FestivalError(
            f"{notebook.name}: the kernel died, usually because memory ran out (see {executed})"
        ) from None
    except (OSError, BotoCoreError, ClientError) as error:
        raise FestivalError(f"{executed} cannot be written: {error}") from None
    return ""


def html(notebook: Any, title: str) -> str:
    """An executed notebook as one self-contained HTML page."""
    exporter = HTMLExporter(raw_template=REPORT)  # type: ignore[no-untyped-call]
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"name": title}})
    return str(body)


def _output(notebook: Path, out: str | None) -> str:
    name = f"{notebook.stem}-{datetime.now(UTC):%Y%m%dT%H%M%S.%f}"[:-3] + "Z.ipynb"
    if out is None:
        out = f"{RUNS}/{name}"
    elif out.endswith("/") or Path(out).is_dir():
        out = f"{out.rstrip('/')}/{name}"
    elif not out.endswith(".ipynb"):
        raise FestivalError(f"output {out!r}: expected a name that ends in .ipynb, or a folder/")
    if not out.startswith("s3://"):
        Path(out).parent.mkdir(parents=True, exist_ok=True)
    return out


def _failed_cell(notebook: Any) -> str:
    """The cell that failed, by its number and the heading above it."""
    for number, cell in enumerate(notebook.cells):
        failed = (output.output_type == "error" for output in cell.get("outputs", []))
        if any(failed):
            return cell_name(notebook.cells, number)
    return "a cell"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""


class CellLine:
    """The progress of a notebook as one line: the running cell, its heading, its own progress.

    A terminal's line is rewritten; a log gets a new line every half minute.
    """

    def __init__(self, notebook: str, cells: list[Any], stream: TextIO) -> None:
        self._notebook, self._cells, self._stream = notebook, cells, stream
        self._cell, self._width, self._written = "", 0, time.monotonic()

    def begin(self, index: int) -> None:
        """A cell begins to run."""
        self._cell = f"{self._notebook}: {cell_name(self._cells, index)}"
        self._show(self._cell)

    def update(self, progress: str) -> None:
        """The running cell reports its progress."""
        self._show(f"{self._cell}: {progress}")

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


class ProgressClient(PapermillNotebookClient):  # type: ignore[misc]
    """Runs the cells and shows their progress on `line`."""

    line: CellLine | None = None

    def execute_cell(self, cell: Any, cell_index: int, **options: Any) -> Any:
        if self.line is not None and cell.cell_type == "code":
            self.line.begin(cell_index)
        return super().execute_cell(cell, cell_index, **options)

    def process_message(self, message: Any, *arguments: Any, **options: Any) -> Any:
        content = message["content"]
        if self.line is not None and content.get("metadata") == MARK:
            self.line.update(str(content["data"].get("text/plain", "")))
        return super().process_message(message, *arguments, **options)


class ProgressEngine(Engine):  # type: ignore[misc]
    """papermill's own engine with a ProgressClient.

    `progress_name` is the notebook's name on the progress line; '' shows no progress.
    """

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, progress_name: str = "", **options: Any
    ) -> Any:
        passed = {name: options[name] for name in ("extra_arguments", "timeout") if name in options}
        client = ProgressClient(nb_man, kernel_name=kernel_name, startup_timeout=60, **passed)
        if progress_name:
            client.line = CellLine(progress_name, nb_man.nb.cells, sys.stderr)
        try:
            return client.execute()
        finally:
            if client.line is not None:
                client.line.end()


def cell_name(cells: list[Any], index: int) -> str:
    """A cell as the notebook's reader would find it: its number, and the heading above it."""
    before = [cell for cell in cells[:index] if not ADDED & set(cell.metadata.get("tags", []))]
    titles = [
        line.lstrip("# ")
        for cell in before
        if cell.cell_type == "markdown"
        for line in cell.source.splitlines()
        if line.startswith("#")
    ]
    return f"cell {len(before) + 1}" + (f" ({titles[-1]})" if titles else "")


papermill_engines.register(ENGINE, ProgressEngine)
