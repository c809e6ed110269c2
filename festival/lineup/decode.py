"""Decodes bytes into physical lines, block by block, and keeps track of their positions.

A line ends at LF, CR or CR LF and nowhere else: U+2028 and similar characters are text.
"""

import codecs
import contextlib
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import NamedTuple

from festival.errors import LineupError, Remedy
from festival.lineup.model import Position

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB


class Limits(NamedTuple):
    """The most that a reader accepts in one record, one document or one decompressed file.

    `record_bytes` and `record_lines` limit one row (a quoted cell may span lines), `document_bytes`
    a JSON document that can only be read whole, `decompressed_bytes` the size of a `.gz` once
    decompressed, `rowless_bytes` consecutive lines without a row. `block_bytes` and `block_rows`
    limit what is in memory at once: 32 KiB of text and its rows stay in the processor's cache,
    which makes reading a third faster than 128 KiB does.
    """

    record_bytes: int = MIB
    record_lines: int = 1_000
    document_bytes: int = 16 * MIB
    decompressed_bytes: int = 4 * GIB
    rowless_bytes: int = 8 * MIB
    block_bytes: int = 32 * KIB
    block_rows: int = 4_096


DEFAULT_LIMITS = Limits()


_REFUSED = "festival.refused"
_REFUSED_BYTE = b"\xff"
codecs.register_error(_REFUSED, lambda error: ("\udcff", error.end))  # type: ignore[attr-defined]

GZIP = b"\x1f\x8b"
_HEAD_BYTES = 16
_UTF8 = ("utf-8", "utf-8-sig")
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture, a sound or a film",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive, an Excel workbook or an OpenDocument sheet",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an old Office document, such as .xls: save it as .xlsx or CSV",
    b"7z\xbc\xaf\x27\x1c": "a 7-Zip archive",
    b"BZh": "a bzip2 file",
    b"\xfd7zXZ": "an xz file",
    b"\x28\xb5\x2f\xfd": "a Zstandard file",
    b"SQLite format 3": "an SQLite database",
    b"PAR1": "a Parquet file",
    b"{\\rtf": "an RTF document",
    codecs.BOM_UTF32_LE: "UTF-32 text",
    codecs.BOM_UTF32_BE: "UTF-32 text",
}
WHITE = b" \t\r\n"  # what may stand before JSON's first character (RFC 8259, section 2)
EXPECTED = "expected a CSV with a header row, a JSON array of objects, or JSON Lines"


class Origin(NamedTuple):
    """How a stored object holds the plain bytes: this turns a count of them into a Position.

    `base` is how many plain bytes come before the first one read.
    """

    compression: str = ""
    encoding: str = "utf-8"
    base: int = 0

    def position(self, taken: int, line: int, shape: str) -> Position:
        """The Position after `taken` plain bytes read since `base`."""
        count = self.base + taken
        direct = not self.compression and self.encoding == "utf-8"
        return Position(
            offset=count if direct else 0,
            skip=0 if direct else count,
            line=line,
            shape=shape,
            encoding=self.encoding,
            compression=self.compression,
        )


class Feed:
    """Plain bytes, gathered piece by piece; `data` holds those that are not taken yet.

    If the source breaks (a gzip stream is cut short), the feed ends. The bytes before that stay
    readable, and the reader raises `failure` once it has handed them on.
    """

    def __init__(self, pieces: Iterator[bytes], piece_bytes: int) -> None:
        self.data = b""
        self.taken = 0
        self.ended = False
        self.marked = False
        self.failure: LineupError | None = None
        self._pieces = pieces
        self._rest = b""
        self._piece_bytes = piece_bytes

    def fill(self) -> None:
        """Gather exactly one more piece, or all that is left, whatever size the chunks have."""
        parts, size = [self._rest], len(self._rest)
        try:
            while size < self._piece_bytes:
                parts.append(next(self._pieces))
                size += len(parts[-1])
        except StopIteration:
            self.ended = True
        except LineupError as failure:
            self.failure, self.ended = failure, True
        gathered = b"".join(parts)
        self.data += gathered[: self._piece_bytes]
        self._rest = gathered[self._piece_bytes :]

    def take(self, count: int) -> bytes:
        """Remove `count` bytes from the front and return them."""
        taken, self.data = self.data[:count], self.data[count:]
        self.taken += len(taken)
        return taken


def unwatched() -> None:
    """Do nothing: the default for `watch`."""


