"""What a notebook needs around its questions: mistakes said in one sentence, files found."""

import math
import sys
import traceback
from pathlib import Path
from types import TracebackType
from typing import Any

import pandas as pd
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
)

from festival.errors import FestivalError
from festival.notebook.parameters import Allowed, between, checked_namespace

__all__ = ["between", "found", "number", "prepare", "sentence"]

MISTAKES = (FestivalError, BotoCoreError, ClientError)


def prepare(namespace: dict[str, Any] | None = None, **allowed: Allowed) -> None:
    """Call first in a notebook: one line for a user's mistake, tables that are fit to read.

    With the notebook's `globals()`, its parameters are checked and get the types that its
    parameters cell declares, whoever set them; `allowed` says what a parameter may be, as
    `files_at_once=between(1, 64)` or `on_error=("continue", "stop")`. A mistake fails the cell, and
    so the run. Outside IPython only the tables and the parameters change.
    """
    pd.options.display.max_colwidth = 120
    pd.options.display.max_rows = 40
    pd.options.display.float_format = number
    # A dollar sign is a dollar sign: JupyterLab would set what stands between two as a formula.
    pd.options.display.html.use_mathjax = False
    ipython: Any = sys.modules.get("IPython")
    if ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.set_custom_exc(MISTAKES, _show)
        # Figures are pictures in the notebook whatever MPLBACKEND says.
        shell.run_line_magic("matplotlib", "inline")
    if namespace is not None:
        namespace.update(checked_namespace(namespace, allowed))


def number(value: float) -> str:
    """A figure as people read it: `300,000`, `13.28`, `0.0000167`."""
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    if abs(value) >= 1:
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.2f}"
    # Below 1 four significant digits, and never an exponent.
    digits = 3 - math.floor(math.log10(abs(value)))
    return f"{value:.{digits}f}".rstrip("0").rstrip(".")


def sentence(error: BaseException) -> str:
    """What went wrong and what to do, in one line."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials found: run `aws configure`, or name a profile in AWS_PROFILE"
    if isinstance(error, NoRegionError):
        return "no AWS region set: name it in AWS_REGION, or in the profile"
    if isinstance(error, EndpointConnectionError):
        return f"AWS cannot be reached at {error.kwargs.get('endpoint_url')}: is it running?"
    if isinstance(error, ClientError):
        said = error.response.get("Error", {})
        text = f"AWS refuses {error.operation_name}: {said.get('Code')}: {said.get('Message')}"
        return " ".join(text.split())
    return " ".join(str(error).split())


def found(source: str) -> str:
    """The file or folder as it is to be opened; `s3://` as it is.

    A relative path is looked for here and in the folder above, because JupyterLab starts a notebook
    in the notebook's own folder, and papermill in the reader's. Raises FestivalError.
    """
    if source.startswith("s3://"):
        return source
    for path in (Path(source), Path("..") / source):
        if path.exists():
            return str(path)
    raise FestivalError(f"source {source!r} is not there: expected a file, a folder or s3://…")


def _show(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, **_: Any
) -> None:
    # The kernel's own way of telling its clients; papermill takes the run for failed by it.
    line = "".join(traceback.format_exception_only(FestivalError(sentence(error)))).strip()
    shell._showtraceback(
        kind, FestivalError(sentence(error)), [line.removeprefix("festival.errors.")]
    )
