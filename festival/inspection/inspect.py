"""Explains how a lineup file is read, before anything depends on it.

The inspection proposes a mapping for what the file makes clear. An ambiguous value becomes a
question with the option that settles it. The rows under the proposal are counted by the reader
itself, so that `festival check` with the same mapping agrees.
"""

import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from festival.errors import LineupError
from festival.inspection.encodings import likely_encodings
from festival.inspection.evidence import Evidence, Sample, merged
from festival.inspection.matching import headers_by_cells
from festival.inspection.paths import (
    Path,
    PathReading,
    find_lookups,
    find_paths,
    flat,
    flat_rows_at,
    long_lists,
    objects_at,
    reading_of,
    unified,
)
from festival.inspection.questions import examine
from festival.inspection.result import THE_FILE, Answer, Inspection, Question, RefusedReason
from festival.lineup.columns import REQUIRED
from festival.lineup.decode import (
    DEFAULT_LIMITS,
    GZIP,
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
    """A file as far as it could be read: how it is written, and its first rows by column name."""

    shape: str = ""
    encoding: str = ""
    compression: str = ""
    delimiter: str = ""
    names: list[str] = field(default_factory=list)
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False
    paths: list[PathReading] = field(default_factory=list)
    problem: str = ""
    long_lists: Counter[str] = field(default_factory=Counter)
    questions: list[Question] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)


class _Replayable:
    """Chunks that arrive once, kept so that they can be read again from the beginning."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._rest = iter(chunks)
        self._past: list[bytes] = []

    def __iter__(self) -> Iterator[bytes]:
        yield from [*self._past]
        for chunk in self._rest:
            self._past.append(chunk)
            yield chunk

    def head(self) -> bytes:
        """The first of the bytes read so far, decompressed."""
        head = b"".join(self._past)[:_HEAD_BYTES]
        if head.startswith(GZIP):
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
    """How a lineup file is written, what its first 10,000 rows show, and what is still to decide.

    `mapping` is what has already been decided; the proposal adds what the file makes clear. A bad
    file raises nothing: the inspection's `problem` says why it cannot be read.
    """
    source = _Replayable(chunks)

    def sample_with(mapping: LineupMapping) -> SampledFile:
        return _sample(source, mapping, limits)

    sampled = sample_with(mapping)
    if sampled.shape == csv_rows.SHAPE:
        lines = _text_lines(source.head())
        sampled = with_header(sampled, lines, DELIMITERS, mapping, sample_with)
    if not mapping.encoding and (encodings := likely_encodings(source.head())):
        sampled = _in_encoding(sampled, encodings, mapping, sample_with)
    return inspected(
        sampled, mapping, lambda proposal: read_lineup(source, mapping=proposal, limits=limits)
    )


def inspected(sampled: SampledFile, mapping: LineupMapping, read: Reader) -> Inspection:
    """The inspection of a sampled file; `read` reads the whole file under a mapping."""
    options = merged(sampled.options, mapping.to_dict())
    evidence = Evidence(Sample(sampled.names, sampled.rows), mapping, options)
    evidence.questions += sampled.questions
    if sampled.paths and not mapping.rows:
        _propose_path(evidence, sampled.paths)
    elif mapping.rows and sampled.paths and sampled.paths[0].missed:
        _report_missed(evidence, sampled.paths[0])
    if sampled.names:
        examine(evidence)
    _report_lookups(evidence, sampled)
    _report_lists(evidence, sampled)
    is_lineup = not sampled.problem or _may_be_lineup(evidence)
    if not is_lineup:
        evidence = Evidence(Sample((), ()), mapping, mapping.to_dict())
    proposal = LineupMapping.from_dict(evidence.options)
    outcome = _tried(read, proposal) if is_lineup and sampled.shape else _Trial()
    _ask_about_length(evidence, outcome)
    _report_passed_over(evidence, outcome)
    _ask_for_rejected(evidence, outcome)
    return Inspection(
        encoding=sampled.encoding,
        compression=sampled.compression,
        shape=sampled.shape,
        delimiter=sampled.delimiter,
        rows=outcome.rows or len(sampled.rows),
        more=sampled.more,
        columns=tuple(evidence.columns),
        forms=tuple(evidence.forms),
        questions=tuple(evidence.in_order()),
        proposal=proposal,
        kept=outcome.kept,
        refused=tuple(_reasons(outcome.rejections)),
        problem=sampled.problem,
        missed=sampled.paths[0].missed if sampled.paths else 0,
        refusal=outcome.problem,
    )


@dataclass
class _Trial:
    """The reader's results for the first rows under a mapping."""

    rows: int = 0
    kept: int = 0
    rejections: list[Rejection] = field(default_factory=list)
    warnings: list[RowWarning] = field(default_factory=list)
    problem: str = ""


