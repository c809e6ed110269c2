"""The one error root of festival and its few children.

Every message is one line that names the thing, the value, what was expected and what to do.
"""

from enum import StrEnum


class FestivalError(Exception):
    """Something that cannot be done, said in one line for the person who asked for it."""


class Remedy(StrEnum):
    """What has to change before a file can be read."""

    FILE = "file"
    MAPPING = "mapping"
    """The file needs a mapping, or another one."""
    SIDECAR = "sidecar"
    """The mapping beside the file is not a mapping."""


class LineupError(FestivalError):
    """A file that is not a lineup, or that breaks midway. Trying again cannot help."""

    def __init__(self, message: str, remedy: Remedy = Remedy.FILE) -> None:
        super().__init__(message)
        self.remedy = remedy


class RetryableError(FestivalError):
    """A call that failed now and may succeed later: a throttle, a time-out, a 5xx answer."""


class NotYetError(RetryableError):
    """What has to wait for its turn, until a moment (epoch seconds). No try has failed."""

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until
