"""Look at a lineup file and explain how it is read, before anything depends on it.

What the file makes clear is proposed; ambiguous values become questions, each with the option that
settles it. The reader itself counts the rows under the proposal, so that `festival check` with the
same mapping agrees.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from festival.errors import LineupError
from festival.inspection.encodings import suspected
from festival.inspection.evidence import Evidence, Sample, merged
from festival.inspection.matching import headers_by_cells
from festival.inspection.paths import (
    Path,
    PathReading,
    find_lookups,
    find_paths,
    flat,
    flat_rows_at,
    reading_of,
    several,
    unified,
)
from festival.inspection.questions import weigh
from festival.inspection.result import Answer, Inspection, Question, RefusedReason
from festival.lineup.columns import REQUIRED
from festival.lineup.decode import (
    DEFAULT_LIMITS,
    Feed,
    Limits,
    LineReader,
    Origin,
    open_source,
)
from festival.lineup.fields.text import fold
from festival.lineup.formats import csv_rows, json_document, json_stream
from festival.lineup.formats.header import (
    DELIMITERS,
    best_header,
    find_header,
    first_with_text,
)
from festival.lineup.formats.json_objects import ObjectRows
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block, Rejection, Rows, RowWarning, WarningKind
from festival.lineup.normalise import Normaliser
from festival.lineup.read import read_lineup, sniff

SAMPLE_ROWS = 10_000
_REASONS = 8
_HEAD_BYTES = 256 * 1024
HEADER_LINES = 30
_LAST_RESORT = "Windows-1252, as the last resort"

_DAYS = frozenset(("year", "first_date", "dates"))
_CHOICES = {
    "integer_is": "hour, hhmm or minute",
    "date_order": "day_first, month_first or year_first",
    "year": "such as 2025",
    "first_date": "the festival's first day, as YYYY-MM-DD",
    "dates": "what date each stands for",
    "time_zone": "such as Europe/Paris",
    "default_length": "minutes, such as 60",
    "clock": "24h or 12h",
    "fill_down": "fields whose blank cells mean the value above, such as Stage",
    "placeholders": "words that say that there is no end, and default_length",
    "length_is": "minutes, hours, seconds or days",
    "day_starts_at": "such as 06:00, with date_is festival_day",
    "columns": "which column, or which part of it, each field is",
    "rows": "the path to the rows",
    "encoding": "such as cp1250, mac_roman or shift_jis",
}

Reader = Callable[[LineupMapping], Iterable[Block]]


@dataclass
class SampledFile:
    """A file as far as it could be read: how it is written, and its first rows."""

    shape: str = ""
    encoding: str = ""
    compression: str = ""
    delimiter: str = ""
    names: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    paths: list[PathReading] = field(default_factory=list)
    problem: str = ""
    several: Counter[str] = field(default_factory=Counter)
    questions: list[Question] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


class _Kept:
    """Chunks that come once, kept so that they can be read again from the beginning."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._rest = iter(chunks)
        self._kept: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        yield from [*self._kept]
        for chunk in self._rest:
            self._kept.append(chunk)
            yield chunk

    def head(self) -> bytes:
        """The first kept bytes, decompressed."""
        head = b"".join(self._kept)[:_HEAD_BYTES]
        if head.startswith(b"\x1f\x8b"):
            try:
                return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
            except zlib.error:
                return b""
        return head


def inspect_lineup(
    chunks: Iterable[bytes],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    limits: Limits = DEFAULT_LIMITS,
) -> Inspection:
    """How a lineup file is written, what its first 10,000 rows say, and what is still to decide.

    `mapping` is what has already been decided; the proposal adds what the file makes clear. A bad
    file raises nothing: the inspection's `problem` says why it cannot be read.
    """
    kept = _Kept(chunks)
    look = _looked_at(kept, mapping, limits)
    if look.shape == csv_rows.SHAPE:
        lines = _text_lines(kept.head())
        look = with_header(
            look, lines, DELIMITERS, mapping, lambda told: _looked_at(kept, told, limits)
        )
    if not mapping.encoding and (found := suspected(kept.head())):
        look = _in_encoding(look, found, kept, mapping, limits)
    return inspected(
        look, mapping, lambda proposal: read_lineup(kept, mapping=proposal, limits=limits)
    )


