"""Where the rows of a nested JSON document may be: a proposal, for a person to confirm."""

from typing import Any

from festival.lineup.columns import match
from festival.lineup.forms import OTHER, date_form
from festival.lineup.mapping import DEFAULT_MAPPING
from festival.lineup.shapes import ANY

_DEEPEST = 8
_DATE, _STAGE = "<Date>", "<Stage>"


def find_path(document: Any) -> tuple[str, ...]:
    """The mapping's `rows` for the first objects that look like rows; empty where none do."""
    return _search(document, ()) or ()


def _search(value: Any, path: tuple[str, ...]) -> tuple[str, ...] | None:
    if len(path) > _DEEPEST:
        return None
    if isinstance(value, list):
        elements = [element for element in value if isinstance(element, dict)]
        if any(map(_is_row, elements)):
            return path
        below = (_search(element, path) for element in elements)
        return next((each for each in below if each), None)
    if not isinstance(value, dict):
        return None
    if path and path[-1] == ANY and _is_row(value):
        return path
    inner = {key: item for key, item in value.items() if isinstance(item, dict | list)}
    if step := _field_of_keys(value, inner, path):
        below = (_search(item, (*path, step)) for item in inner.values())
    else:
        below = (_search(item, (*path, key)) for key, item in inner.items())
    return next((each for each in below if each), None)


def _is_row(element: dict[str, Any]) -> bool:
    """Whether an object has a performer and a time of its own."""
    performer, _, _, start, *_ = match(tuple(element), DEFAULT_MAPPING).places
    return performer is not None and start is not None


def _field_of_keys(value: dict[str, Any], inner: dict[str, Any], path: tuple[str, ...]) -> str:
    """The step for an object whose keys are no names of parts: dates, stages, or of no meaning."""
    if not inner or len(inner) < len(value):
        return ""
    if _DATE not in path and all(date_form(key) != OTHER for key in inner):
        return _DATE
    if all(isinstance(item, dict) and _is_row(item) for item in inner.values()):
        return ANY
    alike = len({type(item) for item in inner.values()}) == 1
    return _STAGE if len(inner) > 1 and alike and _STAGE not in path else ""
