"""Lineup files as an analyst reads them, and what a visitor asks of a lineup."""

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
from festival.analysis.validation import CheckedLineup, check_lineup, together
from festival.errors import FestivalError
from festival.ingest.clients import Clients
from festival.inspection.sources import S3, LineupSource, existing, lineups_in
from festival.lineup.mapping import LineupMapping
from festival.query.names import suggestion
from festival.text import counted

# Options of a mapping that are pairs: what is given is added to what the mapping says.
PAIRS = ("columns", "constants", "dates")


@dataclass(frozen=True)
class Lineup:
    """What an ingest would make of a file, or of several; nothing is written.

    `performances` has the columns of the table's answers; the other frames have the file's name,
    and the line or index of the row, in front.
    """

    files: tuple[CheckedLineup, ...]

    @property
    def performances(self) -> pd.DataFrame:
        """What would go into the table; of rows with one key the last."""
        return performances_frame(together(self.files))

    @property
    def rejections(self) -> pd.DataFrame:
        """The rows that would be refused: line, field, value, reason."""
        return self._rows("rejections", ("line", "field", "value", "reason"))

    @property
    def warnings(self) -> pd.DataFrame:
        """What would be kept, but changed or assumed: line, field, value, reason."""
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
        said = ", ".join(f"{counts[name]:,} {name}" for name in counts.index[:-1])
        said += f", {counted(counts['duplicates'], 'duplicate')}"
        failed = [f"; {one.file}: {one.report.error}" for one in self.files if one.report.error]
        return f"Lineup: {said}" + "".join(failed[:1])

    def _rows(self, name: str, columns: Sequence[str]) -> pd.DataFrame:
        return rows_frame(((one.file, getattr(one.report, name)) for one in self.files), columns)


# What pictures and comparisons take: an answer of the table, a lineup, or a file's name.
Performances = Lineup | pd.DataFrame | str


def read(file: str, *, sheet: str | None = None, **mapping: Any) -> Lineup:
    """Read a lineup as an ingest would: CSV, JSON, JSON Lines, Excel; a folder; `s3://bucket/key`.

    What its columns and values mean is in the mapping beside it (`FILE.mapping.json`); an option
    given here, such as `date_order="day_first"` or `columns={"Performer": "Act"}`, goes before it.
    `sheet` names the sheet of a workbook. Raises FestivalError for what is not there, and for a
    wrong option.

    >>> lineup = read("sample/sample.csv")
    >>> lineup.report.loc[0, "status"]
    'success'
    """
    clients = Clients.of_environment() if file.startswith(S3) else None
    found = lineups_in(existing(file), clients)
    return Lineup(tuple(check_lineup(_as_told(one, sheet, mapping)) for one in found))


def _as_told(lineup: LineupSource, sheet: str | None, options: dict[str, Any]) -> LineupSource:
    if not options:
        return replace(lineup, sheet=sheet)
    said = lineup.mapping.to_dict()
    pairs = {name: said.get(name, {}) | options[name] for name in PAIRS if name in options}
    return replace(lineup, sheet=sheet, mapping=LineupMapping.from_dict(said | options | pairs))


def clashes(answer: Performances, with_: str | None = None) -> pd.DataFrame:
    """Performances that overlap in time, pair by pair: what nobody can see both of.

    One row for each pair, in the order of time: `Performer`, `Stage`, `Start`, `End`, the same of
    the other (`Other`, `Other stage`, `Other start`, `Other end`), and `Minutes` (Int64) that they
    share. `with_` shows only the pairs with that performer, who is then the first of each. Raises
    FestivalError if the answer has no such performer.

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
        mine, theirs = names[first] == with_, names[second] == with_
        first, second = (
            np.concatenate([first[mine], second[theirs & ~mine]]),
            np.concatenate([second[mine], first[theirs & ~mine]]),
        )
    one = rows.loc[first, ["Performer", "Stage", "Start", "End"]].reset_index(drop=True)
    other = rows.loc[second, ["Performer", "Stage", "Start", "End"]].reset_index(drop=True)
    other.columns = pd.Index(["Other", "Other stage", "Other start", "Other end"])
    pairs = pd.concat([one, other], axis=1)
    shared = pairs[["End", "Other end"]].min(axis=1) - pairs[["Start", "Other start"]].max(axis=1)
    pairs["Minutes"] = whole_minutes(shared).astype("Int64")
    return pairs.sort_values(["Start", "Other start"], kind="stable", ignore_index=True)


def _overlapping(rows: pd.DataFrame) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """The places of each overlapping pair in rows that are sorted by start; zero lengths aside."""
    start = rows["Start"].to_numpy().astype("int64")
    end = rows["End"].to_numpy().astype("int64")
    after = np.arange(1, len(rows) + 1)
    until = np.maximum(np.searchsorted(start, end, side="left"), after)
    counts = until - after
    first = np.repeat(np.arange(len(rows)), counts)
    offsets = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    second = np.repeat(after, counts) + offsets
    lasting = (end[first] > start[first]) & (end[second] > start[second])
    return first[lasting], second[lasting]


def as_performances(lineup: Performances, needed: Iterable[str] = ANSWER_DTYPES) -> pd.DataFrame:
    """The performances of a lineup, of a file that is named, or the frame itself.

    Raises FestivalError for a frame that lacks a needed column, for what is none of the three, and
    for a file that could not be read to its end: what is missing would pass for cancelled.
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
