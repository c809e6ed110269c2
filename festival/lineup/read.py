"""Reads a lineup file, as it arrives, into blocks of performances and rejections: start here."""

import codecs
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from festival.errors import LineupError
from festival.lineup.columns import match
from festival.lineup.decode import (
    DEFAULT_LIMITS,
    EXPECTED,
    Feed,
    Limits,
    LineReader,
    Origin,
    open_source,
    unwatched,
)
from festival.lineup.formats import csv_rows, json_document, json_stream
from festival.lineup.formats.header import Header, above_of, read_header
from festival.lineup.formats.json_objects import ObjectRows, original
from festival.lineup.formats.json_text import TooDeepError, whole_value
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block, Position, Rows, RowWarning
from festival.lineup.normalise import Normaliser

_WHITE = b" \t\r\n"
_LINES_TRIED = 20


def sniff(feed: Feed, mapping: LineupMapping, limits: Limits) -> str:
    """The shape of a file, by the text at its beginning; removes its byte order mark.

    Text that begins with `[` is a JSON array. Text that begins with `{` is JSON Lines if its first
    line is an object by itself (or, if that line is damaged, if all the next ones are); otherwise
    it is one JSON document, as is a file of one line that holds other objects and no field. If a
    mapping says where the rows are, all of these are a document.
    """
    feed.fill()
    if feed.data.startswith(codecs.BOM_UTF8):
        feed.take(len(codecs.BOM_UTF8))
        feed.marked = True
    while not (head := feed.data.lstrip(_WHITE)):
        if feed.ended or len(feed.data) > limits.record_bytes:
            break
        feed.fill()
    if head[:1] in (b"[", b"{") and mapping.rows:
        return json_document.SHAPE
    if head.startswith(b"["):
        return json_stream.ARRAY
    if head.startswith(b"{"):
        return json_stream.LINES if _has_object_line(feed, mapping, limits) else json_document.SHAPE
    return csv_rows.SHAPE


def _has_object_line(feed: Feed, mapping: LineupMapping, limits: Limits) -> bool:
    while not feed.ended and len(feed.data) < limits.record_bytes:
        feed.fill()
    text = feed.data[: limits.record_bytes].lstrip(_WHITE)
    lines = [line for line in text.splitlines()[:_LINES_TRIED] if line.strip(_WHITE)]
    if len(lines) > 1 and len(text) == limits.record_bytes:
        lines.pop()  # it may be incomplete
    values = [_object(line) for line in lines]
    if len(values) == 1:
        return values[0] is not None and not _wraps(values[0], mapping)
    if values[0] is None and _object(lines[0].rstrip(b", \t\r")) is not None:
        return False  # an array's elements, without its brackets
    return values[0] is not None or None not in values[1:]


def _object(line: bytes) -> dict[str, Any] | None:
    try:
        value = whole_value(line.decode("utf-8", "replace"))
    except (json.JSONDecodeError, TooDeepError):
        return None
    return value if isinstance(value, dict) else None


def _wraps(value: dict[str, Any], mapping: LineupMapping) -> bool:
    """Whether an object holds other objects and no field of its own."""
    holds = any(isinstance(item, dict | list) for item in value.values())
    return holds and all(place is None for place in match(tuple(value), mapping).places)


_LEAST_ROWS = 1_000


def read_lineup(
    chunks: Iterable[bytes],
    *,
    mapping: LineupMapping = DEFAULT_MAPPING,
    start: Position | None = None,
    limits: Limits = DEFAULT_LIMITS,
    watch: Callable[[], None] = unwatched,
) -> Iterator[Block]:
    """Read a lineup file, recognized by content: CSV, a JSON array of objects, or JSON Lines.

    `chunks` are the bytes of the file, cut anywhere; UTF-8 with or without BOM, UTF-16 with BOM,
    either of them gzipped, CP1252 as the last resort. Blocks hold one to a few thousand rows each,
    so that a file is never wholly in memory, whatever its size. With `start`, the `end` of an
    earlier block, `chunks` begin at byte `start.offset` and exactly the rows after that block are
    read.

    `watch` is called before each piece of text is read, even if the piece has no row; it may raise.

    Raises LineupError, after yielding every row before the problem, if it is not a lineup: an empty
    file, a picture, a CSV without a header or a needed column, a file that breaks midway, a file
    without a row.

    >>> [block] = read_lineup([b"Artist,Stage,Date,Start,End\\nAbba,Main,2025-06-13,8pm,9:30pm\\n"])
    >>> block.performances[0].performer, block.performances[0].sort_key
    ('Abba', '2025-06-13#20:00#Main')
    """
    normaliser = Normaliser(mapping)
    opened = open_rows(
        chunks, normaliser.accepts, mapping=mapping, start=start, limits=limits, watch=watch
    )
    normalised = (_normalised(normaliser, rows, opened.original) for rows in opened.rows)
    blocks = _with_questions(_limited(normalised, limits), normaliser)
    read = start is not None
    for block in _merged(blocks, min(limits.block_rows, _LEAST_ROWS)):
        # A caller that resumes from a block knows that the file has a row.
        read = read or block.read > 0
        if read:
            yield block
    if not read:
        raise LineupError(f"the file has no row; {EXPECTED}, and at least one performance")


