"""The connection to DynamoDB that the bulk writer and the fast reader share: two transports.

The fast transport (`wire`) depends on names that botocore keeps private, and Lambda updates
botocore without a deployment. If it cannot be set up, or does not work, everything continues over
the client's own methods: slower, but with public names only.
"""

import logging
import re
from collections.abc import Callable
from json import dumps, loads
from threading import Lock, local
from time import time
from typing import TYPE_CHECKING, Any, Protocol

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
    IncompleteReadError,
    SSLError,
)
from botocore.exceptions import ConnectionError as NotConnectedError
from botocore.parsers import ResponseParserError

from festival.errors import FestivalError, RetryableError
from festival.table.faults import Response, one_line_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Answers which say that a request was not signed as DynamoDB expects.
_ABOUT_THE_SIGNATURE = frozenset(
    {
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    }
)
# One lost packet says nothing about botocore; this many in a row without any answer may.
_LOST_BEFORE_DOUBT = 3


class Transport(Protocol):
    """Sends an operation whose body is JSON text, and returns DynamoDB's response."""

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response: ...

    def close(self) -> None: ...


class Connection:
    """Calls DynamoDB's operations with JSON text as the body, by the fast transport if it works.

    Safe to use from several threads. The caller decides whether to try again after a failure.
    `warn` is called once, with one line, if the fast transport does not work. `clock` gives seconds
    and keeps running while the machine is suspended, so that no try over the client's methods
    begins too late.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        warn: Callable[[str], object],
        clock: Callable[[], float] = time,
    ) -> None:
        self._client = client
        self._clock = clock
        self._warn = warn
        self._lock = Lock()
        self._answered = False
        self._lost = 0
        self._transport = self._fast_transport()

    @classmethod
    def from_client(
        cls,
        client: "DynamoDBClient",
        *,
        warn: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time,
    ) -> "Connection":
        """A connection with a boto3 client's endpoint, credentials, TLS, proxies and time-outs."""
        return cls(client, warn or logging.getLogger("festival").warning, clock)

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        """Send one operation (`BatchWriteItem`, `Query`, …) and return DynamoDB's answer.

        Only for operations that may be carried out twice: after an unusual answer, the request is
        sent again.

        `timeout`, in seconds, further limits the client's own time-outs; over the client's methods
        it is the time within which a try may begin. Raises RetryableError if no complete answer
        came (time-out, dropped connection, wrong checksum), FestivalError if none ever will (no
        credentials, an untrusted certificate).
        """
        transport = self._transport
        if isinstance(transport, ClientTransport):
            return transport.call(operation, body, timeout=timeout)
        try:
            answer = transport.call(operation, body, timeout=timeout)
        except FestivalError as error:
            if not self._is_doubtful(error):
                raise
            return self._call_by_client(operation, body, timeout, error)
        except Exception as error:
            self._fall_back(one_line_of(error))
            return self._transport.call(operation, body, timeout=timeout)
        if not self._answered and answer.error()[0] in _ABOUT_THE_SIGNATURE:
            return self._call_by_client(operation, body, timeout, FestivalError(answer.error()[0]))
        self._answered = True
        return answer

    def close(self) -> None:
        """Close the open connections that are not in use."""
        self._transport.close()

    def _fast_transport(self) -> Transport:
        try:
            # Imported only here, because the import fails if a private name has gone.
            from festival.table.wire import Wire

            return Wire.from_client(self._client)
        except Exception as error:
            self._warn(_fallback(one_line_of(error)))
            return ClientTransport(self._client, self._clock)

    def _is_doubtful(self, error: FestivalError) -> bool:
        """Whether the fast transport may be at fault: only before its first answer."""
        if self._answered:
            return False
        self._lost += isinstance(error, RetryableError)
        return not isinstance(error, RetryableError) or self._lost >= _LOST_BEFORE_DOUBT

    def _call_by_client(
        self, operation: str, body: bytes, timeout: float | None, trouble: FestivalError
    ) -> Response:
        """Call once over the client's methods, and stay with them if that works better."""
        by_client = ClientTransport(self._client, self._clock)
        try:
            answer = by_client.call(operation, body, timeout=timeout)
        except FestivalError:
            raise trouble from None
        if answer.error()[0] not in _ABOUT_THE_SIGNATURE:
            self._fall_back(str(trouble))
        return answer

    def _fall_back(self, why: str) -> None:
        with self._lock:
            if not isinstance(self._transport, ClientTransport):
                self._transport = ClientTransport(self._client, self._clock)
                self._warn(_fallback(why))


class ClientTransport:
    """Calls the client's own methods, which retry by themselves. No try begins after the time-out,
    but one that has begun may take as long as the client allows."""

    def __init__(self, client: "DynamoDBClient", clock: Callable[[], float] = time) -> None:
        self._client = client
        self._clock = clock
        self._url = client.meta.endpoint_url
        self._thread = local()
        client.meta.events.register("before-send.dynamodb", self._refuse_if_late)

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        """Like `Connection.call`."""
        self._thread.until = None if timeout is None else self._clock() + timeout
        method = getattr(self._client, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer = method(**loads(body))
        except ClientError as error:
            details = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            return _refusal(status, details.get("Code", ""), details.get("Message", ""))
        except (BotoCoreError, ResponseParserError) as error:
            kind = RetryableError if _may_pass(error) else FestivalError
            raise kind(f"{operation} at {self._url}: {' '.join(str(error).split())}") from error
        finally:
            self._thread.until = None
        answer.pop("ResponseMetadata", None)
        return Response(200, dumps(answer, separators=(",", ":")).encode())

    def close(self) -> None:
        """Does nothing: the client belongs to the caller."""

    def _refuse_if_late(self, event_name: str, **_: Any) -> None:
        until = getattr(self._thread, "until", None)
        if until is not None and self._clock() >= until:
            raise RetryableError(f"{event_name.rpartition('.')[2]} at {self._url}: timed out")


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(status, dumps({"__type": code, "message": message}).encode())


def _may_pass(error: BotoCoreError | ResponseParserError) -> bool:
    lost = NotConnectedError, HTTPClientError, IncompleteReadError, ResponseParserError
    return isinstance(error, lost) and not isinstance(error, SSLError)


def _fallback(why: str) -> str:
    return (
        f"the fast connection to DynamoDB does not work with this botocore ({why}); "
        "continuing over the client's own methods, which are slower"
    )