def inspected(look: SampledFile, mapping: LineupMapping, read: Reader) -> Inspection:
    """What the sampled rows add to a mapping; `read` reads the file with a mapping."""
    options = merged(look.options, mapping.to_dict())
    evidence = Evidence(Sample(look.names, look.rows), mapping, options)
    evidence.questions += look.questions
    if look.paths and not mapping.rows:
        _propose_path(evidence, look.paths)
    elif mapping.rows and look.paths and look.paths[0].missed:
        _tell_missed(evidence, look.paths[0])
    if look.names:
        weigh(evidence)
    _tell_lookups(evidence, look)
    _tell_several(evidence, look)
    lineup = not look.problem or not _is_no_lineup(evidence)
    if not lineup:
        evidence = Evidence(Sample((), ()), mapping, mapping.to_dict())
    proposal = LineupMapping.from_dict(evidence.options)
    outcome = _read(read, proposal) if lineup and look.shape else _TriedRows()
    _ask_about_length(evidence, outcome)
    _tell_passed_over(evidence, outcome)
    _ask_what_refuses(evidence, outcome)
    return Inspection(
        encoding=look.encoding,
        compression=look.compression,
        shape=look.shape,
        delimiter=look.delimiter,
        rows=outcome.rows or len(look.rows),
        more=look.more,
        columns=tuple(evidence.columns),
        forms=tuple(evidence.forms),
        questions=tuple(evidence.in_order()),
        proposal=proposal,
        kept=outcome.kept,
        refused=tuple(_reasons(outcome.rejections)),
        problem=look.problem,
        missed=look.paths[0].missed if look.paths else 0,
        refusal=outcome.problem,
    )


@dataclass
class _TriedRows:
    """What the reader makes of the first rows under a mapping."""

    rows: int = 0
    kept: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)
    problem: str = ""


def _read(read: Reader, mapping: LineupMapping) -> _TriedRows:
    outcome = _TriedRows()
    try:
        for block in read(mapping):
            room = SAMPLE_ROWS - outcome.rows
            lines = [each.line for each in block.performances]
            lines = sorted(lines + [each.line for each in block.rejections])
            last = lines[room - 1] if room < len(lines) else lines[-1] if lines else 0
            outcome.rows += min(room, len(lines))
            outcome.kept += sum(each.line <= last for each in block.performances)
            outcome.rejections += [each for each in block.rejections if each.line <= last]
            outcome.warnings += [w for w in block.warnings if w.line <= last or not lines]
            if outcome.rows >= SAMPLE_ROWS:
                break
    except LineupError as error:
        outcome.problem = str(error)
    return outcome


def _is_no_lineup(evidence: Evidence) -> bool:
    """Whether nothing in a file that cannot be read looks like a time, and nothing is offered."""
    fields = set(evidence.by_field) & {"Start", "End", "Time"}
    offered = {
        name
        for question in evidence.questions
        for answer in question.answers
        for name in answer.options.get("columns", ())
    }
    told = any(each.must and each.option == "the file" for each in evidence.questions)
    return not (fields or told or offered & {"Start", "End", "Date"})


def _propose_path(evidence: Evidence, paths: Sequence[PathReading]) -> None:
    best = paths[0]
    if best.path:
        evidence.options["rows"] = list(best.path)
    if len(paths) > 1:
        answers = [
            Answer(f"{each.steps}, {each.rows:,} rows", {"rows": [*each.path]}, each.example)
            for each in paths
        ]
        evidence.ask(
            f"the document's keys are taken as {best.steps}",
            "rows",
            "the path to the rows",
            answers=answers,
        )
    if best.missed:
        _tell_missed(evidence, best)


def _tell_missed(evidence: Evidence, reading: PathReading) -> None:
    evidence.questions.append(
        Question(
            f"{reading.rows:,} rows are at {reading.steps}; {reading.missed:,} that look like rows "
            f"are not read: {reading.missed_at}",
            "rows",
            "one path for each file, or * for a level of keys",
            False,
        )
    )


def _tell_lookups(evidence: Evidence, look: SampledFile) -> None:
    for column, said in look.options.get("lookups", {}).items():
        evidence.ask(
            f"'{column}' is looked up in {' → '.join(said['rows'])}",
            "lookups",
            f"{said['key']} → {said.get('value', 'its text')}",
        )


def _tell_several(evidence: Evidence, look: SampledFile) -> None:
    """Only the first element of a list in a row is read."""
    used = set(evidence.by_field.values())
    for name, count in look.several.items():
        if any(column.startswith(name) for column in used):
            plain = name.removesuffix("[0]")
            evidence.ask(
                f"more than one in '{plain}', of which the first is read: {count:,}",
                "the file",
                "one row for each, or another column",
            )


