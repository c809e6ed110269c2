"""Completes a row from the rows above it: section titles, and merged cells."""

from collections.abc import Iterable, Sequence
from typing import Any

from festival.lineup.fields.text import RuleError, clean, preview
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import FIELDS


class RowsAbove:
    """Fills rows' cells from the rows above, as a mapping's `sections` and `fill_down` say.

    `state` has fields and their present values, alternating, as a Position stores them.
    """

    def __init__(self, mapping: LineupMapping, names: Sequence[str], state: Iterable[str]) -> None:
        pairs = iter(state)
        self._values: dict[str, Any] = dict(zip(pairs, pairs, strict=True))
        self._mapping = mapping
        self._names = [clean(name) for name in names]
        self._fill = [(FIELDS.index(field), field) for field in mapping.fill_down]
        self._sections = [(FIELDS.index(field), field) for field in mapping.sections]

    @property
    def state(self) -> tuple[str, ...]:
        """The fields and their present values, for a Position."""
        return tuple(text for pair in self._values.items() for text in pair)

    def takes(self, cells: Sequence[Any]) -> bool:
        """Whether a row is a title or a repeated header; a title's text is remembered."""
        if not self._sections:
            return False
        texts = [clean(preview(cell)) for cell in cells]
        filled = [text for text in texts if text]
        if len(filled) != 1:
            return bool(filled) and texts == self._names
        self._values[self._field_of(filled[0])] = filled[0]
        return True

    def filled(self, six: tuple[Any, ...]) -> tuple[Any, ...]:
        """A row's six cells, with the titles' values, and with blanks filled from above."""
        cells = list(six)
        for at, field in self._sections:
            cells[at] = self._values.get(field, "")
        for at, field in self._fill:
            if isinstance(cells[at], str) and not clean(cells[at]):
                cells[at] = self._values.get(field, cells[at])
            else:
                self._values[field] = cells[at]
        return tuple(cells)

    def _field_of(self, title: str) -> str:
        """The field that a title names; if it could be the Date or the Stage, whichever it fits."""
        fields = self._mapping.sections
        if len(fields) == 1:
            return fields[0]
        from festival.lineup.mapped.dates import day_of

        try:
            day_of(title, self._mapping)
        except RuleError as broken:
            # An ambiguous date is rejected as a date, row by row.
            return "Date" if broken.option not in ("", "dates") else "Stage"
        return "Date"
