"""Holds what is known during an inspection: a sample, the options so far, the open questions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from festival.errors import LineupError
from festival.inspection.result import Answer, ColumnUse, FormCount, Question
from festival.lineup.columns import match
from festival.lineup.fields.text import preview
from festival.lineup.formats.json_objects import ObjectRows, original
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import FIELDS, TIME, Performance, clock
from festival.lineup.normalise import NormalisedRows, Normaliser

# The order of questions: earlier answers decide what later questions are about.
ORDER = (
    *("encoding", "header_row", "header", "sections", "rows", "lookups", "columns", "constants"),
    *("fill_down", "date_order", "year", "first_date", "dates", "time_zone", "integer_is", "clock"),
    *("length_is", "day_starts_at", "default_length", "placeholders"),
    *("popularity_is", "popularity_none"),
)
_STRUCTURE = ("rows", "encoding", "header_row", "header", "sections", "fill_down", "lookups")
_MERGED = ("columns", "constants", "dates", "lookups")
_TRIED_ROWS = 400


@dataclass(frozen=True)
class Sample:
    """A file's first rows by column name, and the names in the file's order."""

    names: Sequence[str]
    rows: Sequence[dict[str, Any]]

    def cells(self, name: str | None) -> list[Any]:
        """A column's cells; none if there is no such column."""
        return [] if name is None else [row.get(name) for row in self.rows]


@dataclass
class Evidence:
    """What a sample adds to the given mapping; `by_field` has the column of each field."""

    sample: Sample
    given: LineupMapping
    options: dict[str, Any]
    by_field: dict[str, str] = field(default_factory=dict)
    columns: list[ColumnUse] = field(default_factory=list)
    forms: list[FormCount] = field(default_factory=list)
    questions: list[Question] = field(default_factory=list)

    def count(self, name: str, *forms: str) -> int:
        """How many of a field's cells have one of these forms."""
        return sum(each.count for each in self.forms if each.field == name and each.form in forms)

    def rows_with_start(self) -> list[dict[str, Any]]:
        """The rows with a start, without footnotes and titles, which have none."""
        columns = [self.by_field[name] for name in ("Start", TIME) if name in self.by_field]
        return [
            row
            for row in self.sample.rows
            if any(preview(row.get(column)).strip() for column in columns)
        ]

    def cells(self, *names: str) -> list[Any]:
        """The cells of these fields that are not blank."""
        cells = [cell for name in names for cell in self.sample.cells(self.by_field.get(name))]
        return [cell for cell in cells if preview(cell).strip()]

    def ask(
        self,
        seen: str,
        option: str,
        choices: str,
        *,
        must: bool = False,
        answers: Sequence[Answer] = (),
        assumed: Mapping[str, Any] | None = None,
    ) -> None:
        """Ask for an option, unless the mapping has decided it."""
        if option in self.given.to_dict() and option not in _MERGED:
            return
        self.questions.append(Question(seen, option, choices, must, tuple(answers), assumed or {}))

    def column(self, name: str, column: str) -> None:
        """Propose a column for a field."""
        self.options["columns"] = {**self.options.get("columns", {}), name: column}

    def trial(self, *answers: Mapping[str, Any]) -> LineupMapping | None:
        """The proposal with all that is assumed and these answers; None if they clash."""
        whole = dict(self.options)
        for each in (*(question.assumed for question in self.questions), *answers):
            whole = merged(whole, each)
        try:
            return LineupMapping.from_dict(whole)
        except LineupError:
            return None

    def in_order(self) -> list[Question]:
        """The questions in ORDER, each showing how its answers read a row of the file."""

        def rank(question: Question) -> int:
            return ORDER.index(question.option) if question.option in ORDER else len(ORDER)

        return [self._with_readings(each) for each in sorted(self.questions, key=rank)]

    def _with_readings(self, question: Question) -> Question:
        if len(question.answers) < 2 or any(each.reading for each in question.answers):
            return question
        trials = [self.trial(each.options) for each in question.answers]
        readings = _first_difference(self.sample, trials)
        answers = [
            Answer(each.label, each.options, reading)
            for each, reading in zip(question.answers, readings, strict=True)
        ]
        return replace(question, answers=tuple(answers))


def merged(options: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Options overridden by `more`; columns, constants, dates and lookups are merged by name."""
    both = {
        name: {**options[name], **more[name]}
        for name in _MERGED
        if name in options and name in more
    }
    return {**options, **more, **both}


def normalised(rows: Sequence[dict[str, Any]], mapping: LineupMapping) -> NormalisedRows:
    """Sampled rows normalised under a mapping; their line numbers are their index, from 1."""
    plain = {name: value for name, value in mapping.to_dict().items() if name not in _STRUCTURE}
    flat = LineupMapping.from_dict(plain) if plain else DEFAULT_MAPPING
    objects = ObjectRows(flat, warn_of_ignored=False)
    if mapping.sections:
        rows = [{**dict.fromkeys(mapping.sections, _ASSUMED), **row} for row in rows]
    for index, row in enumerate(_filled_down(rows, mapping), 1):
        objects.add(index, row)
    read = objects.give(None)
    return Normaliser(flat).normalise(read.lines, read.rows, read.cells, original)


# A section title that serves as a date and as a stage.
_ASSUMED = "2025-06-12"


def _filled_down(rows: Sequence[dict[str, Any]], mapping: LineupMapping) -> list[dict[str, Any]]:
    """The rows with blank `fill_down` cells filled from the row above."""
    if not mapping.fill_down or not rows:
        return [*rows]
    names = tuple(rows[0])
    places = dict(zip(FIELDS, match(names, mapping).places, strict=True))
    columns = [names[at] for field in mapping.fill_down if (at := places[field]) is not None]
    above: dict[str, Any] = {}
    filled = []
    for row in rows:
        above |= {name: row.get(name) for name in columns if preview(row.get(name)).strip()}
        filled.append({**row, **above})
    return filled


def read_as(performance: Performance, *, scored: bool = False, placed: bool = False) -> str:
    """A performance in a few words."""
    name = preview(performance.performer)[:30]
    if scored:
        return f"{name} has popularity {performance.popularity}"
    at = f" at {preview(performance.stage)[:30]}" if placed else ""
    return f"{name}{at} {performance.date} {clock(performance.start)}–{clock(performance.end)}"


def _first_difference(sample: Sample, trials: Sequence[LineupMapping | None]) -> list[str]:
    """How each trial reads the first row that shows a difference between them."""
    by_line: list[dict[int, Performance]] = []
    for mapping in trials:
        outcome = normalised(sample.rows[:_TRIED_ROWS], mapping) if mapping else NormalisedRows()
        by_line.append({each.line: each for each in outcome.performances})
    lines = sorted(set().union(*by_line))

    def readings(line: int) -> set[Any]:
        return {each[line][:6] if line in each else None for each in by_line}

    full = [line for line in lines if None not in readings(line)]
    best = next((line for line in full if len(readings(line)) == len(by_line)), None)
    best = best or next((line for line in full if len(readings(line)) > 1), None)
    best = best or next((line for line in lines if len(readings(line)) > 1), None)
    if best is None:
        return ["" for _ in by_line]
    scored = len({each[:5] for each in readings(best) if each}) == 1 and None not in readings(best)
    placed = len({each[1] for each in readings(best) if each}) > 1
    return [
        read_as(each[best], scored=scored, placed=placed) if best in each else "refused"
        for each in by_line
    ]
