"""The fast transport to DynamoDB: signs a body that is already JSON, and sends it as it is.

boto3's client spends most of its processor time validating, serialising and parsing data whose form
the table already knows. Only what must be botocore's is left to botocore: the credentials and their
refresh, the signature, the endpoint, TLS and proxies.

This is the only module that uses private names of botocore and urllib3: in `Wire.from_client`,
`_pool` and `Wire._take`. A later version may change them, so `connection` imports this module only
when it needs it, and carries on without it if anything here fails.
"""

import socket
import ssl
from collections.abc import Iterator, Mapping
from queue import Empty, Full
from time import monotonic
from typing import Any, NamedTuple, TypeGuard
from zlib import crc32

from botocore.auth import SigV4Auth
from botocore.exceptions import BotoCoreError, NoCredentialsError
from botocore.httpsession import URLLib3Session
from urllib3.exceptions import HTTPError
from urllib3.util import Timeout
from urllib3.util.connection import is_connection_dropped

from festival.errors import FestivalError, RetryableError
from festival.table.faults import Response, one_line_of

_API = "DynamoDB_20120810"
_CHUNK = 1 << 16
_LARGE_CHUNK = 1 << 18
_LONGEST_HEAD = 1 << 16


class UnusualAnswerError(Exception):
    """An answer that needs a full HTTP library; the connection cannot be used again."""


class Reply(NamedTuple):
    """An HTTP answer: its status, body and checksum, and whether the connection closes after it."""

    status: int
    body: bytes
    checksum: str | None
    closes: bool


