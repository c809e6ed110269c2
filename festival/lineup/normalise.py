"""Rows to performances, fast: each cell's meaning is worked out once and remembered."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from operator import getitem
from typing import Any, TypeVar

from festival.lineup.fields.popularity import SeenScores
from festival.lineup.fields.text import Memo, RuleError
from festival.lineup.fields.times import Moment
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import (
    MINUTES_PER_DAY,
    Day,
    Performance,
    Rejection,
    RowWarning,
    WarningKind,
)
from festival.lineup.rules import LONG_MINUTES, AcceptedRow, RowRules

Row = TypeVar("Row")
_UNCLEAR = -1
# So far from any time of day that a length computed with it is never short.
_FAR = 10 * MINUTES_PER_DAY


@dataclass(slots=True)
class NormalisedRows:
    """The outcome of some rows."""

    performances: list[Performance] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)


class Normaliser:
    """Turns rows into performances by the rules.

    Nearly every row consists of cells seen before and a plain name: those take the short way. What
    the short way cannot decide is left to `settle`, which alone knows the rules.
    """

    def __init__(self, mapping: LineupMapping = DEFAULT_MAPPING) -> None:
        rules = self._rules = rules_of(mapping)
        self._names = Memo(_or(None, rules.name))
        self._dates = Memo(_or(None, self._plain_day))
        self._starts = Memo(_or(-_FAR, self._plain_start))
        self._ends = Memo(_or(_FAR, self._plain_end))
        self._memos = (self._names, self._names, self._dates, self._starts, self._ends)
        self._scores = Memo(_or(_UNCLEAR, rules.score))
        self._seen_scores = SeenScores()
        # Names that need more than tidying are left to the rules.
        self._tidy_only = not mapping.placeholders

    def normalise(
        self,
        lines: Iterable[int],
        rows: Iterable[Row],
        cells: Iterable[tuple[Any, ...]],
        original: Callable[[Row], Any],
    ) -> NormalisedRows:
        """The outcome of rows, given as their line, themselves and their six cells.

        `original` gives a rejected row as it is in the file, or None if it was not a row at all.
        """
        outcome = NormalisedRows()
        keep, new = outcome.performances.append, tuple.__new__
        names, dates, scores = self._names, self._dates, self._scores
        starts, ends, tidy_only = self._starts, self._ends, self._tidy_only
        for line, row, six in zip(lines, rows, cells, strict=False):
            performer, stage, day, start, end, score = six
            try:
                # A printable ASCII name needs no rules; only its spaces are tidied.
                if tidy_only and performer.isascii() and performer.isprintable():
                    performer = (
                        " ".join(performer.split()) if "  " in performer else performer.strip()
                    )
                else:
                    performer = names[performer]
                stage, day, score = names[stage], dates[day], scores[score]
                start, end = starts[start], ends[end]
            except (AttributeError, TypeError):
                # JSON has names that are not text, and cells that no dict can remember.
                self._carefully(line, row, six, original, outcome)
                continue
            try:
                if end < start:
                    end += MINUTES_PER_DAY
                short = end - start <= LONG_MINUTES
            except TypeError:
                # A Moment with more than minutes.
                short = False
            if short and performer and stage and day and score != _UNCLEAR:
                keep(new(Performance, (performer, stage, day, start, end, score, line)))
            else:
                self._carefully(line, row, six, original, outcome)
        if any(scores.values()):
            self._seen_scores.note(outcome.performances)
        return outcome

    def open_questions(self) -> list[RowWarning]:
        """What the rows so far leave open, each with the mapping option that settles it."""
        questions = list(self._rules.open_questions())
        ranks = self._seen_scores.ranks
        if ranks and not self._rules.mapping.popularity_is:
            reason = (
                "each is one performer's, as ranks are; read as scores, 100 being the best: set "
                "the mapping's popularity_is to rank or score"
            )
            kind = WarningKind.POPULARITY
            questions.append(RowWarning(0, "Popularity", f"1 to {ranks}", reason, kind))
        return questions

    def accepts(self, cells: tuple[Any, ...]) -> bool:
        """Whether six cells are a performance."""
        return isinstance(self._rules.settle(0, cells), AcceptedRow)

    def _carefully(
        self,
        line: int,
        row: Row,
        cells: tuple[Any, ...],
        original: Callable[[Row], Any],
        outcome: NormalisedRows,
    ) -> None:
        if not cells[0] and original(row) is None:
            return
        settled = self._rules.settle(line, cells, self._known(cells))
        if isinstance(settled, AcceptedRow):
            outcome.performances.append(settled.performance)
            outcome.warnings.extend(settled.warnings)
        elif (stood := original(row)) is not None:
            outcome.rejections.append(replace(settled, original=stood))

    def _known(self, cells: tuple[Any, ...]) -> tuple[Any, ...]:
        """What is remembered for the first five cells; None where the rules must decide."""
        try:
            performer, stage, day, start, end = map(getitem, self._memos, cells)
        except TypeError:
            # JSON has cells that no dict can remember.
            return (None,) * len(self._memos)
        moments = [each if isinstance(each, Moment) else None for each in (start, end)]
        return (performer, stage, day and Day(day), *moments)

    def _plain_day(self, cell: Any) -> str | None:
        found = self._rules.day(cell)
        return None if found.doubt else found.text

    def _plain_start(self, cell: Any) -> int | Moment:
        # The short way knows only minutes: a Moment in its arithmetic is a TypeError.
        found = self._rules.start(cell)
        return found.minutes if self._rules.is_plain_start(found) else found

    def _plain_end(self, cell: Any) -> int | Moment:
        found = self._rules.end(cell)
        if found is None:
            return _FAR
        return found.minutes if self._rules.is_plain_end(found) else found


def _or(otherwise: Any, rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def attempt(cell: Any) -> Any:
        try:
            return rule(cell)
        except RuleError:
            return otherwise

    return attempt


def rules_of(mapping: LineupMapping) -> RowRules:
    """The rules under a mapping; the kit's own for the default."""
    if mapping == DEFAULT_MAPPING:
        return RowRules()
    # Time zones and the rest are for mappings: the function starts faster without them.
    from festival.lineup.mapped.rules import MappedRules

    return MappedRules(mapping)
