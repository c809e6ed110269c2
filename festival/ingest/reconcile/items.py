"""The table's side of reconciling: whose an item is, deleting it, handing it to another file."""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from festival.errors import RetryableError
from festival.ingest.reconcile.compare import Key
from festival.lineup.model import Performance
from festival.table.item import to_item
from festival.table.schema import PARTITION_KEY, SORT_KEY

DONE, GONE, ANOTHERS = "done", "gone", "another's"
KEYS_A_CALL = 100  # DynamoDB: BatchGetItem
TRIES = 8


@dataclass(frozen=True)
class Items:
    """The items of the table. Every change is made only where `Source` is still the file.

    What is not guaranteed: a call whose answer got lost may be carried out late. If it deletes a
    key that a version uploaded right after this one has again, the key is missing until the file is
    ingested again. The client waits 20 seconds for an answer; DynamoDB needs milliseconds.
    """

    client: Any
    table: str
    sleep: Callable[[float], object] = time.sleep

    def delete(self, row: Performance, file: str) -> str:
        """Delete a performance; DONE, or why it was not: GONE or ANOTHERS."""
        return self._change(self.client.delete_item, {"Key": _key(row.key)}, file)

    def hand_over(self, row: Performance, file: str, other: str) -> str:
        """Give an item the values that another file has for it; outcomes as of `delete`."""
        return self._change(self.client.put_item, {"Item": to_item(row, source=other)}, file)

    def sources(self, rows: Sequence[Performance]) -> dict[Key, str]:
        """Whose the performances are that are in the table, read consistently."""
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
            self.sleep(0.05 * 2**tries)
        raise RetryableError(f"{self.table}: {len(wanted['Keys'])} items could not be read")

    def _change(self, call: Callable[..., Any], what: dict[str, Any], file: str) -> str:
        try:
            call(
                TableName=self.table,
                **what,
                ConditionExpression="#f = :file",
                ExpressionAttributeNames={"#f": "Source"},
                ExpressionAttributeValues={":file": {"S": file}},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except ClientError as error:
            if error.response["Error"]["Code"] != "ConditionalCheckFailedException":
                raise
            return ANOTHERS if error.response.get("Item") else GONE
        return DONE


def _key(key: Key) -> dict[str, dict[str, str]]:
    return {PARTITION_KEY: {"S": key[0]}, SORT_KEY: {"S": key[1]}}
