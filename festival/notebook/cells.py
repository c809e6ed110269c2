"""Helpers for every notebook's cells: setup, one-line errors, summary boxes, default parameters."""

import sys
import traceback
from collections.abc import Iterable, Mapping
from html import escape
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

from festival.analysis.charts import hours_grid
from festival.errors import FestivalError
from festival.inspection.sources import existing
from festival.kit import Kit, reconcile_files
from festival.notebook.parameters import Allowed, between, checked_namespace
from festival.notebook.tables import decimal, html_table

# Notebooks import some other modules' names from here, so two lines of imports are enough.
__all__ = [
    "Box",
    "Kit",
    "between",
    "in_short",
    "last_festival",
    "locate",
    "most_popular",
    "prepare",
    "reconcile_files",
    "sentence",
    "table_of",
]

ONE_LINE_ERRORS = (FestivalError, BotoCoreError, ClientError)
# Days that are further apart than this belong to two festivals.
DAYS_APART = 3
MOST_DAYS = 14


def prepare(namespace: dict[str, Any] | None = None, **allowed: Allowed) -> None:
    """Call this first in a notebook: it makes errors one line long and tables easy to read.

    With the notebook's `globals()` it also checks the parameters and converts them to the types
    that the parameters cell declares, whoever set them. `allowed` restricts their values:
    `files_at_once=between(1, 64)`, `on_error=("continue", "stop")`. A wrong value fails the cell,
    and so the run. Outside IPython, errors stay as they are.
    """
    pd.options.display.max_colwidth = 120
    pd.options.display.max_rows = 40
    pd.options.display.float_format = decimal
    ipython: Any = sys.modules.get("IPython")
    if ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.set_custom_exc(ONE_LINE_ERRORS, _show_error)
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, html_table)
        # Figures appear in the notebook, whatever MPLBACKEND says.
        shell.run_line_magic("matplotlib", "inline")
    if namespace is not None:
        namespace.update(checked_namespace(namespace, allowed))


class Box:
    """Sentences in a box: the summary at the top of a notebook. Empty ones are left out."""

    def __init__(self, *sentences: str) -> None:
        self.sentences = [sentence for sentence in sentences if sentence]

    def __repr__(self) -> str:
        return "\n".join(self.sentences)

    def _repr_html_(self) -> str:
        lines = "".join(f"<p style='margin:4px 0'>{escape(one)}</p>" for one in self.sentences)
        return (
            "<div class='tex2jax_ignore mathjax_ignore' style='border:1px solid #8888;border-left:"
            f"6px solid #0072b2;padding:6px 14px;margin:6px 0;font-size:110%'>{lines}</div>"
        )


def table_of(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Rows as a DataFrame."""
    return pd.DataFrame(list(rows))


def sentence(error: BaseException) -> str:
    """What went wrong and what to do, in one line."""
    if isinstance(error, NoCredentialsError):
        return "no AWS credentials found: run `aws configure`, or name a profile in AWS_PROFILE"
    if isinstance(error, NoRegionError):
        return "no AWS region set: name it in AWS_REGION, or in the profile"
    if isinstance(error, EndpointConnectionError):
        return f"AWS cannot be reached at {error.kwargs.get('endpoint_url')}: is it running?"
    if isinstance(error, ClientError):
        answer = error.response.get("Error", {})
        text = f"AWS refuses {error.operation_name}: {answer.get('Code')}: {answer.get('Message')}"
        return " ".join(text.split())
    return " ".join(str(error).split())


def locate(source: str) -> str:
    """The path under which a file or folder can be opened; `s3://…` stays as it is.

    A relative path may also start in the parent folder, because JupyterLab runs a notebook in the
    notebook's own folder, and papermill in the user's. Raises FestivalError if there is no such
    file.
    """
    above = Path("..") / source
    return str(above) if not Path(source).exists() and above.exists() else existing(source)


def last_festival(
    dates: pd.DataFrame, first: str | None = None, last: str | None = None
) -> tuple[Any, Any]:
    """The first and last day to show: `first` and `last`, else those of the table's last festival.

    `dates` is `table.dates()`. Days belong to one festival if they are at most three days apart;
    at most its first fourteen days are taken. Raises FestivalError if the table has no day.
    """
    if first and last:
        return first, last
    if dates.empty:
        raise FestivalError(
            "no day is recorded for this table: ingest a lineup, name first_day and last_day, or "
            "set scan to read the whole table"
        )
    days = dates["Date"].sort_values()
    if first:
        days = days[days >= pd.Timestamp(first)]
    if last:
        days = days[days <= pd.Timestamp(last)]
    if days.empty:
        return first or last, last or first
    runs = (days.diff() > pd.Timedelta(days=DAYS_APART)).cumsum()
    run = days[runs == runs.iloc[0 if first else -1]]
    return first or run.iloc[0], run.iloc[:MOST_DAYS].iloc[-1]


def in_short(lineup: pd.DataFrame) -> list[str]:
    """A lineup in a few sentences: its size, its most popular performance, its busiest hour."""
    if lineup.empty:
        return ["Nothing is on in these days."]
    first, last = lineup["Date"].min(), lineup["Date"].max()
    size = (
        f"{len(lineup):,} performances of {lineup['Performer'].nunique():,} performers on "
        f"{lineup['Stage'].nunique():,} stages, {first:%a %Y-%m-%d} to {last:%a %Y-%m-%d}."
    )
    return [size, _most_popular(lineup), _busiest(lineup)]


def most_popular(lineup: pd.DataFrame) -> pd.Series:
    """The most popular performance, or the first if none has a popularity.

    Raises FestivalError if there is no performance at all.
    """
    if lineup.empty:
        raise FestivalError(
            "nothing is on in these days: name other days, or performer, date and stage"
        )
    ranked = lineup.dropna(subset=["Popularity"])
    return (
        (ranked if len(ranked) else lineup)
        .sort_values("Popularity", ascending=False, kind="stable")
        .iloc[0]
    )


def _most_popular(lineup: pd.DataFrame) -> str:
    if lineup["Popularity"].isna().all():
        return "No performance has a popularity."
    top = most_popular(lineup)
    return (
        f"Most popular: {top['Performer']} ({top['Popularity']}), {top['Stage']}, "
        f"{top['Start']:%a %H:%M}."
    )


def _busiest(lineup: pd.DataFrame) -> str:
    grid = hours_grid(lineup)
    if grid.empty:
        return ""
    most = grid.max(axis=1)
    day = pd.Timestamp(str(most.idxmax()))
    when = day + pd.Timedelta(hours=int(str(grid.loc[day].idxmax())))
    return f"Busiest hour: {when:%a %H:%M}, with {most.max():.0f} performances."


def _show_error(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, **_: Any
) -> None:
    # By this call the kernel reports an error to its clients, and papermill sees the run fail.
    line = "".join(traceback.format_exception_only(FestivalError(sentence(error)))).strip()
    shell._showtraceback(
        kind, FestivalError(sentence(error)), [line.removeprefix("festival.errors.")]
    )