def _tried(read: Reader, mapping: LineupMapping) -> _Trial:
    outcome = _Trial()
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


def _may_be_lineup(evidence: Evidence) -> bool:
    """Whether a file that cannot be read has something like a time, or a question about one."""
    fields = set(evidence.by_field) & {"Start", "End", "Time"}
    offered = {
        name
        for question in evidence.questions
        for answer in question.answers
        for name in answer.options.get("columns", ())
    }
    must_change = any(each.must and each.option == THE_FILE for each in evidence.questions)
    return bool(fields or must_change or offered & {"Start", "End", "Date"})


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
        _report_missed(evidence, best)


def _report_missed(evidence: Evidence, reading: PathReading) -> None:
    evidence.questions.append(
        Question(
            f"{reading.rows:,} rows are at {reading.steps}; {reading.missed:,} that look like rows "
            f"are not read: {reading.missed_at}",
            "rows",
            "one path for each file, or * for a level of keys",
            False,
        )
    )


def _report_lookups(evidence: Evidence, sampled: SampledFile) -> None:
    for column, lookup in sampled.options.get("lookups", {}).items():
        evidence.ask(
            f"'{column}' is looked up in {' → '.join(lookup['rows'])}",
            "lookups",
            f"{lookup['key']} → {lookup.get('value', 'its text')}",
        )


def _report_lists(evidence: Evidence, sampled: SampledFile) -> None:
    """Report lists in a row, of which only the first element is read."""
    used = set(evidence.by_field.values())
    for name, count in sampled.long_lists.items():
        if any(column.startswith(name) for column in used):
            plain = name.removesuffix("[0]")
            evidence.ask(
                f"'{plain}' has more than one element, and only the first is read: {count:,}",
                THE_FILE,
                "one row for each, or another column",
            )


def _ask_about_length(evidence: Evidence, outcome: _Trial) -> None:
    long = [each for each in outcome.warnings if each.kind is WarningKind.LONG]
    if long and not any(each.option == "clock" for each in evidence.questions):
        seen = f"ends more than 12 hours after the start, such as '{long[0].value}': {len(long):,}"
        evidence.questions.append(Question(seen, THE_FILE, "correct any typing errors", False))


def _report_passed_over(evidence: Evidence, outcome: _Trial) -> None:
    """Report what the reader leaves out: elements outside a path, an event's further times."""
    warnings = [each for each in outcome.warnings if each.kind is WarningKind.PASSED_OVER]
    if warnings and not any(each.option == "rows" for each in evidence.questions):
        first = warnings[0]
        seen = f"'{first.value[:40]}' {first.reason}" if first.line else first.reason
        more = f" (and {len(warnings) - 1:,} more)" if len(warnings) > 1 else ""
        question = Question(f"{seen}{more}", THE_FILE, "add what is missing", False)
        evidence.questions.append(question)


def _ask_for_rejected(evidence: Evidence, outcome: _Trial) -> None:
    """Ask about every option that a rejected row needs, whatever the sample showed."""
    asked = {each.option for each in evidence.questions}
    if asked & _DAYS:
        asked |= _DAYS
    if outcome.kept or "constants" in asked:
        asked.add("columns")  # Rows that lack a column which others have are of another kind.
    for each in outcome.rejections:
        is_header = fold(each.value) == fold(each.field)
        if each.option and each.option not in asked and not is_header:
            asked.add(each.option)
            count = sum(other.option == each.option for other in outcome.rejections)
            seen = f"the {each.field or 'row'} '{each.value}' {each.reason}: {count:,}"
            choices = _CHOICES.get(each.option, "its value in every row")
            evidence.ask(seen, each.option, choices, must=True)


