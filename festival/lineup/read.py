"""A lineup file, as it comes, to blocks of performances and rejections: the room's front door."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from festival.errors import LineupError
from festival.lineup import csvrows, jsonarray, jsonlines, shapes
from festival.lineup.columns import match
from festival.lineup.header import Header, read_header
from festival.lineup.limits import DEFAULT_LIMITS, Limits
from festival.lineup.lines import LineReader
from festival.lineup.mapping import DEFAULT_MAPPING, Mapping
from festival.lineup.model import Block, Position, RowWarning
from festival.lineup.normalise import Normaliser
from festival.lineup.objects import ObjectRows, original
from festival.lineup.rows import Rows
from festival.lineup.sniff import sniff
from festival.lineup.source import EXPECTED, Feed, Origin, open_source

_LEAST_ROWS = 1_000


def read_lineup(
    chunks: Iterable[bytes],
    *,
    mapping: Mapping = DEFAULT_MAPPING,
    start: Position | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> Iterator[Block]:
    """Read a lineup file, told by its content: CSV, a JSON array of objects, or JSON Lines.

    `chunks` are the bytes of the file, cut anywhere; UTF-8 with or without BOM, UTF-16 with BOM,
    either of them gzipped, CP1252 as the last resort. Blocks hold some thousand rows each, so that
    a file of any size is never in memory. With `start`, the `end` of an earlier block, `chunks`
    begin at byte `start.offset` and exactly the rows behind that block are read.

    Raises LineupError, once every row before it has been yielded, for what is no lineup: an empty
    file, a picture, a CSV without a header or needed columns, a file that breaks midway, a file
    that has no row.
    """
    normaliser = Normaliser(mapping)
    opened = open_rows(chunks, normaliser.accepts, mapping=mapping, start=start, limits=limits)
    judged = (_judged(normaliser, rows, opened.original) for rows in opened.rows)
    read = start is not None
    for block in _gathered(judged, min(limits.block_rows, _LEAST_ROWS)):
        # Whoever goes on from a block may take it that the file has a row.
        read = read or block.read > 0
        if read:
            yield block
    if not read:
        raise LineupError(f"the file has no row; {EXPECTED}, and at least one performance")


def _gathered(blocks: Iterator[Block], least: int) -> Iterator[Block]:
    """Blocks put together until each has `least` rows or more; the last may have fewer.

    A file that breaks gives what was gathered before its error.
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


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose rows can be read: how it is written, and the rows, not yet judged.

    `original` tells how a row stood in the file; None for a blank row, which is none.
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
    mapping: Mapping,
    start: Position | None,
    limits: Limits,
) -> Opened:
    """Find out how a file is written and open its rows. Raises LineupError for what is no lineup.

    `is_row` says of six cells whether they are a performance: a quoted cell over several lines is
    not believed where it would swallow one.
    """
    origin, feed = open_source(chunks, start, limits)
    shape = start.shape if start else sniff(feed, mapping, limits)
    if shape == csvrows.SHAPE:
        return _open_csv(origin, feed, is_row, mapping, start, limits)
    objects = ObjectRows(mapping, tell_ignored=start is None)
    if shape == jsonarray.SHAPE:
        array = jsonarray.ArrayRows(origin, feed, objects, limits, start)
        return Opened(origin, shape, iter(array), original)
    if shape == jsonlines.SHAPE:
        lines = jsonlines.line_rows(_line_reader(origin, feed, start, limits), objects)
        return Opened(origin, shape, lines, original)
    document = shapes.document_rows(origin, feed, objects, mapping.rows, limits)
    return Opened(origin, shape, document, original)


def _open_csv(
    origin: Origin,
    feed: Feed,
    is_row: Callable[[tuple[Any, ...]], bool],
    mapping: Mapping,
    start: Position | None,
    limits: Limits,
) -> Opened:
    reader = _line_reader(origin, feed, start, limits)
    warnings: list[RowWarning] = []
    if start:
        header = Header(start.header, start.delimiter, match(start.header, mapping))
    else:
        header, warnings = read_header(reader, mapping)
    rows = iter(csvrows.CsvRows(reader, header, is_row, limits))
    return Opened(origin, csvrows.SHAPE, _warned(rows, warnings), header.original, header)


def _line_reader(origin: Origin, feed: Feed, start: Position | None, limits: Limits) -> LineReader:
    if start is None:
        return LineReader(origin, feed, limits)
    return LineReader(origin, feed, limits, start.line, start.seen_multibyte)


def _warned(blocks: Iterator[Rows], warnings: list[RowWarning]) -> Iterator[Rows]:
    """The same rows, with the header's warnings in the first block."""
    for rows in blocks:
        rows.warnings[:0] = warnings
        warnings = []
        yield rows


def _judged(normaliser: Normaliser, rows: Rows, original: Callable[[Any], Any]) -> Block:
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