def open_source(
    chunks: Iterable[bytes],
    start: Position | None,
    limits: Limits,
    encoding: str = "",
    watch: Callable[[], None] = unwatched,
) -> tuple[Origin, Feed]:
    """The plain bytes of a file as UTF-8, from its beginning or from `start`.

    `encoding` is the mapping's; a byte order mark takes precedence. With a start, `chunks` begin at
    byte `start.offset` of the object. Raises LineupError for a file that is plainly something else:
    a picture, an archive, an Excel workbook.
    """
    pieces = _small(chunks, limits.block_bytes)
    if start is None:
        origin, pieces = _detect(pieces, limits, encoding)
    else:
        origin = Origin(start.compression, start.encoding, start.offset or start.skip)
        if origin.compression:
            pieces = _gunzipped(pieces, limits)
        if origin.encoding != "utf-8":
            pieces = _utf8_from(pieces, origin.encoding)
        pieces = _skipping(pieces, start.skip)
    return origin, Feed(_watched(pieces, watch), limits.block_bytes)


def _watched(pieces: Iterator[bytes], watch: Callable[[], None]) -> Iterator[bytes]:
    for piece in pieces:
        watch()
        yield piece


def _detect(
    pieces: Iterator[bytes], limits: Limits, declared: str
) -> tuple[Origin, Iterator[bytes]]:
    origin = Origin()
    head, pieces = _peeked(pieces)
    if head.startswith(GZIP):
        origin = origin._replace(compression="gzip")
        head, pieces = _peeked(_gunzipped(pieces, limits))
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise LineupError(f"the file is {what}; {EXPECTED}")
    if encoding := _UTF16.get(head[:2]):
        return origin._replace(encoding=encoding), _utf8_from(pieces, encoding)
    if declared and declared not in _UTF8 and not head.startswith(codecs.BOM_UTF8):
        return origin._replace(encoding=declared), _utf8_from(pieces, declared)
    return origin, pieces


