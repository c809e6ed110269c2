"""The connection to DynamoDB that the bulk writer and the fast reader use, and its two ways.

The quick way (`wire`) depends on names that botocore keeps private, and Lambda updates botocore
without a deployment. If the quick way cannot be set up, or does not work, everything continues over
the client's own methods: slower, but using only public names.
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
from festival.table.faults import Response

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# Answers that say a request was not signed as DynamoDB expects.
_ABOUT_THE_SIGNATURE = frozenset(
    {
        "IncompleteSignatureException",
        "InvalidSignatureException",
        "MissingAuthenticationTokenException",
    }
)
# One lost packet says nothing about botocore; this many in a row without any answer may.
_LOST_BEFORE_DOUBT = 3


class Way(Protocol):
    """Sends an operation whose body is JSON text, and returns DynamoDB's response."""

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response: ...

    def close(self) -> None: ...


class Connection:
    """Calls DynamoDB's operations with JSON text as the body, the quick way while that works.

    Safe to use from several threads. The caller decides whether to try again after a failure.
    `warn` is called once, with one line, if the quick way does not work. `clock` gives seconds and
    keeps running while the machine is suspended, so no try over the client's methods begins too
    late.
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
        self._way = self._quick_way()

    @classmethod
    def from_client(
        cls,
        client: "DynamoDBClient",
        *,
        warn: Callable[[str], object] | None = None,
        clock: Callable[[], float] = time,
    ) -> "Connection":
        """Uses a boto3 client's endpoint, credentials, TLS, proxies and time-outs."""
        return cls(client, warn or logging.getLogger("festival").warning, clock)

    @property
    def is_quick(self) -> bool:
        """Whether requests go the quick way."""
        return not isinstance(self._way, ClientWay)

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        """Send one operation (`BatchWriteItem`, `Query`, …) and return DynamoDB's answer.

        Only for operations that may be carried out twice: after an unusual answer it asks again.

        `timeout`, in seconds, further limits the client's own time-outs; over the client's methods
        it is the time within which a try may begin. Raises RetryableError if no complete answer
        came (time-out, dropped connection, wrong checksum), FestivalError if none ever will (no
        credentials, an untrusted certificate).
        """
        way = self._way
        if isinstance(way, ClientWay):
            return way.call(operation, body, timeout=timeout)
        try:
            answer = way.call(operation, body, timeout=timeout)
        except FestivalError as error:
            if not self._is_doubtful(error):
                raise
            return self._ask_plainly(operation, body, timeout, error)
        except Exception as error:
            self._leave_the_quick_way(_short(error))
            return self._way.call(operation, body, timeout=timeout)
        if not self._answered and answer.error()[0] in _ABOUT_THE_SIGNATURE:
            return self._ask_plainly(operation, body, timeout, FestivalError(answer.error()[0]))
        self._answered = True
        return answer

    def close(self) -> None:
        """Close the open connections that are not in use."""
        self._way.close()

    def _quick_way(self) -> Way:
        try:
            # Imported only when needed, because a name that has gone fails the import.
            from festival.table.wire import Wire

            return Wire.from_client(self._client)
        except Exception as error:
            self._warn(_fallback(_short(error)))
            return ClientWay(self._client, self._clock)

    def _is_doubtful(self, error: FestivalError) -> bool:
        """Whether the quick way itself may be at fault: only before its first answer."""
        if self._answered:
            return False
        self._lost += isinstance(error, RetryableError)
        return not isinstance(error, RetryableError) or self._lost >= _LOST_BEFORE_DOUBT

    def _ask_plainly(
        self, operation: str, body: bytes, timeout: float | None, trouble: FestivalError
    ) -> Response:
        """Calls over the client's methods, and keeps to them if that is better."""
        plain = ClientWay(self._client, self._clock)
        try:
            answer = plain.call(operation, body, timeout=timeout)
        except FestivalError:
            raise trouble from None
        if answer.error()[0] not in _ABOUT_THE_SIGNATURE:
            self._leave_the_quick_way(str(trouble))
        return answer

    def _leave_the_quick_way(self, why: str) -> None:
        with self._lock:
            if not isinstance(self._way, ClientWay):
                self._way = ClientWay(self._client, self._clock)
                self._warn(_fallback(why))


class ClientWay:
    """Over the client's own methods, with its own retries. None of them begins after the time-out,
    but a request already begun may take as long as the client allows."""

    def __init__(self, client: "DynamoDBClient", clock: Callable[[], float] = time) -> None:
        self._client = client
        self._clock = clock
        self._url = client.meta.endpoint_url
        self._mine = local()
        client.meta.events.register("before-send.dynamodb", self._refuse_if_late)

    def call(self, operation: str, body: bytes, *, timeout: float | None = None) -> Response:
        """Like `Connection.call`."""
        self._mine.until = None if timeout is None else self._clock() + timeout
        method = getattr(self._client, re.sub(r"(?<!^)(?=[A-Z])", "_", operation).lower())
        try:
            answer = method(**loads(body))
        except ClientError as error:
            said = error.response.get("Error", {})
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
            return _refusal(status, said.get("Code", ""), said.get("Message", ""))
        except (BotoCoreError, ResponseParserError) as error:
            kind = RetryableError if _may_pass(error) else FestivalError
            raise kind(f"{operation} at {self._url}: {' '.join(str(error).split())}") from error
        finally:
            self._mine.until = None
        answer.pop("ResponseMetadata", None)
        return Response(200, dumps(answer, separators=(",", ":")).encode())

    def close(self) -> None:
        """Does nothing: the client belongs to the caller."""

    def _refuse_if_late(self, event_name: str, **_: Any) -> None:
        until = getattr(self._mine, "until", None)
        if until is not None and self._clock() >= until:
            raise RetryableError(f"{event_name.rpartition('.')[2]} at {self._url}: timed out")


def _refusal(status: int, code: str, message: str) -> Response:
    return Response(status, dumps({"__type": code, "message": message}).encode())


def _may_pass(error: BotoCoreError | ResponseParserError) -> bool:
    lost = NotConnectedError, HTTPClientError, IncompleteReadError, ResponseParserError
    return isinstance(error, lost) and not isinstance(error, SSLError)


def _fallback(why: str) -> str:
    return (
        f"the quick connection to DynamoDB does not work with this botocore ({why}); "
        "going on over the client's own methods, which is slower"
    )


def _short(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