def _in_encoding(
    sampled: SampledFile,
    encodings: Sequence[tuple[str, str]],
    mapping: LineupMapping,
    sample_with: Callable[[LineupMapping], SampledFile],
) -> SampledFile:
    """The file read in its likeliest encoding, so that all other questions can be asked, too."""
    answers = [Answer(codec, {"encoding": codec}, f"'{text}'") for codec, text in encodings]
    likely = merged(mapping.to_dict(), {**sampled.options, **answers[0].options})
    better = sample_with(LineupMapping.from_dict(likely))
    question = Question(
        "text that is neither UTF-8 nor Windows-1252",
        "encoding",
        " or ".join(codec for codec, _ in encodings),
        True,
        tuple(answers),
        answers[0].options,
    )
    return replace(
        better,
        encoding="not UTF-8",
        questions=[question, *sampled.questions],
        options=sampled.options,
    )


def with_header(
    sampled: SampledFile,
    lines: Sequence[str],
    delimiters: Sequence[str],
    mapping: LineupMapping,
    sample_with: Callable[[LineupMapping], SampledFile],
) -> SampledFile:
    """The file sampled again with a header from a later line, or with names made up for it.

    Nothing changes if its own header can be used, or if the mapping gives one.
    """
    if not sampled.problem or mapping.header_row or mapping.header:
        return sampled
    if (line := _header_line(lines, delimiters, mapping)) > 1:
        options: dict[str, Any] = {"header_row": line}
        seen = f"the header is taken from line {line}; the lines above it are not read"
        question = Question(seen, "header_row", "the header's line", False)
    elif headers := headers_by_cells(lines, delimiters):
        answers = tuple(
            Answer(", ".join(each.names), {"header": [*each.names]}, each.reading)
            for each in headers
        )
        options = dict(answers[0].options)
        seen, choices = "the file has no header", "the columns' names in their order"
        question = Question(seen, "header", choices, True, answers, options)
    else:
        return sampled
    again = sample_with(LineupMapping.from_dict({**mapping.to_dict(), **options}))
    proposed = {} if question.must else options
    return replace(again, problem=sampled.problem, options=proposed, questions=[question])


def _header_line(lines: Sequence[str], delimiters: Sequence[str], mapping: LineupMapping) -> int:
    """The number of the line that fits better as a header than the first line does; 0 if none."""
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


def _sample(chunks: Iterable[bytes], mapping: LineupMapping, limits: Limits) -> SampledFile:
    sampled = SampledFile()
    try:
        _fill(sampled, chunks, mapping, limits)
    except LineupError as error:
        sampled.problem = str(error)
    return sampled


def _fill(
    sampled: SampledFile, chunks: Iterable[bytes], mapping: LineupMapping, limits: Limits
) -> None:
    origin, feed = open_source(chunks, None, limits, mapping.encoding)
    sampled.compression = origin.compression
    sampled.shape = sniff(feed, mapping, limits)
    sampled.encoding = "UTF-8 with a byte order mark" if feed.marked else origin.encoding.upper()
    rows: Iterator[dict[str, Any]]
    if sampled.shape == csv_rows.SHAPE:
        rows = _csv_rows(sampled, origin, feed, mapping, limits)
    elif sampled.shape == json_document.SHAPE:
        rows = _document_rows(sampled, origin, feed, mapping, limits)
    else:
        rows = _object_rows(sampled, origin, feed, limits)
    try:
        for row in islice(rows, SAMPLE_ROWS):
            sampled.rows.append(row)
        sampled.more = next(rows, None) is not None
    finally:
        if sampled.shape != csv_rows.SHAPE:
            _go_into_objects(sampled)


