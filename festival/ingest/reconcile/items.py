"""The table's items in reconciling: finding their owner, deleting them, handing them over."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from festival.errors import RetryableError
from festival.ingest.ledger.leases import Lease, Leases, lease_lost
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
# Reasons for a cancelled transaction that are worth another try (docs: TransactWriteItems).
TEMPORARY = {"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"}


class ItemOutcome(StrEnum):
    """What became of an item that was to be changed."""

    CHANGED = "changed"
    GONE = "gone"
    ANOTHERS = "another's"


@dataclass(frozen=True)
class Items:
    """The table's items, changed one by one and only by whoever holds the lease.

    Each call is one transaction that checks the lease's owner and attempt, and each change is made
    only if `Source` is still the file. So a call carried out late, after an ingest of a newer
    version began, changes nothing (docs: TransactWriteItems, ConditionCheck).
    """

    client: "DynamoDBClient"
    table: str
    leases: Leases
    sleep: Callable[[float], object] = time.sleep

    def delete(self, rows: Sequence[Performance], file: str, *held: Lease) -> list[ItemOutcome]:
        """Delete a file's performances while all these leases are held.

        Raises LeaseLostError, and RetryableError if other writers interfered too often.
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
        """The source file of each performance that is in the table, read consistently."""
        sources: dict[Key, str] = {}
        for first in range(0, len(rows), KEYS_A_CALL):
            keys = [_key(row.key) for row in rows[first : first + KEYS_A_CALL]]
            for item in self._read(keys):
                key = (item[PARTITION_KEY]["S"], item[SORT_KEY]["S"])
                sources[key] = item.get("Source", {}).get("S", "")
        return sources

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
        actions = [{kind: self._if_still_of(file, change)} for kind, change in changes]
        outcomes: list[ItemOutcome] = []
        most = ACTIONS_A_CALL - len(held)
        for first in range(0, len(actions), most):
            outcomes += self._apply(actions[first : first + most], held)
        return outcomes

    def _apply(self, actions: Sequence[Any], held: Sequence[Lease]) -> list[ItemOutcome]:
        """Carry out the actions, except those whose condition fails."""
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
                exists = bool(reason.get("Item"))
                outcomes[number] = ItemOutcome.ANOTHERS if exists else ItemOutcome.GONE
            if not failed:
                conflicts += 1
                if conflicts == TRIES:
                    raise RetryableError(f"table {self.table}: others wrote the same items")
                self.sleep(pause(conflicts, random.random()))
            left = [number for number in left if number not in failed]
        return outcomes

    def _transact(self, actions: Sequence[Any], held: Sequence[Lease]) -> Sequence[Any]:
        """Carry out all actions, or none and return each one's reason. Raises LeaseLostError.

        botocore gives each call a token, so a call that it repeats is carried out only once.
        """
        checks: list[Any] = [self.leases.check(lease) for lease in held]
        try:
            self.client.transact_write_items(TransactItems=[*checks, *actions])
        except ClientError as error:
            reasons = error.response.get("CancellationReasons", [])
            for lease, reason in zip(held, reasons, strict=False):
                if reason["Code"] == CONDITION_FAILED:
                    raise lease_lost(lease) from None
            codes = {reason["Code"] for reason in reasons} - {"None"}
            if not codes or not codes <= {CONDITION_FAILED, *TEMPORARY}:
                raise
            return list(reasons[len(held) :])
        return ()

    def _if_still_of(self, file: str, change: dict[str, Any]) -> dict[str, Any]:
        return {
            "TableName": self.table,
            **change,
            "ConditionExpression": "#f = :file",
            "ExpressionAttributeNames": {"#f": "Source"},
            "ExpressionAttributeValues": {":file": {"S": file}},
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}
