"""Finds the paths to a nested JSON document's rows: the objects that look like performances.

A level of keys counts as dates only if they look like dates, and as stages only if the rows below
have no stage of their own; any other level of several keys is `*`.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, NamedTuple

from festival.lineup.columns import match
from festival.lineup.fields.text import Number, RuleError, clean, fold, preview, text_of
from festival.lineup.fields.times import moment
from festival.lineup.formats.json_document import ANY, PathRows, plain_values
from festival.lineup.mapped.dates import date_readings
from festival.lineup.mapped.moments import epoch
from festival.lineup.mapping import DEFAULT_MAPPING
from festival.lineup.model import FIELDS

DATE, STAGE, PERFORMER = "<Date>", "<Stage>", "<Performer>"
_SETS = re.compile(
    r"sets?|slots?|acts?|artists?|bands?|shows?|gigs?|concerts?|events?|sessions?|talks?|items?|"
    r"entries|rows|list|results?|performances?|lineup|program|schedule|timetable|festival|data",
    re.IGNORECASE,
)
_DEEPEST = 8
_ROOMS = frozenset(("room", "hall", "area", "floor", "tent", "place", "track"))
_FLAT_DEPTH = 3
_ID_ENDING = re.compile(r"[ _-]?(?:ids?|uuids?|guids?|keys?|refs?|slugs?)$", re.IGNORECASE)
_DAY_NUMBER = re.compile(r"(?:day|tag|dag|jour|d[ií]a|giorno|dzień|den) ?[0-9]{1,2}", re.IGNORECASE)
METADATA = re.compile(r"creat|updat|modif|publish|delet|sync|changed|timestamp", re.IGNORECASE)

Path = tuple[str, ...]
_Table = list[dict[str, Any]] | dict[str, Any]


@dataclass(frozen=True, slots=True)
class PathReading:
    """A path for the mapping's `rows`, how many rows it reaches, how many it misses and where."""

    path: Path
    rows: int
    missed: int = 0
    missed_at: str = ""
    example: str = ""

    @property
    def steps(self) -> str:
        """The path, for people to read."""
        return " → ".join(self.path) or "the list itself"


class _FoundRow(NamedTuple):
    path: Path
    own: frozenset[str]
    above: frozenset[str]
    kind: int
    by_key: bool

    @property
    def names(self) -> frozenset[str]:
        """The names of the row's own values and of those above it."""
        return self.own | self.above


def find_paths(document: Any) -> list[PathReading]:
    """Every sensible `rows` for a document, likeliest first; none if nothing looks like rows."""
    rows = _likeliest(_walk(document, (), frozenset()))
    if not rows:
        return []
    lengths = Counter(len(each.path) for each in rows)
    length = max(lengths, key=lambda each: (lengths[each], each))
    group = [each for each in rows if len(each.path) == length]
    return [_with_example(document, _counted(path, rows)) for path in _generalised(group)]


def reading_of(document: Any, path: Path) -> PathReading:
    """How many objects that look like rows a given path reaches and misses."""
    return _counted(path, _likeliest(_walk(document, (), frozenset())))


def _with_example(document: Any, reading: PathReading) -> PathReading:
    """The reading, with the keys that lead to the first row as an example."""
    row = next(flat_rows_at(document, reading.path), {})
    named = [f"{step[1:-1]} {row.get(step)}" for step in reading.path if step.startswith("<")]
    return replace(reading, example=", ".join(named) or "its keys mean nothing")


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with the values in its objects and lists by path: `stage.name`, `artists[0].title`."""
    return dict(_leaves(row, "", _FLAT_DEPTH))


def objects_at(document: Any, path: Path) -> Iterator[dict[str, Any]]:
    """The objects that a path leads to. Raises LineupError if it leads to no row."""
    return (row for row in PathRows(document, path) if isinstance(row, dict))


def flat_rows_at(document: Any, path: Path) -> Iterator[dict[str, Any]]:
    """The same objects, flat."""
    return map(flat, objects_at(document, path))


def unified(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Flat rows in which a value has one name, whether it is in a list or in an object."""
    flat_rows = list(rows)
    listed = {name for row in flat_rows for name in row if "[0]" in name}
    names = {name.replace("[0]", ""): name for name in listed}
    return [{names.get(name, name): cell for name, cell in row.items()} for row in flat_rows]


def long_lists(row: dict[str, Any]) -> Iterator[str]:
    """The names of a row's lists with more than one element, as `flat` names their first one."""
    for key, item in row.items():
        if isinstance(item, list) and len(item) > 1:
            yield f"{key}[0]"


