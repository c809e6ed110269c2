"""All the wiring: options and environment → clients, table, ledger, ingestor, reconciler, mailer.

The command, the notebooks and the backfill get their clients and helpers from a `Kit`, and use the
functions below it to ingest and reconcile from this machine.
"""

import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from festival.errors import FestivalError, RetryableError
from festival.ingest.attempt import Budget, Ingestor, TryResult, WrittenLateError
from festival.ingest.clients import Clients
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError, LeaseLostError, utc
from festival.ingest.ledger.ledger import Ledger
from festival.ingest.ledger.reconciliations import Removal
from festival.ingest.mail import Mailer
from festival.ingest.pipeline import Writer, ingest_blocks
from festival.ingest.reconcile.reconciler import NotReconcilableError, Reconciler, Review
from festival.ingest.report import IngestReport
from festival.ingest.reports_bucket import Reports
from festival.ingest.resources import Resources, writer_opener
from festival.ingest.s3_object import NoBucketError
from festival.ingest.sidecar import mapping_of
from festival.ingest.tally import Tally
from festival.lineup.mapping import LineupMapping
from festival.lineup.model import Block
from festival.stack.stack import DEFAULT_STACK, StackOutputs, find_stack, read_outputs
from festival.table.writer import BulkWriter

if TYPE_CHECKING:
    import boto3

    from festival.analysis.table import LineupTable
    from festival.query.contents import Contents

S3 = "s3://"
TRIES = 5
LONGEST_WAIT_SECONDS = 10.0


@dataclass
class Kit:
    """Clients, table, ledger and so on, for all code that runs outside the Lambda function.

    Each is made, and AWS contacted, only when it is first used. `table` and `stack` are names;
    `given_session` is a boto3 session to use instead of the environment's.

    >>> Kit(table="lineup").table_name(None)
    'lineup'
    """

    table: str = ""
    stack: str = DEFAULT_STACK
    given_session: "boto3.Session | None" = None

    @classmethod
    def from_environment(cls) -> "Kit":
        """From FESTIVAL_TABLE and FESTIVAL_STACK; everything else follows boto3's own rules."""
        return cls(
            table=os.environ.get("FESTIVAL_TABLE", ""),
            stack=os.environ.get("FESTIVAL_STACK", "") or DEFAULT_STACK,
        )

    @cached_property
    def session(self) -> "boto3.Session":
        import boto3  # importing it takes as long as ingesting a small file

        return self.given_session or boto3.Session()

    @cached_property
    def clients(self) -> Clients:
        if self.given_session is None:
            return Clients.of_environment()
        # boto3's session wraps botocore's, which creates the clients.
        return Clients(self.given_session._session)

    @cached_property
    def outputs(self) -> StackOutputs:
        """The stack's outputs. Raises FestivalError if there is no such stack."""
        return read_outputs(self.session, self.stack)

    @cached_property
    def parameters(self) -> Mapping[str, str]:
        """The stack's parameters; empty if there is no such stack."""
        stack = find_stack(self.session.client("cloudformation"), self.stack)
        return stack.parameters if stack else {}

    def table_name(self, named: str | None = None) -> str:
        """`named` (`--table`), else FESTIVAL_TABLE, else the stack's table."""
        return named or self.table or self.outputs.table

    @property
    def default_mapping(self) -> LineupMapping:
        """How the stack reads files that have no mapping beside them."""
        return mapping_of(self.parameters.get("DefaultMapping", ""))

    @cached_property
    def ledger(self) -> Ledger:
        return Ledger(self.clients.dynamodb, self.outputs.ledger_table, now=self.clients.clock.now)

    @cached_property
    def reports(self) -> Reports:
        return Reports(self.clients.s3, self.outputs.reports_bucket)

    @cached_property
    def mailer(self) -> Mailer:
        """Sends e-mails to the stack's topic."""
        return Mailer(self.clients.sns, self.outputs.topic_arn, clock=self.clients.clock.now)

    def open_writer(self, table: str | None = None) -> Callable[[str, float], BulkWriter]:
        """A function that opens a writer into the table, given a file's name and a deadline."""
        return writer_opener(self.clients.dynamodb, self.table_name(table))

    def ingestor(self, table: str | None = None, *, mailer: Mailer | None = None) -> Ingestor:
        """Ingests S3 objects from this process; without `mailer` it sends no e-mail.

        A file without its own mapping is read with the stack's, as the function does.
        """
        return Ingestor(
            Resources(
                s3=self.clients.s3,
                ledger=self.ledger,
                open_writer=writer_opener(
                    self.clients.dynamodb, self.table_name(table), self.clients.clock.now
                ),
                reports=self.reports,
                mailer=mailer,
                clock=self.clients.clock.now,
                mapping=self.default_mapping,
            )
        )

    def reconciler(self, table: str | None = None) -> Reconciler:
        """Compares a file's versions and removes what older ones left."""
        return Reconciler.of(
            self.clients,
            table=self.table_name(table),
            ledger_table=self.outputs.ledger_table,
            reports_bucket=self.outputs.reports_bucket,
        )

    def recorded_contents(self, table: str) -> "Callable[[], Contents]":
        """A function that reads what is in a table, as ingests recorded it.

        It raises FestivalError if the table is not the stack's, because then nothing is recorded.
        """
        from festival.query.contents import RecordedContents

        @cache
        def recorded() -> RecordedContents:
            if table != self.outputs.table:
                raise FestivalError(
                    f"the table {table} does not belong to the stack {self.stack}: its contents "
                    "are not recorded; only a Scan of the whole table shows them (scan=True)"
                )
            return RecordedContents(self.reports.key_lists, self.ledger)

        return lambda: recorded().read()


