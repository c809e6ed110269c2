"""Turns rows into performances, fast: each cell's meaning is worked out once and cached."""

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
    """The results of applying the rules to some rows."""

    performances: list[Performance] = field(default_factory=list)
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)


class Normaliser:
    """Applies the rules to rows.

    Nearly every row has a plain name, and otherwise cells seen before: it takes a short path,
    through caches. Every other row goes to `RowRules.settle`, the only code that knows the rules.
    """

    def __init__(self, mapping: LineupMapping = DEFAULT_MAPPING) -> None:
        rules = self._rules = rules_of(mapping)
        self._names = Memo(_with_default(None, rules.name))
        self._dates = Memo(_with_default(None, self._plain_day))
        self._starts = Memo(_with_default(-_FAR, self._plain_start))
        self._ends = Memo(_with_default(_FAR, self._plain_end))
        self._memos = (self._names, self._names, self._dates, self._starts, self._ends)
        self._scores = Memo(_with_default(_UNCLEAR, rules.score))
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
        """Apply the rules to rows: their line numbers, the rows as read, and their six cells.

        `original` gives a row as it is in the file, or None if it is blank and does not count.
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
                # JSON has names that are not text, and cells that cannot be hashed.
                self._settle(line, row, six, original, outcome)
                continue
            try:
                if end < start:
                    end += MINUTES_PER_DAY
                short = end - start <= LONG_MINUTES
            except TypeError:
                # One of them is a Moment, which is more than minutes.
                short = False
            if short and performer and stage and day and score != _UNCLEAR:
                keep(new(Performance, (performer, stage, day, start, end, score, line)))
            else:
                self._settle(line, row, six, original, outcome)
        if any(scores.values()):
            self._seen_scores.note(outcome.performances)
        return outcome

    def open_questions(self) -> list[RowWarning]:
        """What the rows so far leave open, with the mapping option that would settle it."""
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

    def _settle(
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
        elif (as_read := original(row)) is not None:
            outcome.rejections.append(replace(settled, original=as_read))

    def _known(self, cells: tuple[Any, ...]) -> tuple[Any, ...]:
        """The cached results for the first five cells, or None if the rules must decide."""
        try:
            performer, stage, day, start, end = map(getitem, self._memos, cells)
        except TypeError:
            # JSON has cells that cannot be hashed.
            return (None,) * len(self._memos)
        moments = [each if isinstance(each, Moment) else None for each in (start, end)]
        return (performer, stage, day and Day(day), *moments)

    def _plain_day(self, cell: Any) -> str | None:
        day = self._rules.day(cell)
        return None if day.doubt else day.text

    def _plain_start(self, cell: Any) -> int | Moment:
        # The short path adds and compares minutes; a Moment there raises TypeError.
        start = self._rules.start(cell)
        return start.minutes if self._rules.is_plain_start(start) else start

    def _plain_end(self, cell: Any) -> int | Moment:
        end = self._rules.end(cell)
        if end is None:
            return _FAR
        return end.minutes if self._rules.is_plain_end(end) else end


def _with_default(default: Any, rule: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def attempt(cell: Any) -> Any:
        try:
            return rule(cell)
        except RuleError:
            return default

    return attempt


def rules_of(mapping: LineupMapping) -> RowRules:
    """The rules under a mapping; for the default mapping, the kit's own."""
    if mapping == DEFAULT_MAPPING:
        return RowRules()
    # Without a mapping, the function starts faster if this is not loaded.
    from festival.lineup.mapped.rules import MappedRules

    return MappedRules(mapping)
