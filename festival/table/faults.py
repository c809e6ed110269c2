"""DynamoDB's errors: tells which ones are temporary, and puts each in one line.

Source: "Error handling with DynamoDB" (docs: Programming.Errors), its list of codes to retry.
"""

from json import loads
from typing import NamedTuple

from festival.errors import FestivalError, RetryableError

_PASSING = frozenset(
    {
        "InternalServerError",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "ThrottlingException",
    }
)
_THROTTLES = frozenset(
    {"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"}
)


class Response(NamedTuple):
    """What DynamoDB answered: the HTTP status and the JSON body, its checksum already verified."""

    status: int
    body: bytes

    def error(self) -> tuple[str, str]:
        """An error answer's code and message; a body that is not DynamoDB's is the message."""
        try:
            error = loads(self.body)
            code = str(error["__type"]).rpartition("#")[2]
            return code, str(error.get("message", error.get("Message", "")))
        except (ValueError, LookupError, AttributeError, TypeError):
            return f"HTTP {self.status}", self.body[:100].decode("utf-8", "replace")


def failure(table: str, status: int, code: str, message: str) -> FestivalError:
    """An error answer as one line; a RetryableError if a later try may succeed."""
    passing = code in _PASSING or status >= 500 or status == 429
    kind = RetryableError if passing else FestivalError
    return kind(in_one_line(table, code, message))


def is_throttle(status: int, code: str) -> bool:
    """Whether an error answer asks for fewer requests."""
    return code in _THROTTLES or status == 429


def in_one_line(table: str, code: str, message: str) -> str:
    """An error of a table in one line: `table lineup: ResourceNotFoundException: …`."""
    return f"table {table}: {code}: {' '.join(message.split())}".rstrip(": ")


def one_line_of(error: BaseException) -> str:
    """An exception in one line: `TimeoutError: timed out`."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


FIRST_PAUSE = 0.05
LONGEST_PAUSE = 5.0


def pause(attempt: int, chance: float) -> float:
    """Seconds to wait after failed try number `attempt` (from 1); `chance` is random, 0 to 1."""
    return chance * min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempt - 1, 16))
