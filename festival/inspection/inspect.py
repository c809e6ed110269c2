"""Look at a lineup file and explain how it is understood, before anything depends on it.

What can be told from the file is proposed; what could be meant in two ways is asked, with the
option that decides it, and never guessed.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from festival.errors import LineupError
from festival.inspection.evidence import OTHER, Evidence, Sample, date_form, weigh
from festival.inspection.result import Inspection, Question, RefusedReason
from festival.lineup.columns import match
from festival.lineup.decode import (
    AS_CP1252,
    DEFAULT_LIMITS,
    Feed,
    Limits,
    LineReader,
    Origin,
    open_source,
)
from festival.lineup.formats import csv_rows, json_document, json_stream
from festival.lineup.formats.header import find_header
from festival.lineup.formats.json_document import ANY
from festival.lineup.formats.json_objects import ObjectRows, original
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import MINUTES_PER_DAY, Rows, RowWarning
from festival.lineup.normalise import NormalisedRows, Normaliser
from festival.lineup.read import sniff

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


SAMPLE_ROWS = 10_000
_NIGHT_ENDS = 6 * 60
_REASONS = 8
_LAST_RESORT = "Windows-1252, as the last resort"
_LONG = "is taken as after midnight"


@dataclass
class SampledFile:
    """A file as far as it could be looked at: how it is written, and its first rows."""

    shape: str = ""
    encoding: str = ""
    compression: str = ""
    delimiter: str = ""
    names: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    path: tuple[str, ...] = ()
    problem: str = ""


def inspect_lineup(
    chunks: Iterable[bytes],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    limits: Limits = DEFAULT_LIMITS,
) -> Inspection:
    """How a lineup file is written, what its first 10,000 rows say, and what is left to decide.

    `mapping` is what has been decided already; the proposal has that, and what is plain beside.
    A bad file raises nothing: the inspection's `problem` says why it cannot be read.
    """
    look = SampledFile()
    try:
        _look_at(look, chunks, mapping, limits)
    except LineupError as error:
        look.problem = str(error)
    return inspected(look, mapping)


def inspected(look: SampledFile, mapping: LineupMapping) -> Inspection:
    """What the rows that were looked at say beyond a mapping."""
    evidence = Evidence(Sample(look.names, look.rows), mapping, mapping.to_dict())
    if look.names:
        weigh(evidence)
    if look.path and not mapping.rows:
        _propose_path(evidence, look.path)
    proposal = LineupMapping.from_dict(evidence.options)
    outcome = _tried(look.rows, proposal)
    _ask_about_nights(evidence, outcome)
    return Inspection(
        encoding=look.encoding,
        compression=look.compression,
        shape=look.shape,
        delimiter=look.delimiter,
        rows=len(look.rows),
        more=look.more,
        columns=tuple(evidence.columns),
        forms=tuple(evidence.forms),
        questions=tuple(evidence.questions),
        proposal=proposal,
        kept=len(outcome.performances),
        refused=tuple(_reasons(outcome)),
        problem=look.problem,
    )


def _propose_path(evidence: Evidence, path: tuple[str, ...]) -> None:
    evidence.options["rows"] = list(path)
    if any(step.startswith("<") for step in path):
        steps = " → ".join(path)
        evidence.ask(f"the document's keys are taken as {steps}", "rows", "the path to the rows")


def _look_at(
    look: SampledFile, chunks: Iterable[bytes], mapping: LineupMapping, limits: Limits
) -> None:
    origin, feed = open_source(chunks, None, limits)
    look.compression = origin.compression
    look.shape = sniff(feed, mapping, limits)
    look.encoding = "UTF-8 with a byte order mark" if feed.marked else origin.encoding.upper()
    rows: Iterator[dict[str, Any]]
    if look.shape == csv_rows.SHAPE:
        rows = _csv_rows(look, origin, feed, mapping, limits)
    elif look.shape == json_document.SHAPE:
        rows = _document_rows(look, origin, feed, mapping, limits)
    else:
        rows = _object_rows(look, origin, feed, limits)
    try:
        for row in islice(rows, SAMPLE_ROWS):
            look.rows.append(row)
        look.more = next(rows, None) is not None
    finally:
        if look.shape != csv_rows.SHAPE:
            _go_into_objects(look)


def _go_into_objects(look: SampledFile) -> None:
    """Take the objects of a JSON file as rows; where those are inside them, those."""
    if look.shape != json_document.SHAPE and (path := find_path(look.rows)):
        look.shape, look.path = json_document.SHAPE, path
        inside = json_document.rows_at(look.rows, path)
        look.rows = [row for row in islice(inside, SAMPLE_ROWS) if isinstance(row, dict)]
    look.rows = [_flat(row) for row in look.rows]
    look.names = list(dict.fromkeys(name for row in look.rows for name in row))


def _csv_rows(
    look: SampledFile, origin: Origin, feed: Feed, mapping: LineupMapping, limits: Limits
) -> Iterator[dict[str, Any]]:
    reader = LineReader(origin, feed, limits)
    found = find_header(reader, mapping)
    look.delimiter = found.header.delimiter
    look.names = list(found.header.names)
    look.problem = found.misfit
    _note_encoding(look, found.warnings)
    accepts = Normaliser(mapping).accepts
    for block in csv_rows.CsvRows(reader, found.header, accepts, limits):
        _note_encoding(look, block.warnings)
        for cells in block.rows:
            if (row := found.header.original(cells)) is not None:
                yield dict(row)


class _AnyObjects(ObjectRows):
    """Gathers objects whatever their keys are."""

    def add(self, line: int, value: Any) -> None:
        if isinstance(value, dict):
            self.gather(line, value, ())


def _object_rows(
    look: SampledFile, origin: Origin, feed: Feed, limits: Limits
) -> Iterator[dict[str, Any]]:
    objects = _AnyObjects(DEFAULT_MAPPING, tell_ignored=False)
    blocks: Iterable[Rows] = json_stream.ArrayRows(origin, feed, objects, limits)
    if look.shape == json_stream.LINES:
        blocks = json_stream.line_rows(LineReader(origin, feed, limits), objects)
    for block in blocks:
        _note_encoding(look, block.warnings)
        yield from block.rows


def _document_rows(
    look: SampledFile, origin: Origin, feed: Feed, mapping: LineupMapping, limits: Limits
) -> Iterator[dict[str, Any]]:
    document, assumed = json_document.read_document(origin, feed, limits)
    if assumed:
        look.encoding = _LAST_RESORT
    look.path = mapping.rows or find_path(document)
    if not look.path:
        raise LineupError(
            "the file is one JSON document, and nothing in it looks like rows; expected objects "
            "with a performer and a time, or a mapping whose rows say where they are"
        )
    for row in json_document.rows_at(document, look.path):
        if isinstance(row, dict):
            yield row


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row with what is in its objects by path, as in `stage.name`."""
    flat: dict[str, Any] = {}
    for key, value in row.items():
        if isinstance(value, dict):
            flat |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            flat[key] = value
    return flat


