"""From the stored object's bytes to plain bytes: gunzipped, UTF-16 made UTF-8, bounded."""

import codecs
import contextlib
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

from festival.errors import LineupError
from festival.lineup.limits import Limits
from festival.lineup.model import Position

_GZIP = b"\x1f\x8b"
_HEAD_BYTES = 16
_UTF16 = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}
_FOREIGN = {
    b"\x89PNG": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF8": "a GIF picture",
    b"RIFF": "a WebP picture, a sound or a film",
    b"%PDF": "a PDF document",
    b"PK\x03\x04": "a zip archive or an Excel workbook",
    b"PK\x05\x06": "an empty zip archive",
    b"\xd0\xcf\x11\xe0": "an old Office document",
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
EXPECTED = "expected a CSV with a header row, a JSON array of objects, or JSON Lines"


@dataclass(frozen=True, slots=True)
class Origin:
    """Where plain bytes come from, so that a count of them becomes a Position in the object."""

    compression: str = ""
    encoding: str = "utf-8"
    base: int = 0

    def position(self, taken: int, line: int, shape: str) -> Position:
        """The Position behind `taken` plain bytes read since `base`."""
        place = self.base + taken
        direct = not self.compression and self.encoding == "utf-8"
        return Position(
            offset=place if direct else 0,
            skip=0 if direct else place,
            line=line,
            shape=shape,
            encoding=self.encoding,
            compression=self.compression,
        )


class Feed:
    """Plain bytes, gathered piece by piece: `data` is what is here and not taken yet.

    A source that breaks (a gzip stream cut short) ends the feed; what came before stays readable,
    and `failure` is for the reader to raise when it has given that away.
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
        """Gather exactly one piece more, or all that is left: no matter how the bytes arrive."""
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


def open_source(
    chunks: Iterable[bytes], start: Position | None, limits: Limits
) -> tuple[Origin, Feed]:
    """The plain bytes of a file, from its beginning or on from `start`.

    With a start, `chunks` begin at byte `start.offset` of the object. Raises LineupError for what
    is plainly something else: a picture, an archive, an Excel workbook.
    """
    pieces = _small(chunks, limits.block_bytes)
    if start is None:
        origin, pieces = _detect(pieces, limits)
    else:
        origin = Origin(start.compression, start.encoding, start.offset or start.skip)
        if origin.compression:
            pieces = _gunzipped(pieces, limits)
        if origin.encoding != "utf-8":
            pieces = _utf8_from_utf16(pieces)
        pieces = _skipping(pieces, start.skip)
    return origin, Feed(pieces, limits.block_bytes)


def _detect(pieces: Iterator[bytes], limits: Limits) -> tuple[Origin, Iterator[bytes]]:
    origin = Origin()
    head, pieces = _peeked(pieces)
    if head.startswith(_GZIP):
        origin = replace(origin, compression="gzip")
        head, pieces = _peeked(_gunzipped(pieces, limits))
    for magic, what in _FOREIGN.items():
        if head.startswith(magic):
            raise LineupError(f"the file is {what}; {EXPECTED}")
    if encoding := _UTF16.get(head[:2]):
        return replace(origin, encoding=encoding), _utf8_from_utf16(pieces)
    return origin, pieces


def _small(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        for begin in range(0, len(chunk), size):
            yield chunk[begin : begin + size]


def _peeked(pieces: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    kept: list[bytes] = []
    for piece in pieces:
        kept.append(piece)
        if sum(map(len, kept)) >= _HEAD_BYTES:
            break
    return b"".join(kept)[:_HEAD_BYTES], chain(kept, pieces)


def _skipping(pieces: Iterator[bytes], count: int) -> Iterator[bytes]:
    for piece in pieces:
        if count < len(piece):
            yield piece[count:]
        count = max(0, count - len(piece))


def _gunzipped(pieces: Iterator[bytes], limits: Limits) -> Iterator[bytes]:
    """One or more gzip members after one another (RFC 1952), zero padding between or behind."""
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
                    f"the gzip file is damaged ({error}); expected it whole"
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
            f"the gzip file ends early, behind {total:,} bytes of text; expected it whole"
        )


def _gzip_member() -> "zlib._Decompress":
    return zlib.decompressobj(wbits=31)


def _up_to_damage(engine: "zlib._Decompress", data: bytes) -> bytes:
    """All the text before the byte that does not fit, byte by byte: rows before it are good."""
    plain: list[bytes] = []
    with contextlib.suppress(zlib.error):
        for at in range(len(data)):
            rest = data[at : at + 1]
            while rest or plain[-1:] != [b""]:
                plain.append(engine.decompress(rest, 1))
                rest = engine.unconsumed_tail
    return b"".join(plain)


def _utf8_from_utf16(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The UTF-8 of UTF-16 with a byte order mark; half a character becomes a byte that is none."""
    decoder = codecs.getincrementaldecoder("utf-16")("surrogatepass")
    for piece in pieces:
        yield decoder.decode(piece).encode("utf-8", "surrogatepass")
    try:
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        yield b"\xff"
