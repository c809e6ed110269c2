"""The engines of a backfill: what each is given, and which of them suits a run."""

from collections.abc import Generator, Sequence
from typing import Protocol

from festival.ingest.events import FileEvent
from festival.ops.outcome import Outcome

DIRECT, QUEUE, BULK, AUTO = "direct", "queue", "bulk", "auto"


class Engine(Protocol):
    """Takes files into the table, each through the ledger."""

    def run(
        self, files: Sequence[FileEvent], *, again: bool = False, stop_at_failure: bool = False
    ) -> Generator[Outcome, None, None]:
        """The outcome of each file, as it is known; files that never began have none.

        `again` takes files up once more that the ledger shows as done. With `stop_at_failure` no
        further file begins after one that failed. Closing the generator stops the work.
        """
        ...