def _with_questions(blocks: Iterator[Block], normaliser: Normaliser) -> Iterator[Block]:
    """The blocks, the last one with warnings about what the file as a whole leaves open."""
    last: Block | None = None
    broken: LineupError | None = None
    try:
        for block in blocks:
            if last:
                yield last
            last = block
    except LineupError as error:
        broken = error
    if last:
        yield last._replace(warnings=[*normaliser.open_questions(), *last.warnings])
    if broken:
        raise broken


def _limited(blocks: Iterator[Block], limits: Limits) -> Iterator[Block]:
    """The same blocks. Raises LineupError if too many bytes in succession have no row."""
    rowless = 0
    for block in blocks:
        rowless = 0 if block.read else rowless + limits.block_bytes
        yield block
        if rowless > limits.rowless_bytes:
            raise LineupError(
                f"the file has more than {limits.rowless_bytes:,} bytes of lines without a row; "
                "take the empty lines out"
            )


def _merged(blocks: Iterator[Block], least: int) -> Iterator[Block]:
    """The blocks, merged until each has at least `least` rows; the last may have fewer.

    If the file breaks, the rows before that are yielded before the error is raised.
    """
    whole: Block | None = None
    broken: LineupError | None = None
    try:
        for block in blocks:
            whole = _joined(whole, block) if whole else block
            if whole.read >= least:
                yield whole
                whole = None
    except LineupError as error:
        broken = error
    if whole:
        yield whole
    if broken:
        raise broken


def _joined(first: Block, second: Block) -> Block:
    return Block(
        performances=first.performances + second.performances,
        rejections=first.rejections + second.rejections,
        warnings=first.warnings + second.warnings,
        read=first.read + second.read,
        end=second.end,
    )


class OpenedLineup(NamedTuple):
    """How a file is written, and its rows before any rule is applied.

    `original` gives a row as it is in the file, or None if it is blank and does not count.
    """

    origin: Origin
    shape: str
    rows: Iterator[Rows]
    original: Callable[[Any], Any]
    header: Header | None = None


def open_rows(
    chunks: Iterable[bytes],
    is_row: Callable[[tuple[Any, ...]], bool],
    *,
    mapping: LineupMapping,
    start: Position | None,
    limits: Limits,
    watch: Callable[[], None] = unwatched,
) -> OpenedLineup:
    """Find out how a file is written and open its rows. Raises LineupError if it is not a lineup.

    `is_row` says whether six cells are a performance: a quoted cell that spans several lines is not
    accepted if one of them is a performance by itself.
    """
    origin, feed = open_source(chunks, start, limits, mapping.encoding, watch)
    shape = start.shape if start else sniff(feed, mapping, limits)
    if shape == csv_rows.SHAPE:
        return _open_csv(origin, feed, is_row, mapping, start, limits)
    objects = ObjectRows(mapping, warn_of_ignored=start is None)
    if shape == json_stream.ARRAY:
        array = json_stream.ArrayRows(origin, feed, objects, limits, start)
        return OpenedLineup(origin, shape, iter(array), original)
    if shape == json_stream.LINES:
        lines = json_stream.line_rows(_line_reader(origin, feed, start, limits, mapping), objects)
        return OpenedLineup(origin, shape, lines, original)
    document = json_document.document_rows(origin, feed, objects, mapping, limits)
    return OpenedLineup(origin, shape, document, original)


def _open_csv(
    origin: Origin,
    feed: Feed,
    is_row: Callable[[tuple[Any, ...]], bool],
    mapping: LineupMapping,
    start: Position | None,
    limits: Limits,
) -> OpenedLineup:
    reader = _line_reader(origin, feed, start, limits, mapping)
    warnings: list[RowWarning] = []
    if start:
        columns = match(start.header, mapping)
        header = Header(start.header, start.delimiter, columns, above_of(mapping, start))
    else:
        header, warnings = read_header(reader, mapping)
    rows = iter(csv_rows.CsvRows(reader, header, is_row, limits))
    return OpenedLineup(origin, csv_rows.SHAPE, _warned(rows, warnings), header.original, header)


def _line_reader(
    origin: Origin, feed: Feed, start: Position | None, limits: Limits, mapping: LineupMapping
) -> LineReader:
    if start is None:
        # If the mapping says UTF-8, no line is read as Windows-1252.
        return LineReader(origin, feed, limits, multibyte=mapping.encoding.startswith("utf-8"))
    return LineReader(origin, feed, limits, start.line, start.seen_multibyte)


def _warned(blocks: Iterator[Rows], warnings: list[RowWarning]) -> Iterator[Rows]:
    """The same rows, with the header's warnings in the first block."""
    for rows in blocks:
        rows.warnings[:0] = warnings
        warnings = []
        yield rows


def _normalised(normaliser: Normaliser, rows: Rows, original: Callable[[Any], Any]) -> Block:
    outcome = normaliser.normalise(rows.lines, rows.rows, rows.cells, original)
    rejections = sorted([*rows.rejections, *outcome.rejections], key=lambda each: each.line)
    warnings = sorted([*rows.warnings, *outcome.warnings], key=lambda each: each.line)
    return Block(
        performances=outcome.performances,
        rejections=rejections,
        warnings=warnings,
        read=len(outcome.performances) + len(rejections),
        end=rows.end,
    )