def _ask_about_length(evidence: Evidence, outcome: _TriedRows) -> None:
    long = [each for each in outcome.warnings if each.kind is WarningKind.LONG]
    if long and not any(each.option == "clock" for each in evidence.questions):
        seen = f"ends that make more than 12 hours, such as '{long[0].value}': {len(long):,}"
        evidence.questions.append(Question(seen, "the file", "correct what is mistyped", False))


def _tell_passed_over(evidence: Evidence, outcome: _TriedRows) -> None:
    """What the reader leaves out: elements outside a path, an event's further times."""
    warnings = [each for each in outcome.warnings if each.kind is WarningKind.PASSED_OVER]
    if warnings and not any(each.option == "rows" for each in evidence.questions):
        first = warnings[0]
        seen = f"'{first.value[:40]}' {first.reason}" if first.line else first.reason
        more = f" (and {len(warnings) - 1:,} more)" if len(warnings) > 1 else ""
        question = Question(f"{seen}{more}", "the file", "add what is missing", False)
        evidence.questions.append(question)


def _ask_what_refuses(evidence: Evidence, outcome: _TriedRows) -> None:
    """Ask about every option that a rejected row needs, whatever the sample showed."""
    asked = {each.option for each in evidence.questions}
    if asked & _DAYS:
        asked |= _DAYS
    if outcome.kept or "constants" in asked:
        asked.add("columns")  # Rows of another kind, without a column that the others have.
    for each in outcome.rejections:
        is_header = fold(each.value) == fold(each.field)
        if each.option and each.option not in asked and not is_header:
            asked.add(each.option)
            count = sum(other.option == each.option for other in outcome.rejections)
            reason = each.reason.partition("; ")[0]
            seen = f"the {each.field or 'row'} '{each.value}' {reason}: {count:,}"
            choices = _CHOICES.get(each.option, "its value in every row")
            evidence.ask(seen, each.option, choices, must=True)


def _in_encoding(
    look: SampledFile,
    found: Sequence[tuple[str, str]],
    kept: _Kept,
    mapping: LineupMapping,
    limits: Limits,
) -> SampledFile:
    """The file in its likeliest encoding, so that everything else can be asked meanwhile."""
    answers = [Answer(codec, {"encoding": codec}, f"'{text}'") for codec, text in found]
    likely = merged(mapping.to_dict(), {**look.options, **answers[0].options})
    better = _looked_at(kept, LineupMapping.from_dict(likely), limits)
    question = Question(
        "text that is neither UTF-8 nor Windows-1252",
        "encoding",
        " or ".join(codec for codec, _ in found),
        True,
        tuple(answers),
        answers[0].options,
    )
    return replace(
        better,
        encoding="not UTF-8",
        questions=[question, *look.questions],
        options=look.options,
    )


def with_header(
    look: SampledFile,
    lines: Sequence[str],
    delimiters: Sequence[str],
    mapping: LineupMapping,
    looked_at: Callable[[LineupMapping], SampledFile],
) -> SampledFile:
    """The file reread with a header from a later line, or with made-up names.

    Nothing changes if its own header will do, or if the mapping says what it is.
    """
    if not look.problem or mapping.header_row or mapping.header:
        return look
    if (line := _header_line(lines, delimiters, mapping)) > 1:
        options: dict[str, Any] = {"header_row": line}
        seen = f"the header is taken from line {line}; what is above it is not read"
        question = Question(seen, "header_row", "the header's line", False)
    elif found := headers_by_cells(lines, delimiters):
        answers = tuple(
            Answer(", ".join(each.names), {"header": [*each.names]}, each.reading) for each in found
        )
        options = dict(answers[0].options)
        seen, choices = "the file has no header", "the columns' names in their order"
        question = Question(seen, "header", choices, True, answers, options)
    else:
        return look
    again = looked_at(LineupMapping.from_dict({**mapping.to_dict(), **options}))
    proposed = {} if question.must else options
    return replace(again, problem=look.problem, options=proposed, questions=[question])


