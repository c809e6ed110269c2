"""Turns JSON objects into rows of six cells; an object's keys are its header."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from festival.lineup.columns import Columns, match
from festival.lineup.fields.text import plain, preview
from festival.lineup.formats.header import ignored
from festival.lineup.formats.json_text import Repeated
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import (
    FIELDS,
    Position,
    Rejection,
    RejectionKind,
    Rows,
    RowWarning,
    WarningKind,
)

WRAPPED = (
    "has no Performer or no Start, and lists of its own; expected the mapping's rows to say where "
    "the performances are"
)
EXPECTED_OBJECT = 'is not an object; expected one such as {"Performer": "Abba", …}'
TOO_DEEP = "is nested too deeply to be read; expected a flat object"
_MISSING = object()
_LAYOUTS = 32
_STEP = re.compile(r"([^.\[\]]+(?![^\[]*\]))|\[([0-9]{1,4})\]")


class _Layout(NamedTuple):
    """Which of an object's keys is which field, or why that is unclear."""

    columns: Columns
    keys: tuple[Any, ...]


class ObjectRows:
    """Gathers the elements of a JSON file, block by block, into Rows."""

    def __init__(self, mapping: LineupMapping, *, warn_of_ignored: bool) -> None:
        self._mapping = mapping
        self._layouts: dict[tuple[str, ...], _Layout] = {}
        self._warn_of_ignored = warn_of_ignored
        names = [name for _, name in mapping.columns if name]
        self._paths = tuple(name for name in names if "." in name or "[" in name)
        self._begin()

    def __len__(self) -> int:
        return len(self._lines) + len(self._rejections)

    def add(self, line: int, value: Any) -> None:
        """Take in an element; anything but an object is rejected."""
        if not isinstance(value, dict):
            self.refuse(line, value, EXPECTED_OBJECT)
            return
        if self._paths:
            value = _with_paths(value, self._paths)
        layout = self._layouts.get(tuple(value)) or self._lay_out(value)
        if layout.columns.unclear:
            self.refuse(line, value, layout.columns.unclear[0].reason, "columns")
            return
        if _holds_objects(value, layout):
            self.refuse(line, value, WRAPPED, "rows")
            return
        if isinstance(value, Repeated):
            self._warn_repeated(line, value, layout)
        get = value.get
        cells = tuple([get(key) for key in layout.keys])
        if not layout.columns.is_plain:
            cells = layout.columns.completed(cells)
        self.gather(line, value, cells)

    def gather(self, line: int, value: dict[str, Any], cells: tuple[Any, ...]) -> None:
        """Take in an object whose six cells are known."""
        self._lines.append(line)
        self._rows.append(value)
        self._cells.append(cells)

    def refuse(self, line: int, value: Any, reason: str, option: str = "") -> None:
        kind = RejectionKind.UNSETTLED if option else RejectionKind.ROW
        as_read = original(value)
        self._rejections.append(Rejection(line, "", preview(value), reason, as_read, kind, option))

    def warn(self, line: int, value: Any, reason: str, kind: WarningKind) -> None:
        self._warnings.append(RowWarning(line, "", preview(value), reason, kind))

    def give(self, end: Position | None) -> Rows:
        """The rows gathered so far; the next block starts empty."""
        if self._warn_of_ignored and len(self):
            names = dict.fromkeys(
                n for each in self._layouts.values() for n in each.columns.ignored
            )
            if names:
                self._warnings.insert(0, ignored([*names]))
            self._warn_of_ignored = False
        rows = Rows(self._lines, self._rows, self._cells, end, self._rejections, self._warnings)
        self._begin()
        return rows

    def _begin(self) -> None:
        self._lines: list[int] = []
        self._rows: list[dict[str, Any]] = []
        self._cells: list[tuple[Any, ...]] = []
        self._rejections: list[Rejection] = []
        self._warnings: list[RowWarning] = []

    def _lay_out(self, value: dict[str, Any]) -> _Layout:
        names = tuple(value)
        columns = match(names, self._mapping)
        keys = tuple(_MISSING if at is None else names[at] for at in columns.picked)
        layout = _Layout(columns, keys)
        if len(self._layouts) >= _LAYOUTS:
            self._layouts.clear()
        self._layouts[names] = layout
        return layout

    def _warn_repeated(self, line: int, value: Repeated, layout: _Layout) -> None:
        for field_name, key in zip(FIELDS, layout.keys, strict=False):
            if key in value.keys_twice:
                reason = f"is the last of several '{preview(key)}' in one object"
                last = preview(value[key])
                self._warnings.append(
                    RowWarning(line, field_name, last, reason, WarningKind.REPEATED_KEY)
                )


def _holds_objects(value: dict[str, Any], layout: _Layout) -> bool:
    """Whether an object has a list of others, and no performer or no start of its own."""
    constants = {field for field, _ in layout.columns.constants}
    performer, start = (FIELDS.index(name) for name in ("Performer", "Start"))
    places = layout.columns.places
    if all(places[at] is not None or at in constants for at in (performer, start)):
        return False
    lists = (item for item in value.values() if isinstance(item, list))
    return any(isinstance(each, dict) for item in lists for each in item[:1])


def _with_paths(value: dict[str, Any], paths: Sequence[str]) -> dict[str, Any]:
    """The object, with the values at paths such as `stage.name` as keys of its own."""
    values = {path: at_path(value, path) for path in paths if path not in value}
    return {**value, **{path: item for path, item in values.items() if item is not None}}


def at_path(value: Any, path: str) -> Any:
    """The value at a path such as `stage.name` or `artists[0].name`; None if there is none.

    >>> at_path({"artists": [{"name": "Abba"}]}, "artists[0].name")
    'Abba'
    """
    for key, index in _STEP.findall(path):
        if key:
            value = value.get(key) if isinstance(value, dict) else None
        elif index:
            # In the same file, one performer is often an object and several are a list of objects.
            listed = value if isinstance(value, list) else [value]
            value = listed[int(index)] if int(index) < len(listed) else None
    return value


def original(value: Any) -> Any:
    """A rejected element in a form that can be written out again."""
    element = plain(value)
    return element if isinstance(element, Mapping | str) else preview(value)
