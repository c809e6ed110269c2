"""Lists the table's dates, stages and performers, from what ingests recorded: without a Scan.

Every ingest stores, in the reports bucket, a list of the performances that it wrote; reconciling
depends on these lists. Together, the lists of the versions that count show what the table has, each
performance once, however many files contain it. A file that was ingested from a machine, without
the ledger, is in no list.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.reconcile.reconciler import versions_since
from festival.ingest.reports_bucket import KeyLists, Part
from festival.lineup.fields.text import clean
from festival.query.columns import scan_columns
from festival.query.names import suggestion
from festival.table.connection import Connection
from festival.threads import at_once

AT_ONCE = 16

Identity = tuple[str, str, str, int]


@dataclass(slots=True)
class Group:
    """The performances of one date, stage or performer: how many, who, where and when."""

    performances: int = 0
    performers: set[str] = field(default_factory=set)
    stages: set[str] = field(default_factory=set)
    first: str = ""
    last: str = ""

    def add(self, performer: str, stage: str, date: str) -> None:
        self.performances += 1
        self.performers.add(performer)
        self.stages.add(stage)
        self.first = min(self.first or date, date)
        self.last = max(self.last, date)


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in the table by date, by stage and by performer, each in order."""

    dates: Mapping[str, Group]
    stages: Mapping[str, Group]
    performers: Mapping[str, Group]

    @property
    def performances(self) -> int:
        return sum(group.performances for group in self.dates.values())


def contents_of(identities: Iterable[Identity]) -> Contents:
    """The contents of a table with these performances; repeated ones count once. Pure.

    >>> contents = contents_of([("Elbow", "Park", "2025-07-11", 1200)])
    >>> contents.stages["Park"].performers
    {'Elbow'}
    """
    dates: dict[str, Group] = {}
    stages: dict[str, Group] = {}
    performers: dict[str, Group] = {}
    for performer, stage, date, _ in set(identities):
        for groups, name in ((dates, date), (stages, stage), (performers, performer)):
            group = groups.get(name)
            if group is None:
                group = groups[name] = Group()
            group.add(performer, stage, date)
    return Contents(
        dict(sorted(dates.items())),
        dict(sorted(stages.items(), key=lambda one: one[0].casefold())),
        dict(sorted(performers.items(), key=lambda one: one[0].casefold())),
    )


def scanned_contents(connection: Connection, table: str) -> Contents:
    """The contents by a Scan of the whole table, which also finds what no ingest recorded."""
    names = ("Performer", "Stage", "Date", "StartMinutes")
    pages = scan_columns(connection, table, names=names)
    return contents_of(row for page in pages for row in zip(*page.values(), strict=True))


def unknown_name(what: str, name: str, read: Callable[[], Contents]) -> str:
    """The message that the table has no such performer or stage, with near names; '' if it has.

    `what` is `performer` or `stage`. If the table's contents are not known, no name is suggested.
    """
    try:
        contents = read()
    except FestivalError:
        return f"no {what} '{name}' in the table"
    known = contents.performers if what == "performer" else contents.stages
    wanted = clean(name)
    if wanted in known:
        return ""
    return f"no {what} '{wanted}' in the table; {suggestion(name, known)}".rstrip("; ")


class RecordedContents:
    """Reads the lists and keeps them, so that reading again costs only what is new.

    The versions that count are the last one ingested, and earlier ones whose items nobody has
    removed yet (`festival reconcile`).
    """

    def __init__(self, lists: KeyLists, ledger: Ledger) -> None:
        self._lists = lists
        self._ledger = ledger
        self._read: dict[Part, list[Identity]] = {}

    def read(self) -> Contents:
        """What is in the table now, as far as the ledger knows. Raises FestivalError."""
        try:
            files = self._lists.files().values()
            parts = [part for each in at_once(self._counted, files, AT_ONCE) for part in each]
            fresh = [part for part in parts if part not in self._read]
            read = self._read | dict(zip(fresh, at_once(self._rows, fresh, AT_ONCE), strict=True))
        except (ClientError, BotoCoreError) as error:
            raise FestivalError(
                f"what is in the table cannot be read from s3://{self._lists.bucket}/keys/: {error}"
            ) from error
        self._read = {part: read[part] for part in parts}
        return contents_of(row for rows in self._read.values() for row in rows)

    def _counted(self, versions: Mapping[str, Sequence[Part]]) -> list[Part]:
        """The parts of the file's versions that count."""
        counted = list(versions)
        if len(versions) > 1:
            file = self._lists.file_of(next(iter(versions.values()))[0])
            head = self._ledger.reconciliations.head(file)
            if head.reconciled:
                # S3 counts in whole seconds; the ledger knows which of two began first.
                counted = versions_since(head, versions, self._ledger.history(file))
        return [part for version in counted for part in versions[version]]

    def _rows(self, part: Part) -> list[Identity]:
        return [row.identity for row in self._lists.rows([part])]