def _header_line(lines: Sequence[str], delimiters: Sequence[str], mapping: LineupMapping) -> int:
    """The line, from 1, that fits best as a header among the first lines; 0 if none is better."""
    headers = {
        at: best_header([*lines], at, mapping, delimiters)[0]
        for at, line in enumerate(lines)
        if first_with_text([line]) is not None
    }
    if not headers:
        return 0
    missing = {at: len(header.columns.missing) for at, header in headers.items()}
    best = min(missing, key=lambda at: (missing[at], at))
    is_likely = missing[best] <= 3 or len(headers[best].names) >= len(REQUIRED) - 1
    return best + 1 if missing[best] < missing[min(missing)] and is_likely else 0


def _text_lines(head: bytes) -> list[str]:
    text = head.decode("utf-8", "replace").replace("\r\n", "\n").replace("\r", "\n")
    return text.split("\n")[:HEADER_LINES]


def _looked_at(chunks: Iterable[bytes], mapping: LineupMapping, limits: Limits) -> SampledFile:
    look = SampledFile()
    try:
        _look_at(look, chunks, mapping, limits)
    except LineupError as error:
        look.problem = str(error)
    return look


def _look_at(
    look: SampledFile, chunks: Iterable[bytes], mapping: LineupMapping, limits: Limits
) -> None:
    origin, feed = open_source(chunks, None, limits, mapping.encoding)
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
    """Take a JSON file's objects as rows, or the rows inside them."""
    if look.shape != json_document.SHAPE:
        found = find_paths(look.rows)
        if found and found[0].path:
            look.shape = json_document.SHAPE
            document = look.rows[0] if len(look.rows) == 1 else look.rows
            look.rows = [*islice(_rows_in(look, document, found[0].path), SAMPLE_ROWS)]
        else:
            look.several.update(name for row in look.rows for name in several(row))
        look.paths = [each for each in found if each.path or each.missed]
    look.rows = unified(flat(row) for row in look.rows)
    look.names = list(dict.fromkeys(name for row in look.rows for name in row))


def _csv_rows(
    look: SampledFile, origin: Origin, feed: Feed, mapping: LineupMapping, limits: Limits
) -> Iterator[dict[str, Any]]:
    reader = LineReader(origin, feed, limits, multibyte=mapping.encoding.startswith("utf-8"))
    found = find_header(reader, mapping)
    look.delimiter = found.header.delimiter
    look.names = list(found.header.names)
    look.problem = str(found.misfit or "")
    _note_encoding(look, found.warnings)
    accepts = Normaliser(mapping).accepts
    for block in csv_rows.CsvRows(reader, found.header, accepts, limits):
        _note_encoding(look, block.warnings)
        for cells in block.rows:
            if (row := found.header.original(cells)) is not None:
                yield dict(row)


class _AnyObjects(ObjectRows):
    """Gathers objects, whatever their keys."""

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
    look.paths = [reading_of(document, mapping.rows)] if mapping.rows else find_paths(document)
    if not look.paths:
        raise LineupError(
            "the file is one JSON document, and nothing in it looks like rows; expected objects "
            "with a performer and a time, or a mapping whose rows say where they are"
        )
    yield from _rows_in(look, document, look.paths[0].path, mapping)


def _rows_in(
    look: SampledFile, document: Any, path: Path, mapping: LineupMapping = DEFAULT_MAPPING
) -> Iterator[dict[str, Any]]:
    """A document's flat rows, with ids resolved from its other lists."""
    look.several.update(name for row in rows_of(document, path) for name in several(row))
    rows = unified(flat_rows_at(document, path))
    lookups = mapping.lookups
    if not lookups and (found := find_lookups(document, path, rows)):
        look.options["lookups"] = found
        lookups = LineupMapping.from_dict({"rows": [*path], "lookups": found}).lookups
    tables = [(each, json_document.table_of(document, each)) for each in lookups]
    for row in rows:
        yield flat(json_document.looked_up(row, tables)[0])


def rows_of(document: Any, path: Path) -> Iterator[dict[str, Any]]:
    """The objects that a path leads to."""
    return (row for row in json_document.rows_at(document, path) if isinstance(row, dict))


def _note_encoding(look: SampledFile, warnings: Sequence[RowWarning]) -> None:
    if any(each.kind is WarningKind.ENCODING for each in warnings):
        look.encoding = _LAST_RESORT


def _reasons(rejections: Sequence[Rejection]) -> Iterator[RefusedReason]:
    counts = Counter((each.field, each.reason) for each in rejections)
    firsts = {(each.field, each.reason): each for each in reversed(rejections)}
    for (name, reason), count in counts.most_common(_REASONS):
        first = firsts[name, reason]
        yield RefusedReason(name, reason, count, first.value, first.line)
