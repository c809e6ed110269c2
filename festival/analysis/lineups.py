"""`festival.read` and `festival.clashes`: lineup files as DataFrames, overlapping performances."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from festival.analysis.frames import (
    ANSWER_DTYPES,
    performances_frame,
    require,
    rows_frame,
    summaries_frame,
    whole_minutes,
)
from festival.analysis.validation import CheckedLineup, all_performances, check_lineup
from festival.errors import FestivalError
from festival.ingest.clients import Clients
from festival.inspection.evidence import merged
from festival.inspection.sources import S3, LineupSource, existing, lineups_in
from festival.lineup.mapping import LineupMapping
from festival.query.names import suggestion
from festival.text import counted


@dataclass(frozen=True)
class Lineup:
    """What an ingest would make of one file or several; nothing is written.

    `performances` has the columns of the table's answers. The other frames begin with the file's
    name, and those about rows with the row's line or index.
    """

    files: tuple[CheckedLineup, ...]

    @property
    def performances(self) -> pd.DataFrame:
        """The performances that would be in the table: of rows with the same key, the last."""
        return performances_frame(all_performances(self.files))

    @property
    def rejections(self) -> pd.DataFrame:
        """The rows that would be refused: line, field, value, reason."""
        return self._rows("rejections", ("line", "field", "value", "reason"))

    @property
    def warnings(self) -> pd.DataFrame:
        """What would be changed or assumed in rows that are kept: line, field, value, reason."""
        return self._rows("warnings", ("line", "field", "value", "reason"))

    @property
    def duplicates(self) -> pd.DataFrame:
        """The rows that a later row with the same key replaces: line, kept_line, key."""
        return self._rows("duplicate_rows", ("line", "kept_line", "key"))

    @property
    def report(self) -> pd.DataFrame:
        """One row for each file: status, the five counts, and why it failed."""
        return summaries_frame(one.report.summary() for one in self.files)

    def __repr__(self) -> str:
        """The counts in one line, and the first reason why a file failed."""
        counts = self.report[["read", "written", "rejected", "duplicates"]].sum()
        text = ", ".join(f"{counts[name]:,} {name}" for name in counts.index[:-1])
        text += f", {counted(counts['duplicates'], 'duplicate')}"
        errors = [f"; {one.file}: {one.report.error}" for one in self.files if one.report.error]
        return f"Lineup: {text}" + "".join(errors[:1])

    def _rows(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        return rows_frame(((one.file, getattr(one.report, name)) for one in self.files), columns)


# What charts and comparisons accept: a lineup, an answer of the table, or a file's name.
Performances = Lineup | pd.DataFrame | str


def read(file: str, *, sheet: str | None = None, **mapping: Any) -> Lineup:
    """Read a lineup as an ingest would: CSV, JSON, JSON Lines, Excel; a folder; `s3://bucket/key`.

    Options say what the columns and values mean, such as `date_order="day_first"` or
    `columns={"Performer": "Act"}`; they override the mapping beside the file (`FILE.mapping.json`).
    `sheet` names the sheet of a workbook. Raises FestivalError for a file that does not exist and
    for a wrong option.

    >>> lineup = read("sample/sample.csv")
    >>> lineup.report.loc[0, "status"]
    'success'
    """
    clients = Clients.of_environment() if file.startswith(S3) else None
    sources = lineups_in(existing(file), clients)
    return Lineup(tuple(check_lineup(_with_options(each, sheet, mapping)) for each in sources))


def _with_options(source: LineupSource, sheet: str | None, options: dict[str, Any]) -> LineupSource:
    if not options:
        return replace(source, sheet=sheet)
    mapping = LineupMapping.from_dict(merged(source.mapping.to_dict(), options))
    return replace(source, sheet=sheet, mapping=mapping)


def clashes(answer: Performances, with_: str | None = None) -> pd.DataFrame:
    """Pairs of performances that overlap in time, so that nobody can see both.

    One row for each pair, in order of time: `Performer`, `Stage`, `Start` and `End` of the first,
    `Other`, `Other stage`, `Other start` and `Other end` of the second, and the `Minutes` (Int64)
    that they share. `with_` keeps only the pairs with that performer, and puts the performer first.
    Raises FestivalError if the answer has no such performer.

    >>> lineup = read("sample/sample.csv")
    >>> set(clashes(lineup, with_="Solar Anorak")["Performer"])
    {'Solar Anorak'}
    """
    answer = as_performances(answer, ("Performer", "Stage", "Start", "End"))
    rows = answer.sort_values(["Start", "Stage", "Performer"], kind="stable", ignore_index=True)
    first, second = _overlapping(rows)
    if with_ is not None:
        names = rows["Performer"].to_numpy()
        if with_ not in names:
            hint = suggestion(with_, dict.fromkeys(names))
            raise FestivalError(f"no performer '{with_}' in the answer; {hint}".rstrip("; "))
        is_first = names[first] == with_
        is_second = (names[second] == with_) & ~is_first
        first, second = (
            np.concatenate([first[is_first], second[is_second]]),
            np.concatenate([second[is_first], first[is_second]]),
        )
    one = rows.loc[first, ["Performer", "Stage", "Start", "End"]].reset_index(drop=True)
    other = rows.loc[second, ["Performer", "Stage", "Start", "End"]].reset_index(drop=True)
    other.columns = pd.Index(["Other", "Other stage", "Other start", "Other end"])
    pairs = pd.concat([one, other], axis=1)
    shared = pairs[["End", "Other end"]].min(axis=1) - pairs[["Start", "Other start"]].max(axis=1)
    pairs["Minutes"] = whole_minutes(shared).astype("Int64")
    return pairs.sort_values(["Start", "Other start"], kind="stable", ignore_index=True)


def _overlapping(rows: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The row numbers of overlapping pairs, in rows sorted by start; zero lengths do not count."""
    start = rows["Start"].to_numpy().astype("int64")
    end = rows["End"].to_numpy().astype("int64")
    after = np.arange(1, len(rows) + 1)
    until = np.maximum(np.searchsorted(start, end, side="left"), after)
    counts = until - after
    first = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    second = np.repeat(after, counts) + offsets
    have_length = (end[first] > start[first]) & (end[second] > start[second])
    return first[have_length], second[have_length]


def as_performances(lineup: Performances, needed: Iterable[str] = ANSWER_DTYPES) -> pd.DataFrame:
    """The performances of a lineup, of the file with this name, or the frame itself.

    Raises FestivalError for a frame that lacks a needed column, for any other type, and for a file
    that could not be read to its end, because the missing rows would look cancelled.
    """
    if isinstance(lineup, str):
        lineup = read(lineup)
    if isinstance(lineup, Lineup):
        for one in lineup.files:
            if one.report.error:
                raise FestivalError(
                    f"{one.file}: {one.report.error}; pass .performances to take what could be read"
                )
    frame = lineup.performances if isinstance(lineup, Lineup) else lineup
    if not isinstance(frame, pd.DataFrame):
        raise FestivalError(
            f"a {type(frame).__name__}: expected an answer of the table, a lineup of festival.read "
            "or a file's name"
        )
    require(frame, needed)
    return frame