def _small(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for begin in range(0, len(chunk), size):
            yield chunk[begin : begin + size]


def _peeked(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    first: list[bytes] = []
    for piece in pieces:
        first.append(piece)
        if sum(map(len, first)) >= _HEAD_BYTES:
            break
    return b"".join(first)[:_HEAD_BYTES], chain(first, pieces)


def _skipping(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _gunzipped(pieces: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """The text of gzip members (RFC 1952), with zero padding between or after them."""
    engine, total = _gzip_member(), 0
    for piece in pieces:
        rest = piece
        while rest or not engine.eof:
            if engine.eof:
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                engine = _gzip_member()
            before = engine.copy()
            try:
                plain = engine.decompress(rest, limits.block_bytes)
            except zlib.error as error:
                plain = _up_to_damage(before, rest)
                yield plain
                raise LineupError(
                    f"the gzip file is damaged ({error}); expected a complete one"
                ) from None
            rest = engine.unused_data if engine.eof else engine.unconsumed_tail
            total += len(plain)
            if total > limits.decompressed_bytes:
                yield plain[: limits.decompressed_bytes - total]
                raise LineupError(
                    f"the gzip file holds more than {limits.decompressed_bytes:,} bytes of text; "
                    "expected no more than that: split the lineup"
                )
            yield plain
            if not rest and len(plain) < limits.block_bytes:
                break
    if not engine.eof:
        raise LineupError(
            f"the gzip file ends early, after {total:,} bytes of text; expected a complete one"
        )


def _gzip_member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=31)


def _up_to_damage(engine: "zlib._Decompress", data: bytes) -> bytes:
    """All the text before the damaged byte, read byte by byte, because its rows are good."""
    plain: list[bytes] = []
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            rest = data[at : at + 1]
            while rest or plain[-1:] != [b""]:
                plain.append(engine.decompress(rest, 1))
                rest = engine.unconsumed_tail
    return b"".join(plain)


def _utf8_from(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Text in another encoding as UTF-8; a character that cannot be decoded becomes a bad byte."""
    head, pieces = _peeked(pieces)
    utf16 = head[:2] in _UTF16 and encoding.startswith("utf-16")
    decoder = codecs.getincrementaldecoder("utf-16" if utf16 else encoding)(
        "surrogatepass" if utf16 else _REFUSED
    )
    errors = "surrogatepass" if utf16 else "surrogateescape"
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", errors)
    try:
        yield decoder.decode(b"", True).encode("utf-8", errors)
    except UnicodeDecodeError:
        yield _REFUSED_BYTE


_FIRST_BYTES = 800
AS_CP1252 = (
    "is not UTF-8; read as Windows-1252, the last resort: set the mapping's encoding if it is "
    "another"
)
# Rare in Windows-1252 text, common in text that is wrongly read as it: signs inside words, capitals
# with an accent after small letters or inside a word, three letters with accents in a row, and two
# of the rarest signs together.
_UNLIKELY = re.compile(
    "(?<=[^\\W\\d_])[¡-§©«-±²³µ¶¹»-¿†‡ˆ‰‹›€˜‚ƒ„ªº](?=[^\\W\\d_])|[£¹³](?=[^\\W\\d_])"
    "|[a-zß-öø-ÿ][À-ÖØ-ÞŸŠŒŽ]|[A-Z][ŠŽŸŒ][a-z]|Ÿ[a-z]"
    "|[À-ÖØ-öø-ÿŒœŠšŽžŸƒ]{3}|[‚ƒ„†‡ˆ‰‹›˜€][^\\x00-\\x7f]"
)


class Refusal(NamedTuple):
    """Why text cannot be used, and the mapping option that would settle it, if there is one."""

    reason: str
    option: str = ""

    def error(self, what: str, expected: str = "") -> LineupError:
        """The error about a text that the whole file depends on."""
        remedy = Remedy.MAPPING if self.option else Remedy.FILE
        return LineupError(f"{what} {self.reason}{expected}", remedy)


_NOT_CP1252 = Refusal(
    "is neither UTF-8 nor, by its letters, Windows-1252; expected UTF-8, or the mapping's "
    "encoding, such as cp1250, mac_roman or shift_jis",
    "encoding",
)


class Lines(NamedTuple):
    """Some whole consecutive lines, decoded; `first` is the first one's number.

    `refused` has, by index, the lines that are not text; `assumed` are those read as Windows-1252.
    With `final`, no line within the limits can follow these.
    """

    raw: bytes
    first: int
    text: list[str]
    refused: Mapping[int, Refusal] = {}
    assumed: frozenset[int] = frozenset()
    final: bool = False

    @property
    def has_quotes(self) -> bool:
        return b'"' in self.raw


class LongLine(NamedTuple):
    """A line over the limit, skipped; `head` is its beginning."""

    number: int
    head: str
    reason: str


class LineReader:
    """Gives blocks of lines, each beginning after the last line that the caller took."""

    def __init__(
        self, origin: Origin, feed: Feed, limits: Limits, line: int = 1, multibyte: bool = False
    ) -> None:
        self.line = line
        self.multibyte = multibyte
        self._origin = origin
        self._feed = feed
        self._limits = limits

    @property
    def failure(self) -> LineupError | None:
        """The error that broke the source, to raise once every whole line has been handed on."""
        return self._feed.failure

    def position(self, shape: str) -> Position:
        """The Position before the next line."""
        position = self._origin.position(self._feed.taken, self.line, shape)
        return position._replace(seen_multibyte=self.multibyte)

    def next(self, beyond: int = 0) -> Lines | LongLine | None:
        """The next lines, without taking them; more than `beyond` bytes, if there are more.

        None at the end of the file. A line over the limit is taken, and returned as a LongLine.
        """
        feed, limit = self._feed, self._limits.record_bytes
        while not feed.ended and len(feed.data) < max(self._limits.block_bytes, 2 * beyond):
            feed.fill()
        cut = self._cut()
        while cut <= beyond and not feed.ended and len(feed.data) - cut <= limit:
            feed.fill()
            cut = self._cut()
        if not cut:
            return self._long_line() if len(feed.data) > limit else None
        last = feed.ended or cut <= beyond
        if not beyond:
            fewer = self._at_most_rows(cut)
            last, cut = last and fewer == cut, fewer
        return self._decoded(feed.data[:cut], final=last)

    def take(self, lines: Lines, count: int) -> None:
        """Take the first `count` of the lines: the next ones begin after them."""
        whole = count == len(lines.text)
        raw = lines.raw if whole else b"".join(lines.raw.splitlines(keepends=True)[:count])
        self.multibyte = self.multibyte or _has_multibyte(lines, raw, count)
        self._feed.take(len(raw))
        self.line += count

    def _cut(self) -> int:
        whole = self._feed.ended and not self._feed.failure
        return len(self._feed.data) if whole else _after_last_line(self._feed.data)

    def _at_most_rows(self, cut: int) -> int:
        data = self._feed.data
        while max(data.count(b"\n", 0, cut), data.count(b"\r", 0, cut)) > self._limits.block_rows:
            shorter = _after_last_line(data[: cut // 2])
            if not shorter:
                break
            cut = shorter
        return cut

    def _long_line(self) -> LongLine:
        feed, number = self._feed, self.line
        head = self._head(feed.data)
        while not (cut := _after_first_line(feed.data)):
            if feed.ended:
                cut = len(feed.data)
                break
            # A CR at the end of the data may be half of a CR LF.
            feed.take(len(feed.data.rstrip(b"\r")))
            feed.fill()
        feed.take(cut)
        self.line += 1
        return LongLine(number, head, too_long(self._limits))

    def _decoded(self, raw: bytes, final: bool) -> Lines:
        try:
            text = raw.decode()
        except UnicodeDecodeError:
            return self._decoded_singly(raw, final)
        if "\r" in text:
            text = text.replace("\r\n", "\n").replace("\r", "\n")
        lines = text.split("\n")
        if not lines[-1]:
            lines.pop()
        refused: dict[int, Refusal] = {}
        if len(raw) > self._limits.record_bytes:
            self._refuse_long(lines, [line.encode() for line in lines], refused)
        return Lines(raw, self.line, lines, refused, final=final)

    def _decoded_singly(self, raw: bytes, final: bool) -> Lines:
        """Decode lines of which some are not UTF-8: those are Windows-1252, or are rejected."""
        text: list[str] = []
        refused: dict[int, Refusal] = {}
        assumed: set[int] = set()
        multibyte = self.multibyte
        singly = raw.splitlines()
        for index, line in enumerate(singly):
            try:
                text.append(line.decode())
                multibyte = multibyte or not line.isascii()
            except UnicodeDecodeError:
                decoded, refusal = last_resort(line, self._origin.encoding, multibyte)
                text.append(decoded)
                if refusal:
                    refused[index] = refusal
                else:
                    assumed.add(index)
        if len(raw) > self._limits.record_bytes:
            self._refuse_long(text, singly, refused)
        return Lines(raw, self.line, text, refused, frozenset(assumed), final)

    def _refuse_long(self, text: list[str], raw: list[bytes], refused: dict[int, Refusal]) -> None:
        for index, line in enumerate(raw):
            if len(line) > self._limits.record_bytes:
                text[index] = self._head(line)
                refused[index] = Refusal(too_long(self._limits))

    def _head(self, line: bytes) -> str:
        return line[: min(_FIRST_BYTES, self._limits.record_bytes)].decode("utf-8", "replace")


def line_reader(
    origin: Origin, feed: Feed, start: Position | None, limits: Limits, encoding: str
) -> LineReader:
    """The lines of a file from its beginning, or on from `start`; `encoding` is the mapping's."""
    if start is None:
        # A file that is UTF-8 by its mapping is not read as anything else.
        return LineReader(origin, feed, limits, multibyte=encoding.startswith("utf-8"))
    return LineReader(origin, feed, limits, start.line, start.seen_multibyte)


def last_resort(raw: bytes, encoding: str, multibyte: bool) -> tuple[str, Refusal | None]:
    """Bytes that are not UTF-8, read as Windows-1252; or their readable part, and why not.

    Windows-1252 is assumed only until the file has shown multi-byte UTF-8: after that, a byte that
    does not fit is damage.
    """
    readable = raw.decode("utf-8", "replace")
    if encoding != "utf-8":
        return readable, Refusal(f"is not {encoding.upper()}; expected whole characters")
    if multibyte:
        return readable, Refusal("is not UTF-8, as the file is up to here; expected one encoding")
    try:
        decoded = raw.decode("cp1252")
    except UnicodeDecodeError:
        return readable, _NOT_CP1252
    return (readable, _NOT_CP1252) if _UNLIKELY.search(decoded) else (decoded, None)


def too_long(limits: Limits) -> str:
    """Why a record over the limit is rejected."""
    return f"is longer than the {limits.record_bytes:,} bytes a row may have"


def _has_multibyte(lines: Lines, raw: bytes, count: int) -> bool:
    if raw.isascii():
        return False
    doubtful = lines.assumed | set(lines.refused)
    return any(
        not line.isascii() and index not in doubtful
        for index, line in enumerate(lines.text[:count])
    )


def _after_first_line(data: bytes) -> int:
    """The index after the first line end; 0 if there is none, or only half of one at the end."""
    feed, carriage = data.find(b"\n"), data.find(b"\r")
    if carriage < 0 or 0 <= feed < carriage:
        return feed + 1
    if carriage + 1 == len(data):
        return 0
    return carriage + 1 + (data[carriage + 1 : carriage + 2] == b"\n")


def _after_last_line(data: bytes) -> int:
    """The index after the last line end; 0 if there is none, or only half of one at the end."""
    if cut := data.rfind(b"\n") + 1:
        return cut
    return data.rfind(b"\r", 0, len(data) - 1) + 1