def connect(
    table: str | None = None, *, session: "boto3.Session | None" = None, stack: str | None = None
) -> "LineupTable":
    """The table to query: the one with this name, else FESTIVAL_TABLE, else the stack's.

    `stack` defaults to FESTIVAL_STACK, else `o240-festival`; `session` is a boto3 session with
    other credentials or another region. AWS is contacted only when you ask a question.
    """
    from festival.analysis.table import LineupTable

    kit = Kit.from_environment()
    kit = Kit(kit.table, stack or kit.stack, session)
    name = table or ("" if stack else kit.table) or kit.outputs.table
    return LineupTable(name, kit.clients.dynamodb, kit.recorded_contents(name))


def event_of(file: str) -> FileEvent:
    """The object that `s3://BUCKET/KEY` names, in its current version.

    >>> event_of("s3://uploads/2025/saturday.csv").key
    '2025/saturday.csv'
    """
    bucket, _, key = file.removeprefix(S3).partition("/")
    if not file.startswith(S3) or not bucket or not key or key.endswith("/"):
        raise FestivalError(f"{file}: expected s3://BUCKET/KEY, the name of one object")
    return FileEvent(bucket, key)


def silent(message: str) -> None:
    """Say nothing."""


def ingest_object(
    ingestor: Ingestor,
    event: FileEvent,
    *,
    again: bool = False,
    say: Callable[[str], None] = silent,
    sleep: Callable[[float], None] = time.sleep,
) -> TryResult:
    """Ingest the whole of one file version, through the ledger.

    Waits if another process holds the lease, but takes over at once if that process is known to be
    dead. Raises RetryableError after five failed tries, or at once if there is no such bucket.
    """
    owner = new_owner()
    failures, wrote_late = 0, False
    while True:
        try:
            return ingestor.ingest(event, owner, Budget.of_command(), again=again or wrote_late)
        except LeaseHeldError as held:
            ledger = ingestor.resources.ledger
            if _break_if_dead(ledger, held):
                say(f"{event.file}: the process that ingested it ({held.owner}) died; taking over")
                continue
            say(str(held))
            sleep(max(0.2, min(LONGEST_WAIT_SECONDS, held.until - ledger.now())))
        except LeaseLostError as lost:
            say(str(lost))
            again = False
        except NoBucketError:
            raise
        except RetryableError as error:
            wrote_late = wrote_late or isinstance(error, WrittenLateError)
            failures += 1
            if failures >= TRIES:
                raise
            say(f"{error}; trying again")
            sleep(random.uniform(0.5, 1) * 2**failures)


