"""Plain bytes to decoded physical lines, block by block, with every line's place known.

A line ends at LF, CR or CR LF and nowhere else: U+2028 and its like are text.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from festival.errors import LineupError
from festival.lineup.limits import Limits
from festival.lineup.model import Position
from festival.lineup.source import Feed, Origin

_HEAD_BYTES = 800
AS_CP1252 = "is not UTF-8; read as Windows-1252, the last resort"


@dataclass(frozen=True, slots=True)
class Lines:
    """Some whole consecutive lines, decoded; `first` is the number of the first.

    `refused` tells by index which lines are no text and why, `assumed` which were read as CP1252.
    `final` says that no further line can follow these within the limits.
    """

    raw: bytes
    first: int
    text: list[str]
    refused: Mapping[int, str] = field(default_factory=dict)
    assumed: frozenset[int] = frozenset()
    final: bool = False

    @property
    def has_quotes(self) -> bool:
        return b'"' in self.raw


@dataclass(frozen=True, slots=True)
class LongLine:
    """A line over the limit of bytes, passed over; `head` is how it begins."""

    number: int
    head: str
    reason: str


class LineReader:
    """Gives blocks of lines, and goes on from whichever line its user has understood."""

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
        """What broke the source, to be raised once every whole line has been given away."""
        return self._feed.failure

    def position(self, shape: str) -> Position:
        """The place before the next line."""
        place = self._origin.position(self._feed.taken, self.line, shape)
        return replace(place, seen_multibyte=self.multibyte)

    def next(self, beyond: int = 0) -> Lines | LongLine | None:
        """The next lines, without taking them; more than `beyond` bytes of them where there are.

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
        """Take the first `count` of the lines: reading goes on behind them."""
        whole = count == len(lines.text)
        raw = lines.raw if whole else b"".join(lines.raw.splitlines(keepends=True)[:count])
        self.multibyte = self.multibyte or _has_multibyte(lines, raw, count)
        self._feed.take(len(raw))
        self.line += count

    def _cut(self) -> int:
        whole = self._feed.ended and not self._feed.failure
        return len(self._feed.data) if whole else _behind_last_line(self._feed.data)

    def _at_most_rows(self, cut: int) -> int:
        data = self._feed.data
        while max(data.count(b"\n", 0, cut), data.count(b"\r", 0, cut)) > self._limits.block_rows:
            shorter = _behind_last_line(data[: cut // 2])
            if not shorter:
                break
            cut = shorter
        return cut

    def _long_line(self) -> LongLine:
        feed, number = self._feed, self.line
        head = self._head(feed.data)
        while not (cut := _behind_first_line(feed.data)):
            if feed.ended:
                cut = len(feed.data)
                break
            # A CR that ends the data may be half of a CR LF.
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
        refused: dict[int, str] = {}
        if len(raw) > self._limits.record_bytes:
            self._refuse_long(lines, [line.encode() for line in lines], refused)
        return Lines(raw, self.line, lines, refused, final=final)

    def _decoded_singly(self, raw: bytes, final: bool) -> Lines:
        """Lines of which at least one is not UTF-8: that one is CP1252, or is refused."""
        text: list[str] = []
        refused: dict[int, str] = {}
        assumed: set[int] = set()
        multibyte = self.multibyte
        singly = raw.splitlines()
        for index, line in enumerate(singly):
            try:
                text.append(line.decode())
                multibyte = multibyte or not line.isascii()
            except UnicodeDecodeError:
                decoded, reason = last_resort(line, self._origin.encoding, multibyte)
                text.append(decoded)
                if reason:
                    refused[index] = reason
                else:
                    assumed.add(index)
        if len(raw) > self._limits.record_bytes:
            self._refuse_long(text, singly, refused)
        return Lines(raw, self.line, text, refused, frozenset(assumed), final)

    def _refuse_long(self, text: list[str], raw: list[bytes], refused: dict[int, str]) -> None:
        for index, line in enumerate(raw):
            if len(line) > self._limits.record_bytes:
                text[index] = self._head(line)
                refused[index] = too_long(self._limits)

    def _head(self, line: bytes) -> str:
        return line[: min(_HEAD_BYTES, self._limits.record_bytes)].decode("utf-8", "replace")


def last_resort(raw: bytes, encoding: str, multibyte: bool) -> tuple[str, str]:
    """Bytes that are not UTF-8, as CP1252; or as much as can be shown, and why they are refused.

    CP1252 is believed only while the file has shown no multi-byte UTF-8: after that, a byte that
    does not fit is damage.
    """
    readable = raw.decode("utf-8", "replace")
    if encoding != "utf-8":
        return readable, f"is not {encoding.upper()}; expected whole characters"
    if multibyte:
        return readable, "is not UTF-8, which the file is until here; expected one encoding"
    try:
        return raw.decode("cp1252"), ""
    except UnicodeDecodeError:
        return readable, "is neither UTF-8 nor Windows-1252; expected UTF-8"


def too_long(limits: Limits) -> str:
    """Why a record over the limit is refused."""
    return f"is longer than the {limits.record_bytes:,} bytes a row may have"


def _has_multibyte(lines: Lines, raw: bytes, count: int) -> bool:
    if raw.isascii():
        return False
    doubtful = lines.assumed | set(lines.refused)
    return any(
        not line.isascii() and index not in doubtful
        for index, line in enumerate(lines.text[:count])
    )


def _behind_first_line(data: bytes) -> int:
    """The index behind the first line end, 0 where there is none (or half of one at the end)."""
    feed, carriage = data.find(b"\n"), data.find(b"\r")
    if carriage < 0 or 0 <= feed < carriage:
        return feed + 1
    if carriage + 1 == len(data):
        return 0
    return carriage + 1 + (data[carriage + 1 : carriage + 2] == b"\n")


def _behind_last_line(data: bytes) -> int:
    """The index behind the last line end, 0 where there is none (or half of one at the end)."""
    if cut := data.rfind(b"\n") + 1:
        return cut
    return data.rfind(b"\r", 0, len(data) - 1) + 1