def _note_encoding(look: SampledFile, warnings: Sequence[RowWarning]) -> None:
    if any(each.reason == AS_CP1252 for each in warnings):
        look.encoding = _LAST_RESORT


def _tried(rows: Sequence[dict[str, Any]], mapping: LineupMapping) -> NormalisedRows:
    """What becomes of the rows under a mapping."""
    objects = ObjectRows(replace(mapping, rows=()), tell_ignored=False)
    for index, row in enumerate(rows, 1):
        objects.add(index, row)
    given = objects.give(None)
    outcome = Normaliser(mapping).normalise(given.lines, given.rows, given.cells, original)
    outcome.rejections.extend(given.rejections)
    return outcome


def _ask_about_nights(evidence: Evidence, outcome: NormalisedRows) -> None:
    nights = [each for each in outcome.performances if each.start % MINUTES_PER_DAY < _NIGHT_ENDS]
    if nights:
        evidence.ask(
            f"starts before 06:00, such as {nights[0].performer}'s: {len(nights):,}",
            "day_starts_at",
            "06:00, with date_is festival_day if Date is the evening's, else calendar_day",
        )
    long = [each for each in outcome.warnings if each.reason.startswith(_LONG)]
    if long:
        seen = f"ends that make more than 12 hours, such as '{long[0].value}': {len(long):,}"
        evidence.questions.append(Question(seen, "the file", "correct what is mistyped", False))


def _reasons(outcome: NormalisedRows) -> Iterator[RefusedReason]:
    counts = Counter((each.field, each.reason) for each in outcome.rejections)
    examples = {(each.field, each.reason): each.value for each in reversed(outcome.rejections)}
    for (name, reason), count in counts.most_common(_REASONS):
        yield RefusedReason(name, reason, count, examples[name, reason])
