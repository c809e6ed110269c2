"""What the notebook validate shows: the results of checking lineup files, as tables."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from festival.analysis import frames, validation
from festival.analysis.findings import LONGEST_MINUTES, Finding, count_by_kind, find_all
from festival.analysis.timeline import Timeline, timeline
from festival.analysis.validation import CheckedLineup
from festival.errors import FestivalError
from festival.ingest.clients import Clients
from festival.ingest.report import Outcome
from festival.inspection.result import ColumnUse, Inspection
from festival.lineup.model import Performance
from festival.notebook.cells import Box, locate
from festival.text import counted

FIELDS = ("line", "field", "value", "reason")
# A finding about more rows than this names only the first of them.
MOST_LINES = 8


@dataclass
class Validation:
    """Lineup files, read as an ingest would read them; nothing is written.

    A performance of more than `longest` minutes is a finding.
    """

    files: Sequence[CheckedLineup]
    longest: int = LONGEST_MINUTES

    @classmethod
    def of(
        cls, source: str, mapping: str | None = None, longest: int = LONGEST_MINUTES
    ) -> "Validation":
        """Check the lineups of a file, a folder or `s3://bucket/prefix`.

        `mapping` is for files without one beside them. Raises FestivalError if there is nothing
        to check.
        """
        if longest < 0:
            raise FestivalError(f"longest {longest}: expected minutes, 0 or more")
        clients = Clients.of_environment()
        return cls(list(validation.check_lineups(locate(source), clients, mapping)), longest)

    @cached_property
    def performances(self) -> list[Performance]:
        """The performances of all files; for a key in several files, that of the last."""
        return validation.all_performances(self.files)

    @cached_property
    def findings(self) -> list[Finding]:
        return find_all(self.performances, longest=self.longest)

    @property
    def box(self) -> Box:
        """The result in a few sentences: fit or not, how many rows, what to look at."""
        kinds = count_by_kind(self.findings)
        counts = ", ".join(f"{count:,} × {kind}" for kind, count in kinds.items())
        return Box(
            self._fitness(),
            validation.verdict(self.files, self.findings),
            f"To look at: {counts}." if counts else "",
        )

    def _fitness(self) -> str:
        broken = [one.file for one in self.files if one.report.status == Outcome.FAILURE]
        rejected = sum(one.report.counts.rejected for one in self.files)
        if broken:
            return f"Not fit to publish: {', '.join(broken[:5])} could not be read or kept."
        if rejected:
            return f"Not fit to publish as it is: {counted(rejected, 'row')} would be refused."
        return "Every row would be kept" + ("; some need a look." if self.findings else ".")

    @property
    def reports(self) -> pd.DataFrame:
        """One row for each file: status and the five counts."""
        return frames.summaries_frame(one.report.summary() for one in self.files)

    @property
    def formats(self) -> pd.DataFrame:
        return formats_frame((one.file, one.inspection) for one in self.files)

    @property
    def questions(self) -> pd.DataFrame:
        return questions_frame((one.file, one.inspection) for one in self.files)

    @property
    def rejections(self) -> pd.DataFrame:
        return frames.rows_frame(((one.file, one.report.rejections) for one in self.files), FIELDS)

    @property
    def reasons(self) -> pd.DataFrame:
        """How many rows were rejected for each reason, most frequent first."""
        sizes = self.rejections.groupby(["field", "reason"]).size()
        return sizes.sort_values(ascending=False).rename("rows").reset_index()

    @property
    def warnings(self) -> pd.DataFrame:
        return frames.rows_frame(((one.file, one.report.warnings) for one in self.files), FIELDS)

    @property
    def duplicates(self) -> pd.DataFrame:
        rows = ((one.file, one.report.duplicate_rows) for one in self.files)
        return frames.rows_frame(rows, ["line", "kept_line", "key"])

    @property
    def finding_table(self) -> pd.DataFrame:
        """One row for each finding, with the files and lines of the rows it is about."""
        files = {row.key: one.file for one in self.files for row in one.performances}
        rows = [(finding.kind, finding.what, _places(finding, files)) for finding in self.findings]
        return pd.DataFrame(rows, columns=["finding", "what", "file: lines"])

    def timeline(self, days: int | None = None) -> Timeline:
        """The first `days` days as grids, with an edge around each finding."""
        return timeline(self.performances, self.findings, days=days)

    def end(self, *, strict: bool) -> str:
        """The conclusion in one line. With `strict`, raises FestivalError if a row was refused."""
        if strict:
            validation.require_clean(self.files)
        return validation.verdict(self.files, self.findings)


def _places(finding: Finding, files: dict[tuple[str, str], str]) -> str:
    """`sample.csv: 12, 15`; only the first rows if there are many."""
    lines: dict[str, list[int]] = defaultdict(list)
    for row in finding.performances[:MOST_LINES]:
        lines[files[row.key]].append(row.line)
    more = len(finding.performances) - MOST_LINES
    text = "\n".join(f"{file}: {', '.join(map(str, rows))}" for file, rows in lines.items())
    return text + (f" and {more:,} more" if more > 0 else "")


def formats_frame(inspections: Iterable[tuple[str, Inspection]]) -> pd.DataFrame:
    """One row for each file: its format, and which column was taken for which field."""
    rows = [
        (
            file,
            one.shape,
            one.encoding,
            one.delimiter,
            ", ".join(_column_use(use) for use in one.columns if use.field),
            ", ".join(use.name for use in one.columns if not use.field),
        )
        for file, one in inspections
    ]
    columns = ["file", "shape", "encoding", "delimiter", "fields, and their columns", "ignored"]
    return pd.DataFrame(rows, columns=columns)


def questions_frame(inspections: Iterable[tuple[str, Inspection]]) -> pd.DataFrame:
    """One row for each ambiguity in a file, with the mapping option that decides it."""
    rows = [
        (file, "decide" if each.must else "check", each.seen, each.option, each.choices)
        for file, one in inspections
        for each in one.questions
    ]
    return pd.DataFrame(rows, columns=["file", "", "seen", "option", "choices"])


def _column_use(use: ColumnUse) -> str:
    """Which column was taken for a field, and why if not by its name."""
    return f"{use.field}: {use.name}" + (f" ({use.how})" if use.how != "name" else "")
