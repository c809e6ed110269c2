"""One request and its answer over a connection that is already open: one write, one read.

urllib3 and http.client make some forty objects of an answer that has six headers; that took half of
the writer's processor time. What is not a plain answer of known length is left to them.
"""

import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from time import monotonic

_CHUNK = 1 << 16
_LARGE_CHUNK = 1 << 18
_LONGEST_HEAD = 1 << 16
_STATUS = re.compile(rb"HTTP/1\.1 ([2-5]\d\d)[ \r]")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,10})[ \t]*\r\n", re.IGNORECASE)
_CHECKSUM = re.compile(rb"\r\nx-amz-crc32:[ \t]*(\d{1,10})[ \t]*\r\n", re.IGNORECASE)
_UNUSUAL = re.compile(rb"\r\n(?:transfer-encoding|content-encoding)[ \t]*:", re.IGNORECASE)
_CLOSES = re.compile(rb"\r\nconnection:[ \t]*close[ \t]*\r\n", re.IGNORECASE)


class UnusualAnswerError(Exception):
    """An answer that is for a whole HTTP library to read; the connection cannot be used again."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer: its status, body, DynamoDB's checksum, and whether the connection ends."""

    status: int
    body: bytes
    checksum: str | None
    closes: bool


def message(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST as it goes over the wire."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = (
        f"POST {target} HTTP/1.1\r\nAccept-Encoding: identity\r\n{''.join(lines)}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def exchange(connected: socket.socket, sent: bytes, timeout: float) -> Reply:
    """Send a request and read the answer, all in at most `timeout` seconds.

    Raises OSError where the connection breaks or the answer does not come in time,
    UnusualAnswerError for an answer it does not understand.
    """
    until = monotonic() + timeout
    connected.settimeout(timeout)
    connected.sendall(sent)
    received = b""
    while (end := received.find(b"\r\n\r\n")) < 0:
        if len(received) > _LONGEST_HEAD:
            raise UnusualAnswerError
        connected.settimeout(_left(until))
        received += _some(connected.recv(_CHUNK))
    head, rest = received[: end + 2], received[end + 4 :]
    status, length = _STATUS.match(head), _LENGTH.search(head)
    if not status or not length or _UNUSUAL.search(head):
        raise UnusualAnswerError
    checksum = _CHECKSUM.search(head)
    return Reply(
        status=int(status[1]),
        body=_whole(connected, rest, int(length[1]), until),
        checksum=checksum[1].decode() if checksum else None,
        closes=_CLOSES.search(head) is not None,
    )


def _whole(connected: socket.socket, begun: bytes, length: int, until: float) -> bytes:
    if len(begun) > length:
        raise UnusualAnswerError
    parts, missing = [begun], length - len(begun)
    while missing:
        connected.settimeout(_left(until))
        parts.append(_some(connected.recv(min(missing, _LARGE_CHUNK))))
        missing -= len(parts[-1])
    return b"".join(parts)


def _some(data: bytes) -> bytes:
    if not data:
        raise ConnectionError("the connection was closed before the answer was whole")
    return data


def _left(until: float) -> float:
    left = until - monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left