def _go_into_objects(sampled: SampledFile) -> None:
    """Take a JSON file's objects as the rows, or find the rows inside them."""
    if sampled.shape != json_document.SHAPE:
        paths = find_paths(sampled.rows)
        if paths and paths[0].path:
            sampled.shape = json_document.SHAPE
            document = sampled.rows[0] if len(sampled.rows) == 1 else sampled.rows
            sampled.rows = [*islice(_rows_in(sampled, document, paths[0].path), SAMPLE_ROWS)]
        else:
            sampled.long_lists.update(name for row in sampled.rows for name in long_lists(row))
        sampled.paths = [each for each in paths if each.path or each.missed]
    sampled.rows = unified(flat(row) for row in sampled.rows)
    sampled.names = list(dict.fromkeys(name for row in sampled.rows for name in row))


def _csv_rows(
    sampled: SampledFile, origin: Origin, feed: Feed, mapping: LineupMapping, limits: Limits
) -> Iterator[dict[str, Any]]:
    reader = LineReader(origin, feed, limits, multibyte=mapping.encoding.startswith("utf-8"))
    header, warnings, misfit, _ = find_header(reader, mapping)
    sampled.delimiter = header.delimiter
    sampled.names = list(header.names)
    sampled.problem = str(misfit or "")
    _note_encoding(sampled, warnings)
    accepts = Normaliser(mapping).accepts
    for block in csv_rows.CsvRows(reader, header, accepts, limits):
        _note_encoding(sampled, block.warnings)
        for cells in block.rows:
            if (row := header.original(cells)) is not None:
                yield dict(row)


class _AnyObjects(ObjectRows):
    """Gathers objects, whatever keys they have."""

    def add(self, line: int, value: Any) -> None:
        if isinstance(value, dict):
            self.gather(line, value, ())


def _object_rows(
    sampled: SampledFile, origin: Origin, feed: Feed, limits: Limits
) -> Iterator[dict[str, Any]]:
    objects = _AnyObjects(DEFAULT_MAPPING, warn_of_ignored=False)
    blocks: Iterable[Rows] = json_stream.ArrayRows(origin, feed, objects, limits)
    if sampled.shape == json_stream.LINES:
        blocks = json_stream.line_rows(LineReader(origin, feed, limits), objects)
    for block in blocks:
        _note_encoding(sampled, block.warnings)
        yield from block.rows


def _document_rows(
    sampled: SampledFile, origin: Origin, feed: Feed, mapping: LineupMapping, limits: Limits
) -> Iterator[dict[str, Any]]:
    document, assumed = json_document.read_document(origin, feed, limits)
    if assumed:
        sampled.encoding = _LAST_RESORT
    sampled.paths = [reading_of(document, mapping.rows)] if mapping.rows else find_paths(document)
    if not sampled.paths:
        raise LineupError(
            "the file is one JSON document, and nothing in it looks like rows; expected objects "
            "with a performer and a time, or a mapping whose rows say where they are"
        )
    yield from _rows_in(sampled, document, sampled.paths[0].path, mapping)


def _rows_in(
    sampled: SampledFile, document: Any, path: Path, mapping: LineupMapping = DEFAULT_MAPPING
) -> Iterator[dict[str, Any]]:
    """A document's flat rows, with ids looked up in its other lists."""
    sampled.long_lists.update(
        name for row in objects_at(document, path) for name in long_lists(row)
    )
    rows = unified(flat_rows_at(document, path))
    lookups = mapping.lookups
    if not lookups and (proposed := find_lookups(document, path, rows)):
        sampled.options["lookups"] = proposed
        lookups = LineupMapping.from_dict({"rows": [*path], "lookups": proposed}).lookups
    tables = [(each, json_document.table_of(document, each)) for each in lookups]
    for row in rows:
        yield flat(json_document.with_lookups(row, tables)[0])


def _note_encoding(sampled: SampledFile, warnings: Sequence[RowWarning]) -> None:
    if any(each.kind is WarningKind.ENCODING for each in warnings):
        sampled.encoding = _LAST_RESORT


def _reasons(rejections: Sequence[Rejection]) -> Iterator[RefusedReason]:
    counts = Counter((each.field, each.reason) for each in rejections)
    firsts = {(each.field, each.reason): each for each in reversed(rejections)}
    for (name, reason), count in counts.most_common(_REASONS):
        first = firsts[name, reason]
        yield RefusedReason(name, reason, count, first.value, first.line)
