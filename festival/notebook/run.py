"""Running a notebook unattended: parameters checked first, an executed copy, an HTML report.

papermill does the running. Its command only warns of an unknown parameter; this refuses it.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from logging import ERROR, getLogger
from pathlib import Path
from typing import Any

import nbformat
from botocore.exceptions import BotoCoreError, ClientError
from nbclient.exceptions import DeadKernelError
from nbconvert import HTMLExporter
from papermill import PapermillExecutionError, execute_notebook
from papermill.iorw import papermill_io

from festival.errors import FestivalError
from festival.notebook import engine
from festival.notebook.parameters import Value, check_given, read_parameters

NOTEBOOKS = "notebooks"
RUNS = "runs"
# JupyterLab's look without its scripts, which a browser would fetch from elsewhere (RequireJS,
# MathJax, Mermaid, widgets); nothing in these notebooks needs them. Code is folded away, except for
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

    Raises FestivalError that lists what there is.
    """
    for path in (Path(name), Path(NOTEBOOKS) / name, Path(NOTEBOOKS) / f"{name}.ipynb"):
        if path.is_file():
            return path
    here = sorted(path.stem for path in Path(NOTEBOOKS).glob("*.ipynb"))
    known = f"{NOTEBOOKS}/ has {', '.join(here)}" if here else f"there is no {NOTEBOOKS}/ here"
    raise FestivalError(f"no notebook {name!r}: {known}")


def run_notebook(
    notebook: Path,
    given: Iterable[tuple[str, str]] = (),
    out: str | None = None,
    *,
    progress: bool = True,
) -> NotebookRun:
    """Run a notebook with parameters as a person gives them: pairs of name and text.

    `out` is the executed copy: a path, a folder (ending in `/`) or `s3://…`; by default
    `runs/<name>-<time>.ipynb`. Raises FestivalError for a wrong parameter before anything runs, and
    for a cell that fails, which it names; the executed notebook and the report are written all the
    same.
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
    """Run it and write the executed copy; what the failing cell said, '' if none failed."""
    # The parameters are checked by now, by better rules than papermill's, which would warn.
    getLogger("papermill").setLevel(ERROR)
    try:
        execute_notebook(
            str(notebook),
            executed,
            dict(values),
            kernel_name="python3",
            engine_name=engine.NAME,
            tells=notebook.stem if progress else "",
            progress_bar=False,
            # Of no use to a reader: the kernel's warning about a loopback connection.
            extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
        )
    except PapermillExecutionError as error:
        return _last_line(error.evalue) or str(error.ename)
    except DeadKernelError:
        raise FestivalError(
            f"{notebook.name}: the kernel died, most often for want of memory (see {executed})"
        ) from None
    except (OSError, BotoCoreError, ClientError) as error:
        raise FestivalError(f"{executed} cannot be written: {error}") from None
    return ""


def html(notebook: Any, title: str) -> str:
    """An executed notebook as one HTML page that needs nothing from anywhere else."""
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
    """The cell that failed, by number and by the heading above it."""
    for number, cell in enumerate(notebook.cells):
        failed = (output.output_type == "error" for output in cell.get("outputs", []))
        if any(failed):
            return engine.place(notebook.cells, number)
    return "a cell"


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[-1].strip() if lines else ""
