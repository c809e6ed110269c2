"""The one wiring: options and environment to clients, table, ledger and ingestor."""

import os
import random
import socket
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from festival.errors import RetryableError
from festival.ingest.clients import Clients
from festival.ingest.events import FileEvent
from festival.ingest.ledger.leases import LeaseHeldError, LeaseLostError
from festival.ingest.pipeline import Writer, ingest_blocks
from festival.ingest.report import IngestReport
from festival.ingest.resources import Budget, TryResult
from festival.ingest.service import Ingestor
from festival.ingest.tally import Tally
from festival.lineup.model import Block
from festival.stack.stack import DEFAULT_STACK, StackOutputs, read_outputs

if TYPE_CHECKING:
    import boto3

TRIES = 5
LONGEST_WAIT_SECONDS = 10.0


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
    """Ingest one file version to its end, through the ledger.

    Waits where another process holds the lease, and takes it over at once where that process is
    known to be dead. Raises RetryableError where five tries in a row have failed.
    """
    owner = new_owner()
    tries = 0
    while True:
        try:
            return ingestor.ingest(event, owner, Budget.of_command(), again=again)
        except LeaseHeldError as held:
            ledger = ingestor.resources.ledger
            if is_dead(held.owner):
                say(f"{event.file}: the process that ingested it ({held.owner}) died; going on")
                ledger.leases.break_lease(event.file, held.owner)
                continue
            say(str(held))
            sleep(max(0.2, min(LONGEST_WAIT_SECONDS, held.until - ledger.now())))
        except LeaseLostError as lost:
            say(str(lost))
            again = False
        except RetryableError as error:
            tries += 1
            if tries >= TRIES:
                raise
            say(f"{error}; trying again")
            sleep(random.uniform(0.5, 1) * 2**tries)


def ingest_blocks_directly(blocks: Iterable[Block], file: str, writer: Writer) -> IngestReport:
    """A local file straight into the table, without the ledger."""
    tally = Tally(source=file)
    ended = ingest_blocks(blocks, tally, writer)
    return tally.report(file, error=ended.error or ended.unwritten_because)


def new_owner() -> str:
    """A name for one piece of work of this process, by which others can tell when it is dead."""
    return f"{_this_machine()} pid {os.getpid()} {uuid.uuid4().hex[:8]}"


def _this_machine() -> str:
    """Where process ids mean the same: this host, and on Linux this process namespace."""
    try:
        namespace = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        namespace = ""
    return f"{socket.gethostname()} {namespace}".strip()


def is_dead(owner: str) -> bool:
    """Whether a lease's owner is a process of this machine that does not live any more."""
    machine, _, rest = owner.partition(" pid ")
    number = rest.partition(" ")[0]
    if machine != _this_machine() or not number.isdigit():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return _is_zombie(int(number))


def _is_zombie(pid: int) -> bool:
    """A killed process that its parent has not collected yet has no hands any more."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return False
    return state in ("Z", "X")


@dataclass
class Kit:
    """`table` and `stack` as the environment names them; AWS is asked when it is needed."""

    table: str
    stack: str

    @classmethod
    def from_environment(cls) -> "Kit":
        return cls(
            table=os.environ.get("FESTIVAL_TABLE", ""),
            stack=os.environ.get("FESTIVAL_STACK", "") or DEFAULT_STACK,
        )

    @cached_property
    def session(self) -> "boto3.Session":
        import boto3  # its own import takes as long as a small file

        return boto3.Session()

    @cached_property
    def clients(self) -> Clients:
        return Clients.of_environment()

    @cached_property
    def outputs(self) -> StackOutputs:
        """Raises FestivalError where there is no such stack."""
        return read_outputs(self.session, self.stack)

    def table_name(self, named: str | None) -> str:
        """`--table`, else FESTIVAL_TABLE, else the stack's."""
        return named or self.table or self.outputs.table