def find_lookups(document: Any, path: Path, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The mapping's `lookups`: columns whose values are the ids of objects elsewhere.

    The names of the column and the list must refer to the same field: ids are often just small
    numbers, which match every list.
    """
    lookups: dict[str, Any] = {}
    tables = [(at, each) for at, each in _tables(document, ()) if at != path[: len(at)]]
    for column in dict.fromkeys(name for row in rows for name in row if "." not in name):
        values = {preview(row[column]) for row in rows if preview(row.get(column)).strip()}
        field = field_of_ids(column)
        fitting = (each for each in tables if field == field_of_ids(each[0][-1]))
        naming = _DATING if field == "Date" else _NAMING
        lookup = next(filter(None, (_lookup(values, *each, naming) for each in fitting)), None)
        if values and field and lookup:
            lookups[column] = lookup
    return lookups


def field_of_ids(column: str) -> str:
    """The field whose ids a column or list has, by its name: `artist_id`, `stageUuid`, `days`."""
    stem = _ID_ENDING.sub("", column.replace("[0]", ""))
    if match((stem.removesuffix("s"),), DEFAULT_MAPPING).places[FIELDS.index("Date")] is not None:
        return "Date"
    return field_of_path(f"{stem}.name")


def _tables(value: Any, path: Path) -> Iterator[tuple[Path, _Table]]:
    """A document's lists of objects, and its objects whose keys may be ids."""
    if len(path) > _DEEPEST or not isinstance(value, dict):
        return
    for key, item in value.items():
        if isinstance(item, list) and item and all(isinstance(each, dict) for each in item):
            yield (*path, clean(key)), item
        elif isinstance(item, dict) and item:
            yield (*path, clean(key)), item
            yield from _tables(item, (*path, clean(key)))


def _lookup(values: set[str], at: Path, table: _Table, naming: frozenset[str]) -> dict[str, Any]:
    if isinstance(table, dict):
        named = [_named(each, naming) if isinstance(each, dict) else [] for each in table.values()]
        if not _mostly(values, set(map(clean, table))):
            return {}
        if all(isinstance(each, str) for each in table.values()):
            return {"rows": [*at], "key": ANY}
        return {"rows": [*at], "key": ANY, "value": named[0][0]} if all(named) else {}
    names = _named(table[0], naming)
    for key in table[0]:
        ids = [preview(each.get(key)) for each in table]
        if not names or fold(key) in naming or len({*ids}) < len(ids):
            continue
        if _mostly(values, {*ids}):
            return {"rows": [*at], "key": key, "value": names[0]}
    return {}


def _mostly(values: set[str], ids: set[str]) -> bool:
    """Whether most values are known ids; rows with other ones are rejected when they are read."""
    return len(values & ids) > len(values) / 2


def _named(element: dict[str, Any], naming: frozenset[str]) -> list[str]:
    """The paths to an object's name: a key such as `name` or, if it has languages, `name.en`."""
    names = []
    for key, item in element.items():
        if fold(key) not in naming:
            continue
        languages = [each for each in item if item[each]] if isinstance(item, dict) else []
        names += [f"{key}.{each}" for each in languages[:1]] or [key]
    return names


def looks_like_a_date(key: str) -> bool:
    """Whether a key names a day: a date, a weekday, `Day 1`, a date-time or an epoch number."""
    text = clean(key)
    if _DAY_NUMBER.fullmatch(text) or epoch(text) or date_readings(text):
        return True
    try:
        return moment(text).date is not None
    except RuleError:
        return False


def _leaves(value: Any, name: str, depth: int) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict) and value and depth:
        for key, item in value.items():
            yield from _leaves(item, f"{name}.{key}" if name else key, depth - bool(name))
    elif isinstance(value, list) and value and depth and isinstance(value[0], dict | str | Number):
        yield from _leaves(value[0], f"{name}[0]", depth - 1)
    else:
        yield name, value


def _walk(value: Any, path: Path, above: frozenset[str], by_key: bool = False) -> list[_FoundRow]:
    """The objects at or below a value that look like rows, except those that contain such rows."""
    if len(path) > _DEEPEST:
        return []
    if isinstance(value, list):
        return [*chain.from_iterable(_walk(each, path, above) for each in value)]
    if not isinstance(value, dict):
        return []
    own = _own_names(value, path)
    inner = {key: item for key, item in value.items() if isinstance(item, dict | list)}
    below = [
        *chain.from_iterable(
            _walk(item, (*path, clean(key)), above | own, isinstance(item, dict))
            for key, item in inner.items()
        )
    ]
    kind = _kind(value, above)
    best = max((each.kind for each in below), default=0)
    if best and best >= kind - 1:
        return below
    return [_FoundRow(path, frozenset(flat(value)), above, kind, by_key)] if kind else []


def _own_names(value: dict[str, Any], path: Path) -> frozenset[str]:
    plain = [key for key, _ in plain_values(value)]
    step = path[-1] if path else ""
    return frozenset(chain(plain, (f"{step}.{key}" for key in plain if step)))