def message(target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    """A POST request as bytes."""
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = (
        f"POST {target} HTTP/1.1\r\nAccept-Encoding: identity\r\n{''.join(lines)}"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode("latin-1") + body


def exchange(connected: socket.socket, sent: bytes, timeout: float) -> Reply:
    """Send a request and read the answer, in at most `timeout` seconds altogether.

    Raises OSError if the connection breaks or the answer does not come in time,
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
    status, length = head[9:12], _header(head, b"content-length")
    if not (head.startswith(b"HTTP/1.1 ") and status.isdigit() and _is_count(length)):
        raise UnusualAnswerError
    if status < b"200" or _header(head, b"transfer-encoding") or _header(head, b"content-encoding"):
        raise UnusualAnswerError
    checksum = _header(head, b"x-amz-crc32")
    return Reply(
        status=int(status),
        body=_whole(connected, rest, int(length), until),
        checksum=None if checksum is None else checksum.decode("latin-1"),
        closes=_header(head, b"connection") == b"close",
    )


def _is_count(value: bytes | None) -> TypeGuard[bytes]:
    return value is not None and value.isdigit() and len(value) < 11


def _header(head: bytes, name: bytes) -> bytes | None:
    """A header's value, in lower case; `name` must be in lower case."""
    head = head.lower()
    at = head.find(b"\r\n" + name + b":")
    if at < 0:
        return None
    begin = at + len(name) + 3
    return head[begin : head.index(b"\r\n", begin)].strip()


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


class _Request:
    """The parts of botocore's AWSRequest that SigV4Auth reads. To make a whole AWSRequest would
    cost as much again as to sign it."""

    method = "POST"
    params = None

    def __init__(self, url: str, headers: dict[str, str], body: bytes) -> None:
        self.url = url
        self.headers = headers
        self.body = body
        self.context: dict[str, Any] = {}


class Wire:
    """Calls DynamoDB's operations over open connections. Safe for several threads."""

    def __init__(
        self,
        endpoint: str,
        region: str,
        credentials: Any,
        session: Any,
        *,
        user_agent: str = "",
        connect_timeout: float = 60.0,
        read_timeout: float = 60.0,
    ) -> None:
        self._url = endpoint if endpoint.endswith("/") else f"{endpoint}/"
        self._region = region
        self._credentials = credentials
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._pool, self._target = _pool(session, self._url)
        # A proxy that is not a tunnel needs headers of its own, which only urllib3 adds.
        self._may_exchange = self._target.startswith("/")
        self._headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "User-Agent": user_agent,
            "host": _host(self._url),
        }

    @classmethod
    def from_client(cls, client: Any) -> "Wire":
        """A transport with a boto3 client's endpoint, credentials, TLS, proxies and time-outs.

        botocore resolves these from arguments, environment and files when it makes a client, and
        keeps the results private. No public call gives exactly the same ones. If botocore has
        changed, this raises whatever error follows from that.
        """
        config = client.meta.config
        original = client._endpoint.http_session
        # Otherwise each request waits 40 ms for an acknowledgement that the server delays.
        no_delay: Any = (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        session = URLLib3Session(
            verify=original._verify,
            proxies=original._proxy_config._proxies,
            proxies_config=original._proxy_config.settings,
            client_cert=(original._cert_file, original._key_file),
            max_pool_connections=16,
            socket_options=[no_delay],
        )
        return cls(
            client.meta.endpoint_url,
            client.meta.region_name,
            client._request_signer._credentials,
            session,
            user_agent=config.user_agent,
            connect_timeout=config.connect_timeout,
            read_timeout=config.read_timeout,
        )

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        """Send one operation and return DynamoDB's answer: see `Connection.call`.

        `timeout`, in seconds, further limits the client's own time-outs.
        """
        headers = self._signed(operation, body)
        try:
            reply = self._by_exchange(headers, body, timeout)
            reply = reply or self._by_urllib3(headers, body, timeout)
        except (HTTPError, OSError) as error:
            kind = FestivalError if _is_distrust(error) else RetryableError
            raise kind(f"{operation} at {self._url}: {one_line_of(error)}") from error
        if reply.checksum is not None and reply.checksum != str(crc32(reply.body)):
            raise RetryableError(f"{operation} at {self._url}: the answer's checksum is wrong")
        return Response(reply.status, reply.body)

    def close(self) -> None:
        """Close the open connections that are not in use."""
        self._pool.close()

    def _by_exchange(
        self, headers: dict[str, str], body: bytes, timeout: float | None
    ) -> Reply | None:
        """Send over an open connection; None if there is none, or if the answer is unusual."""
        if not self._may_exchange or (connection := self._take()) is None:
            return None
        reply = None
        try:
            wait = self._read_timeout if timeout is None else min(self._read_timeout, timeout)
            reply = exchange(connection.sock, message(self._target, headers, body), wait)
        except UnusualAnswerError:
            self._may_exchange = False
        finally:
            if reply is None or reply.closes:
                connection.close()
            self._give_back(connection)
        return reply

    def _take(self) -> Any:
        """A connection from the pool, if it is open."""
        queue = self._pool.pool
        try:
            taken = queue.get_nowait()
        except (Empty, AttributeError):  # all in use, or the pool is closed and has no queue
            return None
        if taken is not None and taken.sock is not None and not is_connection_dropped(taken):
            return taken
        self._give_back(taken)
        return None

    def _give_back(self, connection: Any) -> None:
        try:
            self._pool.pool.put_nowait(connection)
        except (Full, AttributeError):
            if connection is not None:
                connection.close()

    def _by_urllib3(self, headers: dict[str, str], body: bytes, timeout: float | None) -> Reply:
        """Send by urllib3, which connects, with TLS and through proxies, and reads any answer."""
        limit = float("inf") if timeout is None else timeout
        response = self._pool.urlopen(
            "POST",
            self._target,
            body=body,
            headers=headers,
            timeout=Timeout(
                connect=min(self._connect_timeout, limit),
                read=min(self._read_timeout, limit),
                total=timeout,
            ),
            retries=False,
            redirect=False,
            assert_same_host=False,
            decode_content=False,
            enforce_content_length=True,
        )
        checksum = response.headers.get("x-amz-crc32")
        return Reply(response.status, response.data, checksum, closes=False)

    def _signed(self, operation: str, body: bytes) -> dict[str, str]:
        headers = {"X-Amz-Target": f"{_API}.{operation}", **self._headers}
        try:
            if self._credentials is None:
                raise NoCredentialsError()
            # Frozen again for each request, because this call refreshes them in time.
            frozen = self._credentials.get_frozen_credentials()
            request: Any = _Request(self._url, headers, body)
            SigV4Auth(frozen, "dynamodb", self._region).add_auth(request)
        except BotoCoreError as error:
            raise FestivalError(f"{operation} at {self._url}: {error}") from error
        return headers


def _pool(session: Any, url: str) -> tuple[Any, str]:
    """The urllib3 pool and the request target that `URLLib3Session.send` would use for a URL.

    `send` itself has no time-out per request in older versions, and costs a third more.
    """
    proxy = session._proxy_config.proxy_url_for(url)
    pool = session._get_connection_manager(url, proxy).connection_from_url(url)
    session._setup_ssl_cert(pool, url, session._verify)
    return pool, session._get_request_target(url, proxy)


def _host(url: str) -> str:
    """The Host header as SigV4 signs it: the default port of the scheme is left out."""
    scheme, _, rest = url.partition("://")
    host = rest.partition("/")[0]
    return host.removesuffix({"http": ":80", "https": ":443"}.get(scheme, ""))


def _is_distrust(error: BaseException) -> bool:
    return any(isinstance(link, ssl.SSLCertVerificationError) for link in _chain(error))


def _chain(error: BaseException) -> Iterator[BaseException]:
    link: BaseException | None = error
    while link is not None:
        yield link
        link = link.__cause__ or link.__context__