def ingest_blocks_directly(blocks: Iterable[Block], file: str, writer: Writer) -> IngestReport:
    """Write a local file straight into the table, without the ledger."""
    tally = Tally(source=file)
    ended = ingest_blocks(blocks, tally, writer)
    error = ended.error or ended.unwritten_because
    return tally.report(file, error=error, remedy=ended.remedy)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One file: what changed, and what was removed or, if not `done`, would be removed."""

    review: Review
    removal: Removal
    done: bool


def reconcile_files(
    reconciler: Reconciler,
    file: str | None = None,
    *,
    remove: bool = False,
    say: Callable[[str], None] = silent,
) -> Iterator[Reconciled]:
    """What changed in one file (`s3://bucket/key`), or in every file that is not reconciled yet.

    With `remove`, removes the items that only older versions had. For one file it raises
    NotReconcilableError, or RetryableError if another process is working on it; for all files it
    passes that message to `say` and continues with the next file.
    """
    if file is not None:
        yield reconcile_file(reconciler, event_of(file).file, remove=remove)
        return
    for name in reconciler.files():
        try:
            result = reconcile_file(reconciler, name, remove=remove)
        except (NotReconcilableError, RetryableError) as error:
            say(str(error))
            continue
        versions = result.review.versions
        if versions.older and not versions.is_reconciled:
            yield result


def reconcile_file(reconciler: Reconciler, file: str, *, remove: bool) -> Reconciled:
    """One file (`bucket/key`); takes over at once if its owner is known to be dead."""
    if not remove:
        review = reconciler.review(file)
        return Reconciled(review, reconciler.removable(review), done=False)
    try:
        return Reconciled(*reconciler.reconcile(file, new_owner()), done=True)
    except LeaseHeldError as held:
        if not _break_if_dead(reconciler.ledger, held):
            raise RetryableError(
                f"{file} is being ingested by {held.owner} until {utc(held.until)}: try again then"
            ) from None
    return Reconciled(*reconciler.reconcile(file, new_owner()), done=True)


def _break_if_dead(ledger: Ledger, held: LeaseHeldError) -> bool:
    """Break the lease if its owner is known to be dead; False if it stays until it lapses."""
    if not is_dead(held.owner):
        return False
    try:
        ledger.leases.break_lease(held.file, held.owner)
    except (ClientError, BotoCoreError):
        return False
    return True


def new_owner() -> str:
    """A new lease owner's name, from which others can tell whether this process is dead."""
    machine = _this_machine() or socket.gethostname()
    return f"{machine} pid {os.getpid()} {uuid.uuid4().hex[:8]}"


def _this_machine() -> str:
    """The scope in which process ids are unique: this boot of this host, and its pid namespace.

    A host name is not enough, because hosts share names, and every root pid namespace has the same
    number. Empty without a boot id (only Linux has one): then no process is ever known to be dead.
    """
    try:
        booted = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        namespace = Path("/proc/self/ns/pid").readlink()
    except OSError:
        return ""
    return f"{socket.gethostname()} boot {booted} {namespace}"


def is_dead(owner: str) -> bool:
    """Whether a lease's owner is known to be a process of this machine that has ended."""
    machine, _, rest = owner.partition(" pid ")
    number = rest.partition(" ")[0]
    if not _this_machine() or machine != _this_machine() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(int(number))


def _is_zombie(pid: int) -> bool:
    """A killed process that has not been reaped can no longer write."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")