def _kind(value: dict[str, Any], above: frozenset[str]) -> int:
    """How row-like an object is: 3 with performer and start, 2 with a start, 1 with any time."""
    names = tuple(flat(value))
    performer, _, _, start, *_ = match(names, DEFAULT_MAPPING).places
    if start is not None and isinstance(value.get(names[start]), dict | list):
        start = None
    if start is not None:
        if performer is None:
            performer = match(tuple(sorted(above)), DEFAULT_MAPPING).places[0]
        nested = any(field_of_path(name) == "Performer" for name in (*names, *above))
        return 3 if performer is not None or nested else 2
    return int(any(_is_timed(key, item) for key, item in value.items()))


def _is_timed(key: str, cell: Any) -> bool:
    if METADATA.search(key) or not isinstance(cell, str | Number):
        return False
    if epoch(cell):
        return True
    if isinstance(cell, Number) or not re.search(r"[:.hH][0-9]{2}|[ap]\.?m", cell):
        return False
    try:
        moment(text_of(cell))
    except RuleError:
        return False
    return True


def _likeliest(rows: Sequence[_FoundRow]) -> list[_FoundRow]:
    """Only the objects of the kind that looks most like a row."""
    best = max((each.kind for each in rows), default=0)
    return [each for each in rows if each.kind == best]


def _generalised(group: Sequence[_FoundRow]) -> list[Path]:
    """The possible paths of a group of rows at one depth, the likeliest first."""
    columns = [match(tuple(sorted(each.names)), DEFAULT_MAPPING) for each in group[:200]]
    own = {
        field: sum(each.places[FIELDS.index(field)] is not None for each in columns)
        > len(columns) / 2
        for field in ("Stage", "Date", "Performer")
    }
    own["Performer"] |= any(field_of_path(n) == "Performer" for each in group for n in each.names)
    own["Stage"] = own["Stage"] or any(
        field_of_path(name) == "Stage" or (fold(name) in _ROOMS and name in each.own)
        for each in group[:200]
        for name in each.names
    )
    levels = [
        list(dict.fromkeys(keys)) for keys in zip(*(each.path for each in group), strict=True)
    ]
    steps: list[str] = []
    stages: list[int] = []
    doubtful: list[int] = []
    for at, keys in enumerate(levels):
        last_by_key = at == len(levels) - 1 and all(each.by_key for each in group)
        if all(map(looks_like_a_date, keys)) and DATE not in steps:
            steps.append(ANY if own["Date"] else DATE)
        elif last_by_key and not own["Performer"]:
            steps.append(PERFORMER)
        elif len(keys) == 1:
            steps.append(keys[0])
            if not own["Stage"] and not _SETS.search(keys[0]):
                below_dates = at > 0 and all(map(looks_like_a_date, levels[at - 1]))
                (stages if below_dates else doubtful).append(at)
        else:
            steps.append(ANY)
            if not own["Stage"] and not last_by_key:
                stages.append(at)
    # The keys below `stages` are stages; otherwise the innermost keys are likeliest.
    stages.sort(key=lambda at: (at > 0 and _holds_stages(levels[at - 1]), at), reverse=True)
    doubtful = [at for at in doubtful if at == len(levels) - 1 and not stages]

    def named(stage: int) -> Path:
        return tuple(STAGE if at == stage else step for at, step in enumerate(steps))

    return [*map(named, stages), tuple(steps), *map(named, doubtful)]


def _holds_stages(keys: Sequence[str]) -> bool:
    return len(keys) == 1 and field_of_path(f"{keys[0]}.name") == "Stage"


def _counted(path: Path, rows: Sequence[_FoundRow]) -> PathReading:
    missed = [each.path for each in rows if not _fits(path, each.path)]
    places = dict.fromkeys(" → ".join(each) or "the list itself" for each in missed)
    some = ", ".join(f"'{each}'" for each in list(places)[:3])
    return PathReading(path, len(rows) - len(missed), len(missed), some)


def _fits(path: Path, keys: Path) -> bool:
    return len(path) == len(keys) and all(
        step in (ANY, key) or step.startswith("<") for step, key in zip(path, keys, strict=True)
    )


_DATING = frozenset(("date", "day"))
_NAMING = frozenset(("name", "title", "label", "displayname", "fullname", "text", "value"))


def field_of_path(name: str) -> str:
    """The field of `performer.name`, `stages.title` or `artists[0]`, by its first part."""
    head, _, tail = name.replace("[0]", ".").strip(".").rpartition(".")
    if name.endswith("[0]"):
        head, tail = name[: -len("[0]")], "name"
    head = head.strip(".").rpartition(".")[2]
    if fold(tail) not in _NAMING or not head:
        return ""
    for each in dict.fromkeys((head, head.removesuffix("s"))):
        places = match((each,), DEFAULT_MAPPING).places
        for field, place in zip(FIELDS, places, strict=True):
            if place is not None and field in ("Performer", "Stage"):
                return field
        if fold(each) in _ROOMS:
            return "Stage"
    return ""
