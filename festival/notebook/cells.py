"""What a notebook needs around its questions: conclusions, mistakes in one sentence, files."""

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
from festival.notebook.tables import html_table, number

# What notebooks take from here, so that each has two lines of imports.
__all__ = [
    "Box",
    "Kit",
    "between",
    "found",
    "in_short",
    "last_festival",
    "most_popular",
    "prepare",
    "reconcile_files",
    "sentence",
    "table_of",
]

MISTAKES = (FestivalError, BotoCoreError, ClientError)
# Days further apart than this are two festivals.
DAYS_APART = 3
MOST_DAYS = 14


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
    ipython: Any = sys.modules.get("IPython")
    if ipython is not None and (shell := ipython.get_ipython()) is not None:
        shell.set_custom_exc(MISTAKES, _show)
        shell.display_formatter.formatters["text/html"].for_type(pd.DataFrame, html_table)
        # Figures are pictures in the notebook whatever MPLBACKEND says.
        shell.run_line_magic("matplotlib", "inline")
    if namespace is not None:
        namespace.update(checked_namespace(namespace, allowed))


class Box:
    """Sentences in a box, to begin a notebook with."""

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
        said = error.response.get("Error", {})
        text = f"AWS refuses {error.operation_name}: {said.get('Code')}: {said.get('Message')}"
        return " ".join(text.split())
    return " ".join(str(error).split())


def found(source: str) -> str:
    """The file or folder as it is to be opened; `s3://…` as it is.

    A relative path is looked for here and in the folder above, because JupyterLab starts a notebook
    in the notebook's own folder, and papermill in the reader's. Raises FestivalError.
    """
    above = Path("..") / source
    return str(above) if not Path(source).exists() and above.exists() else existing(source)


def last_festival(
    dates: pd.DataFrame, first: str | None = None, last: str | None = None
) -> tuple[Any, Any]:
    """The first and last day to look at: those given, else of the last festival in the table.

    `dates` is `table.dates()`; a festival is a run of days without a longer gap than three days,
    and at most its first fourteen. Raises FestivalError if the table has no day.
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
    """A lineup in a few sentences: its size, its most popular, its busiest hour."""
    if lineup.empty:
        return ["Nothing is on in these days."]
    first, last = lineup["Date"].min(), lineup["Date"].max()
    size = (
        f"{len(lineup):,} performances of {lineup['Performer'].nunique():,} performers on "
        f"{lineup['Stage'].nunique():,} stages, {first:%a %Y-%m-%d} to {last:%a %Y-%m-%d}."
    )
    return [size, _most_popular(lineup), _busiest(lineup)]


def most_popular(lineup: pd.DataFrame) -> pd.Series:
    """The most popular performance; without any popularity the first. Raises FestivalError if
    there is none at all."""
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


def _show(
    shell: Any, kind: type[BaseException], error: BaseException, trace: TracebackType, **_: Any
) -> None:
    # The kernel's own way of telling its clients; papermill takes the run for failed by it.
    line = "".join(traceback.format_exception_only(FestivalError(sentence(error)))).strip()
    shell._showtraceback(
        kind, FestivalError(sentence(error)), [line.removeprefix("festival.errors.")]
    )
