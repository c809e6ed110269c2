"""What happened in a schedule, for whoever checks it."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from .lineups import Lineup
from .wire import Request


@dataclass(frozen=True, slots=True)
class Call:
    """One call that reached the world: what it was, what befell it, what AWS answered."""

    number: int
    invocation: int
    service: str
    operation: str
    fault: str
    status: int | None
    request: Request


@dataclass(frozen=True, slots=True)
class Upload:
    """A version of a file; `lineup` None: the file was deleted."""

    version: str
    lineup: Lineup | None


@dataclass(frozen=True, slots=True)
class Write:
    """Items that reached the table: by which call, of which version of which file."""

    call: int
    file: str
    version: str
    keys: frozenset[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Mail:
    """An e-mail that SNS took."""

    call: int
    invocation: int
    file: str
    version: str
    subject: str
    settled: bool


@dataclass
class Record:
    """Everything that happened, for the checker."""

    uploads: dict[str, list[Upload]] = field(default_factory=lambda: defaultdict(list))
    calls: list[Call] = field(default_factory=list)
    writes: list[Write] = field(default_factory=list)
    mails: list[Mail] = field(default_factory=list)
    settled: set[tuple[str, str]] = field(default_factory=set)
    died: dict[int, int] = field(default_factory=dict)
    redriven: dict[tuple[str, str], int] = field(default_factory=dict)
    reasons: set[tuple[str, int]] = field(default_factory=set)
    by_people: set[int] = field(default_factory=set)
    together: set[str] = field(default_factory=set)
    actions: Counter[str] = field(default_factory=Counter)
    crashes: list[str] = field(default_factory=list)
    invocations: int = 0
