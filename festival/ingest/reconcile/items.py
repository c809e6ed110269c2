"""The table's side of reconciling: an item's owner, deleting it, giving it to another file."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from festival.errors import RetryableError
from festival.ingest.ledger.leases import Lease, Leases, lost
from festival.ingest.reconcile.compare import Key
from festival.lineup.model import Performance
from festival.table.faults import pause
from festival.table.item import to_item
from festival.table.schema import PARTITION_KEY, SORT_KEY

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEYS_A_CALL = 100  # DynamoDB: BatchGetItem
ACTIONS_A_CALL = 100  # DynamoDB: TransactWriteItems
TRIES = 8
CONDITION_FAILED = "ConditionalCheckFailed"
# A cancelled transaction's reasons that pass by themselves (docs: TransactWriteItems).
PASSING = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class ItemOutcome(StrEnum):
    """Result for an item that was to be changed."""

    CHANGED = "changed"
    GONE = "gone"
    ANOTHERS = "another's"


@dataclass(frozen=True)
class Items:
    """The table's items, changed one by one and only by whoever holds the lease.

    Each call is one transaction that checks the lease's owner and attempt, and each change is made
    only if `Source` is still the file. So a call carried out late, after a newer version was begun,
    changes nothing (docs: TransactWriteItems, ConditionCheck).
    """

    client: "DynamoDBClient"
    table: str
    leases: Leases
    sleep: Callable[[float], object] = time.sleep

    def delete(self, rows: Sequence[Performance], file: str, *held: Lease) -> list[ItemOutcome]:
        """Delete a file's performances while all these leases are held.

        Raises LeaseLostError, and RetryableError if other writers were in the way too often.
        """
        changes = [("Delete", {"Key": _key(row.key)}) for row in rows]
        return self._change(changes, file, held)

    def hand_over(
        self, rows: Sequence[Performance], file: str, other: str, *held: Lease
    ) -> list[ItemOutcome]:
        """Give items another file's values for them; outcomes and errors as for `delete`."""
        changes = [("Put", {"Item": to_item(row, source=other)}) for row in rows]
        return self._change(changes, file, held)

    def sources(self, rows: Sequence[Performance]) -> dict[Key, str]:
        """The owners of those performances that are in the table, read consistently."""
        found: dict[Key, str] = {}
        for first in range(0, len(rows), KEYS_A_CALL):
            keys = [_key(row.key) for row in rows[first : first + KEYS_A_CALL]]
            for item in self._read(keys):
                key = (item[PARTITION_KEY]["S"], item[SORT_KEY]["S"])
                found[key] = item.get("Source", {}).get("S", "")
        return found

    def _read(self, keys: Sequence[Any]) -> Iterable[Any]:
        wanted: Any = {
            "Keys": keys,
            "ConsistentRead": True,
            "ProjectionExpression": "#p, #s, #f",
            "ExpressionAttributeNames": {"#p": PARTITION_KEY, "#s": SORT_KEY, "#f": "Source"},
        }
        for tries in range(TRIES):
            answer = self.client.batch_get_item(RequestItems={self.table: wanted})
            yield from answer["Responses"].get(self.table, [])
            wanted = answer.get("UnprocessedKeys", {}).get(self.table)
            if not wanted:
                return
            self.sleep(pause(tries + 1, random.random()))
        raise RetryableError(f"{self.table}: {len(wanted['Keys'])} items could not be read")

    def _change(
        self, changes: Sequence[tuple[str, dict[str, Any]]], file: str, held: Sequence[Lease]
    ) -> list[ItemOutcome]:
        actions = [{kind: self._if_still_of(file, what)} for kind, what in changes]
        outcomes: list[ItemOutcome] = []
        most = ACTIONS_A_CALL - len(held)
        for first in range(0, len(actions), most):
            outcomes += self._together(actions[first : first + most], held)
        return outcomes

    def _together(self, actions: Sequence[Any], held: Sequence[Lease]) -> list[ItemOutcome]:
        """Carry out the actions, without those whose condition fails."""
        outcomes = [ItemOutcome.CHANGED] * len(actions)
        left, conflicts = list(range(len(actions))), 0
        while left:
            reasons = self._transact([actions[number] for number in left], held)
            if not reasons:
                break
            failed = {
                number: reason
                for number, reason in zip(left, reasons, strict=True)
                if reason["Code"] == CONDITION_FAILED
            }
            for number, reason in failed.items():
                is_there = bool(reason.get("Item"))
                outcomes[number] = ItemOutcome.ANOTHERS if is_there else ItemOutcome.GONE
            if not failed:
                conflicts += 1
                if conflicts == TRIES:
                    raise RetryableError(f"table {self.table}: others wrote the same items")
                self.sleep(pause(conflicts, random.random()))
            left = [number for number in left if number not in failed]
        return outcomes

    def _transact(self, actions: Sequence[Any], held: Sequence[Lease]) -> Sequence[Any]:
        """Do all of it, or nothing and return the reasons by action. Raises LeaseLostError.

        botocore gives each call a token: a call repeated for want of an answer is carried out once.
        """
        checks: list[Any] = [self.leases.check(lease) for lease in held]
        try:
            self.client.transact_write_items(TransactItems=[*checks, *actions])
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            for lease, reason in zip(held, reasons, strict=False):
                if reason["Code"] == CONDITION_FAILED:
                    raise lost(lease) from None
            codes = {reason["Code"] for reason in reasons} - {"None"}
            if not codes or not codes <= {CONDITION_FAILED, *PASSING}:
                raise
            return list(reasons[len(held) :])
        return ()

    def _if_still_of(self, file: str, what: dict[str, Any]) -> dict[str, Any]:
        return {
            "TableName": self.table,
            **what,
            "ConditionExpression": "#f = :file",
            "ExpressionAttributeNames": {"#f": "Source"},
            "ExpressionAttributeValues": {":file": {"S": file}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}
