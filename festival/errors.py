"""Every error that festival raises: one root and its few kinds.

A message is one line that says what it is about, its value, what was expected and what to do.
"""

from enum import StrEnum


class FestivalError(Exception):
    """A request that cannot be carried out. The message is for the person who made it."""


class Remedy(StrEnum):
    """What has to change before a file can be read."""

    FILE = "file"
    MAPPING = "mapping"
    """The file needs a mapping, or a different one."""
    SIDECAR = "sidecar"
    """The mapping file beside the lineup is not a valid mapping."""


class LineupError(FestivalError):
    """A file that is not a lineup, or is damaged midway. Trying again cannot help."""

    def __init__(self, message: str, remedy: Remedy = Remedy.FILE) -> None:
        super().__init__(message)
        self.remedy = remedy


class RetryableError(FestivalError):
    """A call that failed now and may succeed later: a throttle, a time-out, a 5xx answer."""


class NotYetError(RetryableError):
    """Work that must wait until a time (epoch seconds). This does not count as a failed try."""

    def __init__(self, message: str, until: float) -> None:
        super().__init__(message)
        self.until = until
