"""Reads a lineup file, as it arrives, into blocks of performances and rejections: start here."""

import codecs
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from festival.errors import LineupError
from festival.lineup.columns import match
from festival.lineup.decode import (
    DEFAULT_LIMITS,
    EXPECTED,
    WHITE,
    Feed,
    Limits,
    Origin,
    line_reader,
    open_source,
    unwatched,
)
from festival.lineup.formats import csv_rows
from festival.lineup.formats.header import Header, above_of, read_header
from festival.lineup.mapping import DEFAULT_MAPPING, LineupMapping
from festival.lineup.model import Block, Position, Rows, RowWarning
from festival.lineup.normalise import Normaliser


def sniff(feed: Feed, mapping: LineupMapping, limits: Limits) -> str:
    """The shape of a file, by the text at its beginning; removes its byte order mark.

    Text that begins with `[` or `{` is JSON; `json_rows.shape_of` says of which shape.
    """
    feed.fill()
    if feed.data.startswith(codecs.BOM_UTF8):
        feed.take(len(codecs.BOM_UTF8))
        feed.marked = True
    while not (head := feed.data.lstrip(WHITE)):
        if feed.ended or len(feed.data) > limits.record_bytes:
            break
        feed.fill()
    if head[:1] not in (b"[", b"{"):
        return csv_rows.SHAPE
    from festival.lineup.formats import json_rows  # few files are JSON, and start-up time counts

    return json_rows.shape_of(feed, mapping, limits)


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
    from festival.lineup.formats import json_rows

    rows = json_rows.open_json(shape, origin, feed, mapping, start, limits)
    return OpenedLineup(origin, shape, rows, json_rows.original)


def _open_csv(
    origin: Origin,
    feed: Feed,
    is_row: Callable[[tuple[Any, ...]], bool],
    mapping: LineupMapping,
    start: Position | None,
    limits: Limits,
) -> OpenedLineup:
    reader = line_reader(origin, feed, start, limits, mapping.encoding)
    warnings: list[RowWarning] = []
    if start:
        columns = match(start.header, mapping)
        header = Header(start.header, start.delimiter, columns, above_of(mapping, start))
    else:
        header, warnings = read_header(reader, mapping)
    rows = iter(csv_rows.CsvRows(reader, header, is_row, limits))
    return OpenedLineup(origin, csv_rows.SHAPE, _warned(rows, warnings), header.original, header)


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
