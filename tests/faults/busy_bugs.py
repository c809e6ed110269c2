"""Bugs to be sown that only busy schedules show: leases, mappings, undo, halves of answers."""

from typing import Any

import pytest

from festival.ingest import clients
from festival.ingest.attempt import Attempt
from festival.ingest.ledger.leases import Leases
from festival.ingest.ledger.records import VersionRecord

from .bugs import Sow


def done_whatever_the_table_has_now(patch: pytest.MonkeyPatch) -> None:
    """A finished record counts, even if another version was ingested after it."""
    patch.setattr(Attempt, "_is_current", lambda self, version: not self._again)
    patch.setattr(VersionRecord, "is_settled", VersionRecord.is_done)


def a_head_that_was_cut_is_believed(patch: pytest.MonkeyPatch) -> None:
    """An answer without its length is taken for whole."""

    def believed(operation_model: Any, response_dict: Any, **others: Any) -> None:
        headers = response_dict["headers"]
        if "content-length" in headers:
            WHOLE(operation_model=operation_model, response_dict=response_dict, **others)

    patch.setattr(clients, "refuse_part_of_an_answer", believed)


WHOLE = clients.refuse_part_of_an_answer


def a_lease_that_nobody_renews(patch: pytest.MonkeyPatch) -> None:
    """A person's process goes on writing when its lease is over."""

    def renewed(self: Leases, lease: Any, seconds: float) -> Any:

        return lease._replace(until=self._now() + seconds)

    patch.setattr(Leases, "renew", renewed)


# Each with the schedules that notice it.
BUSY_BUGS: dict[Sow, tuple[int, ...]] = {
    done_whatever_the_table_has_now: (15, 11),
    a_head_that_was_cut_is_believed: (4, 22, 24),
    a_lease_that_nobody_renews: (16, 21),
}
