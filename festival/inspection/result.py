"""The result of an inspection: facts about the file, open questions, a mapping to start from."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from festival.lineup.mapping import LineupMapping

THE_FILE = "the file"
"""The `option` of a question that no mapping settles: the file itself has to change."""


@dataclass(frozen=True, slots=True)
class ColumnUse:
    """A column and its field; `how` it was matched: by name, alias, mapping or cells."""

    name: str
    field: str
    how: str
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FormCount:
    """How many of a field's cells have a form, and the first of these cells."""

    field: str
    form: str
    count: int
    example: str


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a question: its options, and how a row of the file then reads."""

    label: str
    options: Mapping[str, Any]
    reading: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """Something that the file leaves open: what was seen, and the mapping option that settles it.

    If it `must` be settled, rows are rejected until it is; otherwise an answer changes what values
    mean. `answers` are those known in advance. `assumed` are options to read rows with in the
    meantime, in order to show what the other questions change.
    """

    seen: str
    option: str
    choices: str
    must: bool
    answers: tuple[Answer, ...] = ()
    assumed: Mapping[str, Any] = field(default_factory=dict)

    def line(self) -> str:
        """The question in one line, with the readings of a row of the file."""
        readings = "; ".join(f"{each.label} → {each.reading}" for each in self._shown())
        word = "decide" if self.must else "check"
        return f"{word:<7} {self.seen}: {self.option} ({self.choices})" + (
            f": {readings}" if readings else ""
        )

    def _shown(self) -> Iterable[Answer]:
        return [each for each in self.answers if each.reading]


@dataclass(frozen=True, slots=True)
class RefusedReason:
    """A reason why rows are rejected under the proposed mapping, and how many."""

    field: str
    reason: str
    count: int
    example: str
    line: int = 0


@dataclass(frozen=True, slots=True)
class Inspection:
    """How a file was understood.

    `rows` were examined (only the first ones, if there are `more`). Of these, `kept` are
    performances under the `proposal` and the others are `refused`, as `festival check` counts them.
    `missed` is how many rows of a JSON document are outside the proposal's path. `problem` says why
    the file cannot be read as it is, `refusal` why it cannot be read under the proposal.
    """

    encoding: str
    compression: str
    shape: str
    delimiter: str
    rows: int
    more: bool
    columns: tuple[ColumnUse, ...]
    forms: tuple[FormCount, ...]
    questions: tuple[Question, ...]
    proposal: LineupMapping
    kept: int
    refused: tuple[RefusedReason, ...]
    problem: str = ""
    missed: int = 0
    refusal: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The inspection as plain values, with the proposal as options."""
        return {**asdict(self), "proposal": self.proposal.to_dict()}

    def lines(self) -> list[str]:
        """The inspection as lines of text for a person."""
        return [*self._file(), *self._columns(), *self._forms(), *self._open(), *self._result()]

    def _file(self) -> list[str]:
        packed = f", {self.compression}" if self.compression else ""
        divided = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}.get(self.delimiter)
        by = f", separated by {divided}" if divided else ""
        seen = f"{self.rows:,} rows" + (", and more that were not examined" if self.more else "")
        head = [f"{self.shape}{by}; {self.encoding}{packed}; {seen}"] if self.shape else []
        return [*head, f"as it is, {self.problem}"] if self.problem else head

    def _columns(self) -> list[str]:
        return [
            f"column  {each.name:<20} {each.field or '(ignored)':<12} {each.how:<8} "
            + ", ".join(each.examples)
            for each in self.columns
        ]

    def _forms(self) -> list[str]:
        return [
            f"form    {each.field:<20} {each.form:<30} {each.count:>7,}   {each.example}"
            for each in self.forms
        ]

    def _open(self) -> list[str]:
        return [each.line() for each in self.questions]

    def _result(self) -> list[str]:
        if not self.rows and not self.refused:
            return []
        refused = [
            f"refused {each.count:>7,}   {each.field or 'row'} '{each.example}' {each.reason}"
            for each in self.refused
        ]
        if self.refusal and self.refusal != self.problem:
            refused.append(f"refused with this mapping, {self.refusal}")
        options = json.dumps(self.proposal.to_dict(), ensure_ascii=False, indent=2)
        kept = f"with this mapping {self.kept:,} of {self.rows:,} rows are performances:"
        return [*refused, kept, *options.splitlines()]
